//! The task that indexes the videos that wait, one after another.

use super::{IndexSettings, JobState};
use crate::{
    error::Fault,
    media,
    run::{Agents, Event, Progress, RunOptions},
    serve::state::SharedState,
    value::Level,
};
use std::sync::Arc;

/// Notes the exchanges of a job.
struct JobProgress {
    state: SharedState,
    path: String,
}

impl Progress for JobProgress {
    fn event(&self, event: Event) {
        match event {
            Event::StepStarted { path, depth: 0, .. } => {
                self.state.library.change(&self.path, |job| job.step = Some(path));
            }
            Event::ExchangeDone { error: None, .. } => {
                // listeners need not hear of each
                let mut jobs = self.state.library.jobs();
                if let Some((job, _)) = jobs.get_mut(&self.path) {
                    job.exchanges += 1;
                    if job.exchanges.is_multiple_of(16) {
                        let _ = self.state.library.changes.send(job.clone());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Starts the task that indexes what waits, until the server stops. It has a thread of its own.
pub(in crate::serve) fn start(state: SharedState) -> tokio::task::JoinHandle<()> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work(state)))
}

async fn work(state: SharedState) {
    loop {
        while let Some((path, settings)) = state.library.begin_next() {
            let done = tokio::select! {
                done = index(&state, &path, &settings) => done,
                () = state.cancel.cancelled() => return,
            };
            if let Err(fault) = &done {
                tracing::warn!(path, "cannot be indexed: {fault}");
            }
            state.library.change(&path, |job| {
                job.step = None;
                match done {
                    Ok(digest) => (job.state, job.digest) = (JobState::Done, Some(digest)),
                    Err(fault) => (job.state, job.error) = (JobState::Failed, Some(fault.to_string())),
                }
            });
        }
        tokio::select! {
            () = state.library.added.notified() => {}
            () = state.cancel.cancelled() => return,
        }
    }
}

/// Indexes one video, and returns its digest.
async fn index(state: &SharedState, path: &str, settings: &IndexSettings) -> Result<String, Fault> {
    let session = state.session(&state.options.looking).await.map_err(|refusal| refusal.fault())?;
    let mut access = session.access.clone();
    access.starts_at = settings.starts_at;
    access.exclude.clone_from(&settings.exclude);
    access.mute = settings.mute;
    if let Some(zone) = &settings.zone {
        access.zone.clone_from(zone);
    }
    let video = media::open(path, &access).await?;
    let progress = Arc::new(JobProgress { state: state.clone(), path: path.to_owned() });
    let options = RunOptions {
        memo: Some(state.engine.memo()?),
        fresh: settings.fresh,
        cancel: state.cancel.clone(),
        progress,
        ..RunOptions::new(Agents::new())
    };
    session.index(&video, Level::LOG, &state.loading(), options, true).await?;
    if media::is_truncated(path).await {
        let length = video.end.seconds() - video.start.seconds();
        let note = format!("The file is damaged: only its first {length:.1} s could be read.");
        state.library.change(path, |job| job.note = Some(note));
    }
    Ok(video.digest.clone())
}
