//! The cost of a run before it is paid: exchanges, tokens, FLOPs, memory and time.
//!
//! A rehearsal counts the exchanges and their work. The memory follows from the headers of the weights and from the
//! longest prompts. The time follows from speeds that earlier runs measured on this machine: the sum over all local
//! models, because they share the processor, times the ratio of an earlier run of the same dialogue. This ratio covers
//! the decoding of media and the overlap of agents.

mod report;

pub use report::{
    AgentForecast, AgentMemory, DeviceForecast, Forecast, MemoryForecast, StepForecast, TimeForecast, Units,
};

use super::{LoadOptions, Session};
use crate::{
    agent::{
        Agent,
        local::LocalAgent,
        roster::Roster,
        work::{self, Work},
    },
    error::Fault,
    infer::cost::{CostModel, Phase},
    plan::Inputs,
    run::rehearse::{ModelWork, Rehearsal, RehearsalOptions, StepWork, rehearse},
    store::{
        Memo,
        timings::{Ratio, Ratios},
    },
    value::Value,
};
use std::{sync::Arc, time::Duration};

/// The memory of the program before a run, in bytes, on a system that does not report it.
const PROGRAM_BYTES: u64 = 14_000_000;
/// The memory that a run adds besides models and media, in bytes: threads, templates, the memo. Measured: a run that
/// only reads the memo has 28 MB, and a prediction begins with 14 MB.
const RUN_BYTES: u64 = 14_000_000;
/// The memory of an exchange with its request and its reply, in bytes. Measured: a run over an hour of video has 66 MB
/// more than one over 2 minutes.
const EXCHANGE_BYTES: u64 = 2_400;
/// The memory of ffmpeg, which reads media in a process of its own, in bytes. Measured: 59 MB for H.264 of 320×240.
const FFMPEG_BYTES: u64 = 59_000_000;
/// The longest rehearsal.
const LIMIT: Duration = Duration::from_secs(60);
/// The tokens that a decoder reads in one call.
const PIECE_TOKENS: f64 = 512.0;
/// The room of a cache of keys and values, as a multiple of its content: it grows by half. On a CPU it grows by blocks.
const CACHE_ROOM: f64 = 1.5;
const CACHE_ROOM_CPU: f64 = 1.1;
/// The shortest run whose ratio is kept, in seconds of work.
const MIN_BUSY_S: f64 = 0.2;

/// The measured time of a run.
pub(super) struct RunTime {
    pub(super) busy_s: f64,
    pub(super) elapsed_ms: u64,
}

/// The local models of a roster, each once.
fn locals(roster: &Roster) -> Vec<&LocalAgent> {
    let mut all: Vec<&LocalAgent> = Vec::new();
    for local in roster.agents.values().flat_map(|agent| agent.locals()) {
        if !all.iter().any(|known| known.spec().name == local.spec().name) {
            all.push(local);
        }
    }
    all
}

/// The seconds of all work of the local models so far.
pub(super) fn busy_s(roster: &Roster) -> f64 {
    locals(roster).iter().map(|local| local.meter().busy_s()).sum()
}

/// The name of the ratio of elapsed seconds to seconds of work.
const RUN: &str = "run";

impl Session {
    /// The name of this dialogue with these agents in the store of timings.
    fn timing_key(&self, roster: &Roster) -> String {
        let mut hasher = blake3::Hasher::new();
        for local in locals(roster) {
            hasher.update(local.meter().model().as_bytes()).update(b"\n");
        }
        format!("dialogue {} {}", self.plan.name, hasher.finalize().to_hex())
    }

    /// Keeps the ratio of a run's time to its work, and the speeds of its models.
    pub(super) async fn keep_timing(&self, roster: &Roster, own: RunTime) {
        let meters: Vec<_> = locals(roster).iter().map(|local| local.meter().clone()).collect();
        let (key, store) = (self.timing_key(roster), self.engine.timings().clone());
        let ratio = Ratio { amount: own.elapsed_ms as f64 / 1000.0, per: own.busy_s };
        let keep = move || {
            meters.iter().for_each(|meter| meter.flush());
            if own.busy_s >= MIN_BUSY_S {
                store.add(&key, &Ratios::from([(RUN.to_owned(), ratio)]));
            }
        };
        // timings are a cache, so a failure only loses them
        let _ = tokio::task::spawn_blocking(keep).await;
    }

