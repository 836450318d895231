//! The files in the binary: agents, prompts, label lists, casts, dialogues and the weights of the starter cast.
//!
//! A release build contains the bytes of the weights. A debug build contains only their paths in the source tree, so
//! that it compiles and links as fast as without them. In both cases the models read them from the user's cache folder.

use super::{HubError, digest::Digests};
use crate::private;
use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

/// The location of an embedded file's bytes.
#[derive(Debug, Clone, Copy)]
enum Bytes {
    /// In the binary.
    Here(&'static [u8]),
    /// In the source tree of this debug build.
    #[allow(dead_code, reason = "release builds and source trees without a starter cast do not use it")]
    At(&'static str),
}

macro_rules! text {
    ($path:literal) => {
        Bytes::Here(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))
    };
}
#[cfg(debug_assertions)]
#[allow(unused_macros, reason = "a source tree without a starter cast does not use it")]
macro_rules! weights {
    ($path:literal) => {
        Bytes::At(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path))
    };
}
#[cfg(not(debug_assertions))]
#[allow(unused_macros, reason = "a source tree without a starter cast does not use it")]
macro_rules! weights {
    ($path:literal) => {
        text!($path)
    };
}

/// Every embedded text file with its path in the repository (`prompts/video-qa.md`).
static FILES: &[(&str, Bytes)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file of the starter cast's checkpoints.
#[derive(Debug, Clone, Copy)]
struct Carried<'a> {
    /// In the repository, or in the folder of the checkpoint.
    path: &'a str,
    bytes: Bytes,
    /// blake3 of the bytes, in hexadecimal digits, computed by the build: a start needs not read the weights to know them.
    digest: &'a str,
}

/// Every file of the starter cast's checkpoints.
static WEIGHTS: &[Carried<'static>] = include!(concat!(env!("OUT_DIR"), "/weights.rs"));

/// An embedded text file, by its path in the repository.
pub fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path).and_then(|(_, bytes)| match bytes {
        Bytes::Here(bytes) => std::str::from_utf8(bytes).ok(),
        Bytes::At(_) => None,
    })
}

/// Names of the embedded files `FOLDER/NAME.ENDING`, sorted.
pub fn names(folder: &str, ending: &str) -> Vec<String> {
    let name = |path: &str| {
        let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(ending)?.strip_suffix('.')?;
        Some(name.to_owned())
    };
    FILES.iter().filter_map(|(path, _)| name(path)).collect()
}

/// The files of the checkpoint in a folder of the repository, with their paths in it.
fn below(folder: &str) -> impl Iterator<Item = Carried<'static>> {
    let file = move |file: &Carried<'static>| {
        let path = file.path.strip_prefix(folder)?.strip_prefix('/')?;
        Some(Carried { path, ..*file })
    };
    WEIGHTS.iter().filter_map(file)
}

fn carried(path: &str) -> Option<&'static Carried<'static>> {
    WEIGHTS.iter().find(|file| file.path == path)
}

/// The bytes of a file of a checkpoint; `None` if it does not exist. A debug build fails if the source file is gone.
pub fn bytes(path: &str) -> Option<Result<Cow<'static, [u8]>, HubError>> {
    carried(path).map(|file| load(&file.bytes))
}

fn load(bytes: &Bytes) -> Result<Cow<'static, [u8]>, HubError> {
    match bytes {
        Bytes::Here(bytes) => Ok(Cow::Borrowed(*bytes)),
        Bytes::At(path) => fs::read(path).map(Cow::Owned).map_err(|error| {
            HubError::new(
                format!("the file {path} of the starter cast cannot be read: {error}"),
                "a debug build reads the starter cast from its source tree; build with --release to include it",
            )
        }),
    }
}

/// The size of a file of a checkpoint, in bytes.
pub fn size(path: &str) -> Option<u64> {
    carried(path).and_then(|file| match file.bytes {
        Bytes::Here(bytes) => Some(bytes.len() as u64),
        Bytes::At(path) => fs::metadata(path).ok().map(|found| found.len()),
    })
}

/// True if the binary contains the checkpoint in this folder of the repository (`agents/starter/clip`).
pub fn has_folder(folder: &str) -> bool {
    below(folder).next().is_some()
}

/// Writes an embedded checkpoint folder to the user's cache, once, and returns its path.
pub fn folder(folder: &str, cache: &Path, digests: &Digests) -> Result<PathBuf, HubError> {
    let files: Vec<Carried<'_>> = below(folder).collect();
    if files.is_empty() {
        return Err(HubError::plain(format!("this build does not contain {folder}")));
    }
    let name = folder.rsplit('/').next().unwrap_or(folder);
    materialise(&files, name, &cache.join("starter"), digests)
}

