//! A dialogue on its way from a name to an outcome: compiled, cast loaded, memo open, run.

use super::{
    common::RunArgs,
    inputs,
    out::Out,
    progress::Bars,
    settings::{Settings, tell, variable},
    signals,
    source::Source,
    terminal::Terminal,
};
use crate::{
    agent::roster::{self, Roster},
    error::{Fault, FaultKind},
    hub::Hub,
    media::{Access, Limits, Store},
    plan::{CompileOptions, Inputs, Plan},
    run::{Cancel, Conduct, Memo, Outcome, Recorder},
};
use std::{future::Future, path::Path, sync::Arc};

/// Runs async work to its end on a runtime of its own. The work gets what a signal sets off.
pub(crate) fn block_on<T, F>(work: impl FnOnce(Cancel) -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let inside = runtime.enter();
    let result = runtime.block_on(work(signals::install()));
    drop(inside);
    // A model in the middle of a forward pass must not hold up the exit.
    runtime.shutdown_background();
    result
}

/// The work's own end, or a failure as soon as somebody stops it.
pub(crate) async fn unless<T>(cancel: &Cancel, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(Fault::new(FaultKind::Cancelled, "interrupted")),
    }
}

/// All agents that are not ready, in one fault.
pub(crate) fn unready(mut all: Vec<Fault>) -> Fault {
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

const WHAT_IS_HERE: &str = "`elenchus models list` shows what is here, `elenchus doctor` what is missing";

/// A dialogue that is ready to run, any number of times.
pub(crate) struct Session {
    /// What runs.
    pub plan: Plan,
    /// May URLs be opened.
    pub access: Access,
    source: Source,
    out: Out,
    bars: Arc<Bars>,
    cancel: Cancel,
    memo: Option<Memo>,
    roster: Option<Roster>,
}

impl Session {
    /// Finds and checks the dialogue, and opens the memo. Loads nothing yet.
    pub fn open(
        dialogue: &str,
        args: &RunArgs,
        out: &Out,
        settings: &Settings,
        cancel: Cancel,
    ) -> Result<Session, Fault> {
        let network = settings.network(args.allow_network);
        let source = Source::find(dialogue, settings, network)?;
        let options = CompileOptions { cast: args.cast.clone(), ..CompileOptions::default() };
        let plan = source.compile(&options, out)?;
        let memo = if args.no_memo { None } else { Some(Memo::open(&settings.folders.memo())?) };
        let bars = Arc::new(Bars::new(out));
        let access = settings.access(args.allow_network);
        Ok(Session { plan, access, source, out: out.clone(), bars, cancel, memo, roster: None })
    }

    /// The same, which shows nothing of how its runs go.
    pub fn without_bars(self) -> Session {
        let bars = Arc::new(Bars::new(&Out { quiet: true, ..self.out.clone() }));
        Session { bars, ..self }
    }

    /// Inputs from `name=value` pairs.
    pub async fn bind(&self, pairs: &[String]) -> Result<Inputs, Fault> {
        self.unless_interrupted(inputs::bind(&self.plan, pairs, &self.access)).await
    }

    /// The work's own end, or a failure as soon as somebody stops it.
    pub async fn unless_interrupted<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        unless(&self.cancel, work).await
    }

    /// Loads the cast, unless it is loaded already.
    async fn roster(&mut self, args: &RunArgs) -> Result<Roster, Fault> {
        if let Some(roster) = &self.roster {
            return Ok(roster.clone());
        }
        let options =
            roster::Options { memory: args.memory, ..options(&self.source.hub, args.device.clone(), &self.bars) };
        let loading = async { Roster::load(&self.plan, &options).await.map_err(unready) };
        let roster = self.unless_interrupted(loading).await;
        tell(&self.source.hub.verdicts, &self.out)?;
        let roster = roster?;
        self.roster = Some(roster.clone());
        Ok(roster)
    }

    /// One run. `record` is where its transcript goes.
    pub async fn run(&mut self, inputs: Inputs, args: &RunArgs, record: Option<&Path>) -> Result<Outcome, Fault> {
        let record = match record {
            Some(file) => Recorder::file(file)
                .map_err(|e| Fault::refused(format!("{} cannot be written: {e}", file.display())))?,
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
        let run = crate::run::run(&self.plan, inputs, conduct).await;
        self.bars.clear();
        Ok(run.outcome?)
    }
}

/// What loading agents takes.
pub(crate) fn options(hub: &Hub, device: String, bars: &Arc<Bars>) -> roster::Options {
    let (bars, notices) = (bars.clone(), bars.clone());
    roster::Options {
        hub: hub.clone(),
        device: Some(device).filter(|d| d != "auto"),
        memory: None,
        store: Arc::new(Store::new(Limits::default()).with_fetched(hub.folders.media())),
        keys: Arc::new(variable),
        prompt: Arc::new(Terminal),
        on_progress: Arc::new(move |progress| bars.download(&progress)),
        on_network: Arc::new(move |outward| notices.notice(outward)),
    }
}
