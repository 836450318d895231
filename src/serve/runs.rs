//! Runs of dialogues: each goes on in a task of its own, sends what happens to its client, and stops if the client goes away.

use super::{api_error::ApiError, state::SharedState};
use crate::{
    error::Fault,
    plan::Inputs,
    run::{Agents, Cancel, Event, Outcome, Progress, Recorder, RunOptions},
    session::Session,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tracing::Instrument;

/// The runs whose transcripts are kept.
const KEPT_RUNS: usize = 50;
/// The most bytes of transcripts that are kept.
const KEPT_BYTES: usize = 64_000_000;
/// Events that wait for a slow client; further progress is left out.
const PENDING_EVENTS: usize = 256;
/// How long the runs may take to stop when their time is over.
const GRACE: Duration = Duration::from_secs(5);

/// What happens in a run.
#[derive(Debug)]
pub(super) enum RunEvent {
    /// The engine tells of a step or an exchange.
    Progress(Event),
    /// A piece of text that a model writes.
    Text(String),
    /// The run is over.
    Ended(Box<Result<Outcome, Fault>>),
}

/// A run that goes on. Dropping it stops the run.
pub(super) struct OngoingRun {
    /// Its number in the log.
    pub id: u64,
    events: mpsc::Receiver<RunEvent>,
    _stop: StopRun,
}

/// Stops a run when it is dropped.
struct StopRun(Cancel);

impl Drop for StopRun {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl OngoingRun {
    /// The next event; none after the last.
    pub(super) async fn next(&mut self) -> Option<RunEvent> {
        self.events.recv().await
    }

    /// The outcome.
    pub(super) async fn outcome(mut self) -> Result<Outcome, ApiError> {
        while let Some(event) = self.next().await {
            if let RunEvent::Ended(outcome) = event {
                return Ok((*outcome)?);
            }
        }
        Err(Fault::failed("the run ended without an outcome: this is a bug").into())
    }
}

/// A run to start.
pub(super) struct NewRun {
    /// The session.
    pub session: Arc<Session>,
    /// Its inputs.
    pub inputs: Inputs,
    /// What people see of it: the question.
    pub question: String,
    /// The digests of the media that it reads. Forgetting one of them removes the run from the log.
    pub digests: Vec<String>,
    /// The seed of all sampling.
    pub seed: u64,
    /// The step whose text is sent piece by piece.
    pub streamed: Option<String>,
    /// False for a run whose exchanges must not enter the memo, nor its transcript the log.
    pub is_kept: bool,
}

/// Forwards progress as long as the client keeps up.
struct Forwarded(mpsc::Sender<RunEvent>);

impl Progress for Forwarded {
    fn event(&self, event: Event) {
        // a client that is slow misses progress, never the outcome
        let _ = self.0.try_send(RunEvent::Progress(event));
    }
}

/// Starts a run as soon as the gate lets it in.
pub(super) async fn start(state: &SharedState, new: NewRun) -> Result<OngoingRun, ApiError> {
    let place = state.gate.enter().await?;
    let memo = match new.is_kept {
        true => Some(state.engine.memo().map_err(Fault::from)?),
        false => None,
    };
    let cancel = Cancel::default();
    let (sender, events) = mpsc::channel(PENDING_EVENTS);
    let id = state.runs.begin(&new);
    let (texts, mut pieces) = mpsc::unbounded_channel();
    let options = RunOptions {
        seed: new.seed,
        deadline: Some(state.options.limits.run_time),
        memo,
        record: if new.is_kept { Recorder::memory() } else { Recorder::none() },
        progress: Arc::new(Forwarded(sender.clone())),
        cancel: cancel.clone(),
        stream: new.streamed.clone().map(|step| (step, texts)),
        ..RunOptions::new(Agents::new())
    };
    let forward = sender.clone();
    tokio::spawn(async move {
        while let Some(piece) = pieces.recv().await {
            if forward.send(RunEvent::Text(piece)).await.is_err() {
                break;
            }
        }
    });
    let (task_state, task_cancel) = (state.clone(), cancel.clone());
    let going = async move {
        let state = task_state;
        state.metrics.running.inc();
        let loading = state.loading();
        let limit = state.options.limits.run_time + GRACE;
        let running = new.session.run(new.inputs, &loading, options);
        let stopping = async {
            state.cancel.cancelled().await;
            task_cancel.cancel();
            std::future::pending::<()>().await
        };
        let late = || Err(Fault::new(crate::error::FaultKind::Deadline, "the run took too long"));
        // loading weights has no deadline of its own
        let run = tokio::select! {
            run = tokio::time::timeout(limit, running) => run.unwrap_or_else(|_| late()),
            () = stopping => late(),
        };
        let (outcome, transcript) = match run {
            Ok(run) => (run.outcome.map_err(Fault::from), run.transcript),
            Err(fault) => (Err(fault), Vec::new()),
        };
        if let Ok(outcome) = &outcome {
            state.metrics.exchanges.inc_by(outcome.exchanges);
            state.metrics.memo_hits.inc_by(outcome.memo_hits);
        }
        state.metrics.running.dec();
        state.runs.end(id, &outcome, transcript);
        drop(place);
        let _ = sender.send(RunEvent::Ended(Box::new(outcome))).await;
    };
    tokio::spawn(going.in_current_span());
    Ok(OngoingRun { id, events, _stop: StopRun(cancel) })
}

/// A run of the log.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct RunRecord {
    /// Its number.
    pub id: u64,
    /// The dialogue.
    pub dialogue: String,
    /// The question.
    pub question: String,
    /// When it began, in ms since 1970 (UTC).
    pub started_ms: u64,
    /// `running`, `answered`, or the kind of its failure.
    pub state: String,
    /// The answer, or the reason of the failure.
    pub answer: Option<String>,
    /// The number of answered exchanges.
    pub exchanges: u64,
    /// The number of memo hits among them.
    pub memo_hits: u64,
    /// The time of the run, in ms.
    pub elapsed_ms: u64,
    #[serde(skip)]
    digests: Vec<String>,
    #[serde(skip)]
    transcript: Arc<[u8]>,
}

/// The last runs with their transcripts, in memory.
#[derive(Default)]
pub(super) struct RunLog {
    runs: Mutex<KeptRuns>,
}

#[derive(Default)]
struct KeptRuns {
    last: u64,
    runs: VecDeque<RunRecord>,
}

impl RunLog {
    fn lock(&self) -> std::sync::MutexGuard<'_, KeptRuns> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, new: &NewRun) -> u64 {
        let mut kept = self.lock();
        kept.last += 1;
        let id = kept.last;
        if new.is_kept {
            kept.runs.push_back(RunRecord {
                id,
                dialogue: new.session.plan.name.clone(),
                question: new.question.clone(),
                started_ms: crate::store::now_ms() as u64,
                state: "running".to_owned(),
                answer: None,
                exchanges: 0,
                memo_hits: 0,
                elapsed_ms: 0,
                digests: new.digests.clone(),
                transcript: Arc::default(),
            });
        }
        id
    }

    fn end(&self, id: u64, outcome: &Result<Outcome, Fault>, transcript: Vec<u8>) {
        let mut kept = self.lock();
        // a run about a video that was forgotten meanwhile is gone
        if let Some(run) = kept.runs.iter_mut().find(|run| run.id == id) {
            match outcome {
                Ok(outcome) => {
                    run.state = "answered".to_owned();
                    run.answer = Some(outcome.answer.clone());
                    (run.exchanges, run.memo_hits) = (outcome.exchanges, outcome.memo_hits);
                    run.elapsed_ms = outcome.elapsed_ms;
                }
                Err(fault) => {
                    run.state = fault.kind.word().to_owned();
                    run.answer = Some(fault.to_string());
                    run.elapsed_ms = (crate::store::now_ms() as u64).saturating_sub(run.started_ms);
                }
            }
            run.transcript = transcript.into();
        }
        let bytes = |runs: &VecDeque<RunRecord>| runs.iter().map(|run| run.transcript.len()).sum::<usize>();
        while kept.runs.len() > KEPT_RUNS || bytes(&kept.runs) > KEPT_BYTES {
            kept.runs.pop_front();
        }
    }

    /// All runs, the latest first.
    pub(super) fn all(&self) -> Vec<RunRecord> {
        self.lock().runs.iter().rev().cloned().collect()
    }

    /// A run with its transcript.
    pub(super) fn get(&self, id: u64) -> Option<(RunRecord, Arc<[u8]>)> {
        self.lock().runs.iter().find(|run| run.id == id).map(|run| (run.clone(), run.transcript.clone()))
    }

    /// Removes the runs that read these media, or whose transcript names one.
    pub(super) fn forget(&self, digests: &[String]) {
        let names = |run: &RunRecord, digest: &String| {
            run.digests.contains(digest) || String::from_utf8_lossy(&run.transcript).contains(digest.as_str())
        };
        self.lock().runs.retain(|run| !digests.iter().any(|digest| names(run, digest)));
    }
}
