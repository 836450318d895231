//! The model hub's cache on disk, in the layout of the hub's own tools:
//! `models--ORG--NAME/{refs/REVISION, blobs/ETAG, snapshots/COMMIT/FILE -> ../../blobs/ETAG}`.

use super::{source::gguf_file, weights};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// One repository in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRepo {
    folder: PathBuf,
}

impl CachedRepo {
    /// The repository `org/name` in a cache. It may be missing.
    pub fn new(cache: &Path, repo: &str) -> CachedRepo {
        CachedRepo { folder: cache.join(format!("models--{}", repo.replace('/', "--"))) }
    }

    /// The repository's folder, for messages.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The commit of a revision at its last download. A commit is its own revision.
    pub fn commit(&self, revision: &str) -> Option<String> {
        match fs::read_to_string(self.folder.join("refs").join(revision)) {
            Ok(commit) => Some(commit.trim().to_owned()).filter(|commit| is_file_name(commit)),
            Err(_) => self.folder.join("snapshots").join(revision).is_dir().then(|| revision.to_owned()),
        }
    }

    /// The folder of a commit's files.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The path of the bytes with this etag.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// The snapshot of a revision, if it contains every file that a model needs.
    pub fn complete(&self, revision: &str) -> Option<PathBuf> {
        let snapshot = self.snapshot(&self.commit(revision)?);
        missing_files(&snapshot).is_empty().then_some(snapshot)
    }

    /// One GGUF file of a revision, by its name or its quantisation, if it is in the cache.
    pub fn gguf(&self, revision: &str, wanted: &str) -> Option<PathBuf> {
        let snapshot = self.snapshot(&self.commit(revision)?);
        let names = file_names(&snapshot);
        let name = gguf_file("the cache", wanted, names.iter().map(String::as_str)).ok()?;
        Some(snapshot.join(name)).filter(|file| file.is_file())
    }

    /// Records the commit of a revision.
    pub fn write_ref(&self, revision: &str, commit: &str) -> io::Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        let temporary = path.with_file_name(format!(".{}-{:08x}.tmp", std::process::id(), rand::random::<u32>()));
        fs::write(&temporary, commit)?;
        fs::rename(&temporary, &path)
    }

    /// Adds a blob to a commit under a file name: as a relative link, or as a copy on systems without links.
    pub fn link(&self, commit: &str, file: &str, etag: &str) -> io::Result<()> {
        let path = self.snapshot(commit).join(file);
        if path.exists() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let temporary = folder.join(format!(".{}-{:08x}.tmp", std::process::id(), rand::random::<u32>()));
        #[cfg(unix)]
        std::os::unix::fs::symlink(
            format!("../../{}blobs/{etag}", "../".repeat(file.matches('/').count())),
            &temporary,
        )?;
        #[cfg(not(unix))]
        fs::copy(self.blob(etag), &temporary)?;
        fs::rename(&temporary, &path)
    }
}

/// The deepest folder of a snapshot whose files are listed.
const MAX_DEPTH: usize = 4;

/// The names of the files below a snapshot, relative to it and sorted. A link to a folder is not followed.
pub fn file_names(snapshot: &Path) -> Vec<String> {
    let (mut open, mut names) = (vec![(snapshot.to_owned(), String::new(), 0)], Vec::new());
    while let Some((folder, prefix, depth)) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => {
                    open.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
                }
                Ok(kind) if !kind.is_dir() && !name.ends_with(".tmp") => names.push(format!("{prefix}{name}")),
                _ => {}
            }
        }
    }
    names.sort();
    names
}

/// True for a plain name that cannot leave its folder.
pub fn is_file_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() < 250 && !text.starts_with('.') && text.chars().all(plain)
}

/// The missing parts of a checkpoint folder: `config.json`, and weights with every shard that their index names.
pub fn missing_files(folder: &Path) -> Vec<String> {
    let lacks = |file: &str| !folder.join(file).is_file();
    let mut missing: Vec<String> = Vec::new();
    if lacks("config.json") {
        missing.push("config.json".to_owned());
    }
    match weights::names(folder) {
        Ok(Some(files)) => missing.extend(files.into_iter().filter(|file| lacks(file))),
        Ok(None) => missing.push("model.safetensors".to_owned()),
        Err(error) => missing.push(format!("readable weights ({})", error.message)),
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sharded_snapshot_is_complete_with_every_shard() {
        let cache = tempfile::tempdir().expect("temp");
        let repo = CachedRepo::new(cache.path(), "org/name");
        let commit = "0123456789012345678901234567890123456789";
        let snapshot = repo.snapshot(commit);
        fs::create_dir_all(&snapshot).expect("made");
        assert_eq!(missing_files(&snapshot), ["config.json", "model.safetensors"]);
        fs::write(snapshot.join("config.json"), "{}").expect("written");
        let index = r#"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#;
        fs::write(snapshot.join("model.safetensors.index.json"), index).expect("written");
        fs::write(snapshot.join("model-1-of-2.safetensors"), "").expect("written");
        assert_eq!(missing_files(&snapshot), ["model-2-of-2.safetensors"]);
        fs::write(snapshot.join("model-2-of-2.safetensors"), "").expect("written");
        repo.write_ref("main", commit).expect("written");
        assert_eq!(repo.complete("main"), Some(snapshot.clone()));
        assert_eq!(repo.complete(commit), Some(snapshot));
        assert_eq!(repo.complete("v2"), None);
    }
}
