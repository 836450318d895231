//! Downloads a model's files into the hub's cache: only the files that loading needs. A download resumes where it
//! stopped. Each file is checked against the digest that the hub states, and becomes visible to others only when
//! complete.

use super::{
    HubError, HubSettings,
    cache::{CachedRepo, is_file_name},
    http, weights,
};
use listing::{FileFetch, RemoteFile, RepoListing, gguf_files, is_needed, max_bytes, too_large, without_safetensors};
use reqwest::{Response, StatusCode, Url, header};
use std::{
    io::Seek as _,
    path::Path,
    time::{Duration, SystemTime},
};
use tokio::io::AsyncWriteExt as _;

/// The progress of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadProgress {
    /// `org/name`
    pub repo: String,
    /// The file in the repository.
    pub file: String,
    /// Bytes that have arrived.
    pub done: u64,
    /// Total bytes, if the hub states them.
    pub total: Option<u64>,
}

/// The receiver of progress.
pub type OnProgress<'a> = &'a (dyn Fn(DownloadProgress) + Send + Sync);

/// Progress is reported after each further amount of this many bytes.
const REPORT_EVERY: u64 = 1 << 20;
/// Maximum size of a repository's list of files, in bytes.
const MAX_LISTING_BYTES: usize = 16 << 20;
/// A transfer without data for this long is stopped and resumed.
const SILENCE: Duration = Duration::from_secs(60);

/// Downloads repositories into the cache.
#[derive(Debug)]
pub struct Downloader {
    settings: HubSettings,
    client: reqwest::Client,
    /// Maximum number of tries of one request.
    attempts: u32,
    /// The wait before the second try. It doubles with each try.
    first_wait: Duration,
}

/// Why one try failed.
enum Failure {
    /// Another try may succeed, after this wait if the server states one.
    Passing(String, Option<Duration>),
    /// Another try gives the same result.
    Final(HubError),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Failure::Final(error)
    }
}

impl Downloader {
    /// A downloader with these settings. Fails if the HTTP client cannot be created.
    pub fn new(settings: HubSettings) -> Result<Downloader, HubError> {
        let client = http::client(&settings.endpoint, Duration::from_secs(20))
            .map_err(|error| HubError::plain(format!("the HTTP client cannot be created: {error}")))?;
        Ok(Downloader { settings, client, attempts: 5, first_wait: Duration::from_millis(500) })
    }

    /// Downloads the missing files of a revision and returns the folder of its snapshot.
    pub async fn fetch(
        &self,
        repo: &str,
        revision: &str,
        on_progress: OnProgress<'_>,
    ) -> Result<std::path::PathBuf, HubError> {
        let listing = self.listing(repo, revision).await?;
        let cached = CachedRepo::new(&self.settings.cache, repo);
        let find = |name: &str| listing.siblings.iter().find(|listed| listed.name == name);
        let mut wanted: Vec<&RemoteFile> = listing.siblings.iter().filter(|listed| is_needed(&listed.name)).collect();
        match (find("model.safetensors"), find("model.safetensors.index.json")) {
            (Some(single), _) => wanted.push(single),
            (None, Some(index)) => {
                let job = FileFetch { repo, commit: &listing.sha, cached: &cached, listed: index };
                self.file(&job, on_progress).await?;
                let path = cached.snapshot(&listing.sha).join(&index.name);
                for shard in weights::indexed(&path)?.unwrap_or_default() {
                    let listed = find(&shard)
                        .ok_or_else(|| HubError::plain(format!("{repo} lists no {shard}, which its index names")))?;
                    wanted.push(listed);
                }
            }
            (None, None) => return Err(without_safetensors(repo, &listing)),
        }
        for listed in wanted {
            self.file(&FileFetch { repo, commit: &listing.sha, cached: &cached, listed }, on_progress).await?;
        }
        cached.write_ref(revision, &listing.sha).map_err(|error| disk(cached.folder(), &error))?;
        match cached.complete(revision) {
            Some(folder) => Ok(folder),
            None => Err(HubError::plain(format!("{repo} is an incomplete checkpoint: it lacks config.json"))),
        }
    }

    /// Downloads one file of a revision, if it is missing, and returns its path.
    pub async fn fetch_file(
        &self,
        repo: &str,
        revision: &str,
        name: &str,
        on_progress: OnProgress<'_>,
    ) -> Result<std::path::PathBuf, HubError> {
        let listing = self.listing(repo, revision).await?;
        let cached = CachedRepo::new(&self.settings.cache, repo);
        let Some(listed) = listing.siblings.iter().find(|listed| listed.name == name) else {
            let files = gguf_files(&listing);
            let hint = match files.as_str() {
                "" => "the repository has no GGUF files".to_owned(),
                files => format!("its GGUF files are {files}"),
            };
            return Err(HubError::new(format!("{repo} lacks {name}"), hint));
        };
        self.file(&FileFetch { repo, commit: &listing.sha, cached: &cached, listed }, on_progress).await?;
        cached.write_ref(revision, &listing.sha).map_err(|error| disk(cached.folder(), &error))?;
        Ok(cached.snapshot(&listing.sha).join(name))
    }

