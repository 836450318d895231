//! Several runs in one process share one engine, one copy of each model, its batches, and one memory budget.
#![cfg(feature = "cli")] // the log is read through the subscriber of the command line

use elenchus::{
    agent::{budget, list, person::LineReader},
    hub::{Folders, HubSettings, WeightsPath},
    plan::CompileOptions,
    run::{Agents, RunOptions},
    session::{DialogueSource, Engine, Listener, LoadOptions, Session, Settings},
};
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

/// A reader without a terminal.
struct Nobody;

#[async_trait::async_trait]
impl LineReader for Nobody {
    fn given(&self, _: &str) -> Option<String> {
        None
    }
    async fn line(&self, _: &str) -> Result<String, String> {
        Err("no terminal is attached".into())
    }
}

/// The log of the process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("lock").clone()).expect("text")
    }
    /// The number of models that were loaded.
    fn loads(&self) -> usize {
        self.text().lines().filter(|line| line.contains(" loaded ")).count()
    }
    /// The largest number of requests that a model answered together: those of one call, and those that were being
    /// written when it joined them.
    fn most_together(&self) -> usize {
        let number = |line: &str, name: &str| line.split_once(name)?.1.split(' ').next()?.parse::<usize>().ok();
        let together = |line: &str| Some(number(line, "one call jobs=")? + number(line, "beside=")?);
        self.text().lines().filter_map(together).max().unwrap_or(0)
    }
}

fn settings(folder: &Path) -> Settings {
    Settings {
        folders: Folders { config: folder.join("config"), cache: folder.join("cache"), ..Folders::default() },
        hub: HubSettings::from_vars(&|_| None),
        keys: Arc::new(|_| None),
        trust: false,
        offline: true,
        journal: folder.join("journal"),
    }
}

fn loading(memory: u64) -> LoadOptions {
    let listener = Listener { on_download: Arc::new(|_| {}), on_network: Arc::new(|_| {}), prompt: Arc::new(Nobody) };
    LoadOptions { device: "cpu".into(), memory: Some(memory), listener }
}

/// A dialogue with at most two requests at once.
const SAYS: &str = "version: 1
dialogue: says
inputs: { words: list of text }
cast: { mind: starter-lm }
steps:
  said: { each: words, at_once: 2, say: { agent: mind, text: \"Where is the {{ item }}?\", temperature: 0, max_tokens: 12 } }
answer: \"{{ said | length }}\"
";

const LOOKS: &str = "version: 1
dialogue: looks
cast: { eye: starter-clip }
steps:
  seen: { embed: { agent: eye, what: a cup } }
answer: \"{{ seen | length }}\"
";

fn session(engine: &Arc<Engine>, text: &str) -> Session {
    let network = engine.settings.network(false);
    let source =
        DialogueSource::given("<test>", text.into(), &engine.settings, network).expect("the settings are sound");
    let plan = source.plan(&CompileOptions::default()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Session::new(engine.clone(), &source, plan)
}

/// The bytes that an agent of the starter cast needs, by the rules of the budget.
fn bytes(engine: &Engine, agent: &str) -> u64 {
    let catalogue = engine.settings.catalogue(Path::new("."), engine.settings.network(false)).expect("a hub");
    let folder = WeightsPath::Folder(list::path(agent, &catalogue).expect("carried"));
    // the matrices of an encoder are packed in f32
    let stays = agent == "starter-lm";
    budget::weights(&folder, Some(4), stays).expect("counted") * 12 / 10 + 1
}

async fn run(session: &Session, words: &str, memory: u64) -> String {
    let inputs = session.bind(&[format!("words={words}")]).await.expect("the inputs fit");
    let run = session.run(inputs, &loading(memory), RunOptions::new(Agents::new())).await.expect("the agent is loaded");
    run.outcome.expect("an answer").answer
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_process_share_a_model_its_batches_and_the_budget() {
    let log = Log::default();
    let writer = log.clone();
    let filter = tracing_subscriber::EnvFilter::new("elenchus=debug");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    let folder = tempfile::tempdir().expect("a folder");
    let engine = Arc::new(Engine::new(settings(&std::fs::canonicalize(folder.path()).expect("there"))));
    let room = bytes(&engine, "starter-lm");

    // there is room for one copy of the model, not for two
    let (one, two) = (session(&engine, SAYS), session(&engine, SAYS));
    let words = r#"["keys","mug on the table","book","phone that rang","red ball","lamp"]"#;
    let others = r#"["cup","hat on the chair","bag","glass of water","blue ball","spoon"]"#;
    let (first, second) = tokio::join!(run(&one, words, room), run(&two, others, room));
    assert_eq!((first.as_str(), second.as_str()), ("6", "6"));
    assert_eq!(log.loads(), 1, "{}", log.text());
    // a single run never has more than two open requests
    assert!(log.most_together() > 2, "{}", log.text());

    // agents of two runs that do not fit together take turns; one that does not fit alone is refused
    let eye = bytes(&engine, "starter-clip");
    let looks = session(&engine, LOOKS);
    let refused = looks.load(&loading(eye / 2)).await.expect_err("there is no room").to_string();
    assert!(refused.contains("starter-clip needs about") && !refused.contains("starter-lm"), "{refused}");

    // an agent that no session uses is unloaded
    drop((one, two));
    looks.load(&loading(eye + room / 2)).await.expect("there is room now");
    assert_eq!(run(&session(&engine, SAYS), words, eye + room).await, "6");
    assert_eq!(log.loads(), 2, "{}", log.text());
}
