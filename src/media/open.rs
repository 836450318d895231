//! Opens a path: the result is a checked [`Media`], or a one-line error.

use super::{
    MediaError, MediaFault,
    facts::{self, Facts},
    probe::{Probe, decodes, describe, measured_end, read},
    remote, sniff,
};
use crate::{
    files,
    hub::{
        Folders, Network,
        digest::{Digests, stamp},
    },
    value::{Media, StatedTime, Time, WallClock},
};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The permitted media, and the caches for the next run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// With [`Network::All`], `http:` and `https:` addresses are downloaded. Otherwise only local files are read.
    pub network: Network,
    /// Caches digests of large files.
    pub digests: Digests,
    /// The folder of downloaded media, by digest. With `None`, media by URL are refused.
    pub fetched: Option<PathBuf>,
    /// The time at which the medium starts, if the user states it. It comes before the container's and the file name's.
    pub starts_at: Option<StatedTime>,
    /// The zone of times without one: an IANA name or an offset; UTC if empty.
    pub zone: String,
    /// The parts of each medium that no model may see or hear: from and to, in seconds after its start.
    pub exclude: Vec<(u32, u32)>,
    /// True if no model may hear the sound.
    pub mute: bool,
}

impl Access {
    /// The access with the user's folders.
    pub fn new(network: Network, folders: &Folders) -> Access {
        let (digests, fetched) = (folders.digests(), Some(folders.media()));
        Access { network, digests, fetched, zone: folders.zone.clone(), ..Access::default() }
    }

    /// The parts of a medium that no model may see or hear.
    fn withheld_of(&self, probe: &Probe) -> Vec<(Time, Time)> {
        let at = |seconds: u32| Time::from_seconds(probe.start.seconds() + f64::from(seconds));
        self.exclude.iter().map(|(from, to)| (at(*from), at(*to))).collect()
    }

    /// The wall clock of the medium at `path`, as far as anything states it.
    fn wall_of(&self, path: &str, probe: &Probe) -> Option<WallClock> {
        let stated = self.starts_at.or(probe.created).or_else(|| StatedTime::in_file_name(path))?;
        let zone = if self.zone.is_empty() { "UTC" } else { &self.zone };
        stated.wall(zone, probe.clock.map(|clock| clock.start_min))
    }
}

/// Opens the medium at `path` (relative to the working folder): checks the file, checks that a frame decodes, and
/// computes the digest of its bytes. An error is one line that names the file and the reason.
///
/// A file that was opened before and has not changed is known by its digest, and no process starts. Never waits on a FIFO or device and
/// follows no playlist. Ends within ffprobe's time limit plus the time to read the
/// file once.
pub async fn open(path: &str, access: &Access) -> Result<Arc<Media>, MediaError> {
    if path.is_empty() {
        return Err(MediaError { kind: MediaFault::Missing, message: "no file is named".to_owned() });
    }
    let local = files::path(path);
    if fs::symlink_metadata(&local).is_err() && remote::scheme(path).is_some() {
        return remote::open(path, access).await;
    }
    open_local(&local, path, access).await.map(Arc::new)
}

/// Opens the file `local`; messages and the medium name it `shown`.
pub(crate) async fn open_local(local: &Path, shown: &str, access: &Access) -> Result<Media, MediaError> {
    let look = {
        let (local, shown) = (local.to_owned(), shown.to_owned());
        move || look(&local, &shown)
    };
    let truncated = blocking(look).await?;
    // An unchanged file is known by the digest of its bytes, so that nothing has to look into it.
    let known = {
        let (local, digests) = (local.to_owned(), access.digests.clone());
        move || {
            let digest = digests.known(&local)?.to_hex().to_string();
            facts::recall(&digest, &digests).map(|facts| (digest, facts))
        }
    };
    if !truncated
        && let Some((digest, Facts { said, end })) = blocking(known).await
        && let Ok(probe) = read(said.as_bytes(), shown)
    {
        return Ok(medium(shown, (digest, end), &probe, access));
    }
    let before = stamp(local).ok();
    let said = describe(local, shown).await;
    let probe =
        said.as_deref().map_err(Clone::clone).and_then(|said| read(said, shown)).map_err(|error| match truncated {
            true if error.kind != MediaFault::NoTool => {
                MediaError::new(MediaFault::Damaged, shown, "is truncated, and no part of it can be read")
            }
            _ => error,
        })?;
    if probe.locked {
        return Err(MediaError::new(MediaFault::Locked, shown, "is encrypted; decrypt it first"));
    }
    if let Some(picture) = &probe.picture
        && !probe.decodes
        && !decodes(local, picture.index).await?
    {
        let what =
            if truncated { "is truncated: no frame can be decoded" } else { "is damaged: no frame can be decoded" };
        return Err(MediaError::new(MediaFault::Damaged, shown, what));
    }
    if truncated {
        tracing::warn!(medium = shown, "the file is truncated; its readable part is used");
    }
    let stated = probe.end.filter(|end| !truncated && *end > probe.start);
    let end = match stated {
        Some(end) => end,
        None => measured_end(local, shown, &probe, probe.tail_s.filter(|_| !truncated)).await?.ok_or_else(|| {
            MediaError::new(MediaFault::Damaged, shown, "contains no picture or sound with a presentation time")
        })?,
    };
    let said = said.ok().and_then(|said| String::from_utf8(said).ok()).filter(|_| !truncated);
    let keep = {
        let (local, shown, digests) = (local.to_owned(), shown.to_owned(), access.digests.clone());
        move || {
            let digest = digest(&local, &shown, &digests)?;
            // what was said of a file that changed meanwhile may not be about these bytes
            let unchanged =
                before.is_some_and(|before| before.is_settled() && stamp(&local).is_ok_and(|now| now == before));
            if let Some(said) = said.filter(|_| unchanged) {
                facts::remember(&digest, &Facts { said, end }, &digests);
            }
            Ok::<_, MediaError>(digest)
        }
    };
    Ok(medium(shown, (blocking(keep).await?, end), &probe, access))
}

