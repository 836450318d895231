//! The transfer of one file: continued after the bytes that are there, checked, and then made visible.

use super::{
    DownloadProgress, Downloader, FileWork, HubError, OnProgress, REPORT_EVERY,
    listing::{RemoteFile, max_bytes, too_large},
    part,
    request::Failure,
};
use crate::hub::{
    cache::{CachedRepo, is_file_name},
    digest::sum,
    http,
};
use reqwest::{Response, StatusCode, Url, header};
use std::{
    fs::File,
    io::{self, Seek as _},
    path::Path,
};
use tokio::io::AsyncWriteExt as _;

/// One file of one commit, to be downloaded.
pub(super) struct FileFetch<'a> {
    pub(super) repo: &'a str,
    pub(super) commit: &'a str,
    pub(super) cached: &'a CachedRepo,
    pub(super) listed: &'a RemoteFile,
}

impl FileFetch<'_> {
    /// The name of the blob: the digest that the hub states, or else a digest of repository, commit and file name.
    pub(super) fn etag(&self) -> Result<String, HubError> {
        match self.listed.digest() {
            Some(etag) if !is_file_name(etag) => {
                Err(HubError::plain(format!("found the digest {etag:?} from the hub, expected letters and digits")))
            }
            Some(etag) => Ok(etag.to_owned()),
            None => {
                let names = format!("{}\n{}\n{}", self.repo, self.commit, self.listed.name);
                Ok(format!("named-{}", &blake3::hash(names.as_bytes()).to_hex()[..32]))
            }
        }
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.listed.bytes()
    }

    pub(super) fn progress(&self, done: u64) -> DownloadProgress {
        let (repo, file, doing) = (self.repo.to_owned(), self.listed.name.clone(), FileWork::Download);
        DownloadProgress { repo, file, done, total: self.size(), doing }
    }

    /// True if the blob is here, with the size that the hub states.
    fn is_here(&self, blob: &Path) -> bool {
        let found = std::fs::metadata(blob).ok().filter(std::fs::Metadata::is_file);
        found.is_some_and(|found| self.size().is_none_or(|bytes| bytes == found.len()))
    }

    /// True unless the blob's digest differs from the one that the hub states.
    pub(super) async fn is_whole(&self) -> Result<bool, HubError> {
        let blob = self.cached.blob(&self.etag()?);
        let (listed, path) = (self.listed.clone(), blob.clone());
        let read = move || File::open(path).and_then(|mut file| digests(&listed, &mut file));
        let found = tokio::task::spawn_blocking(read).await.map_err(io::Error::other).and_then(|found| found);
        Ok(found.map_err(|error| disk(&blob, &error))?.is_none_or(|(stated, found)| stated == found))
    }
}

