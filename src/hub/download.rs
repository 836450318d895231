//! Downloads a model's files into the hub's cache: only the files that loading needs. A download resumes where it
//! stopped. Each file is checked against the digest that the hub states, and becomes visible to others only when
//! complete.
//!
//! A download has two steps. [`Downloader::plan`] asks the hub what a revision holds, and [`Downloader::pull`] gets the
//! files, several at once. Between the two, a caller knows all sizes.

mod listing;
mod refused;
mod request;
#[cfg(test)]
mod tests;
mod transfer;

use super::{
    HubError, HubSettings, WeightsPath,
    cache::CachedRepo,
    http,
    source::{gguf_file, projector},
    space, weights,
};
use crate::files::size_text;
use futures_util::{StreamExt as _, TryStreamExt as _, future::BoxFuture};
use listing::{RemoteFile, RepoListing, is_needed};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use transfer::{FileFetch, disk};

/// The progress of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadProgress {
    /// `org/name`
    pub repo: String,
    /// The file in the repository.
    pub file: String,
    /// Bytes that have arrived, or that were there before.
    pub done: u64,
    /// Total bytes, if the hub states them.
    pub total: Option<u64>,
    /// What is done with the file.
    pub doing: FileWork,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileWork {
    /// It is downloaded.
    Download,
    /// Its digest is computed.
    Check,
}

/// The receiver of progress.
pub type OnProgress<'a> = &'a (dyn Fn(DownloadProgress) + Send + Sync);

/// Progress is reported after each further amount of this many bytes.
const REPORT_EVERY: u64 = 1 << 20;
/// Files that are downloaded at once. More would not be faster, and would leave more unfinished files.
const AT_ONCE: usize = 4;
/// The disk keeps this many bytes free beside a download.
const SPARE_BYTES: u64 = 64 << 20;

/// Downloads repositories into the cache.
#[derive(Debug)]
pub struct Downloader {
    settings: HubSettings,
    client: reqwest::Client,
    /// Maximum number of tries of one request, or of one piece of a file.
    attempts: u32,
    /// The wait before the second try. It doubles with each try.
    first_wait: Duration,
}

/// What a download will get.
#[derive(Debug, Clone)]
pub struct PullPlan {
    /// `org/name`
    pub repo: String,
    /// The branch, tag or commit that was asked for.
    pub revision: String,
    /// Its commit.
    pub commit: String,
    /// The name of the licence, if the repository states one.
    pub license: Option<String>,
    /// True if the hub gives the files only to accounts that accepted the owner's terms.
    pub gated: bool,
    /// The files, sorted by name.
    pub files: Vec<PlannedFile>,
    /// The GGUF file, if the checkpoint is one.
    gguf: Option<String>,
}

/// A file of a download.
#[derive(Debug, Clone)]
pub struct PlannedFile {
    /// Its name in the repository.
    pub name: String,
    /// Its size, if the hub states it.
    pub bytes: Option<u64>,
    /// Bytes that are on this machine.
    pub present: u64,
    /// True if the whole file is on this machine.
    pub is_here: bool,
    remote: RemoteFile,
}

impl PullPlan {
    /// Bytes of all files, as far as the hub states them.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.bytes).sum()
    }

    /// Bytes that must still be downloaded.
    pub fn missing(&self) -> u64 {
        let missing = |file: &PlannedFile| file.bytes.unwrap_or_default().saturating_sub(file.present);
        self.files.iter().filter(|file| !file.is_here).map(missing).sum()
    }

    /// The names of the files.
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.name.clone()).collect()
    }
}

impl Downloader {
    /// A downloader with these settings. Fails if the HTTP client cannot be created.
    pub fn new(settings: HubSettings) -> Result<Downloader, HubError> {
        let client = http::client(&settings.endpoint, Duration::from_secs(20))
            .map_err(|error| HubError::plain(format!("the HTTP client cannot be created: {error}")))?;
        Ok(Downloader { settings, client, attempts: 5, first_wait: Duration::from_millis(500) })
    }

