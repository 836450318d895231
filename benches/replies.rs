//! The speed of a language model: `cargo bench --bench replies -- MODEL...`, where each MODEL is a checkpoint folder or a
//! `.gguf` file (`random_model.py` writes one of any size).
//!
//! Wall time and CPU time, each the best of two. Prompts are random words, so that none shares a prefix by chance.

use candle_core::{DType, Device};
use common::cpu_s;
use elenchus::{
    exchange::{Decoding, Message, Reply, Request, SayRequest},
    infer::{
        checkpoint::Checkpoint,
        job::{Job, Model},
        text::{TextTokenizer, VocabStyle},
    },
    models::{ModelOptions, llama},
};
use std::{path::Path, time::Instant};

mod common;

const ROUNDS: usize = 2;

/// A text of `tokens` tokens that differs with `seed`.
struct Texts(TextTokenizer);

impl Texts {
    fn of(&self, tokens: usize, seed: u64) -> String {
        const WORDS: [&str; 8] =
            ["the keys", " on a shelf", " I went", " 10:42", " hallway", " and saw", " red", " bag."];
        let (mut state, mut text) = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, format!("{seed} "));
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(WORDS[(state >> 60) as usize % WORDS.len()]);
            let count = self.0.encode(&text, false).expect("tokens").len();
            if count >= tokens {
                return text;
            }
        }
    }
}

fn say(text: &str, tokens: usize) -> Request {
    let decoding = Decoding { max_tokens: Some(tokens), temperature: Some(0.0), ..Decoding::default() };
    Request::Say(SayRequest { raw: true, decoding, ..SayRequest::new(vec![Message::new("user", text)]) })
}

/// Answers requests in one call, and gives the number of tokens of the replies.
fn ask(model: &mut dyn Model, prompts: &[String], tokens: usize) -> usize {
    let jobs = prompts.iter().map(|prompt| Job::new(say(prompt, tokens), Vec::new(), 7, None));
    let (jobs, answers): (Vec<_>, Vec<_>) = jobs.unzip();
    model.answer(jobs);
    let count = |reply| match reply {
        Reply::Say(said) => said.tokens.len(),
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(|answer| count(answer.blocking_recv().expect("an answer").expect("a reply"))).sum()
}

/// Wall and CPU seconds of the best of some rounds, and the amount of work in each.
fn best(mut round: impl FnMut(u64) -> usize) -> (f64, f64, usize) {
    let (mut wall, mut cpu, mut amount) = (f64::MAX, f64::MAX, 0);
    for n in 0..ROUNDS {
        let (begun, before) = (Instant::now(), cpu_s());
        amount = round(n as u64);
        wall = wall.min(begun.elapsed().as_secs_f64());
        cpu = cpu.min(cpu_s().zip(before).map_or(0.0, |(after, before)| after - before));
    }
    (wall, cpu, amount)
}

fn main() {
    println!("| model | work | tokens | wall, s | CPU, s | tokens/s |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let checkpoint = Checkpoint::open(Path::new(&path)).expect("a checkpoint");
        let texts = Texts(TextTokenizer::open(&checkpoint, VocabStyle::Bytes).expect("a tokenizer"));
        let options = ModelOptions::new(Device::Cpu, DType::F32);
        let mut model = llama::generator(&checkpoint, &options).expect("a model");
        let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let row = |work: &str, (wall, cpu, amount): (f64, f64, usize)| {
            println!("| {name} | {work} | {amount} | {wall:.3} | {cpu:.3} | {:.1} |", amount as f64 / wall);
        };
        ask(&mut model, &[texts.of(64, 999)], 4);
        for tokens in [512, 1900] {
            let text = |seed| texts.of(tokens, seed);
            row(&format!("read {tokens}"), best(|seed| ask(&mut model, &[text(seed)], 1) * tokens));
            // what reading and one token took is known by then
            let long = [text(77)];
            ask(&mut model, &long, 1);
            row(&format!("write 64 after {tokens}"), best(|_| ask(&mut model, &long, 64)));
        }
        for count in [1, 8] {
            let prompts: Vec<String> = (0..count).map(|n| texts.of(32, 100 + n)).collect();
            row(&format!("{count} short prompts, write 64"), best(|_| ask(&mut model, &prompts, 64)));
        }
        let questions = |seed: u64| -> Vec<String> {
            let log = texts.of(400, 1000 + seed);
            (0..8).map(|n| format!("{log}\nQuestion: {}", texts.of(20, n))).collect()
        };
        row("8 questions about one log together", best(|seed| ask(&mut model, &questions(seed), 16)));
        let asked = |model: &mut dyn Model, prompts: &[String]| {
            prompts.iter().map(|p| ask(model, std::slice::from_ref(p), 8)).sum()
        };
        let (one, other) = (questions(50), questions(60));
        let turns: Vec<String> = one.into_iter().zip(other).take(4).flat_map(|(a, b)| [a, b]).collect();
        row("two logs in turn, 8 questions", best(|_| asked(&mut model, &turns)));
    }
}
