//! The driver: sends the machine's exchanges to agents and returns their replies, with the memo, limits, retries and
//! cancellation. It makes no decision about the dialogue.
//!
//! All open exchanges are futures of the run's own task, so that dropping the run cancels them. An exchange passes
//! these stages: it is looked up in the memo, joined to an equal open exchange, asked, committed to the memo, and given
//! to the machine.

mod asking;
mod familiar;
mod names;
mod origins;
mod pending;
mod stages;

#[cfg(test)]
mod tests;

use super::{
    cancel::Cancel,
    machine::{DueExchange, Ended, Machine, StepEvent, StepFailure},
    outcome::{Outcome, RunError},
    progress::{Event, Progress, Silent},
    transcript::{End, FORMAT, Header, Recorder, RoleRecord, Spent, Started},
};
use crate::{
    agent::Agent,
    error::Fault,
    exchange::Reply,
    media::MediaStore,
    plan::{Inputs, Plan},
    store::memo::{ENGINE, Memo},
    telemetry,
    value::Value,
};
use familiar::Familiar;
use indexmap::IndexMap;
pub use names::named_media;
use names::{now_ms, run_name};
use stages::Stages;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tracing::Instrument;

/// The agents by role, including `media` if the dialogue samples videos.
pub type Agents = IndexMap<String, Arc<dyn Agent>>;

/// The settings of a run.
pub struct RunOptions {
    /// The agents by role.
    pub agents: Agents,
    /// The seed of all sampling.
    pub seed: u64,
    /// The maximum number of open exchanges, over all steps.
    pub at_once: usize,
    /// The time limit of the whole run.
    pub deadline: Option<Duration>,
    /// The store of finished exchanges.
    pub memo: Option<Memo>,
    /// Ignore the memo's replies from earlier runs, and replace them with the new ones.
    pub fresh: bool,
    /// The destination of the transcript.
    pub record: Recorder,
    /// The receiver of events.
    pub progress: Arc<dyn Progress>,
    /// Stops the run.
    pub cancel: Cancel,
    /// The media store. It must know which frames will follow if the memo answers a sampling.
    pub media: Option<Arc<MediaStore>>,
    /// A step, and the channel for its text as it is generated. A failed attempt may have sent some text before.
    pub stream: Option<(String, UnboundedSender<String>)>,
}

impl RunOptions {
    /// Options with these agents, without memo, transcript and limits except [`RunOptions::AT_ONCE`].
    pub fn new(agents: Agents) -> RunOptions {
        RunOptions {
            agents,
            seed: 0,
            at_once: RunOptions::AT_ONCE,
            deadline: None,
            memo: None,
            fresh: false,
            record: Recorder::none(),
            progress: Arc::new(Silent),
            cancel: Cancel::default(),
            media: None,
            stream: None,
        }
    }
    /// The default of `at_once`. It fills the largest batch of every local agent several times, and a stopped run loses
    /// little.
    pub const AT_ONCE: usize = 256;
}

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// The answer, or the reason of a failure.
    pub outcome: Result<Outcome, RunError>,
    /// The transcript's lines, if they were recorded in memory ([`Recorder::memory`]).
    pub transcript: Vec<u8>,
}

impl From<RunError> for Run {
    fn from(error: RunError) -> Run {
        Run { outcome: Err(error), transcript: Vec::new() }
    }
}

/// Runs a plan with inputs from its own [`Plan::bind`]. Fails if a role lacks an agent.
pub async fn run(plan: &Plan, inputs: Inputs, options: RunOptions) -> Run {
    let started = Instant::now();
    if let Some(role) = plan.roles.keys().find(|role| !options.agents.contains_key(*role)) {
        return RunError::from(Fault::refused(format!("no agent plays the role `{role}`"))).into();
    }
    let span = telemetry::run_span(&plan.name, options.seed);
    let mut driver = match Driver::new(plan, &inputs, options) {
        Ok(driver) => driver,
        Err(why) => return why.into(),
    };
    let running = async {
        let result = driver.drive(started).await;
        driver.finish(result, started).await
    };
    let run = running.instrument(span.clone()).await;
    match &run.outcome {
        Ok(outcome) => telemetry::run_answered(&span, outcome.exchanges, outcome.memo_hits),
        Err(error) => telemetry::run_failed(&span, &error.fault),
    }
    run
}

/// The id and the result of an exchange.
type Answer = (u64, Result<Reply, Fault>);

