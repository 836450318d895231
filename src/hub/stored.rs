//! What the hub's cache holds: its repositories and snapshots, the check of their files, and their removal.
//!
//! The name of a blob is the digest that the hub stated: SHA-256 of a large file, or git's SHA-1 of a small one. The
//! files of a snapshot are links to blobs, so a snapshot can be checked without the hub, and a blob can go when no
//! snapshot links to it.

use super::{HubError, cache::CachedRepo, cache::file_names, digest::sum};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A repository in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredRepo {
    /// `org/name`
    pub repo: String,
    /// Its snapshots, sorted by commit.
    pub snapshots: Vec<StoredSnapshot>,
    /// Bytes of all its files on the disk, each blob once.
    pub bytes: u64,
    /// Bytes of unfinished downloads.
    pub unfinished: u64,
}

/// The files of one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredSnapshot {
    /// The commit.
    pub commit: String,
    /// The branches and tags that pointed to it when they were downloaded.
    pub revisions: Vec<String>,
    /// Its folder.
    pub path: PathBuf,
    /// Its files, sorted by name.
    pub files: Vec<StoredFile>,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// Its name in the repository.
    pub name: String,
    /// Its size; 0 if it is missing.
    pub bytes: u64,
    /// The digest that the hub stated; none for a copy, on a system without links.
    pub digest: Option<String>,
    #[serde(skip)]
    blob: Option<PathBuf>,
    #[serde(skip)]
    path: PathBuf,
}

/// The result of checking a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StoredState {
    /// Its digest is the stated one.
    Ok,
    /// Its digest differs.
    Damaged {
        /// The digest of its bytes.
        found: String,
    },
    /// Its link leads nowhere.
    Missing,
    /// The hub stated no digest, or the cache does not keep it.
    Unstated,
}

/// Every repository in the cache, by name.
pub fn repos(cache: &Path) -> Vec<StoredRepo> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut repos: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix("models--")?.replacen("--", "/", 1))).collect();
    repos.sort();
    repos
        .iter()
        .map(|name| repo(cache, name))
        .filter(|repo| !repo.snapshots.is_empty() || repo.unfinished > 0)
        .collect()
}

/// One repository of the cache. It has no snapshots if it is not there.
pub fn repo(cache: &Path, name: &str) -> StoredRepo {
    let cached = CachedRepo::new(cache, name);
    let revisions = revisions(&cached);
    let folder = cached.folder().join("snapshots");
    let commits = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let mut commits: Vec<String> = commits.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    commits.sort();
    let snapshot = |commit: String| StoredSnapshot {
        revisions: revisions.get(&commit).cloned().unwrap_or_default(),
        path: cached.snapshot(&commit),
        files: files(&cached, &commit),
        commit,
    };
    let snapshots: Vec<StoredSnapshot> = commits.into_iter().map(snapshot).collect();
    let mut seen = BTreeSet::new();
    let own = |file: &&StoredFile| file.blob.as_ref().is_none_or(|blob| seen.insert(blob.clone()));
    let bytes = snapshots.iter().flat_map(|snapshot| &snapshot.files).filter(own).map(|file| file.bytes).sum();
    let unfinished = parts(&cached).iter().filter_map(|part| fs::metadata(part).ok()).map(|meta| meta.len()).sum();
    StoredRepo { repo: name.to_owned(), snapshots, bytes, unfinished }
}

/// The branches and tags of each commit.
fn revisions(cached: &CachedRepo) -> BTreeMap<String, Vec<String>> {
    let refs = cached.folder().join("refs");
    let mut revisions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in file_names(&refs) {
        if let Some(commit) = cached.commit(&name) {
            revisions.entry(commit).or_default().push(name);
        }
    }
    revisions
}

fn files(cached: &CachedRepo, commit: &str) -> Vec<StoredFile> {
    let snapshot = cached.snapshot(commit);
    let file = |name: String| {
        let path = snapshot.join(&name);
        let target = fs::read_link(&path).ok();
        let etag = target.as_ref().filter(|target| target.parent().is_some_and(|folder| folder.ends_with("blobs")));
        let etag = etag.and_then(|target| target.file_name()?.to_str()).map(str::to_owned);
        let bytes = fs::metadata(&path).map_or(0, |meta| meta.len());
        let blob = etag.as_ref().map(|etag| cached.blob(etag));
        StoredFile { name, bytes, digest: etag.filter(|etag| algorithm(etag).is_some()), blob, path }
    };
    file_names(&snapshot).into_iter().map(file).collect()
}