    async fn listing(&self, repo: &str, revision: &str) -> Result<RepoListing, HubError> {
        let mut url = self.url(&["api", "models"], repo, &["revision", revision])?;
        url.set_query(Some("blobs=true"));
        let text = self
            .retried(|| async {
                let response = self.get(&url, None, repo).await?;
                let body = tokio::time::timeout(SILENCE, http::body(response, MAX_LISTING_BYTES)).await;
                let body = body.map_err(|_| Failure::Passing("the list of files took over a minute".into(), None))?;
                let body = body.map_err(|error| Failure::Passing(http::chain(&error), None))?;
                let large =
                    || HubError::plain(format!("the list of files of {repo} is larger than {MAX_LISTING_BYTES} bytes"));
                Ok(String::from_utf8_lossy(&body.ok_or_else(large)?).into_owned())
            })
            .await
            .map_err(|error| self.unreachable(repo, error))?;
        let listing: RepoListing = serde_json::from_str(&text).map_err(|error| {
            HubError::plain(format!("{} does not answer like a model hub: {error}", self.settings.endpoint))
        })?;
        match is_file_name(&listing.sha) {
            true => Ok(listing),
            false => Err(HubError::plain(format!(
                "found {1:?} from {0}, expected the name of a commit",
                self.settings.endpoint, listing.sha
            ))),
        }
    }

    /// Puts one file into the snapshot.
    async fn file(&self, job: &FileFetch<'_>, on_progress: OnProgress<'_>) -> Result<(), HubError> {
        let etag = job.etag()?;
        let blob = job.cached.blob(&etag);
        if !blob.is_file() {
            let blobs = blob.parent().unwrap_or(job.cached.folder());
            std::fs::create_dir_all(blobs).map_err(|error| disk(blobs, &error))?;
            let part = blobs.join(format!("{etag}.part"));
            let lock = lock(&part).await?;
            // Another process may have finished the file during the wait for the lock.
            if !blob.is_file() {
                let path: Vec<&str> = ["resolve", job.commit].into_iter().chain(job.listed.name.split('/')).collect();
                let url = self.url(&[], job.repo, &path)?;
                self.retried(|| self.transfer(job, &url, &lock, on_progress))
                    .await
                    .map_err(|error| self.unreachable(job.repo, error))?;
                std::fs::rename(&part, &blob).map_err(|error| disk(&blob, &error))?;
            }
            drop(lock);
        }
        job.cached.link(job.commit, &job.listed.name, &etag).map_err(|error| disk(&blob, &error))
    }

    /// One try at the rest of a file: continues after the bytes in `part`, then checks the whole file.
    async fn transfer(
        &self,
        job: &FileFetch<'_>,
        url: &Url,
        part: &std::fs::File,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Failure> {
        let io = |error: std::io::Error| Failure::Final(disk(&job.cached.blob("…"), &error));
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
            writer.seek(std::io::SeekFrom::Start(done)).map_err(io)?;
            done = receive(job, response, tokio::fs::File::from_std(writer), done, on_progress).await?;
        }
        if let Some(total) = total.filter(|total| *total != done) {
            // A file larger than announced cannot become right, so it starts again; a smaller one is resumed.
            if done > total {
                part.set_len(0).map_err(io)?;
            }
            return Err(Failure::Passing(format!("{done} bytes arrived, expected {total}"), None));
        }
        let found = job.digest(part).map_err(io)?;
        if let Some((expected, found)) = found.filter(|(expected, found)| !expected.eq_ignore_ascii_case(found)) {
            part.set_len(0).map_err(io)?;
            let what = format!("{} is damaged: its digest is {found}, the hub states {expected}", job.listed.name);
            return Err(Failure::Passing(what, None));
        }
        on_progress(job.progress(done));
        Ok(())
    }

    /// GET, with redirects followed here: only the hub may get the token, never the store that it redirects to.
    async fn get(&self, url: &Url, from: Option<u64>, repo: &str) -> Result<Response, Failure> {
        let mut url = url.clone();
        for _ in 0..6 {
            let mut request = self.client.get(url.clone());
            if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_hub(&url)) {
                request = request.bearer_auth(token.reveal());
            }
            if let Some(from) = from {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            let response = tokio::time::timeout(SILENCE, request.send())
                .await
                .map_err(|_| Failure::Passing("no answer within a minute".into(), None))?
                .map_err(|error| Failure::Passing(http::chain(&error), None))?;
            if !response.status().is_redirection() {
                return self.accepted(response, repo);
            }
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            url = to
                .and_then(|to| url.join(to).ok())
                .ok_or_else(|| HubError::plain(format!("the hub redirects {repo} without a valid address")))?;
        }
        Err(HubError::plain(format!("the hub redirects {repo} more than 5 times")).into())
    }