    /// Downloads what is missing of a checkpoint folder, or of one GGUF file.
    pub async fn fetch(
        &self,
        repo: &str,
        revision: &str,
        gguf: Option<&str>,
        on_progress: OnProgress<'_>,
    ) -> Result<WeightsPath, HubError> {
        let plan = self.plan(repo, revision, gguf).await?;
        self.has_room(&[&plan])?;
        self.pull(&plan, on_progress).await
    }

    /// Asks the hub for the files of a revision, and keeps nothing. Fails if the repository has no weights that can be
    /// loaded, or if the hub refuses.
    pub async fn plan(&self, repo: &str, revision: &str, gguf: Option<&str>) -> Result<PullPlan, HubError> {
        let listing = self.listing(repo, revision).await?;
        if listing.is_gated() && self.settings.token.is_none() {
            return Err(refused::gated(repo, &self.settings));
        }
        let names = listing.siblings.iter().map(|listed| listed.name.as_str());
        let gguf = gguf.map(|wanted| gguf_file(repo, wanted, names)).transpose()?.map(str::to_owned);
        let wanted = match &gguf {
            Some(file) => {
                let names = listing.siblings.iter().map(|listed| listed.name.as_str());
                let both = [Some(file.as_str()), projector(repo, file, names)];
                listing.siblings.iter().filter(|listed| both.contains(&Some(listed.name.as_str()))).collect()
            }
            None => self.of_folder(repo, revision, &listing).await?,
        };
        let cached = self.cached(repo);
        let mut files = Vec::new();
        for listed in wanted {
            files.push(planned(&FileFetch { repo, commit: &listing.sha, cached: &cached, listed })?);
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.dedup_by(|a, b| a.name == b.name);
        Ok(PullPlan {
            repo: repo.to_owned(),
            revision: revision.to_owned(),
            commit: listing.sha.clone(),
            license: listing.license(),
            gated: listing.is_gated(),
            files,
            gguf,
        })
    }

    /// The files of a checkpoint folder that loading reads.
    async fn of_folder<'a>(
        &self,
        repo: &str,
        revision: &str,
        listing: &'a RepoListing,
    ) -> Result<Vec<&'a RemoteFile>, HubError> {
        let find = |name: &str| listing.siblings.iter().find(|listed| listed.name == name);
        let mut wanted: Vec<&RemoteFile> = listing.siblings.iter().filter(|listed| is_needed(&listed.name)).collect();
        match (find("model.safetensors"), find("model.safetensors.index.json")) {
            (Some(single), _) => wanted.push(single),
            (None, Some(index)) => {
                // read without a place in the cache: a plan changes nothing
                let url = self.url(&[], repo, &["resolve", &listing.sha, &index.name])?;
                let text = self.text(&url, repo).await.map_err(|failure| self.unreachable(repo, failure))?;
                wanted.push(index);
                for shard in weights::shards(&text)? {
                    let listed = find(&shard)
                        .ok_or_else(|| HubError::plain(format!("{repo} lists no {shard}, which its index names")))?;
                    wanted.push(listed);
                }
            }
            (None, None) => return Err(self.without_safetensors(repo, revision, listing).await),
        }
        if find("config.json").is_none() {
            return Err(HubError::plain(format!("{repo} is an incomplete checkpoint: it lacks config.json")));
        }
        Ok(wanted)
    }

    /// The text of `config.json`, without a place in the cache; none for a GGUF file. Fails if it cannot be had.
    pub async fn config(&self, plan: &PullPlan) -> Result<Option<String>, HubError> {
        if plan.gguf.is_some() {
            return Ok(None);
        }
        let url = self.url(&[], &plan.repo, &["resolve", &plan.commit, "config.json"])?;
        self.text(&url, &plan.repo).await.map(Some).map_err(|failure| self.unreachable(&plan.repo, failure))
    }

    /// Fails if the disk of the cache has no room for what these plans lack.
    pub fn has_room(&self, plans: &[&PullPlan]) -> Result<(), HubError> {
        let needed: u64 = plans.iter().map(|plan| plan.missing()).sum();
        let cache = &self.settings.cache;
        match space::free(cache) {
            Some(free) if needed > 0 && needed.saturating_add(SPARE_BYTES) > free => Err(HubError::new(
                format!(
                    "{} must be downloaded, and the disk of {} has {} free",
                    size_text(needed),
                    cache.display(),
                    size_text(free)
                ),
                "free some space (`elenchus models list` shows what the cache holds, `elenchus models remove` frees it), or set \
                 HF_HUB_CACHE to a folder with room",
            )),
            _ => Ok(()),
        }
    }

    /// Downloads what is missing, and returns the checkpoint's place.
    pub async fn pull(&self, plan: &PullPlan, on_progress: OnProgress<'_>) -> Result<WeightsPath, HubError> {
        let PullPlan { repo, revision, commit, .. } = plan;
        let cached = self.cached(repo);
        let cached = &cached;
        // boxed: the compiler cannot show that an iterator of these futures may move to another thread
        let mut files: Vec<BoxFuture<'_, Result<(), HubError>>> = Vec::new();
        for file in &plan.files {
            let job = FileFetch { repo, commit, cached, listed: &file.remote };
            files.push(Box::pin(async move { self.file(&job, on_progress).await }));
        }
        futures_util::stream::iter(files).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        cached.write_ref(revision, commit).map_err(|error| disk(cached.folder(), &error))?;
        match &plan.gguf {
            Some(file) => Ok(WeightsPath::Gguf(cached.snapshot(commit).join(file))),
            None => cached.complete(commit).map(WeightsPath::Folder).ok_or_else(|| {
                HubError::plain(format!("{repo} is an incomplete checkpoint ({})", cached.snapshot(commit).display()))
            }),
        }
    }

    /// Computes the digests of the files that are here, and removes the damaged ones, so that [`Downloader::pull`] gets
    /// them again. Returns their names.
    pub async fn drop_damaged(&self, plan: &PullPlan, on_progress: OnProgress<'_>) -> Result<Vec<String>, HubError> {
        let cached = self.cached(&plan.repo);
        let mut damaged = Vec::new();
        for file in plan.files.iter().filter(|file| file.is_here) {
            let job = FileFetch { repo: &plan.repo, commit: &plan.commit, cached: &cached, listed: &file.remote };
            on_progress(DownloadProgress { doing: FileWork::Check, ..job.progress(0) });
            if !job.is_whole().await? {
                let blob = cached.blob(&job.etag()?);
                std::fs::remove_file(&blob).map_err(|error| disk(&blob, &error))?;
                damaged.push(file.name.clone());
            }
            on_progress(DownloadProgress { doing: FileWork::Check, ..job.progress(file.present) });
        }
        Ok(damaged)
    }

    fn cached(&self, repo: &str) -> CachedRepo {
        CachedRepo::new(&self.settings.cache, repo)
    }
}

/// What is here of a file.
fn planned(job: &FileFetch<'_>) -> Result<PlannedFile, HubError> {
    let (name, bytes) = (job.listed.name.clone(), job.size());
    let blob = job.cached.blob(&job.etag()?);
    let size = |path: &Path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
    // a file of another size is damaged: it is downloaded again
    let whole = size(&blob).filter(|found| bytes.is_none_or(|bytes| bytes == *found));
    let present = whole.or_else(|| size(&part(&blob))).unwrap_or_default();
    Ok(PlannedFile { name, bytes, present, is_here: whole.is_some(), remote: job.listed.clone() })
}

/// The unfinished file of a blob.
fn part(blob: &Path) -> PathBuf {
    blob.with_added_extension("part")
}