    /// Predicts the cost of a run. Prepares the agents, and loads none. Fails if an agent cannot get ready, or does not
    /// fit into memory.
    pub async fn forecast(
        &self,
        inputs: &Inputs,
        loading: &LoadOptions,
        seed: u64,
        memo: Option<Memo>,
    ) -> Result<Forecast, Fault> {
        let roster = self.load(loading).await?;
        let options = RehearsalOptions { agents: roster.agents.clone(), seed, memo, limit: LIMIT };
        let found = rehearse(&self.plan, inputs, options).await?;
        let agents = self.agents(roster, &found);
        let (key, store) = (self.timing_key(roster), self.engine.timings().clone());
        let known = tokio::task::spawn_blocking(move || store.get(&key)).await.unwrap_or_default();
        let steps: Vec<StepForecast> = found.steps.iter().map(step).collect();
        let exchanges = steps.iter().map(|step| step.exchanges).sum();
        let pictures = agents.iter().map(|agent| agent.units.pictures).sum();
        let media = media_bytes(roster, inputs, pictures).await;
        let program = found.resident.unwrap_or(PROGRAM_BYTES) + RUN_BYTES + exchanges * EXCHANGE_BYTES;
        Ok(Forecast {
            dialogue: self.plan.name.clone(),
            exchanges,
            memo_hits: steps.iter().map(|step| step.memo_hits).sum(),
            estimated: steps.iter().any(|step| step.estimated),
            unfinished: found.unfinished.clone(),
            flops: agents.iter().map(|agent| agent.flops).sum(),
            memory: memory(roster, &agents, program, media),
            time: time(&agents, &known),
            steps,
            agents,
        })
    }

    fn agents(&self, roster: &Roster, found: &Rehearsal) -> Vec<AgentForecast> {
        let mut agents: Vec<AgentForecast> = Vec::new();
        for local in locals(roster) {
            agents.extend(found.models.get(&local.spec().name).map(|model| of_local(local, model)));
        }
        let elsewhere = roster
            .agents
            .iter()
            .filter(|(role, agent)| agent.locals().is_empty() && self.plan.roles.contains_key(*role));
        for agent in elsewhere.map(|(_, agent)| agent) {
            if !agents.iter().any(|known| known.agent == agent.card().name) {
                agents.push(of_other(agent, &found.steps));
            }
        }
        agents
    }
}

/// The memory of the frames that a run keeps, in bytes; `None` if the run reads no media.
async fn media_bytes(roster: &Roster, inputs: &Inputs, pictures: u64) -> Option<u64> {
    let (mut bytes, mut found) = (0, false);
    let mut open: Vec<&Value> = inputs.values().values().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::List(items) => open.extend(items),
            Value::Video(media) => {
                found = true;
                // a video that cannot be read fails later, with a better message
                if let (Some(store), true) = (&roster.store, pictures > 0) {
                    bytes = bytes.max(store.cache_bytes(media, pictures).await.unwrap_or_default());
                }
            }
            Value::Audio(_) => found = true,
            _ => {}
        }
    }
    found.then_some(bytes)
}

fn units(work: &Work) -> Units {
    let of = |phase: Phase| work.of(phase).round() as u64;
    Units {
        prompt_tokens: of(Phase::Prompt),
        reply_tokens: of(Phase::Reply) + of(Phase::Batch),
        text_tokens: of(Phase::Text),
        pictures: of(Phase::Picture),
        windows: of(Phase::Sound),
    }
}

fn step(found: &StepWork) -> StepForecast {
    let StepWork { step, agent, kind, exchanges, memo_hits, repeated, estimated, work } = found.clone();
    let (units, flops) = (units(&work), work.flops);
    StepForecast { step, agent, kind, exchanges, memo_hits, repeated, estimated, units, flops }
}

fn of_local(local: &LocalAgent, model: &ModelWork) -> AgentForecast {
    let known = model.estimator.known();
    let load = local.stored_bytes().ok().map(|bytes| {
        let mut load = Work::default();
        load.units.insert(Phase::Load, bytes as f64);
        load
    });
    let seconds = match model.requests {
        0 => Some(0.0),
        // the family states no costs, so the work is unknown
        _ if *model.estimator.cost() == CostModel::default() => None,
        _ => {
            work::seconds(&model.work, known).zip(load.and_then(|load| work::seconds(&load, known))).map(|(a, b)| a + b)
        }
    };
    AgentForecast {
        agent: local.spec().name.clone(),
        local: true,
        requests: model.requests,
        units: units(&model.work),
        flops: model.work.flops,
        memory: (model.requests > 0).then(|| agent_memory(local, model)),
        seconds,
    }
}

