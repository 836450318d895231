//! A project: the folder whose `agents/`, `prompts/`, `vocab/`, `casts/` and `examples/` a dialogue uses, and whether
//! its user trusts it.
//!
//! The search starts at the dialogue (or in the working folder) and goes upwards. Another person may be able to create
//! a folder above the user's own, and must not govern the user's runs. Therefore:
//!
//! - inside the home folder the search ends there, and the home folder itself is a project only if it is trusted;
//! - a folder of another user, and every folder above one, is a project only if it is trusted;
//! - a folder that every user can write to (a shared temporary folder) is a project only if it is trusted and belongs
//!   to the user; folders above it only if they are trusted.
//!
//! `--trust` trusts the project that is found. For this run it also admits the folder where the search starts, and the
//! folders above it with the same owner. It never reaches a home folder or a shared folder above the start.

use super::{Folders, Trust, trust};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// The nearest folder with `agents/` or `prompts/` at or above a dialogue (or the working folder); else the nearest
/// folder with `casts/` or `vocab/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The real path of that folder.
    pub folder: PathBuf,
    /// True if the user trusts it. An untrusted project sends nothing, downloads nothing, follows no link out of its
    /// folder, and replaces no existing name.
    pub trusted: bool,
}

/// A folder that looks like a project but does not count as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The folder.
    pub folder: PathBuf,
    /// The reason.
    pub why: PassedOverReason,
}

/// Why a folder does not count as a project unless it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassedOverReason {
    /// It is the home folder.
    Home,
    /// Every user can write to it.
    Shared,
    /// It belongs to another user.
    Owner(Option<u32>),
    /// It lies above a folder of another user, or above a shared one.
    Above,
}

impl fmt::Display for PassedOverReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassedOverReason::Home => f.write_str("it is the home folder"),
            PassedOverReason::Shared => f.write_str("every user can write to it"),
            PassedOverReason::Owner(owner) => write!(f, "it belongs to {}", trust::user_shown(*owner)),
            PassedOverReason::Above => f.write_str("it lies above a folder of another user"),
        }
    }
}

/// The result of a search for the project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectSearch {
    /// The project.
    pub project: Option<Project>,
    /// The nearest folder that looks like a project but does not count as one, if it is nearer than the project.
    pub passed_over: Option<PassedOver>,
}

impl ProjectSearch {
    /// Searches from `start` upwards. A file counts as its folder.
    pub fn from(start: &Path, folders: &Folders, trust: &Trust) -> ProjectSearch {
        let start = if start.is_dir() { start } else { start.parent().unwrap_or(start) };
        let start = if start.as_os_str().is_empty() { Path::new(".") } else { start };
        let Ok(start) = fs::canonicalize(start) else { return ProjectSearch::default() };
        let first = search(&start, ["agents", "prompts"], folders, trust);
        match first.project {
            Some(_) => first,
            None => {
                let second = search(&start, ["casts", "vocab"], folders, trust);
                ProjectSearch { project: second.project, passed_over: first.passed_over.or(second.passed_over) }
            }
        }
    }
}

