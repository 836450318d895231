//! The videos that the server knows: those of the journal, and those in its folders that can be indexed. One task indexes them, one after
//! another.

mod indexer;

use super::{api_error::ApiError, state::SharedState};
use crate::{
    error::Fault,
    files, media,
    session::media_below,
    value::{Level, StatedTime},
};
use axum::http::StatusCode;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use tokio::sync::{Notify, broadcast};

pub(super) use indexer::start;

/// The most videos that wait to be indexed.
const MAX_JOBS: usize = 10_000;
/// The changes that a slow listener may miss.
const PENDING_CHANGES: usize = 256;

/// A video of the library.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct VideoRecord {
    /// The name of its file.
    pub name: String,
    /// The path of its file.
    pub path: String,
    /// blake3 of its bytes, hex; absent before it is indexed.
    pub digest: Option<String>,
    /// Its length in seconds; absent before it is indexed.
    pub seconds: Option<f64>,
    /// The presentation time of its start, in seconds: a player counts from here.
    pub start: f64,
    /// When it begins, in ms since 1970 (UTC), if that is known.
    pub wall_ms: Option<i64>,
    /// The zone of that time.
    pub zone: Option<String>,
    /// What was done with it.
    pub levels: Vec<Level>,
    /// The number of its lines.
    pub lines: u64,
    /// The work on it, if there is any.
    pub job: Option<IndexJob>,
    /// Whether the file is still what was indexed.
    pub file: FileState,
    /// For a file that the journal has under another name: that name.
    pub same_as: Option<String>,
}

/// What became of the file of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FileState {
    /// It is where it was, with its content.
    There,
    /// It was moved or removed.
    Gone,
    /// Another file has its name.
    Replaced,
}

/// The work on a video.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct IndexJob {
    /// The path of its file.
    pub path: String,
    /// What is going on.
    pub state: JobState,
    /// The answered exchanges.
    pub exchanges: u64,
    /// What the dialogue does at the moment: the name of a step.
    pub step: Option<String>,
    /// The reason of a failure.
    pub error: Option<String>,
    /// What people should know of the video, such as damage.
    pub note: Option<String>,
    /// The digest of the video, once it was read.
    pub digest: Option<String>,
}

/// What is going on with a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobState {
    /// It waits.
    Queued,
    /// Models look at it.
    Indexing,
    /// The journal has it.
    Done,
    /// It cannot be indexed.
    Failed,
}

/// How videos are indexed.
#[derive(Debug, Clone, Default)]
pub(super) struct IndexSettings {
    /// When the video starts.
    pub starts_at: Option<StatedTime>,
    /// The time zone of times without one.
    pub zone: Option<String>,
    /// The parts that no model sees or hears, from and to in seconds.
    pub exclude: Vec<(u32, u32)>,
    /// True lets no model hear the sound.
    pub mute: bool,
    /// True looks at a video again that the journal has.
    pub fresh: bool,
}

/// The videos of the folders, and the work on them.
pub(super) struct VideoLibrary {
    folders: Vec<PathBuf>,
    jobs: Mutex<IndexMap<String, (IndexJob, IndexSettings)>>,
    added: Notify,
    changes: broadcast::Sender<IndexJob>,
}

