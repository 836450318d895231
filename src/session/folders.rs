//! The videos and sounds below files and folders.

use super::lists::Files;
use crate::{error::Fault, files};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The maximum number of files.
const MAX_FILES: usize = 100_000;
/// The maximum nesting of folders.
const MAX_DEPTH: usize = 32;

/// The videos and sounds that the paths name: a file as it is, a folder with everything below it, sorted by name. Links to folders are
/// not followed. Fails for a missing path, or if nothing is found.
pub fn media_below(paths: &[String]) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for name in paths {
        let path = files::path(name);
        if name.contains("://") && !path.exists() {
            found.push(name.clone());
            continue;
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => {
                let before = found.len();
                below(&path, 0, &mut found)?;
                if found.len() == before {
                    return Err(Fault::refused(format!("{name} contains no videos or sounds")));
                }
            }
            Ok(_) => found.push(name.clone()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::media(format!("{name}: no such file")));
            }
            Err(error) => return Err(Fault::media(format!("{name} cannot be read: {error}"))),
        }
    }
    Ok(found)
}

fn below(folder: &Path, depth: usize, found: &mut Vec<String>) -> Result<(), Fault> {
    let unreadable = |error: std::io::Error| Fault::media(format!("{} cannot be read: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if is_hidden {
            continue;
        }
        if meta.is_dir() && depth < MAX_DEPTH {
            below(&path, depth + 1, found)?;
        } else if !meta.is_dir() && path.is_file() && Files::Sounds.has_ending(&path) {
            found.push(files::name(path.as_os_str()));
        }
        if found.len() > MAX_FILES {
            return Err(Fault::refused(format!("{} holds more than {MAX_FILES} videos and sounds", folder.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_the_media_below_them() {
        let root = tempfile::tempdir().expect("temp");
        let at = |file: &str| root.path().join(file).display().to_string();
        fs::create_dir_all(at("days/monday/.hidden")).expect("made");
        for file in
            ["days/b.mp4", "days/a.WAV", "days/notes.txt", "days/monday/c.mov", "days/monday/.hidden/d.mp4", "x"]
        {
            fs::write(at(file), "").expect("written");
        }
        let check = |paths: &[&str], expected: Result<&[&str], &str>| {
            let found = media_below(&paths.iter().map(|path| at(path)).collect::<Vec<_>>());
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found, expected.iter().map(|file| at(file)).collect::<Vec<_>>());
                }
                (Err(fault), Err(expected)) => assert!(fault.message.contains(expected), "{fault}"),
                (found, expected) => panic!("{found:?} {expected:?}"),
            }
        };
        check(&["days"], Ok(&["days/a.WAV", "days/b.mp4", "days/monday/c.mov"]));
        check(&["x", "days/monday"], Ok(&["x", "days/monday/c.mov"]));
        check(&["none"], Err("no such file"));
        check(&["days/monday/.hidden/.."], Ok(&["days/monday/.hidden/../c.mov"]));
        fs::create_dir(at("empty")).expect("made");
        check(&["empty"], Err("contains no videos or sounds"));
    }
}
