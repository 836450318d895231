//! From a dialogue's name to an outcome: found, checked, its inputs read, its agents loaded, run. Nothing here prints or
//! reads the environment: the command line and a server stand on it alike.
//!
//! An [`Engine`] is made once with [`Settings`]; a [`DialogueSource`] is a dialogue that was found; a [`Session`] is one that was
//! checked and can be run any number of times.

pub mod engine;
pub mod inputs;
mod lists;
pub mod settings;
pub mod source;

pub use engine::{Engine, Listener};
pub use settings::Settings;
pub use source::DialogueSource;

use crate::{
    agent::roster::Roster,
    error::{Fault, FaultKind},
    hub::Catalogue,
    media::Access,
    plan::{Inputs, Plan},
    run::{Run, RunOptions},
};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A dialogue that is ready to run, any number of times.
pub struct Session {
    /// The dialogue to run.
    pub plan: Plan,
    /// What may be opened for its inputs.
    pub access: Access,
    /// Where its names are found, and what was decided about them.
    pub catalogue: Catalogue,
    engine: Arc<Engine>,
    roster: OnceCell<Roster>,
}

/// How the agents of a session are loaded.
#[derive(Clone)]
pub struct LoadOptions {
    /// The device for every local agent: `auto`, or one over what their files say.
    pub device: String,
    /// Most bytes that the agents may take together on any one device.
    pub memory: Option<u64>,
    /// Who is told and asked.
    pub listener: Listener,
}

impl Session {
    /// With the plan that `source` was compiled to. Loads nothing yet.
    pub fn new(engine: Arc<Engine>, source: &DialogueSource, plan: Plan) -> Session {
        let access = Access::new(source.catalogue.network, &engine.settings.folders);
        Session { plan, access, catalogue: source.catalogue.clone(), engine, roster: OnceCell::new() }
    }

    /// Inputs from `name=value` pairs.
    pub async fn bind(&self, pairs: &[String]) -> Result<Inputs, Fault> {
        inputs::bind(&self.plan, pairs, &self.access).await
    }

    /// The agents, loaded at the first call.
    pub async fn load(&self, loading: &LoadOptions) -> Result<&Roster, Fault> {
        let load = || async {
            let options = self.engine.options(&self.catalogue, &loading.device, &loading.listener);
            let options = crate::agent::roster::RosterOptions { memory: loading.memory, ..options };
            Roster::load(&self.plan, &options).await.map_err(unready)
        };
        self.roster.get_or_try_init(load).await
    }

    /// One run. `options` says all but who answers.
    pub async fn run(&self, inputs: Inputs, loading: &LoadOptions, options: RunOptions) -> Result<Run, Fault> {
        let roster = self.load(loading).await?;
        let options = RunOptions { agents: roster.agents.clone(), media: roster.store.clone(), ..options };
        Ok(crate::run::run(&self.plan, inputs, options).await)
    }
}

/// All agents that are not ready, in one fault.
pub fn unready(mut all: Vec<Fault>) -> Fault {
    if all.len() == 1 {
        let only = all.remove(0);
        return if only.hint.is_some() || only.kind == FaultKind::Refused { only } else { only.hint(WHAT_IS_HERE) };
    }
    let each = all.iter().map(|fault| match &fault.hint {
        Some(hint) => format!("{fault} (hint: {hint})"),
        None => fault.to_string(),
    });
    let message = each.collect::<Vec<_>>().join("; ");
    match all.iter().any(|fault| fault.kind == FaultKind::Refused) {
        true => Fault::refused(message),
        false => Fault::model(message),
    }
}

const WHAT_IS_HERE: &str = "`elenchus models list` lists the agents, and `elenchus doctor` checks them";
