//! Digests of files with a cache. The digest of a checkpoint or video of gigabytes is computed once, not at every
//! start.
//!
//! The key of a cached digest is the file's stamp (device, inode, size, times of change). A different stamp makes the
//! program read the file again. On Unix the stamp includes `ctime`, which every write changes and no program can set
//! back. The digest of a file that changed in the last seconds is not cached: the file may change again within one tick
//! of the file system's clock and keep its stamp.

use crate::{files, private};
use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Minimum size of a cached file, in bytes. A smaller file is read faster than it is looked up.
const WORTH_IT: u64 = 1 << 20;
/// Time after a change in which another change may keep the stamp. The coarsest clock of a file system has 2 s (FAT).
const STILL_MOVING: Duration = Duration::from_secs(3);
/// Age after which a partial note is abandoned. Writing a note never takes this long.
const ABANDONED: Duration = Duration::from_secs(60);

/// Computes digests of files and caches them in a folder.
///
/// The default has no cache and reads every file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    folder: Option<PathBuf>,
}

impl Digests {
    /// A cache in `folder`, which is created with the first entry. A folder that cannot be written only costs time.
    pub fn at(folder: PathBuf) -> Digests {
        Digests { folder: Some(folder) }
    }

    /// Another folder of the same cache.
    pub fn beside(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.parent()?.join(name))
    }

    /// blake3 of the file's bytes. Blocks while it reads, so async code must call it on a blocking thread.
    pub fn file(&self, path: &Path) -> io::Result<blake3::Hash> {
        let compute = |file| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(file)?;
            Ok(hasher.finalize().to_hex().to_string())
        };
        let digest = self.cached(path, "", compute)?;
        blake3::Hash::from_hex(&digest).map_err(io::Error::other)
    }

    /// The digest of [`Digests::file`] if it is cached for the file as it is now. Reads at most a small file.
    pub fn known(&self, path: &Path) -> Option<blake3::Hash> {
        let now = stamp(path).ok()?;
        if now.bytes < WORTH_IT {
            return self.file(path).ok();
        }
        blake3::Hash::from_hex(recall(&self.note(path)?, &now)?).ok()
    }

    /// SHA-256 of the file's bytes, in hexadecimal digits. Blocks like [`Digests::file`].
    pub fn sha256(&self, path: &Path) -> io::Result<String> {
        self.cached(path, "sha256", |mut file| sum(&ring::digest::SHA256, None, &mut file))
    }

    /// The cached digest of an algorithm, or the computed one.
    fn cached(
        &self,
        path: &Path,
        algorithm: &str,
        compute: impl FnOnce(fs::File) -> io::Result<String>,
    ) -> io::Result<String> {
        let before = stamp(path)?;
        let note = self.note(path).filter(|_| before.bytes >= WORTH_IT).map(|note| note.with_extension(algorithm));
        if let Some(known) = note.as_deref().and_then(|note| recall(note, &before)) {
            return Ok(known);
        }
        let digest = compute(files::open(path)?)?;
        if let Some(note) = note
            && before.is_settled()
            && stamp(path)? == before
        {
            self.remember(&note, &before, &digest);
        }
        Ok(digest)
    }

    /// Deletes the cached digest of this file.
    pub fn forget(&self, path: &Path) -> io::Result<()> {
        for algorithm in ["", "sha256"] {
            match self.note(path).map(|note| fs::remove_file(note.with_extension(algorithm))) {
                Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The note with the cached digest. `None` without a cache, or for a path that cannot be resolved.
    fn note(&self, path: &Path) -> Option<PathBuf> {
        let (folder, path) = (self.folder.as_ref()?, fs::canonicalize(path).ok()?);
        Some(folder.join(blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex().as_str()))
    }

    /// Removes partial notes of killed processes.
    pub fn sweep(&self) {
        if let Some(folder) = &self.folder {
            private::sweep_parts(folder, ABANDONED);
        }
    }

    fn remember(&self, note: &Path, stamp: &Stamp, digest: &str) {
        let Some(folder) = &self.folder else { return };
        let part = note.with_added_extension(format!("{}.part", std::process::id()));
        self.sweep();
        let written = private::private_folder(folder)
            .and_then(|()| private::write_private(&part, format!("{}\n{}\n", stamp.line(), digest).as_bytes()))
            .and_then(|()| fs::rename(&part, note));
        if let Err(error) = written {
            tracing::debug!(%error, "a digest is not cached");
        }
    }
}

/// The attributes that change when a file changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The file's size.
    bytes: u64,
    /// The later one of the times of change and of modification.
    changed: Option<SystemTime>,
    modified: Option<SystemTime>,
    /// Device and inode; 0 on systems without them.
    place: (u64, u64),
}

/// The stamp of a file, or of a link's target.
pub fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = fs::metadata(path)?;
    let modified = meta.modified().ok();
    let (place, changed) = inode(&meta);
    Ok(Stamp { bytes: meta.len(), changed: changed.max(modified), modified, place })
}

