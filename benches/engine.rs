//! What the engine costs for each exchange: 10,000 exchanges with an agent that answers at once. `cargo bench --bench engine`

use async_trait::async_trait;
use elenchus::{
    agent::{Agent, AgentError, Asking, Card},
    dialogue::{Resource, Shelf},
    exchange::{Finish, Kind, Reply, Request},
    plan::{Plan, compile_text},
    run::{Agents, Conduct, Memo, Recorder, run},
    value::Value,
};
use indexmap::IndexMap;
use std::{path::Path, sync::Arc, time::Instant};

const EXCHANGES: usize = 10_000;

/// Answers at once.
struct Noop(Card);

#[async_trait]
impl Agent for Noop {
    fn card(&self) -> &Card {
        &self.0
    }
    async fn ask(&self, _: Request, _: Asking) -> Result<Reply, AgentError> {
        Ok(Reply::Say { text: "done".into(), tokens: Vec::new(), finish: Finish::Stop })
    }
}

fn plan() -> Plan {
    let source = "version: 1\ndialogue: bench\ninputs: { items: list of number }\ncast: { mind: noop }\nsteps:\n  said:\n    \
                  each: items\n    at_once: 64\n    say: { agent: mind, prompt: p, with: { n: \"{{ item }}\" }, temperature: 0 }\n\
                  answer: \"{{ said | length }}\"\n";
    let shelf = Shelf::default()
        .with(Resource::Prompt, "p", "What is {{ n }}?")
        .with(Resource::Agent, "noop", "script: [done]")
        .with_kinds("noop", &[Kind::Say]);
    compile_text(source, "bench.yaml", &shelf, &Default::default()).expect("the dialogue is sound")
}

async fn measure(name: &str, plan: &Plan, memo: Option<Memo>, record: Recorder) {
    let card = Card { name: "noop".into(), kinds: vec![Kind::Say], identity: "noop".into(), memo: true };
    let agents = Agents::from([("mind".to_owned(), Arc::new(Noop(card)) as Arc<dyn Agent>)]);
    let items = Value::List((0..EXCHANGES).map(|n| Value::Number(n as f64)).collect());
    let conduct = Conduct { memo, record, ..Conduct::new(agents) };
    let started = Instant::now();
    let outcome = run(plan, IndexMap::from([("items".to_owned(), items)]), conduct).await.0.expect("an answer");
    let each_us = started.elapsed().as_secs_f64() * 1e6 / EXCHANGES as f64;
    println!("| {name} | {} | {} | {each_us:.1} |", outcome.exchanges, outcome.memo_hits);
}

#[tokio::main]
async fn main() {
    let folder = std::env::temp_dir().join(format!("elenchus-bench-{}", std::process::id()));
    let plan = plan();
    println!("| engine, no-op exchanges | exchanges | memo hits | µs each |\n| --- | --- | --- | --- |");
    measure("no memo", &plan, None, Recorder::none()).await;
    measure("no memo, transcript in memory", &plan, None, Recorder::memory()).await;
    let memo = || Some(Memo::open(Path::new(&folder)).expect("a memo"));
    measure("memo, all new (committed before they count)", &plan, memo(), Recorder::none()).await;
    measure("memo, all found", &plan, memo(), Recorder::none()).await;
    let _ = std::fs::remove_dir_all(&folder);
}