/// The result of one turn of the machine.
struct TurnResult {
    due: Vec<DueExchange>,
    notes: Vec<StepEvent>,
    ended: Option<Ended>,
}

/// A flag that is true until this value is dropped, when the driver no longer waits for the machine.
struct WantedFlag(Arc<AtomicBool>);

impl Default for WantedFlag {
    fn default() -> WantedFlag {
        WantedFlag(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for WantedFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

struct Driver {
    /// The machine; absent while it works on its own thread.
    machine: Option<Machine>,
    record: Recorder,
    progress: Arc<dyn Progress>,
    cancel: Cancel,
    deadline: Option<Duration>,
    stages: Stages,
    spent: Spent,
    familiar: Familiar,
    names: IndexMap<String, String>,
}

impl Driver {
    fn new(plan: &Plan, inputs: &Inputs, options: RunOptions) -> Result<Driver, RunError> {
        let mut record = options.record;
        let run = run_name(&plan.name);
        let mut machine = Machine::new(plan, inputs, options.seed);
        if record.wanted() {
            machine = machine.with_digests();
            record.header(&header(plan, inputs, &options.agents, options.seed, &run)).map_err(cannot_record)?;
        }
        let mut media = Vec::new();
        inputs.values().values().for_each(|value| named_media(value, &mut media));
        let name = |(role, agent): (&String, &Arc<dyn Agent>)| (role.clone(), agent.card().name.clone());
        let names = options.agents.iter().map(name).collect();
        let stages = Stages::new(stages::Deps {
            agents: options.agents,
            at_once: options.at_once.max(1),
            memo: options.memo,
            fresh: options.fresh,
            stream: options.stream,
            store: options.media,
            progress: options.progress.clone(),
            run: run.into(),
            writers: plan.block.writers(&plan.name),
            media: media.into(),
        });
        Ok(Driver {
            machine: Some(machine),
            record,
            progress: options.progress,
            cancel: options.cancel,
            deadline: options.deadline,
            stages,
            spent: Spent::default(),
            familiar: Familiar::default(),
            names,
        })
    }

    /// Runs until the machine has finished, or until cancellation, the deadline or a failure stops it.
    async fn drive(&mut self, started: Instant) -> Result<Value, RunError> {
        let (cancel, limit) = (self.cancel.clone(), self.deadline);
        let stopped = async {
            match limit {
                Some(limit) => tokio::time::sleep_until(started + limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(RunError::cancelled()),
            () = stopped => Err(RunError::deadline(limit.unwrap_or_default())),
            done = self.turns() => done,
        }
    }

    /// Passes due exchanges to the stages and replies to the machine, until the machine has finished.
    async fn turns(&mut self) -> Result<Value, RunError> {
        let mut answers = Vec::new();
        loop {
            let thought = self.think(answers).await?;
            // report the start of a step before its first reply, which a memo hit gives at once
            self.report(thought.notes)?;
            if let Some(ended) = thought.ended {
                return ended.map_err(RunError::failed);
            }
            self.stages.add(thought.due).await;
            answers = self.answers()?;
            while answers.is_empty() {
                if !self.stages.wait().await? {
                    return Err(stuck());
                }
                answers = self.answers()?;
            }
        }
    }

    /// Gives the machine the replies and lets it work on its own thread. Templates may be hostile, so time limits and
    /// cancellation must hold while the machine evaluates them.
    async fn think(&mut self, answers: Vec<Answer>) -> Result<TurnResult, RunError> {
        let Some(mut machine) = self.machine.take() else { return Err(stuck()) };
        let wanted = WantedFlag::default();
        let still = wanted.0.clone();
        let mut thinking = tokio::task::spawn_blocking(move || {
            answers.into_iter().for_each(|(id, outcome)| machine.take(id, outcome));
            // if the driver no longer waits, the remaining work is left undone
            machine.settle_while(|| still.load(Ordering::Relaxed)).then(|| {
                let (due, notes) = (machine.due(), machine.notes());
                let ended = machine.finished().cloned();
                (machine, TurnResult { due, notes, ended })
            })
        });
        let mut under_way = true;
        let (machine, thought) = loop {
            tokio::select! {
                biased;
                done = &mut thinking => break done.ok().flatten().ok_or_else(stuck)?,
                more = self.stages.wait(), if under_way => under_way = more?,
            }
        };
        self.machine = Some(machine);
        Ok(thought)
    }

    /// The finished exchanges for the machine. Each is counted, reported and recorded first.
    fn answers(&mut self) -> Result<Vec<Answer>, RunError> {
        let mut answers = Vec::new();
        for answered in self.stages.answered() {
            let timing = answered.timing;
            let error = answered.result.as_ref().err();
            self.spent.exchanges += u64::from(error.is_none());
            self.spent.memo_hits += u64::from(timing.memo_hit);
            self.progress.event(Event::ExchangeDone {
                step: answered.exchange.step.to_string(),
                path: answered.exchange.path.clone(),
                hit: timing.memo_hit,
                error: error.map(ToString::to_string),
            });
            if let Ok(reply) = &answered.result {
                self.familiar.count(&answered.exchange.role, &answered.exchange.request, reply);
            }
            let id = answered.exchange.id;
            if self.record.wanted() {
                let order = answered.exchange.order.clone();
                let (line, result) = answered.into_line();
                self.record.exchange(order, &line).map_err(cannot_record)?;
                answers.push((id, result));
            } else {
                answers.push((id, answered.result));
            }
        }
        Ok(answers)
    }

    /// Reports and records the machine's step events.
    fn report(&mut self, notes: Vec<StepEvent>) -> Result<(), RunError> {
        for note in notes {
            match note {
                StepEvent::Started { path, verb, items, depth } => {
                    self.progress.event(Event::StepStarted { path, verb: verb.to_owned(), items, depth });
                }
                StepEvent::Settled(line) => {
                    let error = line.failures.first().map(|note| note.why.clone());
                    let (path, depth, skipped) = (line.path.clone(), line.depth, line.skipped);
                    self.progress.event(Event::StepDone { path, depth, skipped, error });
                    self.record.step(&line).map_err(cannot_record)?;
                }
            }
        }
        Ok(())
    }

    /// Records the replies that arrived while the run was stopping. If the machine was at work, its step events are
    /// lost.
    fn last_answers(&mut self) -> Result<(), RunError> {
        self.answers()?;
        let notes = self.machine.as_mut().map(Machine::notes).unwrap_or_default();
        self.report(notes)
    }

    /// Waits for open commits, then closes the transcript.
    async fn finish(mut self, result: Result<Value, RunError>, started: Instant) -> Run {
        self.stages.stop().await;
        let mut result = result;
        // the replies of open commits are finished exchanges too
        if let Err(why) = self.last_answers() {
            result = result.and(Err(why));
        }
        result = result.map_err(|error| error.after(self.spent.exchanges));
        self.spent.elapsed_ms = started.elapsed().as_millis() as u64;
        let (outcome, error) = match &result {
            Ok(_) => ("answered", None),
            Err(why) => (why.fault.kind.word(), Some(why.to_string())),
        };
        if result.is_ok() {
            let warnings = self.familiar.warnings(&|role| self.names.get(role).cloned());
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        let end = End { outcome: outcome.into(), answer: result.as_ref().ok().cloned(), error, timing: self.spent };
        let lines = self.record.finish(&end).map_err(cannot_record);
        self.progress.event(Event::Stopped { exchanges: self.spent.exchanges, memo_hits: self.spent.memo_hits });
        let Spent { exchanges, memo_hits, elapsed_ms } = self.spent;
        let outcome = result.map(|value| Outcome { exchanges, memo_hits, elapsed_ms, ..Outcome::of(value) });
        match lines {
            Ok(transcript) => Run { outcome, transcript },
            Err(why) => Run { outcome: outcome.and(Err(why)), transcript: Vec::new() },
        }
    }
}

fn stuck() -> RunError {
    let fault = Fault::failed("the run stopped before its end; this is a bug");
    RunError::failed(vec![StepFailure { path: "run".into(), order: Default::default(), fault }])
}

fn cannot_record(error: std::io::Error) -> RunError {
    Fault::failed(format!("the transcript cannot be written: {error}")).caused_by(&error).into()
}

fn header(plan: &Plan, inputs: &Inputs, agents: &Agents, seed: u64, run: &str) -> Header {
    let role_record = |(role, agent): (&String, &Arc<dyn Agent>)| {
        let card = agent.card();
        let role_record =
            RoleRecord { agent: card.name.clone(), identity: card.identity.clone(), answers: card.answers.clone() };
        (role.clone(), role_record)
    };
    Header {
        format: FORMAT,
        engine: ENGINE.to_owned(),
        dialogue: plan.name.clone(),
        seed,
        inputs: inputs.values().clone(),
        cast: agents.iter().map(role_record).collect(),
        sources: plan.sources.clone(),
        timing: Started { started_ms: now_ms(), run: run.to_owned() },
    }
}