impl VideoLibrary {
    /// The library of these folders. Fails if one of them is missing.
    pub(super) fn new(folders: &[PathBuf]) -> Result<VideoLibrary, Fault> {
        let real = |folder: &PathBuf| {
            let shown = folder.display();
            let real = std::fs::canonicalize(folder)
                .map_err(|error| Fault::media(format!("{shown} cannot be read: {error}")))?;
            match real.is_dir() {
                true => Ok(real),
                false => Err(Fault::refused(format!("{shown} is no folder")).hint("name the folder of your videos")),
            }
        };
        let folders = folders.iter().map(real).collect::<Result<_, _>>()?;
        let (changes, _) = broadcast::channel(PENDING_CHANGES);
        Ok(VideoLibrary { folders, jobs: Mutex::default(), added: Notify::new(), changes })
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, IndexMap<String, (IndexJob, IndexSettings)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes of jobs from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<IndexJob> {
        self.changes.subscribe()
    }

    /// The files below the folders, sorted.
    pub(super) fn files(&self) -> Vec<String> {
        let names = self.folders.iter().map(|folder| files::name(folder.as_os_str()));
        // an empty folder has no videos yet
        names.flat_map(|name| media_below(&[name]).unwrap_or_default()).collect()
    }

    /// The real path of a file, if it is inside of a served folder.
    fn inside(&self, path: &str) -> Result<String, ApiError> {
        if self.folders.is_empty() {
            return Err(ApiError::bad("the server has no folder of videos")
                .hint("`elenchus serve FOLDER` names one; `elenchus index` indexes others"));
        }
        let given = files::path(path);
        let candidates = match given.is_absolute() {
            true => vec![given],
            false => self.folders.iter().map(|folder| folder.join(&given)).collect(),
        };
        let real = candidates.iter().find_map(|path| std::fs::canonicalize(path).ok());
        let is_inside = |real: &Path| self.folders.iter().any(|folder| real.starts_with(folder));
        match real {
            Some(real) if !path.is_empty() && is_inside(&real) => Ok(files::name(real.as_os_str())),
            // what lies outside of the folders is not the client's to know
            _ => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "the path is not a file in one of the folders that are served",
            )),
        }
    }

    /// Puts files into the queue, and returns their number. Without paths, all files of the folders.
    pub(super) fn add(&self, paths: &[String], settings: &IndexSettings) -> Result<usize, ApiError> {
        let mut found = Vec::new();
        if paths.is_empty() {
            found = self.files();
        }
        for path in paths {
            let real = self.inside(path)?;
            match Path::new(&real).is_dir() {
                true => found.extend(media_below(&[real])?),
                false => found.push(real),
            }
        }
        if found.len() > 1 && settings.starts_at.is_some() {
            return Err(ApiError::bad("`starts_at` is the start of one video, and several are named"));
        }
        let mut jobs = self.jobs();
        let mut count = 0;
        for path in found {
            let is_open =
                jobs.get(&path).is_some_and(|(job, _)| matches!(job.state, JobState::Queued | JobState::Indexing));
            if is_open {
                continue;
            }
            if jobs.len() >= MAX_JOBS {
                jobs.retain(|_, (job, _)| matches!(job.state, JobState::Queued | JobState::Indexing));
            }
            if jobs.len() >= MAX_JOBS {
                return Err(
                    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", "too many videos wait").retry_after(60)
                );
            }
            let job = IndexJob {
                path: path.clone(),
                state: JobState::Queued,
                exchanges: 0,
                step: None,
                error: None,
                note: None,
                digest: None,
            };
            // a job that is over takes its place at the end again
            jobs.shift_remove(&path);
            jobs.insert(path, (job.clone(), settings.clone()));
            let _ = self.changes.send(job);
            count += 1;
        }
        drop(jobs);
        self.added.notify_one();
        Ok(count)
    }

    /// Changes a job and tells of it.
    fn change(&self, path: &str, change: impl FnOnce(&mut IndexJob)) {
        let mut jobs = self.jobs();
        if let Some((job, _)) = jobs.get_mut(path) {
            change(job);
            let _ = self.changes.send(job.clone());
        }
    }

    /// The job that waits longest, which begins now.
    fn begin_next(&self) -> Option<(String, IndexSettings)> {
        let jobs = self.jobs();
        let next = jobs.iter().find(|(_, (job, _))| job.state == JobState::Queued);
        let next = next.map(|(path, (_, settings))| (path.clone(), settings.clone()))?;
        drop(jobs);
        self.change(&next.0, |job| job.state = JobState::Indexing);
        Some(next)
    }

    /// Forgets the jobs about files of these names.
    pub(super) fn forget(&self, paths: &[String]) {
        self.jobs().retain(|path, _| !paths.contains(path));
    }
}

/// All videos: those of the journal in order of time, then the files that are not indexed.
pub(super) async fn all(state: &SharedState) -> Result<Vec<VideoRecord>, ApiError> {
    let media = state.with_journal(|journal| Ok(journal.stat(None)?.media)).await?;
    let jobs = state.library.jobs().clone();
    let job = |path: &str| jobs.get(path).map(|(job, _)| job.clone());
    let access = state.engine.settings.access(false);
    let mut all = Vec::with_capacity(media.len());
    for medium in media {
        // digests are kept with the size and the time of a file, so this reads only what changed
        let file = match media::digest_of(&medium.path, &access).await {
            Ok(digest) if digest == medium.digest => FileState::There,
            Ok(_) => FileState::Replaced,
            Err(_) => FileState::Gone,
        };
        all.push(VideoRecord {
            name: name_of(&medium.path),
            job: job(&medium.path),
            path: medium.path,
            digest: Some(medium.digest),
            seconds: Some(medium.seconds),
            start: medium.start,
            wall_ms: medium.wall_ms,
            zone: medium.zone,
            levels: medium.levels,
            lines: medium.lines,
            file,
            same_as: None,
        });
    }
    let shared = state.clone();
    let files = tokio::task::spawn_blocking(move || shared.library.files()).await;
    for path in files.map_err(|error| Fault::failed(error.to_string()))? {
        if all.iter().any(|video| video.path == path && video.file == FileState::There) {
            continue;
        }
        let job = job(&path);
        let same = job.as_ref().and_then(|job| job.digest.clone());
        let same_as = all.iter().find(|video| video.digest.is_some() && video.digest == same && video.path != path);
        let same_as = same_as.map(|video| video.name.clone());
        all.push(VideoRecord {
            name: name_of(&path),
            path,
            job,
            same_as,
            digest: None,
            seconds: None,
            start: 0.0,
            wall_ms: None,
            zone: None,
            levels: Vec::new(),
            lines: 0,
            file: FileState::There,
        });
    }
    Ok(all)
}

/// The name of a file.
fn name_of(path: &str) -> String {
    let path = files::path(path);
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