/// The algorithm of a digest, by its length.
fn algorithm(digest: &str) -> Option<&'static ring::digest::Algorithm> {
    let is_hex = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digest.len() {
        64 if is_hex => Some(&ring::digest::SHA256),
        40 if is_hex => Some(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

/// The unfinished downloads of a repository: this program's, and those of Python's tools.
fn parts(cached: &CachedRepo) -> Vec<PathBuf> {
    let entries = fs::read_dir(cached.folder().join("blobs")).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_part = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "part" || ending == "incomplete");
    entries.filter(is_part).collect()
}

impl StoredFile {
    /// Compares the file with the digest that the hub stated. Blocks while it reads the file. Fails if it cannot be
    /// read.
    pub fn check(&self) -> io::Result<StoredState> {
        let Some((stated, algorithm)) = self.digest.as_ref().and_then(|stated| Some((stated, algorithm(stated)?)))
        else {
            return Ok(if self.path.is_file() { StoredState::Unstated } else { StoredState::Missing });
        };
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StoredState::Missing),
            Err(error) => return Err(error),
        };
        let is_git = stated.len() == 40;
        let header = format!("blob {}\0", self.bytes);
        let found = sum(algorithm, is_git.then_some(header.as_bytes()), &mut file)?;
        Ok(if found.eq_ignore_ascii_case(stated) { StoredState::Ok } else { StoredState::Damaged { found } })
    }
}

/// What a removal takes away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// `org/name`
    pub repo: String,
    /// The commits whose snapshots go.
    pub commits: Vec<String>,
    /// The files that go.
    pub files: Vec<String>,
    /// Bytes that become free.
    pub bytes: u64,
    #[serde(skip)]
    cached: CachedRepo,
    /// Links, refs and blobs, in the order of their removal.
    #[serde(skip)]
    paths: Vec<PathBuf>,
    /// True if nothing of the repository stays.
    #[serde(skip)]
    is_whole: bool,
}

/// Finds what the removal of a revision's files takes away; of all snapshots without a revision, and of one file with
/// `file`. Blobs that another snapshot needs stay. `None` if nothing of it is in the cache.
pub fn removal(cache: &Path, name: &str, revision: Option<&str>, file: Option<&str>) -> Option<Removal> {
    let (cached, stored) = (CachedRepo::new(cache, name), repo(cache, name));
    let commit = match revision {
        Some(revision) => Some(cached.commit(revision)?),
        None => None,
    };
    let goes = |snapshot: &StoredSnapshot, one: &StoredFile| {
        commit.as_ref().is_none_or(|commit| *commit == snapshot.commit) && file.is_none_or(|file| one.name == file)
    };
    let (mut gone, mut stays) = (Vec::new(), BTreeSet::new());
    for snapshot in &stored.snapshots {
        for one in &snapshot.files {
            match goes(snapshot, one) {
                true => gone.push((snapshot, one)),
                false => drop(stays.insert(one.blob.clone())),
            }
        }
    }
    let emptied = |snapshot: &&StoredSnapshot| snapshot.files.iter().all(|one| goes(snapshot, one));
    let emptied: Vec<&StoredSnapshot> = stored.snapshots.iter().filter(emptied).collect();
    let is_whole = emptied.len() == stored.snapshots.len() && file.is_none();
    if gone.is_empty() && !(is_whole && (stored.unfinished > 0 || !emptied.is_empty())) {
        return None;
    }
    let mut blobs: BTreeMap<&PathBuf, u64> = BTreeMap::new();
    let (mut paths, mut bytes) = (Vec::new(), 0);
    for (_, one) in &gone {
        paths.push(one.path.clone());
        match &one.blob {
            Some(blob) if !stays.contains(&one.blob) => drop(blobs.insert(blob, one.bytes)),
            Some(_) => {}
            None => bytes += one.bytes,
        }
    }
    let refs = cached.folder().join("refs");
    paths.extend(emptied.iter().flat_map(|snapshot| &snapshot.revisions).map(|name| refs.join(name)));
    bytes += blobs.values().sum::<u64>();
    paths.extend(blobs.into_keys().cloned());
    if is_whole {
        bytes += stored.unfinished;
        paths.extend(parts(&cached));
    }
    let mut files: Vec<String> = gone.iter().map(|(_, one)| one.name.clone()).collect();
    files.sort();
    files.dedup();
    let commits = emptied.iter().map(|snapshot| snapshot.commit.clone()).collect();
    Some(Removal { repo: name.to_owned(), commits, files, bytes, cached, paths, is_whole })
}

