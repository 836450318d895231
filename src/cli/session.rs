//! A session for commands: signals stop it, and bars and notes show its progress.

use super::{
    common::RunArgs,
    out::Out,
    progress::Bars,
    settings::{Settings, report},
    signals, source,
    terminal::{GivenAnswers, Terminal},
};
use crate::{
    agent::person::no_answer_hint,
    error::{Fault, FaultKind},
    hub::preferences,
    media::Access,
    plan::{CompileOptions, Inputs, Plan, UserQuestion},
    run::{Agents, Cancel, Outcome, Recorder, RunOptions, named_media},
    session::{
        self, DialogueSource, Engine, Indexed, Listener, LoadOptions,
        asking::{Question, Reads, Subject},
        forecast::Forecast,
    },
    store::{journal::Journal, memo::Memo},
    value::{Level, Media},
};
use std::{future::Future, path::Path, sync::Arc};

/// Runs async work on a new runtime. The work gets a handle that a signal cancels.
pub(crate) fn block_on<T, F>(work: impl FnOnce(Cancel) -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let inside = runtime.enter();
    let result = runtime.block_on(work(signals::install()));
    drop(inside);
    // A model in the middle of a forward pass must not delay the exit.
    runtime.shutdown_background();
    result
}

/// The result of the work, or a fault as soon as it is cancelled.
pub(crate) async fn unless<T>(cancel: &Cancel, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(Fault::new(FaultKind::Cancelled, "interrupted")),
    }
}

/// A session with the output of a command.
pub(crate) struct CliSession {
    session: session::Session,
    out: Out,
    bars: Arc<Bars>,
    cancel: Cancel,
    memo: Option<Memo>,
    answers: Arc<GivenAnswers>,
    /// True if its agents are those of the program, because neither the user nor the dialogue names others.
    has_starter_cast: bool,
}

impl CliSession {
    /// Finds and checks the dialogue, and opens the memo. No agent is loaded yet. With `--no-memo`, lines are kept in memory alone.
    pub(super) fn open(
        dialogue: &str,
        args: &RunArgs,
        out: &Out,
        settings: &Settings,
        cancel: Cancel,
    ) -> Result<CliSession, Fault> {
        CliSession::open_with(dialogue, args, out, settings, cancel, !args.no_memo)
    }

    /// Like [`CliSession::open`]. Without `keeps_journal`, lines are kept in memory alone: cases of a measurement are not the user's days.
    pub(super) fn open_with(
        dialogue: &str,
        args: &RunArgs,
        out: &Out,
        settings: &Settings,
        cancel: Cancel,
        keeps_journal: bool,
    ) -> Result<CliSession, Fault> {
        let source = source::find(dialogue, settings, settings.network(args.allow_network))?;
        let engine = Arc::new(engine(args, settings, keeps_journal));
        CliSession::of(&source, args, out, engine, cancel)
    }

    /// Like [`CliSession::open`], if `check` allows the plan; it says so before any note.
    pub(super) fn open_checked(
        dialogue: &str,
        args: &RunArgs,
        out: &Out,
        settings: &Settings,
        cancel: Cancel,
        check: impl FnOnce(&Plan) -> Result<(), Fault>,
    ) -> Result<CliSession, Fault> {
        let source = source::find(dialogue, settings, settings.network(args.allow_network))?;
        let engine = Arc::new(engine(args, settings, !args.no_memo));
        CliSession::checked(&source, args, out, engine, cancel, check)
    }

    /// A session for a dialogue that was found or made.
    pub(super) fn of(
        source: &DialogueSource,
        args: &RunArgs,
        out: &Out,
        engine: Arc<Engine>,
        cancel: Cancel,
    ) -> Result<CliSession, Fault> {
        CliSession::checked(source, args, out, engine, cancel, |_| Ok(()))
    }

    fn checked(
        source: &DialogueSource,
        args: &RunArgs,
        out: &Out,
        engine: Arc<Engine>,
        cancel: Cancel,
        check: impl FnOnce(&Plan) -> Result<(), Fault>,
    ) -> Result<CliSession, Fault> {
        let cast = source.cast(args.cast.as_deref())?;
        let has_starter_cast = cast.is_none() && source.has_starter_cast();
        let options = CompileOptions { cast: cast.clone(), ..CompileOptions::default() };
        let plan = source::compile(source, &options, out)?;
        check(&plan)?;
        plan.notes.iter().for_each(|note| out.note(format_args!("note: {note}")));
        let memo = if args.no_memo { None } else { Some(engine.memo()?) };
        let session = session::Session::new(engine, source, plan).with_calibration(cast.as_deref())?;
        let (bars, answers) = (Arc::new(Bars::new(out)), Arc::default());
        Ok(CliSession { session, out: out.clone(), bars, cancel, memo, answers, has_starter_cast })
    }

