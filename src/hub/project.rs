//! A project: the folder whose `agents/`, `prompts/`, `vocab/`, `casts/` and `examples/` a dialogue uses first.

use std::path::{Path, PathBuf};

/// The nearest folder, at or above a dialogue (or the working folder), that holds `agents/` or `prompts/`; where there is none, the nearest
/// with `casts/` or `vocab/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// That folder.
    pub folder: PathBuf,
}

impl Project {
    /// Looks at `start` (a file counts as its folder) and upwards. `None` when no ancestor is a project.
    pub fn find(start: &Path) -> Option<Project> {
        let absolute = std::path::absolute(start).ok()?;
        let nearest =
            |parts: [&str; 2]| absolute.ancestors().find(|folder| parts.iter().any(|part| folder.join(part).is_dir()));
        nearest(["agents", "prompts"])
            .or_else(|| nearest(["casts", "vocab"]))
            .map(|folder| Project { folder: folder.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_with_what_dialogues_name_is_the_project() {
        let root = tempfile::tempdir().expect("temp");
        let deep = root.path().join("a/b/c");
        std::fs::create_dir_all(&deep).expect("made");
        std::fs::create_dir(root.path().join("a/prompts")).expect("made");
        std::fs::write(deep.join("d.yaml"), "").expect("written");
        let found = |at: &Path| Project::find(at).map(|project| project.folder);
        assert_eq!(found(&deep.join("d.yaml")), Some(root.path().join("a")));
        std::fs::create_dir(root.path().join("a/b/agents")).expect("made");
        assert_eq!(found(&deep), Some(root.path().join("a/b")));
        std::fs::create_dir(deep.join("casts")).expect("made");
        assert_eq!(found(&deep), Some(root.path().join("a/b")), "a part of the project");
        let other = root.path().join("other");
        std::fs::create_dir_all(other.join("vocab")).expect("made");
        assert_eq!(found(&other.join("d.yaml")), Some(other));
    }
}