    fn accepted(&self, response: Response, repo: &str) -> Result<Response, Failure> {
        let status = response.status();
        let endpoint = &self.settings.endpoint;
        if status.is_success() {
            return Ok(response);
        }
        if http::is_passing(status) {
            let wait = http::retry_after(response.headers(), SystemTime::now());
            return Err(Failure::Passing(format!("the hub answers {status}"), wait));
        }
        let code = response.headers().get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
        let error = match (status, code) {
            (StatusCode::RANGE_NOT_SATISFIABLE, _) => return Err(Failure::Passing(format!("{status}"), None)),
            (StatusCode::NOT_FOUND, _) | (_, "RepoNotFound") => HubError::new(
                format!("{endpoint} does not know this model or revision: {repo} ({})", status.as_u16()),
                "check the spelling and the revision; a private model needs HF_TOKEN",
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => HubError::new(
                format!("{endpoint} refuses access to {repo} ({}): it is gated or private", status.as_u16()),
                match self.settings.token {
                    None => {
                        format!("accept its terms at {endpoint}/{repo}, then set HF_TOKEN to a token of your account")
                    }
                    Some(_) => {
                        format!("accept its terms at {endpoint}/{repo} with the account that HF_TOKEN belongs to")
                    }
                },
            ),
            _ => HubError::plain(format!("{endpoint} answers {status} for {repo}")),
        };
        Err(error.into())
    }

    /// Tries again after passing failures, with growing waits or those that the server asks for.
    async fn retried<T, F: Future<Output = Result<T, Failure>>>(&self, again: impl Fn() -> F) -> Result<T, Failure> {
        let mut wait = self.first_wait;
        for _ in 1..self.attempts {
            match again().await {
                Err(Failure::Passing(why, asked)) => {
                    tracing::debug!(%why, "the download is tried again");
                    tokio::time::sleep(asked.unwrap_or(wait)).await;
                    wait *= 2;
                }
                settled => return settled,
            }
        }
        again().await
    }

    fn unreachable(&self, repo: &str, failure: Failure) -> HubError {
        match failure {
            Failure::Final(error) => error,
            Failure::Passing(why, _) => HubError::new(
                format!("{repo} could not be fetched from {}: {why}", self.settings.endpoint),
                format!(
                    "run the command again to continue the download; without a network, copy the checkpoint here and name its \
                     folder as `path`, or copy it into {}",
                    self.settings.cache.display()
                ),
            ),
        }
    }

    fn url(&self, before: &[&str], repo: &str, after: &[&str]) -> Result<Url, HubError> {
        let bad = || HubError::plain(format!("found HF_ENDPOINT `{}`, expected a web address", self.settings.endpoint));
        let mut url = Url::parse(&self.settings.endpoint).map_err(|_| bad())?;
        url.path_segments_mut()
            .map_err(|()| bad())?
            .pop_if_empty()
            .extend(before.iter().copied().chain(repo.split('/')).chain(after.iter().copied()));
        Ok(url)
    }

    fn is_hub(&self, url: &Url) -> bool {
        Url::parse(&self.settings.endpoint).is_ok_and(|hub| hub.origin() == url.origin())
    }
}

/// Writes the bytes after byte `done`. Returns the file's new size.
async fn receive(
    job: &FileFetch<'_>,
    mut response: Response,
    mut file: tokio::fs::File,
    mut done: u64,
    on_progress: OnProgress<'_>,
) -> Result<u64, Failure> {
    let mut reported = done;
    on_progress(job.progress(done));
    loop {
        let chunk = match tokio::time::timeout(SILENCE, response.chunk()).await {
            Err(_) => Err("no data arrived for a minute".to_owned()),
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
            on_progress(job.progress(done));
        }
    }
}

/// The start of a partial body (`Content-Range: bytes 100-199/200`).
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Opens the partial file for this process alone. Waits while another process downloads the same file.
async fn lock(part: &Path) -> Result<std::fs::File, HubError> {
    let path = part.to_owned();
    let locked = tokio::task::spawn_blocking(move || {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock().map(|()| file)
    });
    let locked = locked.await.map_err(std::io::Error::other);
    locked.and_then(|locked| locked).map_err(|error| disk(part, &error))
}

fn disk(path: &Path, error: &std::io::Error) -> HubError {
    HubError::new(
        format!("the hub's cache cannot be written: {}: {error}", path.display()),
        "set HF_HUB_CACHE to a folder with room",
    )
}

mod listing;
#[cfg(test)]
mod tests;