fn of_other(agent: &Arc<dyn Agent>, steps: &[StepWork]) -> AgentForecast {
    let name = &agent.card().name;
    let (mut requests, mut all) = (0, Work::default());
    for step in steps.iter().filter(|step| step.agent == *name) {
        requests += step.exchanges - step.memo_hits - step.repeated;
        all.add(&step.work);
    }
    let units = units(&all);
    AgentForecast { agent: name.clone(), local: false, requests, units, flops: 0.0, memory: None, seconds: None }
}

/// The memory of a model: its weights, the keys and values of its open requests and of former prompts, and the largest activations.
fn agent_memory(local: &LocalAgent, model: &ModelWork) -> AgentMemory {
    let cost: &CostModel = model.estimator.cost();
    let (longest, rows) = (model.estimator.longest, model.estimator.rows as f64);
    let number = local.number_bytes() as f64 / 4.0;
    let has = |phase: Phase| model.work.of(phase) > 0.0;
    let on_cpu = local.need().is_none_or(|need| need.device == "cpu");
    let room = if on_cpu { CACHE_ROOM_CPU } else { CACHE_ROOM };
    let held = model.estimator.open * room + model.estimator.kept;
    let cache = cost.prompt.cache_bytes * held + cost.sound.cache_bytes;
    let piece = longest.min(PIECE_TOKENS);
    let batch = local.spec().limits.batch as f64;
    let written = |tokens: f64| tokens * (cost.reply.bytes + cost.reply.pair_bytes * longest);
    let of = |phase: Phase| match phase {
        Phase::Prompt if has(phase) => {
            let read = piece * (cost.prompt.bytes + cost.prompt.pair_bytes * longest);
            read.max(written(model.estimator.scored))
        }
        Phase::Reply | Phase::Batch if has(phase) => written(rows),
        Phase::Picture if has(phase) => cost.picture_bytes(batch.min(model.work.of(phase))),
        Phase::Text if has(phase) => model.estimator.text_bytes(local.spec().limits.batch),
        Phase::Sound if has(phase) => cost.sound.bytes,
        _ => 0.0,
    };
    let activations = Phase::ALL.into_iter().map(of).fold(0.0, f64::max);
    let (device, weights) = local.need().map_or_else(
        || ("cpu".to_owned(), local.stored_bytes().unwrap_or_default()),
        |need| (need.device.clone(), need.weights),
    );
    AgentMemory { device, weights, cache: (cache * number) as u64, activations: (activations * number) as u64 }
}

fn memory(roster: &Roster, agents: &[AgentForecast], program: u64, media: Option<u64>) -> MemoryForecast {
    let devices = roster.budgets.iter().map(|budget| DeviceForecast {
        device: budget.device.clone(),
        room: budget.room,
        in_turns: budget.is_tight(),
    });
    let on_cpu = agents.iter().filter_map(|agent| agent.memory.as_ref()).filter(|memory| memory.device == "cpu");
    let together: u64 = on_cpu.map(AgentMemory::total).sum();
    let tight = roster.budgets.iter().find(|budget| budget.device == "cpu" && budget.is_tight());
    let models = tight.and_then(|budget| budget.room).map_or(together, |room| together.min(room));
    let ffmpeg = media.map_or(0, |_| FFMPEG_BYTES);
    let media = media.unwrap_or_default();
    let peak = (program + media + models).max(ffmpeg);
    MemoryForecast { program, media, models, ffmpeg, peak, devices: devices.collect() }
}

fn time(agents: &[AgentForecast], known: &Ratios) -> TimeForecast {
    let busy = agents.iter().filter(|agent| agent.local && agent.requests > 0);
    let unmeasured: Vec<String> =
        busy.filter(|agent| agent.seconds.is_none()).map(|agent| agent.agent.clone()).collect();
    let ratio = known.get(RUN).and_then(|ratio| ratio.rate());
    let sum: f64 = agents.iter().filter_map(|agent| agent.seconds).sum();
    let seconds = unmeasured.is_empty().then_some(sum * ratio.unwrap_or(1.0));
    TimeForecast { seconds, unmeasured, same_dialogue: ratio.is_some() }
}
