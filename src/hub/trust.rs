//! The project folders that the user trusts, and the owner of a folder.
//!
//! The list is the file `trusted.json` in the user's configuration folder. An entry contains the folder's real path and
//! its owner at that time; a folder with a new owner is no longer trusted. Trust covers the named folder and no project
//! inside it. README.md, section Privacy, lists the permissions of trust.

use super::Folders;
use crate::{error::Fault, files};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The name of the list in the user's configuration folder.
const FILE: &str = "trusted.json";
/// Maximum size of the list, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// A folder that the user trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// The folder's real path: absolute and without links.
    pub folder: PathBuf,
    /// The user id of the owner at the time of trust; `None` on systems without user ids.
    pub owner: Option<u32>,
}

impl Trusted {
    /// Checks that the folder is still the trusted one. An error says why it is not.
    pub fn still(&self) -> Result<(), String> {
        match (self.folder.is_dir(), owner(&self.folder)) {
            (false, _) => Err("the folder is gone".to_owned()),
            (true, now) if now != self.owner => {
                Err(format!("it belonged to {} and belongs to {} now", user_shown(self.owner), user_shown(now)))
            }
            _ => Ok(()),
        }
    }
}

/// The trust of a run: the user's list, and `--trust`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// The folders of the list, sorted.
    pub folders: Vec<Trusted>,
    /// True if the project of this run is trusted too (`--trust`).
    pub this_run: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u32,
    folders: Vec<Trusted>,
}

impl Trust {
    /// Reads the user's list. A missing list trusts nothing. Fails if the list cannot be read.
    pub fn read(folders: &Folders) -> Result<Trust, Fault> {
        let Some(config) = folders.own_config() else { return Ok(Trust::default()) };
        let file = config.join(FILE);
        let bad = |why: String| {
            Fault::refused(format!("the list of trusted folders, {}, cannot be read: {why}", file.display()))
                .hint("move the file away; `elenchus trust DIR` then starts a new list")
        };
        let text = match files::read_text(&file, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Trust::default()),
            Err(error) => return Err(bad(error.to_string())),
        };
        let list: List = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        match list.version {
            1 => Ok(Trust { folders: list.folders, this_run: false }),
            other => Err(bad(format!("found version {other}, expected 1"))),
        }
    }

    /// True if the list contains this folder (a real path), and the folder still has the same owner.
    pub fn holds(&self, folder: &Path) -> bool {
        self.folders.iter().any(|entry| entry.folder == folder && entry.still().is_ok())
    }
}

/// Adds the folder `dir` to the list. `elenchus trust DIR` does only this, and a program that creates a project for its
/// user calls it too. Fails if the folder cannot be trusted or the list cannot be written.
pub fn add(folders: &Folders, dir: &Path) -> Result<Trusted, Fault> {
    let shown = dir.display();
    let folder =
        fs::canonicalize(dir).map_err(|error| Fault::refused(format!("{shown} cannot be trusted: {error}")))?;
    if !folder.is_dir() {
        return Err(Fault::refused(format!("{shown} cannot be trusted: it is not a folder")));
    }
    if folder.to_str().is_none() {
        return Err(Fault::refused(format!("{shown} cannot be trusted: its path is not UTF-8 text")));
    }
    let owner = owner(&folder);
    if anyone_writes(&folder) && owner != folders.uid {
        return Err(Fault::refused(format!(
            "{shown} cannot be trusted: every user can write to it, and it belongs to {}",
            user_shown(owner)
        ))
        .hint("move your project to a folder of your own"));
    }
    let entry = Trusted { folder, owner };
    change(folders, |list| {
        list.retain(|known| known.folder != entry.folder);
        list.push(entry.clone());
        list.sort_by(|a, b| a.folder.cmp(&b.folder));
    })?;
    Ok(entry)
}

/// Removes the folder `dir` from the list. False if the list does not contain it.
pub fn remove(folders: &Folders, dir: &Path) -> Result<bool, Fault> {
    // a deleted folder lacks a real path, but its entry can still be named
    let folder = fs::canonicalize(dir).or_else(|_| std::path::absolute(dir)).unwrap_or_else(|_| dir.to_owned());
    let mut was_there = false;
    change(folders, |list| {
        let before = list.len();
        list.retain(|known| known.folder != folder);
        was_there = list.len() < before;
    })?;
    Ok(was_there)
}