#[cfg(unix)]
fn inode(meta: &Metadata) -> ((u64, u64), Option<SystemTime>) {
    use std::os::unix::fs::MetadataExt;
    let since = Duration::new(meta.ctime().max(0).unsigned_abs(), meta.ctime_nsec().clamp(0, 999_999_999) as u32);
    ((meta.dev(), meta.ino()), Some(UNIX_EPOCH + since))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> ((u64, u64), Option<SystemTime>) {
    ((0, 0), None)
}

impl Stamp {
    /// True if the last change is so old that another change would change the stamp.
    pub fn is_settled(&self) -> bool {
        self.changed.is_some_and(|time| time.elapsed().is_ok_and(|age| age > STILL_MOVING))
    }

    fn line(&self) -> String {
        let ns = |time: Option<SystemTime>| {
            time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos())
        };
        let Stamp { bytes, place, .. } = self;
        format!("1 {bytes} {} {} {} {}", ns(self.changed), ns(self.modified), place.0, place.1)
    }
}

/// The digest in a note, if the note belongs to a file with this stamp.
fn recall(note: &Path, stamp: &Stamp) -> Option<String> {
    let text = files::read_text(note, 4096).ok()?;
    let (line, rest) = text.split_once('\n')?;
    // both algorithms give 32 bytes
    let is_digest = blake3::Hash::from_hex(rest.trim()).is_ok();
    (is_digest && line == stamp.line()).then(|| rest.trim().to_owned())
}

/// The digest of a file by an algorithm, in hexadecimal digits; with `header`, of these bytes before it.
pub(super) fn sum(
    algorithm: &'static ring::digest::Algorithm,
    header: Option<&[u8]>,
    file: &mut impl io::Read,
) -> io::Result<String> {
    let mut context = ring::digest::Context::new(algorithm);
    header.iter().for_each(|header| context.update(header));
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => context.update(&buffer[..n]),
        }
    }
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_read_once_until_it_changes() {
        let folder = tempfile::tempdir().expect("temp");
        let (path, digests) = (folder.path().join("weights"), Digests::at(folder.path().join("digests")));
        let notes = || fs::read_dir(folder.path().join("digests")).map_or(0, |entries| entries.count());
        let bytes = vec![7; 2 << 20];
        fs::write(&path, &bytes).expect("written");

        // Written just now, so another change may keep the stamp.
        assert_eq!(digests.file(&path).expect("read"), blake3::hash(&bytes));
        assert_eq!(notes(), 0);

        // A note with a matching stamp is trusted. The false digest comes back, so the file was not read.
        let note = digests.note(&path).expect("a path");
        let other = blake3::hash(b"other");
        digests.remember(&note, &stamp(&path).expect("a stamp"), &other.to_hex());
        assert_eq!(digests.file(&path).expect("recalled"), other);

        // Same length, other bytes, and the time of modification set back.
        let before = fs::metadata(&path).and_then(|meta| meta.modified()).expect("a time");
        let changed = vec![8; 2 << 20];
        fs::write(&path, &changed).expect("written");
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(before)).expect("set back");
        if cfg!(unix) {
            assert_eq!(digests.file(&path).expect("read again"), blake3::hash(&changed));
        }
    }

    #[test]
    fn a_settled_file_is_cached_and_a_damaged_note_is_ignored() {
        let folder = tempfile::tempdir().expect("temp");
        let digests = Digests::at(folder.path().join("digests"));
        // The test program itself: large, and unchanged for seconds in most runs.
        let path = std::env::current_exe().expect("a program");
        let digest = digests.file(&path).expect("read");
        let note = digests.note(&path).expect("a path");
        assert_eq!(note.exists(), stamp(&path).expect("a stamp").is_settled());
        fs::create_dir_all(folder.path().join("digests")).expect("made");
        for damage in ["", "1 2 3", "\n\n", "\u{0}"] {
            fs::write(&note, damage).expect("written");
            assert_eq!(digests.file(&path).expect("read again"), digest, "{damage:?}");
        }
    }

    #[test]
    fn a_cache_that_cannot_be_written_only_costs_time() {
        let folder = tempfile::tempdir().expect("temp");
        fs::write(folder.path().join("digests"), "in the way").expect("written");
        let path = std::env::current_exe().expect("a program");
        let digests = Digests::at(folder.path().join("digests"));
        assert_eq!(digests.file(&path).expect("read"), digests.file(&path).expect("read"));
    }
}