/// The medium of a file with this digest and end.
fn medium(shown: &str, (digest, end): (String, Time), probe: &Probe, access: &Access) -> Media {
    Media {
        path: shown.to_owned(),
        digest,
        start: probe.start,
        end,
        has_video: probe.picture.is_some(),
        has_audio: probe.sound.is_some() && !access.mute,
        clock: probe.clock,
        wall: access.wall_of(shown, probe),
        withheld: access.withheld_of(probe),
    }
}

/// Checks the file's first bytes. `Ok(truncated)` if ffmpeg may read it.
fn look(path: &Path, shown: &str) -> Result<bool, MediaError> {
    let mut file = regular(path, shown)?;
    let mut head = Vec::new();
    let read = file.by_ref().take(sniff::HEAD as u64).read_to_end(&mut head);
    read.map_err(|e| unreadable(shown, &e))?;
    match sniff::refuse(&head) {
        Some((fault, what)) => Err(MediaError::new(fault, shown, what)),
        None => sniff::truncated(&mut file).map_err(|e| unreadable(shown, &e)),
    }
}

/// True if a file ends before its own tables say, so that only its first part can be read. False for a file that cannot be read.
pub async fn is_truncated(path: &str) -> bool {
    let (local, shown) = (files::path(path), path.to_owned());
    blocking(move || look(&local, &shown)).await.unwrap_or(false)
}

/// Opens `path` if it is a regular file that is not empty.
pub(crate) fn regular(path: &Path, shown: &str) -> Result<File, MediaError> {
    let error = |kind, what: &str| Err(MediaError::new(kind, shown, what));
    let file = match files::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return error(MediaFault::Missing, "no such file"),
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => {
            return error(MediaFault::NotAFile, "is a folder, not a file");
        }
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
            return error(MediaFault::NotAFile, "is a pipe, socket or device, not a file");
        }
        opened => opened.map_err(|e| unreadable(shown, &e))?,
    };
    match file.metadata() {
        Ok(meta) if meta.len() == 0 => error(MediaFault::Empty, "is empty"),
        _ => Ok(file),
    }
}

/// The system's own reason, without its error number.
fn unreadable(shown: &str, error: &io::Error) -> MediaError {
    let what = match error.kind() {
        io::ErrorKind::PermissionDenied => "cannot be read (permission denied)".to_owned(),
        io::ErrorKind::NotADirectory => "no such file".to_owned(),
        kind => format!("cannot be read: {kind}"),
    };
    MediaError::new(MediaFault::Unreadable, shown, what)
}

/// blake3 of the file's bytes, hex. An unchanged large file is not read again.
pub(crate) fn digest(path: &Path, shown: &str, digests: &Digests) -> Result<String, MediaError> {
    regular(path, shown)?;
    let digest = digests.file(path).map_err(|e| unreadable(shown, &e))?;
    Ok(digest.to_hex().to_string())
}

/// The digest of the file at `path`, for any content: blake3, hex.
pub async fn digest_of(path: &str, access: &Access) -> Result<String, MediaError> {
    let (path, digests) = (path.to_owned(), access.digests.clone());
    blocking(move || digest(&files::path(&path), &path, &digests)).await
}

/// Runs blocking file work outside the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => std::panic::resume_unwind(e.into_panic()),
    }
}
