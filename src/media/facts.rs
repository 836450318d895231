//! What ffprobe said about a file, kept by the digest of the file's bytes: opening an unchanged video starts no process.
//!
//! Only facts of files that could be opened are kept. The version of ffmpeg does not count, as for sampled moments. A note
//! that is missing, damaged or of another version of this program costs one ffprobe.

use crate::{files, hub::digest::Digests, private, value::Time};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf};

/// The folder beside the cached digests.
const FOLDER: &str = "facts";
/// The version of this program that wrote a note.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The most bytes of a note.
const MAX_BYTES: usize = 1 << 20;

/// The facts of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// ffprobe's description of its streams, as JSON.
    pub said: String,
    /// The end of its presentation.
    pub end: Time,
}

/// A kept note.
#[derive(Serialize, Deserialize)]
struct Note {
    version: String,
    facts: Facts,
}

/// The file of a note; `None` without a cache folder.
fn place(digest: &str, digests: &Digests) -> Option<PathBuf> {
    Some(digests.beside(FOLDER)?.join(digest))
}

/// The facts of the file with this digest, if they are kept.
pub(super) fn recall(digest: &str, digests: &Digests) -> Option<Facts> {
    let note: Note = serde_json::from_str(&files::read_text(&place(digest, digests)?, MAX_BYTES).ok()?).ok()?;
    (note.version == VERSION).then_some(note.facts)
}

/// Keeps the facts of the file with this digest. A folder that cannot be written only costs time.
pub(super) fn remember(digest: &str, facts: &Facts, digests: &Digests) {
    let Some((folder, place)) = digests.beside(FOLDER).zip(place(digest, digests)) else { return };
    let note = Note { version: VERSION.to_owned(), facts: facts.clone() };
    let json = serde_json::to_vec(&note).expect("facts serialise: this is a bug");
    let part = place.with_extension(format!("{}.part", std::process::id()));
    private::sweep_parts(&folder, std::time::Duration::from_secs(60));
    let written = private::private_folder(&folder)
        .and_then(|()| private::write_private(&part, &json))
        .and_then(|()| fs::rename(&part, &place));
    if let Err(error) = written {
        tracing::debug!(%error, "the facts of a medium are not kept");
    }
}

/// Removes the facts of the file with this digest.
pub(super) fn forget(digest: &str, digests: &Digests) -> io::Result<()> {
    place(digest, digests).map_or(Ok(()), fs::remove_file)
}

/// Removes all facts.
pub(super) fn forget_all(digests: &Digests) -> io::Result<()> {
    digests.beside(FOLDER).map_or(Ok(()), fs::remove_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Access, open, probe::describe, tests::make};

    /// True if a note of this file is kept.
    fn is_kept(digest: &str, digests: &Digests) -> bool {
        recall(digest, digests).is_some()
    }

    #[tokio::test]
    async fn an_unchanged_file_is_known_and_a_changed_one_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let clip = |seconds: u32| format!("-f lavfi -i color=c=navy:s=64x48:r=5:d={seconds} -c:v libx264 OUT");
        let path = make(&folder, "a.mp4", &clip(2));
        let name = path.to_str().unwrap();
        let access = Access { digests: Digests::at(folder.path().join("digests")), ..Access::default() };
        let first = open(name, &access).await.unwrap();
        assert!(!is_kept(&first.digest, &access.digests), "written just now, so another change may keep the stamp");
        // a note is believed, even a false one: the file is not looked into
        let said = String::from_utf8(describe(&path, name).await.unwrap()).unwrap();
        let end = Time::from_seconds(9.0);
        remember(&first.digest, &Facts { said, end }, &access.digests);
        assert_eq!(open(name, &access).await.unwrap().end, end);

        // other bytes with the old time of modification
        let before = fs::metadata(&path).and_then(|meta| meta.modified()).unwrap();
        make(&folder, "a.mp4", &clip(3));
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(before)).unwrap();
        let changed = open(name, &access).await.unwrap();
        assert_eq!((changed.end.seconds(), changed.digest == first.digest), (3.0, false));

        // damage costs time only
        let note = place(&changed.digest, &access.digests).unwrap();
        fs::create_dir_all(note.parent().unwrap()).unwrap();
        fs::write(&note, "{").unwrap();
        assert_eq!(open(name, &access).await.unwrap(), changed);
        crate::media::forget(name, &first.digest, &access).unwrap();
        assert!(!is_kept(&first.digest, &access.digests));

        // a file that has not changed for seconds
        let day = open("examples/media/day1.mp4", &access).await.unwrap();
        assert!(is_kept(&day.digest, &access.digests));
        assert_eq!(open("examples/media/day1.mp4", &access).await.unwrap(), day);
    }
}