impl Removal {
    /// Removes the files. Fails before anything is removed while a download of this repository is going on.
    pub fn run(&self) -> Result<(), HubError> {
        let mut held = Vec::new();
        for part in parts(&self.cached) {
            let Ok(file) = File::options().read(true).write(true).open(&part) else { continue };
            if file.try_lock().is_err() {
                return Err(HubError::new(
                    format!("{} is being downloaded by another process", self.repo),
                    "wait until it has ended, or end it first",
                ));
            }
            held.push(file);
        }
        let failed =
            |path: &Path, error: &io::Error| HubError::plain(format!("{} cannot be removed: {error}", path.display()));
        for path in &self.paths {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(path, &error)),
                _ => {}
            }
        }
        if self.is_whole {
            let folder = self.cached.folder();
            return fs::remove_dir_all(folder).map_err(|error| failed(folder, &error));
        }
        for folder in self.paths.iter().filter_map(|path| path.parent()).chain(
            self.commits
                .iter()
                .map(|commit| self.cached.snapshot(commit))
                .collect::<Vec<_>>()
                .iter()
                .map(|path| &**path),
        ) {
            // a folder with other files stays
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const OLD: &str = "0000000000000000000000000000000000000000";
    const NEW: &str = "1111111111111111111111111111111111111111";
    /// git's SHA-1 of `{}`
    const BRACES: &str = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
    /// SHA-256 of `abc`
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// Two commits that share their configuration.
    fn cache() -> tempfile::TempDir {
        let cache = tempfile::tempdir().expect("temp");
        let repo = CachedRepo::new(cache.path(), "org/name");
        fs::create_dir_all(repo.blob("x").parent().expect("a folder")).expect("made");
        for (etag, text) in [(BRACES, "{}"), (ABC, "abc"), ("named-1", "other")] {
            fs::write(repo.blob(etag), text).expect("written");
        }
        repo.link(OLD, "1_Pooling/config.json", BRACES).expect("linked");
        repo.link(OLD, "model.safetensors", ABC).expect("linked");
        repo.link(NEW, "config.json", BRACES).expect("linked");
        repo.link(NEW, "model.safetensors", "named-1").expect("linked");
        repo.write_ref("v1", OLD).expect("written");
        repo.write_ref("main", NEW).expect("written");
        cache
    }

    #[test]
    fn each_file_is_compared_with_its_digest() {
        let cache = cache();
        let check = || -> Vec<(String, StoredState)> {
            let stored = repos(cache.path());
            assert_eq!((stored.len(), stored[0].repo.as_str(), stored[0].bytes), (1, "org/name", 2 + 3 + 5));
            let files = stored.iter().flat_map(|repo| &repo.snapshots).flat_map(|snapshot| &snapshot.files);
            files.map(|file| (file.name.clone(), file.check().expect("read"))).collect()
        };
        let (ok, unstated) = (StoredState::Ok, StoredState::Unstated);
        let names =
            ["1_Pooling/config.json", "model.safetensors", "config.json", "model.safetensors"].map(str::to_owned);
        let states = [ok.clone(), ok.clone(), ok, unstated];
        assert_eq!(check(), names.into_iter().zip(states).collect::<Vec<_>>());
        let repo = CachedRepo::new(cache.path(), "org/name");
        fs::write(repo.blob(ABC), "abd").expect("written");
        assert!(matches!(&check()[1].1, StoredState::Damaged { found } if found.starts_with("a52d159f")));
        fs::rename(repo.blob(ABC), repo.blob("elsewhere")).expect("moved");
        let missing = repos(cache.path())[0].snapshots[0].files[1].check().expect("read");
        assert_eq!(missing, StoredState::Missing);
    }

    #[test]
    fn a_removal_keeps_what_another_snapshot_needs() {
        let cache = cache();
        let stored = repo(cache.path(), "org/name");
        assert_eq!(stored.snapshots[0].revisions, ["v1"]);
        let found = removal(cache.path(), "org/name", Some("v1"), None).expect("there");
        assert_eq!((found.bytes, found.commits.as_slice()), (3, [OLD.to_owned()].as_slice()));
        found.run().expect("removed");
        let cached = CachedRepo::new(cache.path(), "org/name");
        assert!(!cached.snapshot(OLD).exists() && cached.blob(BRACES).exists() && !cached.blob(ABC).exists());
        assert_eq!((cached.commit("v1"), cached.commit("main").as_deref()), (None, Some(NEW)));
        assert_eq!(removal(cache.path(), "org/name", Some("v1"), None), None);

        let found = removal(cache.path(), "org/name", None, Some("model.safetensors")).expect("there");
        assert_eq!((found.bytes, found.files.as_slice()), (5, ["model.safetensors".to_owned()].as_slice()));
        found.run().expect("removed");
        assert_eq!(repo(cache.path(), "org/name").snapshots[0].files.len(), 1);

        removal(cache.path(), "org/name", None, None).expect("there").run().expect("removed");
        assert!(!cached.folder().exists());
        assert_eq!(removal(cache.path(), "org/name", None, None), None);
    }

    #[test]
    fn nothing_is_removed_during_a_download() {
        let cache = cache();
        let part = CachedRepo::new(cache.path(), "org/name").blob("x.part");
        let file = File::create(&part).expect("made");
        file.lock().expect("locked");
        let found = removal(cache.path(), "org/name", None, None).expect("there");
        insta::assert_snapshot!(found.run().expect_err("locked").message, @"org/name is being downloaded by another process");
        assert_eq!(repo(cache.path(), "org/name").snapshots.len(), 2);
        drop(file);
        found.run().expect("removed");
    }
}
