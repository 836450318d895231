//! The side of elenchus in comparisons with other programs. `benches/compare` starts it and asks; `make bench` builds it.
//!
//! It reads one JSON object a line from standard input and writes one for each. `{"do": "load", "work": "pictures", "path":
//! …}` loads a model before any clock starts, and `{"do": "go", "seconds": 1, …}` repeats its work for at least that time.
//! `{"do": "check", …}` gives what the work computes, so that both sides can be seen to do the same. It ends with its input.

#[path = "../common/mod.rs"]
mod common;
mod pictures;
mod replies;
mod sound;
mod texts;
mod work;

use serde_json::{Value as Json, json};
use std::{
    io::{BufRead, Write},
    time::Instant,
};
use work::{Outcome, Work};

fn main() {
    let mut loaded: Option<Box<dyn Work>> = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let asked = serde_json::from_str(&line).unwrap_or(Json::Null);
        let answer = answer(&mut loaded, &asked).unwrap_or_else(|why| json!({ "error": why }));
        println!("{answer}");
        if std::io::stdout().flush().is_err() {
            return;
        }
    }
    if loaded.is_none() {
        eprintln!("this is one side of a comparison: run `make bench`, or `python benches/compare --help`");
    }
}

fn answer(loaded: &mut Option<Box<dyn Work>>, asked: &Json) -> Outcome<Json> {
    match (asked["do"].as_str(), loaded) {
        (Some("load"), loaded) => Ok(match work::load(asked) {
            Ok(work) => {
                *loaded = Some(work);
                json!({ "ready": true })
            }
            Err(why) => json!({ "refused": why }),
        }),
        (Some("check"), Some(work)) => work.check(asked).map(|found| json!({ "found": found })),
        (Some("go"), Some(work)) => go(&mut **work, asked),
        _ => Err(format!("unexpected request: {asked}")),
    }
}

/// Repeats the work for at least `seconds`, after one call to warm up if `warm`.
fn go(work: &mut dyn Work, asked: &Json) -> Outcome<Json> {
    if asked["warm"].as_bool().unwrap_or(false) {
        work.once(asked)?;
    }
    let seconds = asked["seconds"].as_f64().unwrap_or(0.0);
    let (begun, before, mut units) = (Instant::now(), common::cpu_s(), 0.0);
    loop {
        units += work.once(asked)?;
        if begun.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    let wall_s = begun.elapsed().as_secs_f64();
    let cpu_s = common::cpu_s().zip(before).map(|(after, before)| after - before);
    Ok(json!({ "units": units, "wall_s": wall_s, "cpu_s": cpu_s }))
}
