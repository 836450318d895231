//! Checks that a path of an untrusted project stays inside it. Links count as their targets.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// Maximum number of checked entries of a checkpoint folder.
const MAX_ENTRIES: usize = 10_000;
/// Maximum depth of checked folders below a checkpoint. A model reads no deeper ones.
const MAX_DEPTH: usize = 4;

/// `Ok` if the path, and its target if it exists, lie in the folder `project` (a real path). An error says why not.
pub fn check(project: &Path, path: &Path) -> Result<(), String> {
    if !plain(path).starts_with(project) {
        return Err("it lies outside its project, which is not trusted".to_owned());
    }
    match fs::canonicalize(path) {
        Ok(real) if real.starts_with(project) => Ok(()),
        Ok(_) => Err("it is a link that leaves its project, which is not trusted".to_owned()),
        // a missing file leads nowhere, and its reader reports it
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("its target cannot be resolved: {error}")),
    }
}

/// [`check`] for a checkpoint: a file, or a folder with all its content.
pub fn check_all(project: &Path, path: &Path) -> Result<(), String> {
    check(project, path)?;
    let mut folders = vec![(path.to_owned(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(format!("it contains more than {MAX_ENTRIES} files, too many for a checkpoint"));
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

/// The path without `.` and `..`, from its text alone: `..` removes the name before it.
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
    fn links_count_as_their_targets() {
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