    /// The same session with answers to the questions of its steps (`STEP=VALUE`). Fails if a question that every run asks cannot be
    /// answered, before a model loads.
    pub(super) fn with_answers(self, pairs: &[String]) -> Result<CliSession, Fault> {
        let questions = self.plan().block.questions();
        let all: Vec<UserQuestion> = questions.iter().map(|(question, _)| question.clone()).collect();
        let answers = GivenAnswers::read(pairs, &all)?;
        let is_open = |question: &UserQuestion| {
            question.is_of_run && !question.has_default && !Terminal::is_there() && !answers.has(&question.name)
        };
        if let Some((question, _)) = questions.iter().find(|(question, certain)| *certain && is_open(question)) {
            let step = question.name.rsplit('.').next().unwrap_or(&question.name);
            let why = format!("`{step}` asks the user, but no terminal is attached");
            return Err(Fault::refused(why).hint(no_answer_hint(step)));
        }
        Ok(CliSession { answers: Arc::new(answers), ..self })
    }

    /// A session for another dialogue with the same cast, which shares memo, journal and loaded agents with this one.
    pub(super) fn beside(&self, dialogue: &str, args: &RunArgs, settings: &Settings) -> Result<CliSession, Fault> {
        let source = source::find(dialogue, settings, settings.network(args.allow_network))?;
        CliSession::of(&source, args, &self.out, self.session.shared_engine(), self.cancel.clone())
    }

    /// The journal of its runs.
    pub(super) fn journal(&self) -> Result<Journal, Fault> {
        Ok(self.session.engine().journal().open()?)
    }

    /// The same session without progress output.
    pub(super) fn without_bars(self) -> CliSession {
        let bars = Arc::new(Bars::new(&Out { quiet: true, ..self.out.clone() }));
        CliSession { bars, ..self }
    }

    /// Tells once how to get models for real footage, if the program's own answer.
    pub(super) fn tell_of_setup(&self) {
        let told = self.out.json || self.out.quiet || !self.has_starter_cast;
        if !told && preferences::tell_of_setup(&self.session.engine().settings.folders) {
            self.out.note(
                "note: the models that come with the program know a cartoon world only; `elenchus setup` proposes models for real \
                 footage, downloads them and makes them the default (this note is shown once)",
            );
        }
    }

    /// The dialogue to run.
    pub(super) fn plan(&self) -> &Plan {
        &self.session.plan
    }

    /// The rules for opening the media of its inputs.
    pub(super) fn access(&self) -> &Access {
        &self.session.access
    }

    /// The inputs from `name=value` pairs.
    pub(super) async fn bind(&self, pairs: &[String]) -> Result<Inputs, Fault> {
        self.unless_interrupted(self.session.bind(pairs)).await
    }

