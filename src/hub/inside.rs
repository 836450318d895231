//! Checks that a path of an untrusted project stays inside it. Links count as their targets.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// Most entries of a checkpoint folder that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// Deepest folder below a checkpoint that is checked; a model reads no deeper ones.
const MAX_DEPTH: usize = 4;

/// `Ok` if the path, and its target if it exists, lie in the folder `project` (a real path).
pub fn check(project: &Path, path: &Path) -> Result<(), String> {
    if !plain(path).starts_with(project) {
        return Err("it lies outside its project, which is not trusted".to_owned());
    }
    match fs::canonicalize(path) {
        Ok(real) if real.starts_with(project) => Ok(()),
        Ok(_) => Err("it is a link that leaves its project, which is not trusted".to_owned()),
        // a missing file leads nowhere; its reader reports it
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("its target cannot be resolved: {error}")),
    }
}

/// [`check`] for a checkpoint: a folder with all that is in it, or a file.
pub fn check_all(project: &Path, path: &Path) -> Result<(), String> {
    check(project, path)?;
    let mut folders = vec![(path.to_owned(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(format!("it holds more than {MAX_ENTRIES} files, which no checkpoint does"));
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                check(project, &entry.path())
                    .map_err(|why| format!("{}: {why}", entry.file_name().to_string_lossy()))?;
            }
            if depth < MAX_DEPTH && entry.path().is_dir() {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    Ok(())
}

/// The path without `.` and `..`, as it is written: `..` takes the last name away.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_for_what_they_lead_to() {
        let root = tempfile::tempdir().expect("temp");
        let root = fs::canonicalize(root.path()).expect("there");
        for folder in ["p/agents", "p/weights/inner", "q"] {
            fs::create_dir_all(root.join(folder)).expect("made");
        }
        let project = root.join("p");
        let check = |path: &str, expected: bool| {
            assert_eq!(check_all(&project, &root.join(path)).is_ok(), expected, "{path}");
        };
        check("p/agents/../weights", true);
        check("p/agents/../../p/weights", true);
        check("p/none", true);
        check("p/../q", false);
        check("p/agents/../../q", false);
        check("p/../none", false);
        check("/etc", false);
        #[cfg(unix)]
        {
            let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).expect("linked");
            link("weights", "p/same");
            check("p/same", true);
            link("../q", "p/other");
            check("p/other", false);
            check("p/other/none", true);
            link("../../../q", "p/weights/inner/config.json");
            check("p/weights", false);
            check("p/same", false);
        }
    }
}
