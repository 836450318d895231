//! Replies of the starter language model that are written together, and with drafts: each is the same as alone and
//! without them. The prompts are those of the dialogues, over logs that several questions share.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use candle_core::{DType, Device};
use elenchus::{
    error::Fault,
    exchange::{Decoding, Finish, Message, Reply, Request, SayReply, SayRequest},
    infer::{
        causal::KvFormat,
        checkpoint::Checkpoint,
        decode::TextGenerator,
        job::{Job, Model, StepWriter},
    },
    models::{ModelOptions, llama},
};
use std::{collections::VecDeque, path::Path};
use tokio::sync::{mpsc, oneshot};

type Starter = TextGenerator<llama::Llama>;
type Answer = oneshot::Receiver<Result<Reply, Fault>>;

fn load(path: &str) -> Starter {
    load_keeping(path, KvFormat::F32)
}

fn load_keeping(path: &str, kv_cache: KvFormat) -> Starter {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let options = ModelOptions { kv_cache, ..ModelOptions::new(Device::Cpu, DType::F32) };
    llama::generator(&Checkpoint::open(&folder).unwrap(), &options).unwrap()
}

fn starter() -> Starter {
    load("agents/starter/lm")
}

/// A log of `lines` moments; `turn` chooses their places.
fn log(lines: usize, turn: usize) -> String {
    const PLACES: [&str; 5] = ["kitchen", "hallway", "bedroom", "garden", "study"];
    const THINGS: [&str; 4] = ["the keys on the table", "a red mug", "the dog", "a book"];
    let line = |n: usize| {
        let (place, thing) = (PLACES[(n * 3 + turn) % 5], THINGS[(n + turn) % 4]);
        format!("[{}] {:02}:{:02} {place}; I see {thing}", n + 1, n * 4 / 60, n * 4 % 60)
    };
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

fn asked(log: &str, question: &str, decoding: Decoding) -> SayRequest {
    let text = format!(
        "Below is the log of a first-person video, one numbered line for each moment. Answer the question from it.\n\n\
         {log}\n\nQuestion: {question}"
    );
    let decoding = Decoding { max_tokens: Some(40), ..decoding };
    SayRequest { decoding, ..SayRequest::new(vec![Message::new("user", text)]) }
}

/// Requests over two logs: greedy and drawn ones, with a restriction, and with log-probabilities.
fn requests() -> Vec<(SayRequest, u64)> {
    let (one, other) = (log(24, 0), log(24, 3));
    let plain = Decoding { temperature: Some(0.0), ..Decoding::default() };
    let drawn = Decoding { temperature: Some(0.8), ..Decoding::default() };
    let told = Decoding { logprobs: Some(true), ..plain.clone() };
    let mut all: Vec<(SayRequest, u64)> = Vec::new();
    for (n, question) in ["Where are the keys?", "What did I see first?", "Did I see the dog?"].into_iter().enumerate()
    {
        all.push((asked(&one, question, plain.clone()), 0));
        all.push((asked(&other, question, [drawn.clone(), told.clone()][n % 2].clone()), n as u64));
    }
    // a longer reply
    let story = "Below are notes of a first-person video, one line for each moment, with its time. Tell what happened as a \
                 very short story in the first person and the past tense: at most three sentences. Keep the order of the \
                 notes, add nothing that they do not say, and leave out the times. Reply with the story alone.";
    let story = SayRequest::new(vec![Message::new("user", format!("{story}\n\n{}", log(5, 2)))]);
    all.push((SayRequest { decoding: Decoding { max_tokens: Some(60), ..plain.clone() }, ..story }, 0));
    // several candidates of one prompt
    all.extend((0..3).map(|seed| (asked(&one, "Tell what happened.", drawn.clone()), seed)));
    let regex = Some("[0-9]{1,2}: (yes|no|[a-z]{3,12})".to_owned());
    all.push((SayRequest { regex, ..asked(&other, "Where is the red mug?", plain) }, 0));
    all
}

fn job(request: &(SayRequest, u64)) -> (Job, Answer, mpsc::UnboundedReceiver<String>) {
    let (stream, pieces) = mpsc::unbounded_channel();
    let (job, answer) = Job::new(Request::Say(request.0.clone()), Vec::new(), request.1, Some(stream));
    (job, answer, pieces)
}

fn said(mut answer: Answer, mut pieces: mpsc::UnboundedReceiver<String>) -> SayReply {
    let Reply::Say(reply) = answer.try_recv().expect("an answer").expect("a reply") else { panic!("not said") };
    let mut streamed = String::new();
    while let Ok(piece) = pieces.try_recv() {
        streamed.push_str(&piece);
    }
    assert_eq!(streamed, reply.text);
    reply
}

/// The reply of a fresh model, and its number of steps.
fn alone(model: &mut dyn StepWriter, request: &(SayRequest, u64)) -> (SayReply, usize) {
    let (job, answer, pieces) = job(request);
    model.join(vec![job]);
    let steps = (1..1000).find(|_| model.step() == 0).expect("an end");
    (said(answer, pieces), steps)
}

/// The same reply. After a shared prefix, the end of a prompt may be read in a call of few positions, which rounds differently.
fn assert_same(mut found: SayReply, expected: &SayReply, n: usize) {
    for (found, expected) in found.logprobs.iter_mut().zip(&expected.logprobs) {
        assert!((found.logprob - expected.logprob).abs() < 1e-5, "request {n}: {found:?} is not {expected:?}");
        found.logprob = expected.logprob;
    }
    assert_eq!(found, *expected, "request {n}");
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

#[test]
fn a_reply_is_the_same_alone_and_among_others_that_come_and_go() {
    let requests = requests();
    let expected: Vec<SayReply> = requests.iter().map(|request| alone(&mut starter(), request).0).collect();
    assert!(expected.iter().any(|reply| reply.tokens.len() > 8), "{expected:?}");
    let mut random = Random(3);
    for _ in 0..4 {
        let mut model = starter();
        let mut open: Vec<(usize, Answer, mpsc::UnboundedReceiver<String>)> = Vec::new();
        let mut coming: VecDeque<usize> = (0..requests.len()).chain(0..requests.len()).collect();
        let count = coming.len();
        (1..count).rev().for_each(|n| coming.swap(n, random.below(n + 1)));
        let mut finished = 0;
        for _ in 0..5000 {
            if random.below(3) == 0 {
                let many = random.below(4).min(coming.len());
                let mut jobs = Vec::new();
                for n in coming.drain(..many) {
                    let (job, answer, pieces) = job(&requests[n]);
                    jobs.push(job);
                    open.push((n, answer, pieces));
                }
                model.join(jobs);
            }
            // sometimes a caller leaves
            if random.below(40) == 0 && !open.is_empty() {
                open.remove(random.below(open.len()));
                finished += 1;
            }
            let left = model.step();
            let (done, going): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, answer, _)| !answer.is_empty());
            open = going;
            finished += done.len();
            for (n, answer, pieces) in done {
                assert_same(said(answer, pieces), &expected[n], n);
            }
            if left == 0 && coming.is_empty() {
                break;
            }
        }
        assert_eq!((finished, open.len()), (count, 0));
    }
}

