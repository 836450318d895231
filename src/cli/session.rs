//! A dialogue on its way from a name to an outcome: compiled, cast loaded, memo open, run.

use super::{Exit, Failure, common::RunArgs, inputs, out::Out, progress::Bars, source::Source, terminal::Terminal};
use crate::{
    agent::AgentError,
    agent::roster::{self, Roster, Unready},
    media::{Access, Limits, Store},
    plan::{CompileOptions, Plan},
    run::{Cancel, Conduct, Memo, MemoError, Outcome, Recorder, RunError, RunErrorKind},
    value::Value,
};
use indexmap::IndexMap;
use std::{future::Future, path::Path, sync::Arc};

/// Runs async work to its end on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    // A model in the middle of a forward pass must not hold up the exit.
    runtime.shutdown_background();
    result
}

/// A cancellation that the first Ctrl-C sets off; the second ends the process at once.
pub(crate) fn on_interrupt() -> Cancel {
    let cancel = Cancel::default();
    let first = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            first.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            #[allow(clippy::disallowed_methods, reason = "whoever presses Ctrl-C twice wants no ordered end")]
            std::process::exit(Exit::Interrupted as i32);
        }
    });
    cancel
}

/// What a Ctrl-C before the run leaves to say.
pub(crate) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted")
}

impl From<MemoError> for Failure {
    fn from(error: MemoError) -> Self {
        let hint = error.hint.clone().unwrap_or_else(|| "--no-memo runs without it".to_owned());
        Failure::new(Exit::Failed, error).hint(hint)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let exit = match error.kind() {
            RunErrorKind::Refused => Exit::Refused,
            RunErrorKind::Failed => Exit::Failed,
            RunErrorKind::Media => Exit::Media,
            RunErrorKind::Model => Exit::Model,
            RunErrorKind::Deadline => Exit::Spent,
            RunErrorKind::Cancelled => Exit::Interrupted,
        };
        let hint = match &error {
            RunError::Unready(_) => Some(WHAT_IS_HERE),
            _ if matches!(exit, Exit::Spent | Exit::Interrupted) => {
                Some("what was finished is in the memo; run it again to go on")
            }
            _ => None,
        };
        let failure = Failure::new(exit, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// The exit code for an agent's error.
fn exit_of(error: &AgentError) -> Exit {
    match error {
        AgentError::Media(_) => Exit::Media,
        AgentError::Model(_) => Exit::Model,
        AgentError::Cancelled => Exit::Interrupted,
        AgentError::Passing { .. } | AgentError::Final(_) => Exit::Failed,
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Failure::new(exit_of(&error), error)
    }
}

/// All agents that are not ready, in one failure.
pub(crate) fn unready(all: &[Unready]) -> Failure {
    let message = all.iter().map(Unready::to_string).collect::<Vec<_>>().join("; ");
    let failure = Failure::new(Exit::Model, message);
    if all.len() == 1 { failure.hint(WHAT_IS_HERE) } else { failure }
}

const WHAT_IS_HERE: &str = "`elenchus models list` shows what is here, `elenchus doctor` what is missing";

/// A dialogue that is ready to run, any number of times.
pub(crate) struct Session {
    /// What runs.
    pub plan: Plan,
    /// May URLs be opened.
    pub access: Access,
    source: Source,
    bars: Arc<Bars>,
    cancel: Cancel,
    memo: Option<Memo>,
    roster: Option<Roster>,
}

impl Session {
    /// Finds and checks the dialogue, and opens the memo. Loads nothing yet.
    pub fn open(dialogue: &str, args: &RunArgs, out: &Out) -> Result<Session, Failure> {
        let source = Source::find(dialogue)?;
        let options = CompileOptions { cast: args.cast.clone(), ..CompileOptions::default() };
        let plan = source.compile(&options, out)?;
        let memo = if args.no_memo { None } else { Some(Memo::open(&Memo::default_folder())?) };
        let (bars, cancel) = (Arc::new(Bars::new(out)), on_interrupt());
        Ok(Session {
            plan,
            access: Access { allow_network: args.allow_network },
            source,
            bars,
            cancel,
            memo,
            roster: None,
        })
    }

    /// Inputs from `name=value` pairs.
    pub async fn bind(&self, pairs: &[String]) -> Result<IndexMap<String, Value>, Failure> {
        self.unless_interrupted(inputs::bind(&self.plan, pairs, &self.access)).await
    }

    /// The work's own end, or a failure as soon as somebody stops it.
    pub async fn unless_interrupted<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(interrupted()),
        }
    }

    /// Loads the cast, unless it is loaded already.
    async fn roster(&mut self, args: &RunArgs) -> Result<Roster, Failure> {
        if let Some(roster) = &self.roster {
            return Ok(roster.clone());
        }
        let options = roster::Options { memory: args.memory, ..options(&self.source, args.device.clone(), &self.bars) };
        let loading = async { Roster::load(&self.plan, &options).await.map_err(|all| unready(&all)) };
        let roster = self.unless_interrupted(loading).await?;
        self.roster = Some(roster.clone());
        Ok(roster)
    }

    /// One run. `record` is where its transcript goes.
    pub async fn run(
        &mut self,
        inputs: IndexMap<String, Value>,
        args: &RunArgs,
        record: Option<&Path>,
    ) -> Result<Outcome, Failure> {
        let record = match record {
            Some(file) => Recorder::file(file)
                .map_err(|e| Failure::refused(format!("{} cannot be written: {e}", file.display())))?,
            None => Recorder::none(),
        };
        let roster = self.roster(args).await?;
        let conduct = Conduct {
            seed: args.seed,
            deadline: args.deadline,
            memo: self.memo.clone(),
            fresh: args.fresh,
            record,
            progress: self.bars.clone(),
            cancel: self.cancel.clone(),
            media: roster.store,
            ..Conduct::new(roster.agents)
        };
        let (result, _) = crate::run::run(&self.plan, inputs, conduct).await;
        self.bars.clear();
        Ok(result?)
    }
}

/// What loading agents takes.
pub(crate) fn options(source: &Source, device: String, bars: &Arc<Bars>) -> roster::Options {
    let bars = bars.clone();
    roster::Options {
        hub: source.hub.clone(),
        device: Some(device).filter(|d| d != "auto"),
        memory: None,
        store: Arc::new(Store::new(Limits::default())),
        prompt: Arc::new(Terminal),
        on_progress: Arc::new(move |progress| bars.download(&progress)),
    }
}
