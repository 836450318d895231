//! The engine's cost for each exchange: 10,000 exchanges with an agent that answers at once. `cargo bench --bench
//! engine`
//!
//! The time that passes is the best of several rounds; the time computed, by all threads together, is the mean of all
//! rounds.

mod common;

use async_trait::async_trait;
use elenchus::{
    agent::{Agent, CallContext, Card},
    dialogue::{MemoryLibrary, Resource},
    error::Fault,
    exchange::{Answers, Finish, Kind, Reply, Request, SayReply},
    plan::{Plan, compile_text},
    run::{Agents, Memo, Recorder, RunOptions, run},
    value::Value,
};
use indexmap::IndexMap;
use std::{sync::Arc, time::Instant};

const EXCHANGES: usize = 10_000;
const ROUNDS: usize = 7;

/// Answers at once.
struct Noop(Card);

#[async_trait]
impl Agent for Noop {
    fn card(&self) -> &Card {
        &self.0
    }
    async fn ask(&self, _: Request, _: CallContext) -> Result<Reply, Fault> {
        Ok(Reply::Say(SayReply::new("done", Finish::Stop)))
    }
}

fn plan() -> Plan {
    let source = "version: 1\ndialogue: bench\ninputs: { items: list of number }\ncast: { mind: noop }\nsteps:\n  said:\n    \
                  each: items\n    at_once: 64\n    say: { agent: mind, prompt: p, with: { n: \"{{ item }}\" }, temperature: 0 }\n\
                  answer: \"{{ said | length }}\"\n";
    let library = MemoryLibrary::default()
        .with(Resource::Prompt, "p", "What is {{ n }}?")
        .with(Resource::Agent, "noop", "script: [done]")
        .with_answers("noop", &[Answers::usual(Kind::Say)]);
    compile_text(source, "bench.yaml", &library, &Default::default()).expect("the dialogue is sound")
}

/// One run; how long it took in seconds.
async fn once(plan: &Plan, memo: Option<Memo>, record: Recorder, hits: u64) -> f64 {
    let card = Card {
        name: "noop".into(),
        answers: vec![Answers::usual(Kind::Say)],
        identity: "noop".into(),
        memo: true,
        own_labels: false,
    };
    let agents = Agents::from([("mind".to_owned(), Arc::new(Noop(card)) as Arc<dyn Agent>)]);
    let items = Value::List((0..EXCHANGES).map(|n| Value::Number(n as f64)).collect());
    let options = RunOptions { memo, record, ..RunOptions::new(agents) };
    let started = Instant::now();
    let inputs = plan.bind(IndexMap::from([("items".to_owned(), items)])).expect("the inputs fit");
    let outcome = run(plan, inputs, options).await.outcome.expect("an answer");
    assert_eq!((outcome.exchanges, outcome.memo_hits), (EXCHANGES as u64, hits));
    started.elapsed().as_secs_f64()
}

/// Rounds of one kind of run, and the line about them. A round gets the number that it has.
async fn measure(name: &str, plan: &Plan, hits: u64, with: impl Fn(usize) -> (Option<Memo>, Recorder)) {
    let (mut best_s, before) = (f64::INFINITY, common::cpu_s());
    for round in 0..ROUNDS {
        let (memo, record) = with(round);
        best_s = best_s.min(once(plan, memo, record, hits).await);
    }
    let each = |seconds: f64| format!("{:.1}", seconds * 1e6 / EXCHANGES as f64);
    let computed = common::cpu_s().zip(before).map(|(after, before)| each((after - before) / ROUNDS as f64));
    println!("| {name} | {} | {} |", each(best_s), computed.unwrap_or_else(|| "?".to_owned()));
}

#[tokio::main]
async fn main() {
    let folder = std::env::temp_dir().join(format!("elenchus-bench-{}", std::process::id()));
    let plan = plan();
    println!(
        "| engine, 10,000 no-op exchanges | µs each, best of {ROUNDS} | µs computed each, mean |\n| --- | --- | --- |"
    );
    measure("no memo", &plan, 0, |_| (None, Recorder::none())).await;
    measure("no memo, transcript in memory", &plan, 0, |_| (None, Recorder::memory())).await;
    let memo = |round: usize| Memo::open(&folder.join(round.to_string())).expect("a memo");
    measure("memo, all new (committed before they count)", &plan, 0, |round| (Some(memo(round)), Recorder::none()))
        .await;
    let all = EXCHANGES as u64;
    measure("memo, all found", &plan, all, |round| (Some(memo(round)), Recorder::none())).await;
    let _ = std::fs::remove_dir_all(&folder);
}