/// The number of steps with drafts and without them. The replies must be the same.
fn steps(path: &str, requests: &[(SayRequest, u64)]) -> (usize, usize) {
    let (mut with, mut without, mut tokens) = (0, 0, 0);
    for request in requests {
        let (drafted, steps) = alone(&mut load(path), request);
        let (plain, plain_steps) = alone(&mut load(path).without_drafts(), request);
        assert_eq!(drafted, plain, "{request:?}");
        assert!(plain_steps >= steps);
        (with, without, tokens) = (with + steps, without + plain_steps, tokens + plain.tokens.len());
    }
    println!("{path}: {tokens} tokens in {without} steps without drafts, {with} with them");
    (with, without)
}

#[test]
fn drafts_do_not_change_replies_and_save_steps() {
    let (with, without) = steps("agents/starter/lm", &requests());
    assert!(with <= without, "{with} of {without} steps");
    // models without sense repeat themselves, as a reply does that copies its prompt
    for (path, ending) in [("lm-tied", ""), ("lm-untied", ""), ("gguf-q8", "/model.gguf"), ("gguf-q4k", "/model.gguf")]
    {
        let raw = |text: &str| {
            let decoding = Decoding { max_tokens: Some(120), temperature: Some(0.0), ..Decoding::default() };
            (SayRequest { raw: true, decoding, ..SayRequest::new(vec![Message::new("user", text)]) }, 0)
        };
        let texts =
            ["the keys are on the table", "I see a red mug. I see a red mug. I", "one two one two one"].map(raw);
        let (with, without) = steps(&format!("tests/parity/fixtures/{path}{ending}"), &texts);
        assert!(with < without, "{path}: {with} of {without} steps");
    }
}

#[test]
fn keys_and_values_in_16_bits_give_the_same_greedy_tokens() {
    let greedy = requests().into_iter().filter(|(request, _)| request.decoding.temperature == Some(0.0));
    let mut off = 0f32;
    for (mut request, seed) in greedy {
        request.decoding.logprobs = Some(true);
        let request = (request, seed);
        let (wide, _) = alone(&mut starter(), &request);
        let (narrow, _) = alone(&mut load_keeping("agents/starter/lm", KvFormat::F16), &request);
        assert_eq!((&narrow.tokens, &narrow.text), (&wide.tokens, &wide.text));
        let pairs = narrow.logprobs.iter().zip(&wide.logprobs);
        off = pairs.map(|(a, b)| (a.logprob - b.logprob).abs()).fold(off, f32::max);
    }
    // they are rounded indeed, and little
    assert!(off > 0.0 && off < 0.02, "{off}");
}

#[test]
fn questions_about_one_log_read_it_once() {
    let log = log(40, 2);
    let question = |n: usize| {
        let mut request = asked(&log, &format!("What is number {n}?"), Decoding::default());
        request.decoding.max_tokens = Some(1);
        (request, 0)
    };
    let questions: Vec<_> = (0..6).map(question).collect();
    let mut model = starter();
    let (jobs, answers): (Vec<_>, Vec<_>) =
        questions.iter().map(job).map(|(job, answer, pieces)| (job, (answer, pieces))).unzip();
    model.join(jobs);
    // one prompt is two pieces long; the ends of all others are read in few calls
    let steps = (1..100).find(|_| model.step() == 0).expect("an end");
    assert!(steps <= 8, "{steps} steps");
    for (answer, pieces) in answers {
        assert_eq!(said(answer, pieces).finish, Finish::Length);
    }
}

#[test]
fn a_request_that_is_too_long_fails_alone() {
    let mut model = starter();
    let plain = Decoding { temperature: Some(0.0), ..Decoding::default() };
    let (long, mut long_answer, _pieces) = job(&(asked(&log(400, 0), "Where?", plain.clone()), 0));
    let (short, answer, pieces) = job(&(asked(&log(4, 0), "Where?", plain), 0));
    model.answer(vec![long, short]);
    assert!(long_answer.try_recv().unwrap().is_err());
    assert!(!said(answer, pieces).tokens.is_empty());
}