    /// The result of the work, or a fault as soon as it is cancelled.
    pub(super) async fn unless_interrupted<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        unless(&self.cancel, work).await
    }

    /// Prepares the agents, and prints the verdicts about files of the project.
    async fn loaded(&self, args: &RunArgs) -> Result<LoadOptions, Fault> {
        let listener = listener(&self.bars, self.answers.clone());
        let loading = LoadOptions { device: args.device.clone(), memory: args.memory, listener };
        let loaded = self.unless_interrupted(self.session.load(&loading)).await;
        report(&self.session.catalogue.verdicts, &self.out)?;
        loaded?;
        Ok(loading)
    }

    /// The roles of the dialogue with their agents.
    pub(super) fn players(&self) -> Vec<session::cast::Player> {
        self.session.players()
    }

    /// Who words the answers.
    pub(super) fn answering(&self) -> Option<session::cast::Player> {
        self.session.answering()
    }

    /// A digest of everything but the inputs that decides the answers.
    pub(super) async fn digest(&self, args: &RunArgs) -> Result<String, Fault> {
        let loading = self.loaded(args).await?;
        self.unless_interrupted(self.session.digest(&loading, args.seed)).await
    }

    /// The options of a run, without a transcript.
    fn options(&self, args: &RunArgs) -> RunOptions {
        RunOptions {
            seed: args.seed,
            deadline: args.deadline,
            memo: self.memo.clone(),
            fresh: args.fresh,
            progress: self.bars.clone(),
            cancel: self.cancel.clone(),
            ..RunOptions::new(Agents::new())
        }
    }

    /// Predicts the cost of a run.
    pub(super) async fn forecast(&self, inputs: &Inputs, args: &RunArgs) -> Result<Forecast, Fault> {
        let loading = self.loaded(args).await?;
        let memo = self.memo.clone().filter(|_| !args.fresh);
        self.unless_interrupted(self.session.forecast(inputs, &loading, args.seed, memo)).await
    }

    /// How the dialogue takes what a question is about.
    pub(super) fn reads(&self, as_of: bool) -> Result<Reads, Fault> {
        self.session.reads(as_of)
    }

    /// Asks the dialogue a question.
    pub(super) async fn ask(&self, about: &Subject, question: &Question, args: &RunArgs) -> Result<Outcome, Fault> {
        let inputs = self.plan().bind(self.session.question_inputs(about, question))?;
        self.run_about(inputs, &self.session.read_digests(about)?, args).await
    }

    /// The digest of another content that the journal knows at the path of this medium.
    pub(super) fn replaced(&self, video: &Media) -> Result<Option<String>, Fault> {
        Ok(self.session.engine().journal().open()?.replaced_at(video)?)
    }

    /// Writes the lines of levels of a video to the journal, unless it has them, and with `with_vectors` their vectors and those of frames.
    pub(super) async fn index(
        &self,
        video: &Arc<Media>,
        levels: &[Level],
        args: &RunArgs,
        with_vectors: bool,
    ) -> Result<Indexed, Fault> {
        let loading = self.loaded(args).await?;
        let indexed = self.session.index(video, levels, &loading, self.options(args), with_vectors).await;
        self.bars.clear();
        indexed
    }

    /// Runs the dialogue once. `record` is the file of the transcript.
    pub(super) async fn run(&self, inputs: Inputs, args: &RunArgs, record: Option<&Path>) -> Result<Outcome, Fault> {
        self.recorded(inputs, &[], args, record).await
    }

    /// Runs the dialogue once about media that the journal knows by these digests.
    pub(super) async fn run_about(&self, inputs: Inputs, read: &[String], args: &RunArgs) -> Result<Outcome, Fault> {
        self.recorded(inputs, read, args, args.record.as_deref()).await
    }

    async fn recorded(
        &self,
        inputs: Inputs,
        read: &[String],
        args: &RunArgs,
        transcript: Option<&Path>,
    ) -> Result<Outcome, Fault> {
        let record = match transcript {
            Some(file) => Recorder::file(file)
                .map_err(|e| Fault::refused(format!("{} cannot be written: {e}", file.display())))?,
            None => Recorder::none(),
        };
        let loading = self.loaded(args).await?;
        let options = RunOptions { record, ..self.options(args) };
        let mut media = Vec::new();
        inputs.values().values().for_each(|value| named_media(value, &mut media));
        let run = self.session.run(inputs, &loading, options).await?;
        self.bars.clear();
        let unused = self.answers.unused();
        if run.outcome.is_ok() && !unused.is_empty() {
            self.out.note(format_args!("note: no question used --answer {}", unused.join(" ")));
        }
        if let Some(file) = transcript.filter(|_| self.plan().block.writes_journal() || !read.is_empty()) {
            // forgetting a video removes the transcripts of runs about it
            let named = media.into_iter().map(|medium| medium.digest);
            let digests: Vec<String> = named.chain(read.iter().cloned()).collect();
            self.session.engine().journal().open()?.note_file(&file.display().to_string(), &digests)?;
        }
        Ok(run.outcome?)
    }
}

/// The shared parts of a command's sessions. Without `keeps_journal`, lines are kept in memory alone.
pub(super) fn engine(args: &RunArgs, settings: &Settings, keeps_journal: bool) -> Engine {
    let engine = Engine::new(settings.clone());
    let engine = if args.no_memo { engine.without_vectors() } else { engine };
    if keeps_journal { engine } else { engine.without_journal() }
}

/// The callbacks of a session: bars and notes for downloads and transfers, and the terminal for persons.
pub(crate) fn listener(bars: &Arc<Bars>, answers: Arc<GivenAnswers>) -> Listener {
    let prompt = Arc::new(Terminal::new(answers, bars.clone()));
    let (bars, notices) = (bars.clone(), bars.clone());
    Listener {
        prompt,
        on_download: Arc::new(move |progress| bars.download(&progress)),
        on_network: Arc::new(move |outward| notices.notice(outward)),
    }
}