/// Reads the list, changes it and writes it back under a lock, so that two processes lose no entry.
fn change(folders: &Folders, edit: impl FnOnce(&mut Vec<Trusted>)) -> Result<(), Fault> {
    let failed = |path: &Path, error: std::io::Error| {
        Fault::refused(format!("the list of trusted folders cannot be written: {}: {error}", path.display()))
            .hint("set ELENCHUS_HOME to a writable folder of your own")
    };
    let config = folders.own_config().ok_or_else(|| {
        Fault::refused(format!("the configuration folder {} belongs to another user", folders.config.display()))
            .hint("set ELENCHUS_HOME to a folder of your own")
    })?;
    fs::create_dir_all(config).map_err(|error| failed(config, error))?;
    let beside = config.join(format!("{FILE}.lock"));
    let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&beside);
    let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| failed(&beside, error))?;
    let mut list = Trust::read(folders)?.folders;
    edit(&mut list);
    let text = serde_json::to_string_pretty(&List { version: 1, folders: list });
    let text = text.expect("paths were checked to be UTF-8: this is a bug") + "\n";
    let file = config.join(FILE);
    let temporary = config.join(format!(".{FILE}-{:08x}.tmp", rand::random::<u32>()));
    let written = private(&temporary).and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()));
    let written = written.and_then(|()| fs::rename(&temporary, &file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    drop(lock);
    written.map_err(|error| failed(&file, error))
}

/// Creates a file that only its owner can read and write.
fn private(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The user id of the owner of the file, or of a link's target; `None` if it is missing.
#[cfg(unix)]
pub fn owner(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|meta| std::os::unix::fs::MetadataExt::uid(&meta))
}

/// On systems without user ids every folder counts as the user's own, and only the list decides.
#[cfg(not(unix))]
pub fn owner(_: &Path) -> Option<u32> {
    None
}

/// True if every user can write to the folder, as in a shared temporary folder.
#[cfg(unix)]
pub fn anyone_writes(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o002 != 0)
}

/// The permissions of such systems are not read.
#[cfg(not(unix))]
pub fn anyone_writes(_: &Path) -> bool {
    false
}

/// An owner as text, for messages.
pub fn user_shown(owner: Option<u32>) -> String {
    owner.map_or("an unknown user".to_owned(), |uid| format!("the user with id {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(root: &Path) -> Folders {
        let uid = owner(root);
        Folders {
            config: root.join("config"),
            data: "d".into(),
            cache: root.join("cache"),
            models: root.join("models"),
            home: Some(root.to_owned()),
            uid,
            here: None,
            zone: String::new(),
        }
    }

    #[test]
    fn a_folder_is_trusted_until_it_is_removed() {
        let root = tempfile::tempdir().expect("temp");
        let (folders, dir) = (folders(root.path()), root.path().join("project"));
        let holds = |dir: &Path| Trust::read(&folders).expect("a list").holds(&fs::canonicalize(dir).expect("there"));
        assert!(add(&folders, &dir).expect_err("not there").message.contains("cannot be trusted"));
        fs::create_dir_all(dir.join("inner")).expect("made");
        assert_eq!(Trust::read(&folders), Ok(Trust::default()));
        add(&folders, &dir.join("inner/..")).expect("added");
        add(&folders, &dir).expect("added again");
        assert_eq!(Trust::read(&folders).expect("a list").folders.len(), 1);
        assert!(holds(&dir) && !holds(&dir.join("inner")) && !holds(root.path()));
        assert_eq!(remove(&folders, root.path()), Ok(false));
        fs::remove_dir_all(&dir).expect("removed");
        let real = fs::canonicalize(root.path()).expect("there").join("project");
        assert_eq!(remove(&folders, &real), Ok(true));
        assert_eq!(Trust::read(&folders), Ok(Trust::default()));
        let left: Vec<_> = fs::read_dir(&folders.config).expect("listed").flatten().map(|e| e.file_name()).collect();
        assert_eq!(left.len(), 2, "the list and its lock: {left:?}");
    }

    #[test]
    fn an_unreadable_list_stays_unchanged() {
        let root = tempfile::tempdir().expect("temp");
        let folders = folders(root.path());
        fs::create_dir(&folders.config).expect("made");
        for bad in ["{", "{\"version\": 2, \"folders\": []}", "{\"version\": 1, \"folders\": [], \"more\": 1}"] {
            fs::write(folders.config.join(FILE), bad).expect("written");
            assert!(Trust::read(&folders).is_err() && add(&folders, root.path()).is_err(), "{bad}");
            assert_eq!(fs::read_to_string(folders.config.join(FILE)).expect("there"), bad);
        }
    }

    #[cfg(unix)]
    #[test]
    fn another_owner_ends_trust_and_a_shared_folder_cannot_be_trusted() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("temp");
        let mut folders = folders(root.path());
        let added = add(&folders, root.path()).expect("added");
        let other = Trusted { owner: added.owner.map(|uid| uid + 1), ..added.clone() };
        let list = |entry: &Trusted| Trust { folders: vec![entry.clone()], this_run: false };
        assert!(list(&added).holds(&added.folder) && !list(&other).holds(&added.folder));
        assert!(other.still().expect_err("changed").starts_with("it belonged to the user with id"));

        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o1777)).expect("set");
        assert!(add(&folders, root.path()).is_ok(), "the user's own");
        folders.uid = folders.uid.map(|uid| uid + 1);
        assert!(add(&folders, root.path()).expect_err("shared").message.contains("every user can write to it"));
        let mode = fs::metadata(folders.config.join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
