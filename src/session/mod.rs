//! From a dialogue's name to an outcome: finds the dialogue, checks it, reads its inputs, loads its agents and runs it.
//! This module prints nothing and does not read the environment, so that the command line and a server can both use it.
//!
//! A program makes one [`Engine`] from its [`Settings`]. A [`DialogueSource`] is a dialogue that was found. A
//! [`Session`] is a checked dialogue that can run any number of times.

pub mod asking;
pub mod cast;
pub mod confidence;
pub mod engine;
mod folders;
pub mod forecast;
pub mod forgetting;
mod indexing;
pub mod inputs;
pub mod keeping;
mod lists;
pub mod pulling;
pub mod searching;
pub mod settings;
pub mod setup;
pub mod source;
mod vectors;

pub use engine::{Engine, Listener};
pub use folders::media_below;
pub use indexing::Indexed;
pub use settings::Settings;
pub use source::DialogueSource;

use crate::{
    agent::{Agent, roster::Roster},
    error::{Fault, FaultKind},
    hub::Catalogue,
    media::Access,
    plan::{Inputs, Plan},
    run::{Run, RunOptions},
};
use confidence::Calibration;
use indexmap::IndexSet;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A dialogue that is ready to run, any number of times.
pub struct Session {
    /// The dialogue to run.
    pub plan: Plan,
    /// The rules for opening the media of its inputs.
    pub access: Access,
    /// Finds its prompts, agents, label lists and casts, with the verdicts about their files.
    pub catalogue: Catalogue,
    engine: Arc<Engine>,
    calibration: Option<Calibration>,
    roster: OnceCell<Roster>,
    /// The agent that embeds the lines of the journal, if the cast has one.
    embedder: OnceCell<Option<Arc<dyn Agent>>>,
}

/// The settings for loading the agents of a session.
#[derive(Clone)]
pub struct LoadOptions {
    /// The device of all local agents; with `auto`, their files determine it.
    pub device: String,
    /// The maximum bytes of all agents together on one device.
    pub memory: Option<u64>,
    /// The callbacks for downloads, network transfers and questions to a person.
    pub listener: Listener,
}

impl Session {
    /// A session for `source` and its plan. Nothing is loaded yet.
    pub fn new(engine: Arc<Engine>, source: &DialogueSource, plan: Plan) -> Session {
        let access = Access::new(source.catalogue.network, &engine.settings.folders);
        Session {
            plan,
            access,
            catalogue: source.catalogue.clone(),
            engine,
            calibration: None,
            roster: OnceCell::new(),
            embedder: OnceCell::new(),
        }
    }

    /// The same session, whose answers say how sure they are, if the cast was measured. `cast`: the one that replaces the dialogue's own. Fails if
    /// the file of the calibration cannot be used.
    pub fn with_calibration(self, cast: Option<&str>) -> Result<Session, Fault> {
        let own = || self.plan.sources.keys().find_map(|key| key.strip_prefix("cast/"));
        let Some(cast) = cast.or_else(own).map(str::to_owned) else { return Ok(self) };
        let Some(calibration) = Calibration::find(&self.catalogue, &cast)? else { return Ok(self) };
        let mut plan = self.plan;
        // a transcript carries it, so that a replay is as sure
        plan.sources.insert(format!("{}{cast}", confidence::SOURCE), calibration.text());
        Ok(Session { calibration: Some(calibration), plan, ..self })
    }

    /// The parts that it shares with other sessions.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The same parts, for another session.
    pub fn shared_engine(&self) -> Arc<Engine> {
        self.engine.clone()
    }

    /// The inputs from `name=value` pairs. Fails if a name is unknown, doubled or missing, or if a value does not fit.
    pub async fn bind(&self, pairs: &[String]) -> Result<Inputs, Fault> {
        inputs::bind(&self.plan, pairs, &self.access).await
    }

    /// The agents; the first call prepares them. Fails with all faults at once.
    pub async fn load(&self, loading: &LoadOptions) -> Result<&Roster, Fault> {
        let load = || async {
            let options = self.engine.options(&self.catalogue, &loading.device, &loading.listener);
            let options = crate::agent::roster::RosterOptions { memory: loading.memory, ..options };
            Roster::load(&self.plan, &options).await.map_err(unready)
        };
        self.roster.get_or_try_init(load).await
    }

    /// Runs the dialogue once. The session sets the agents and the media store in `options`.
    pub async fn run(&self, inputs: Inputs, loading: &LoadOptions, options: RunOptions) -> Result<Run, Fault> {
        let roster = self.load(loading).await?;
        let options = RunOptions { agents: roster.agents.clone(), media: roster.store.clone(), ..options };
        let before = forecast::busy_s(roster);
        let mut run = crate::run::run(&self.plan, inputs, options).await;
        if let (Some(calibration), Ok(outcome)) = (&self.calibration, &mut run.outcome) {
            let answer = std::mem::replace(&mut outcome.value, crate::value::Value::Nothing);
            outcome.value = calibration.applied(answer);
        }
        if let Ok(outcome) = &run.outcome {
            let own = forecast::RunTime { busy_s: forecast::busy_s(roster) - before, elapsed_ms: outcome.elapsed_ms };
            self.keep_timing(roster, own).await;
        }
        Ok(run)
    }
}

/// One fault for all agents that cannot get ready.
pub fn unready(mut all: Vec<Fault>) -> Fault {
    if all.len() == 1 {
        let only = all.remove(0);
        return if only.hint.is_some() || only.kind == FaultKind::Refused { only } else { only.hint(WHAT_IS_HERE) };
    }
    let message = all.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ");
    let fault = match all.iter().any(|fault| fault.kind == FaultKind::Refused) {
        true => Fault::refused(message),
        false => Fault::model(message),
    };
    // several agents often have the same remedy
    let hints: IndexSet<String> = all.into_iter().filter_map(|fault| fault.hint).collect();
    match hints.is_empty() {
        true => fault,
        false => fault.hint(hints.into_iter().collect::<Vec<_>>().join("; ")),
    }
}

const WHAT_IS_HERE: &str = "`elenchus models list` lists the agents, and `elenchus doctor` checks them";