/// The digest that the hub states for a file, and the digest of the bytes; `None` if the hub states none.
fn digests(listed: &RemoteFile, file: &mut File) -> io::Result<Option<(String, String)>> {
    let (stated, algorithm) = match (&listed.lfs, &listed.git) {
        (Some(large), _) => (&large.sha256, &ring::digest::SHA256),
        (None, Some(git)) if git.len() == 40 => (git, &ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
        _ => return Ok(None),
    };
    file.seek(io::SeekFrom::Start(0))?;
    // git's header of a blob
    let header = listed.lfs.is_none().then(|| file.metadata().map(|meta| format!("blob {}\0", meta.len())));
    let header = header.transpose()?;
    let found = sum(algorithm, header.as_deref().map(str::as_bytes), file)?;
    Ok(Some((stated.to_ascii_lowercase(), found)))
}

impl Downloader {
    /// Puts one file into the snapshot.
    pub(super) async fn file(&self, job: &FileFetch<'_>, on_progress: OnProgress<'_>) -> Result<(), HubError> {
        let etag = job.etag()?;
        let blob = job.cached.blob(&etag);
        if !job.is_here(&blob) {
            let blobs = blob.parent().unwrap_or(job.cached.folder());
            std::fs::create_dir_all(blobs).map_err(|error| disk(blobs, &error))?;
            let part = part(&blob);
            let lock = lock(&part).await?;
            // Another process may have finished the file during the wait for the lock.
            if !job.is_here(&blob) {
                let path: Vec<&str> = ["resolve", job.commit].into_iter().chain(job.listed.name.split('/')).collect();
                let url = self.url(&[], job.repo, &path)?;
                self.persist(job, &url, &lock, on_progress)
                    .await
                    .map_err(|failure| self.unreachable(job.repo, failure))?;
                std::fs::rename(&part, &blob).map_err(|error| disk(&blob, &error))?;
            } else if std::fs::metadata(&part).is_ok_and(|meta| meta.len() == 0) {
                // made by this process, after the other one had renamed its own
                let _ = std::fs::remove_file(&part);
            }
            drop(lock);
        }
        job.cached.link(job.commit, &job.listed.name, &etag).map_err(|error| disk(&blob, &error))
    }

    /// Tries again after passing failures, with growing waits or those that the server asks for. Only tries without a
    /// new byte count, so that a poor line does not end a long download.
    async fn persist(
        &self,
        job: &FileFetch<'_>,
        url: &Url,
        part: &File,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Failure> {
        let (mut failures, mut wait, mut most) = (0, self.first_wait, 0);
        loop {
            match self.transfer(job, url, part, on_progress).await {
                Err(Failure::Passing(why, asked)) => {
                    let bytes = part.metadata().map_or(0, |meta| meta.len());
                    if bytes > most {
                        (failures, wait, most) = (0, self.first_wait, bytes);
                    }
                    failures += 1;
                    if failures >= self.attempts {
                        return Err(Failure::Passing(why, asked));
                    }
                    tracing::debug!(file = job.listed.name, bytes, %why, "the download is tried again");
                    tokio::time::sleep(asked.unwrap_or(wait)).await;
                    wait *= 2;
                }
                settled => return settled,
            }
        }
    }

    /// One try at the rest of a file: continues after the bytes in `part`, then checks the whole file.
    async fn transfer(
        &self,
        job: &FileFetch<'_>,
        url: &Url,
        part: &File,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Failure> {
        let io = |error: io::Error| Failure::Final(disk(&job.cached.blob("…"), &error));
        let total = job.size();
        if total.is_some_and(|total| total > max_bytes(job)) {
            return Err(too_large(job).into());
        }
        let mut done = part.metadata().map_err(io)?.len();
        if total.is_none_or(|total| done < total) {
            let response = self.get(url, (done > 0).then_some(done), job.repo).await?;
            let mut writer = part.try_clone().map_err(io)?;
            // A server that ignores the range sends the whole file again.
            if response.status() != StatusCode::PARTIAL_CONTENT || range_start(&response) != Some(done) {
                if response.status() == StatusCode::PARTIAL_CONTENT && done == 0 {
                    return Err(Failure::Passing("the server sent a part that was not requested".into(), None));
                }
                done = 0;
                part.set_len(0).map_err(io)?;
            }
            writer.seek(io::SeekFrom::Start(done)).map_err(io)?;
            done = self.receive(job, response, tokio::fs::File::from_std(writer), done, on_progress).await?;
        }
        if let Some(total) = total.filter(|total| *total != done) {
            // A file larger than announced cannot become right, so it starts again; a smaller one is resumed.
            if done > total {
                part.set_len(0).map_err(io)?;
            }
            return Err(Failure::Passing(format!("{done} bytes arrived, expected {total}"), None));
        }
        let (listed, mut written) = (job.listed.clone(), part.try_clone().map_err(io)?);
        let found = tokio::task::spawn_blocking(move || digests(&listed, &mut written)).await;
        let found = found.map_err(io::Error::other).and_then(|found| found).map_err(io)?;
        if let Some((expected, found)) = found.filter(|(expected, found)| expected != found) {
            part.set_len(0).map_err(io)?;
            let what = format!("{} is damaged: its digest is {found}, the hub states {expected}", job.listed.name);
            return Err(Failure::Passing(what, None));
        }
        on_progress(job.progress(done));
        Ok(())
    }

    /// Writes the bytes after byte `done`. Returns the file's new size.
    async fn receive(
        &self,
        job: &FileFetch<'_>,
        mut response: Response,
        mut file: tokio::fs::File,
        mut done: u64,
        on_progress: OnProgress<'_>,
    ) -> Result<u64, Failure> {
        let mut reported = done;
        on_progress(job.progress(done));
        loop {
            let chunk = match tokio::time::timeout(self.settings.patience, response.chunk()).await {
                Err(_) => Err(format!("no data arrived for {} s", self.settings.patience.as_secs_f64())),
                Ok(Err(error)) => Err(http::chain(&error)),
                Ok(Ok(chunk)) => Ok(chunk),
            };
            let written = match &chunk {
                Ok(Some(bytes)) => file.write_all(bytes).await,
                // the next try continues after the bytes on disk
                _ => file.flush().await,
            };
            written.map_err(|error| disk(&job.cached.blob("…"), &error))?;
            match chunk {
                Ok(Some(bytes)) => done += bytes.len() as u64,
                Ok(None) => return Ok(done),
                Err(why) => return Err(Failure::Passing(why, None)),
            }
            if done > job.size().unwrap_or(max_bytes(job)) {
                return if job.size().is_some() { Ok(done) } else { Err(too_large(job).into()) };
            }
            if done - reported >= REPORT_EVERY {
                reported = done;
                tracing::trace!(file = job.listed.name, done, "bytes arrived");
                on_progress(job.progress(done));
            }
        }
    }
}

/// The start of a partial body (`Content-Range: bytes 100-199/200`).
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Opens the partial file for this process alone. Waits while another process downloads the same file.
async fn lock(part: &Path) -> Result<File, HubError> {
    let path = part.to_owned();
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock().map(|()| file)
    });
    let locked = locked.await.map_err(io::Error::other);
    locked.and_then(|locked| locked).map_err(|error| disk(part, &error))
}

pub(super) fn disk(path: &Path, error: &io::Error) -> HubError {
    let is_full =
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge);
    let hint = match is_full {
        true => {
            "free some space and run the command again, which continues the download; `elenchus models remove` frees the space of a \
             model; or set HF_HUB_CACHE to a folder with room"
        }
        false => "set HF_HUB_CACHE to a folder that can be written",
    };
    HubError::new(format!("the hub's cache cannot be written: {}: {error}", path.display()), hint)
}