fn search(start: &Path, parts: [&str; 2], folders: &Folders, trust: &Trust) -> ProjectSearch {
    let home = folders.home.as_deref().and_then(|home| fs::canonicalize(home).ok());
    let top = home.as_deref().filter(|home| start.starts_with(home));
    let mut found = ProjectSearch::default();
    // `--trust` adds the folders of the start's owner to the user's own
    let start_owner = trust::owner(start);
    let is_own = |owner| owner == folders.uid || (trust.this_run && owner == start_owner);
    let mut above = false;
    for folder in start.ancestors() {
        let (owner, shared) = (trust::owner(folder), trust::anyone_writes(folder));
        let (named, is_start) = (trust.this_run, folder == start);
        let why = match () {
            () if shared && owner != folders.uid => Some(PassedOverReason::Shared),
            () if trust.holds(folder) => None,
            () if above => Some(PassedOverReason::Above),
            () if !is_own(owner) => Some(PassedOverReason::Owner(owner)),
            () if shared && !(named && is_start) => Some(PassedOverReason::Shared),
            () if home.as_deref() == Some(folder) && !(named && is_start) => Some(PassedOverReason::Home),
            () => None,
        };
        if parts.iter().any(|part| folder.join(part).is_dir()) {
            match why {
                None => {
                    let trusted = trust.this_run || trust.holds(folder);
                    found.project = Some(Project { folder: folder.to_owned(), trusted });
                    return found;
                }
                Some(why) if found.passed_over.is_none() => {
                    found.passed_over = Some(PassedOver { folder: folder.to_owned(), why });
                }
                Some(_) => {}
            }
        }
        above |= matches!(why, Some(PassedOverReason::Owner(_) | PassedOverReason::Shared));
        if top == Some(folder) {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A temporary folder with these folders in it.
    fn tree(folders: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("temp");
        folders.iter().for_each(|folder| fs::create_dir_all(root.path().join(folder)).expect("made"));
        let real = fs::canonicalize(root.path()).expect("there");
        (root, real)
    }

    fn user(home: &Path, uid: Option<u32>) -> Folders {
        Folders {
            config: home.join("c"),
            data: "d".into(),
            cache: home.join("k"),
            models: home.join("k/models"),
            home: Some(home.to_owned()),
            uid,
            here: None,
            zone: String::new(),
        }
    }

    fn trusting(folder: &Path) -> Trust {
        let entry = trust::Trusted { folder: folder.to_owned(), owner: trust::owner(folder) };
        Trust { folders: vec![entry], this_run: false }
    }

    const THIS_RUN: Trust = Trust { folders: Vec::new(), this_run: true };

    fn shown(search: &ProjectSearch, root: &Path) -> String {
        let below = |folder: &Path| format!("/{}", folder.strip_prefix(root).unwrap_or(folder).display());
        let project = search.project.as_ref().map(|p| format!("{} {}", below(&p.folder), p.trusted));
        let passed = search.passed_over.as_ref().map(|p| format!("({}: {})", below(&p.folder), p.why));
        [project, passed].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_nearest_folder_with_named_files_is_the_project() {
        let (_keep, root) = tree(&["a/b/c", "a/prompts", "other/vocab"]);
        let folders = user(&root.join("elsewhere"), trust::owner(&root));
        let found = |at: &str| shown(&ProjectSearch::from(&root.join(at), &folders, &Trust::default()), &root);
        fs::write(root.join("a/b/c/d.yaml"), "").expect("written");
        assert_eq!(found("a/b/c/d.yaml"), "/a false");
        fs::create_dir(root.join("a/b/agents")).expect("made");
        assert_eq!(found("a/b/c"), "/a/b false");
        fs::create_dir(root.join("a/b/c/casts")).expect("made");
        assert_eq!(found("a/b/c"), "/a/b false", "a part of the project");
        assert_eq!(found("other/none.yaml"), "/other false");
    }

    #[test]
    fn the_search_stays_in_the_home_folder() {
        let (_keep, root) = tree(&["agents", "home/agents", "home/videos", "home/p/agents", "home/p/deep"]);
        let home = root.join("home");
        let check = |at: &str, trust: &Trust, expected: &str| {
            let folders = user(&home, trust::owner(&root));
            assert_eq!(shown(&ProjectSearch::from(&root.join(at), &folders, trust), &root), expected, "{at}");
        };
        let passed = "(/home: it is the home folder)";
        check("home/videos", &Trust::default(), passed);
        check("home", &Trust::default(), passed);
        check("home/p/deep", &Trust::default(), "/home/p false");
        check("home/videos", &trusting(&home), "/home true");
        check("home/videos", &trusting(&root), passed);
        check("home/p/deep", &trusting(&home), "/home/p false");
        check("home/p/deep", &trusting(&home.join("p")), "/home/p true");
        check("home/p/deep", &THIS_RUN, "/home/p true");
        check("home/videos", &THIS_RUN, passed);
        check("home", &THIS_RUN, "/home true");
        check(".", &Trust::default(), "/ false");
    }

    #[cfg(unix)]
    #[test]
    fn folders_of_another_owner_and_shared_folders_are_passed_over() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_keep, root) = tree(&["agents", "a/agents", "a/b", "tmp/agents", "tmp/mine"]);
        let own = trust::owner(&root);
        let other = own.map(|uid| uid + 1);
        let check = |at: &str, uid: Option<u32>, trust: &Trust, expected: &str| {
            let folders = user(&root.join("elsewhere"), uid);
            let found = shown(&ProjectSearch::from(&root.join(at), &folders, trust), &root);
            assert_eq!(found.replace(&own.unwrap_or(0).to_string(), "N"), expected, "{at}");
        };
        check("a/b", own, &Trust::default(), "/a false");
        check("a/b", other, &Trust::default(), "(/a: it lies above a folder of another user)");
        check("a", other, &Trust::default(), "(/a: it belongs to the user with id N)");
        check("a/b", other, &trusting(&root.join("a")), "/a true");
        check("a/b", other, &trusting(&root), "/ true (/a: it lies above a folder of another user)");
        check("a/b", other, &THIS_RUN, "/a true");

        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("set");
        let passed = "(/tmp: every user can write to it)";
        check("tmp/mine", own, &Trust::default(), passed);
        check("tmp", own, &Trust::default(), passed);
        check("tmp/mine", own, &THIS_RUN, passed);
        check("tmp", own, &THIS_RUN, "/tmp true");
        check("tmp/mine", own, &trusting(&root.join("tmp")), "/tmp true");
        check("tmp/mine", other, &trusting(&root.join("tmp")), passed);
        check("tmp/mine", own, &trusting(&root), &format!("/ true {passed}"));
    }
}
