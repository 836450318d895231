//! A run that was ended by SIGKILL and started again repeats no finished exchange.

use async_trait::async_trait;
use elenchus::{
    agent::{Agent, CallContext, Card},
    dialogue::{MemoryLibrary, Resource},
    error::Fault,
    exchange::{Answers, Finish, Kind, Reply, Request, SayReply},
    plan::{Plan, compile_text},
    run::{Agents, Memo, Outcome, Recorder, RunOptions, Transcript, run},
    value::Value,
};
use indexmap::IndexMap;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const FOLDER: &str = "ELENCHUS_TEST_KILLED_RUN";
const ITEMS: usize = 40;
const FINISHED: usize = 25;

/// Answers a number of requests, then prints a line and never answers again.
struct Patient {
    card: Card,
    asked: AtomicUsize,
    most: usize,
}

#[async_trait]
impl Agent for Patient {
    fn card(&self) -> &Card {
        &self.card
    }
    async fn ask(&self, _: Request, _: CallContext) -> Result<Reply, Fault> {
        if self.asked.fetch_add(1, Ordering::SeqCst) >= self.most {
            let mut out = std::io::stdout();
            writeln!(out, "\nstuck").and_then(|()| out.flush()).expect("stdout");
            std::future::pending::<()>().await;
        }
        Ok(Reply::Say(SayReply::new("yes", Finish::Stop)))
    }
}

fn plan() -> Plan {
    let source = "version: 1\ndialogue: killed\ninputs: { items: list of number }\ncast: { mind: m }\nsteps:\n  said:\n    \
                  each: items\n    say: { agent: mind, prompt: p, with: { n: \"{{ item }}\" }, temperature: 0 }\n\
                  answer: \"{{ said | length }}\"\n";
    let library = MemoryLibrary::default()
        .with(Resource::Prompt, "p", "What is {{ n }}?")
        .with(Resource::Agent, "m", "script: [x]")
        .with_answers("m", &[Answers::usual(Kind::Say)]);
    compile_text(source, "killed.yaml", &library, &Default::default()).expect("the dialogue is sound")
}

/// Runs with a memo in `folder`, one exchange after another. Returns the outcome and the number of requests to the
/// agent.
async fn run_with_memo(folder: &Path, most: usize) -> (Outcome, usize) {
    let card = Card {
        name: "m".into(),
        answers: vec![Answers::usual(Kind::Say)],
        identity: "m".into(),
        memo: true,
        own_labels: false,
    };
    let agent = Arc::new(Patient { card, asked: AtomicUsize::new(0), most });
    let agents = Agents::from([("mind".to_owned(), agent.clone() as Arc<dyn Agent>)]);
    let items = Value::List((0..ITEMS).map(|n| Value::Number(n as f64)).collect());
    let memo = Some(Memo::open(folder).expect("a memo"));
    let record = Recorder::file(&folder.join("run.jsonl")).expect("a file");
    let options = RunOptions { memo, record, at_once: 1, ..RunOptions::new(agents) };
    let plan = plan();
    let inputs = plan.bind(IndexMap::from([("items".to_owned(), items)])).expect("the inputs fit");
    let outcome = run(&plan, inputs, options).await.outcome.expect("an answer");
    (outcome, agent.asked.load(Ordering::SeqCst))
}

/// The process that is killed. It does nothing when it runs as a test.
#[tokio::test]
async fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        run_with_memo(Path::new(&folder), FINISHED).await;
    }
}

#[tokio::test]
async fn a_killed_run_repeats_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("text") == "stuck"), "the child reached its last exchange");
    // the memo has a reply before the transcript has its line
    let transcript = folder.path().join("run.jsonl");
    let recorded = || Transcript::read(&transcript).map_or(0, |partial| partial.exchanges.len());
    let begun = Instant::now();
    while recorded() < FINISHED && begun.elapsed() < Duration::from_secs(60) {
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("gone");

    let partial = Transcript::read(&transcript).expect("the transcript has complete lines");
    assert_eq!((partial.exchanges.len(), partial.end), (FINISHED, None));
    let (outcome, asked) = run_with_memo(folder.path(), usize::MAX).await;
    assert_eq!((outcome.memo_hits as usize, asked), (FINISHED, ITEMS - FINISHED));
    let (outcome, asked) = run_with_memo(folder.path(), usize::MAX).await;
    assert_eq!((outcome.memo_hits as usize, asked), (ITEMS, 0));
}