/// Writes `files` to `parent/NAME-DIGEST`, unless the folder already contains exactly these. A rename publishes the
/// whole folder at once, so that a second process finds the work of the first.
fn materialise(files: &[Carried<'_>], name: &str, parent: &Path, digests: &Digests) -> Result<PathBuf, HubError> {
    let target = parent.join(format!("{name}-{}", digest(files)));
    if is_same(files, &target, digests) {
        sweep(parent);
        return Ok(target);
    }
    let failed = |what: &Path, error: std::io::Error| {
        HubError::new(
            format!("the starter cast cannot be written to the cache: {}: {error}", what.display()),
            "set ELENCHUS_CACHE to a writable folder with 100 MB of free space",
        )
    };
    private::private_folder(parent).map_err(|error| failed(parent, error))?;
    // A file system may lack locks. The rename below still publishes only complete folders.
    let lock = lock(parent).and_then(|file| file.lock().map(|()| file));
    if lock.is_ok() {
        remove_leftovers(parent);
    }
    if is_same(files, &target, digests) {
        return Ok(target); // another process unpacked it during the wait
    }
    let temporary = parent.join(format!(".{name}-{}-{:08x}.tmp", std::process::id(), rand::random::<u32>()));
    let published = write_all(files, &temporary, failed).and_then(|()| {
        if target.exists() && !is_same(files, &target, digests) {
            // The target is damaged; another process did not just write it. It is moved aside first, because another
            // process may read it and a rename does not replace a folder.
            let aside = parent.join(format!(".{name}-{:08x}.damaged", rand::random::<u32>()));
            let _ = fs::rename(&target, &aside);
            let _ = fs::remove_dir_all(&aside);
        }
        match fs::rename(&temporary, &target) {
            Err(error) if !is_same(files, &target, digests) => Err(failed(&target, error)),
            _ => Ok(()),
        }
    });
    if temporary.exists() {
        let _ = fs::remove_dir_all(&temporary);
    }
    published.map(|()| target)
}

/// The lock of unpacking. A partial folder whose lock is free belonged to a process that has ended.
fn lock(parent: &Path) -> std::io::Result<fs::File> {
    private::private_file(&parent.join(".lock"))
}

/// Removes partial folders of killed processes, unless a process is unpacking now.
pub fn sweep(parent: &Path) {
    if leftovers(parent).next().is_some()
        && let Ok(file) = lock(parent)
        && file.try_lock().is_ok()
    {
        remove_leftovers(parent);
    }
}

fn remove_leftovers(parent: &Path) {
    leftovers(parent).for_each(|path| drop(fs::remove_dir_all(path)));
}

fn leftovers(parent: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        is_hidden && path.extension().is_some_and(|ending| ending == "tmp" || ending == "damaged")
    })
}

fn write_all(
    files: &[Carried<'_>],
    folder: &Path,
    failed: impl Fn(&Path, std::io::Error) -> HubError,
) -> Result<(), HubError> {
    for file in files {
        let (path, bytes) = (folder.join(file.path), load(&file.bytes)?);
        fs::create_dir_all(path.parent().unwrap_or(folder))
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// True if each file exists with exactly these bytes. A large file that was read before and did not change is not read again.
fn is_same(files: &[Carried<'_>], folder: &Path, digests: &Digests) -> bool {
    let same = |file: &Carried<'_>| {
        digests.file(&folder.join(file.path)).is_ok_and(|found| found.to_hex().as_str() == file.digest)
    };
    files.iter().all(same)
}

/// A digest of names and contents, 16 hex digits long, for the name of a folder.
fn digest(files: &[Carried<'_>]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&(file.path.len() as u64).to_le_bytes());
        hasher.update(file.path.as_bytes());
        hasher.update(blake3::Hash::from_hex(file.digest).unwrap_or_else(|_| blake3::hash(b"")).as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_carries_the_prompts_and_label_lists() {
        assert!(names("prompts", "md").contains(&"video-qa".to_owned()));
        assert!(names("vocab", "txt").contains(&"starter/places".to_owned()));
        assert!(text("prompts/video-qa.md").is_some_and(|text| text.contains("{{ question | trim }}")));
        assert_eq!(text("prompts/none.md"), None);
    }

    #[test]
    fn digests_are_those_of_the_bytes() {
        for file in WEIGHTS {
            let bytes = load(&file.bytes).expect("its bytes");
            assert_eq!(blake3::hash(&bytes).to_hex().as_str(), file.digest, "{}", file.path);
        }
    }

    #[test]
    fn a_checkpoint_is_written_once_and_repaired_if_damaged() {
        let (cache, digests) = (tempfile::tempdir().expect("temp"), Digests::default());
        let digest = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        let (config, weights, other) = (digest(b"{}"), digest(b"weights"), digest(b"{ }"));
        let files = [
            Carried { path: "config.json", bytes: Bytes::Here(b"{}"), digest: &config },
            Carried { path: "model.safetensors", bytes: Bytes::Here(b"weights"), digest: &weights },
        ];
        let materialise = |files: &[Carried<'_>]| super::materialise(files, "clip", cache.path(), &digests);
        let first = materialise(&files).expect("written");
        assert_eq!(fs::read(first.join("model.safetensors")).expect("there"), b"weights");
        let written = fs::metadata(first.join("config.json")).and_then(|m| m.modified()).expect("time");
        assert_eq!(materialise(&files), Ok(first.clone()));
        assert_eq!(fs::metadata(first.join("config.json")).and_then(|m| m.modified()).expect("time"), written);

        fs::write(first.join("model.safetensors"), "weighs").expect("damaged");
        assert_eq!(materialise(&files), Ok(first.clone()));
        assert_eq!(fs::read(first.join("model.safetensors")).expect("there"), b"weights");
        assert_eq!(fs::read_dir(cache.path()).expect("listed").count(), 2, "only the lock remains beside it");

        // one folder of a process that was killed while it unpacked, then one of a process that still unpacks
        let left = cache.path().join(".clip-1-0badcafe.tmp");
        fs::create_dir(&left).expect("made");
        fs::write(left.join("model.safetensors"), "half").expect("written");
        let held = lock(cache.path()).expect("a lock");
        held.lock().expect("held");
        assert_eq!(materialise(&files), Ok(first.clone()));
        assert!(left.exists(), "another process is unpacking");
        drop(held);
        assert_eq!(materialise(&files), Ok(first.clone()));
        assert!(!left.exists());

        let other = [Carried { path: "config.json", bytes: Bytes::Here(b"{ }"), digest: &other }];
        assert_ne!(materialise(&other), Ok(first));
    }
}
