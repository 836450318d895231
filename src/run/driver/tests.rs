//! Tests of the driver with agents that misbehave: memo, retries, limits, stopping, transcripts and their replay.

use super::*;
use crate::value::Moment;
use crate::{
    agent::{CallContext, Card},
    dialogue::{MemoryLibrary, Resource},
    error::{Fault, FaultKind},
    exchange::{Answers, Finish, FramesRequest, Kind, Reply, Request, SayReply, SayRequest},
    plan::compile_text,
    run::{replay::replay_transcript, transcript::Transcript},
};
use async_trait::async_trait;
use std::sync::Mutex;

/// The reply of a test agent to a prompt and a seed; none means that it never answers.
type Behaviour = fn(&str, u64) -> Option<Result<String, Fault>>;

/// A test agent that records its requests.
struct Fake {
    card: Card,
    behaviour: Behaviour,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn new(behaviour: Behaviour) -> Arc<Fake> {
        let card = Card {
            name: "fake".into(),
            answers: vec![Answers::usual(Kind::Say)],
            identity: "fake 1".into(),
            memo: true,
            own_labels: false,
        };
        Arc::new(Fake { card, behaviour, asked: Mutex::default() })
    }
    fn count(&self) -> usize {
        self.asked.lock().expect("lock").len()
    }
}

#[async_trait]
impl Agent for Fake {
    fn card(&self) -> &Card {
        &self.card
    }
    async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault> {
        let Request::Say(SayRequest { messages, .. }) = request else { return Err(Fault::failed("only say")) };
        let prompt = messages.last().expect("a message").content.trim().to_owned();
        let said = {
            let mut asked = self.asked.lock().expect("lock");
            asked.push(prompt.clone());
            (self.behaviour)(&prompt, asking.seed)
        };
        let text = match said {
            Some(said) => said?,
            None => std::future::pending().await,
        };
        Ok(Reply::Say(SayReply::new(text, Finish::Stop)))
    }
}

/// A dialogue with a `say` for each of `words`, with the keys `more` on the step, at this temperature.
fn plan(more: &str, temperature: &str) -> Plan {
    let source = format!(
        "version: 1\ndialogue: t\ninputs: {{ words: list of text }}\ncast: {{ mind: m }}\nsteps:\n  said:\n    each: words\n    \
         {more}\n    say: {{ agent: mind, prompt: p, with: {{ word: \"{{{{ item }}}}\" }}, {temperature} }}\n\
         answer: \"{{{{ said | join(' ') }}}}\"\n"
    );
    let library = MemoryLibrary::default()
        .with(Resource::Prompt, "p", "{{ word }}")
        .with(Resource::Agent, "m", "script: [\"x\"]")
        .with_answers("m", &[Answers::usual(Kind::Say)]);
    compile_text(&source, "t.yaml", &library, &Default::default()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

const GREEDY: &str = "temperature: 0";

fn words(words: &str) -> IndexMap<String, Value> {
    let list = words.split(' ').map(|word| Value::Text(word.into())).collect();
    IndexMap::from([("words".to_owned(), Value::List(list))])
}

fn bound(plan: &Plan, given: IndexMap<String, Value>) -> Inputs {
    plan.bind(given).expect("the inputs fit")
}

fn options(agent: &Arc<Fake>) -> RunOptions {
    RunOptions::new(Agents::from([("mind".to_owned(), agent.clone() as Arc<dyn Agent>)]))
}

fn echo(prompt: &str, seed: u64) -> Option<Result<String, Fault>> {
    Some(Ok(if prompt == "seed" { seed.to_string() } else { prompt.to_uppercase() }))
}

#[tokio::test]
async fn memo_hits_are_not_asked_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    let plan = plan("at_once: 8", GREEDY);
    let check = async |fresh: bool, given: &str, asked: usize, hits: u64| {
        let agent = Fake::new(echo);
        let options = RunOptions { memo: Some(memo.clone()), fresh, ..options(&agent) };
        let outcome = run(&plan, bound(&plan, words(given)), options).await.outcome.expect("an answer");
        assert_eq!(outcome.answer, given.to_uppercase());
        assert_eq!((agent.count(), outcome.memo_hits), (asked, hits), "{given} {fresh}");
        assert_eq!(outcome.exchanges, given.split(' ').count() as u64);
    };
    // two equal requests at the same time are asked once
    check(false, "a b b b", 2, 2).await;
    check(false, "a b c", 1, 2).await;
    check(false, "a b c", 0, 3).await;
    check(true, "a b c", 3, 0).await;
    check(false, "a b c", 0, 3).await;
}

#[tokio::test]
async fn a_reply_of_another_kind_in_the_memo_is_asked_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    let plan = plan("at_once: 8", GREEDY);
    let check = async |asked: usize, hits: u64| {
        let agent = Fake::new(echo);
        let options = RunOptions { memo: Some(memo.clone()), ..options(&agent) };
        let outcome = run(&plan, bound(&plan, words("a")), options).await.outcome.expect("an answer");
        assert_eq!((outcome.answer.as_str(), agent.count(), outcome.memo_hits), ("A", asked, hits));
    };
    check(1, 0).await;
    check(0, 1).await;
    let base = rusqlite::Connection::open(folder.path().join("memo.sqlite")).expect("a database");
    let key: [u8; 32] = base.query_row("SELECT key FROM exchanges", [], |row| row.get(0)).expect("a key");
    let (rank, change) = (r#"{"rank":[]}"#, "UPDATE exchanges SET kind = 'rank', reply = ?1, digest = ?2");
    let digest = *blake3::keyed_hash(&key, rank.as_bytes()).as_bytes();
    base.execute(change, rusqlite::params![rank, digest]).expect("changed");
    check(1, 0).await;
    check(0, 1).await;
}

#[tokio::test]
async fn a_passing_fault_is_retried() {
    fn once(prompt: &str, _: u64) -> Option<Result<String, Fault>> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static TRIES: AtomicUsize = AtomicUsize::new(0);
        let passing = || Fault::passing("busy", None);
        Some(if TRIES.fetch_add(1, Ordering::SeqCst) == 0 { Err(passing()) } else { Ok(prompt.to_owned()) })
    }
    let agent = Fake::new(once);
    let plan = plan("retries: 1", GREEDY);
    let outcome = run(&plan, bound(&plan, words("a")), options(&agent)).await.outcome.expect("an answer");
    assert_eq!((outcome.answer.as_str(), agent.count()), ("a", 2));
}

#[tokio::test]
async fn a_failure_names_its_reason_and_path() {
    fn odd(prompt: &str, _: u64) -> Option<Result<String, Fault>> {
        match prompt {
            "silent" => None,
            "panics" => panic!("as it should, in this test"),
            "model" => Some(Err(Fault::model("no weights"))),
            "media" => Some(Err(Fault::media("no such video"))),
            "busy" => Some(Err(Fault::passing("busy", None))),
            other => echo(other, 0),
        }
    }
    let check = async |more: &str, given: &str, expected: Result<&str, (&str, FaultKind)>| {
        let plan = plan(more, GREEDY);
        let result = run(&plan, bound(&plan, words(given)), options(&Fake::new(odd))).await.outcome;
        let found = result.map(|outcome| outcome.answer).map_err(|error| (error.to_string(), error.fault.kind));
        assert_eq!(found, expected.map(str::to_owned).map_err(|(text, kind)| (text.to_owned(), kind)));
    };
    let failed = |text: &'static str| Err((text, FaultKind::Failed));
    check("timeout: 20ms", "a silent", failed("said[1]: the agent did not answer within 20ms (for `silent`)")).await;
    check(
        "timeout: 20ms
    or: none",
        "a silent b",
        Ok("A none B"),
    )
    .await;
    check("at_once: 4", "a panics", failed("said[1]: fake panicked; this is a bug (for `panics`)")).await;
    check("retries: 0", "busy a busy", failed("said[0]: fake: busy (for `busy`) (and 1 more item failed)")).await;
    check("at_once: 4", "model", Err(("said[0]: fake: no weights (for `model`)", FaultKind::Model))).await;
    check("at_once: 4", "media", Err(("said[0]: no such video (for `media`)", FaultKind::Media))).await;
}

#[tokio::test]
async fn a_stopped_run_keeps_finished_exchanges() {
    fn stuck(prompt: &str, _: u64) -> Option<Result<String, Fault>> {
        (prompt != "stuck").then(|| Ok(prompt.to_owned()))
    }
    /// Cancels when two exchanges are done.
    struct Second(Cancel, std::sync::atomic::AtomicUsize);
    impl Progress for Second {
        fn event(&self, event: Event) {
            if matches!(event, Event::ExchangeDone { .. })
                && self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1
            {
                self.0.cancel();
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    let plan = plan("at_once: 1", GREEDY);
    let record = folder.path().join("run.jsonl");

    let cancel = Cancel::default();
    let progress = Arc::new(Second(cancel.clone(), Default::default()));
    let mut stopped = RunOptions { memo: Some(memo.clone()), cancel, progress, ..options(&Fake::new(stuck)) };
    stopped.record = Recorder::file(&record).expect("a file");
    let error = run(&plan, bound(&plan, words("a b stuck")), stopped).await.outcome.expect_err("it was stopped");
    assert_eq!((error.to_string(), error.fault.kind), ("interrupted after 2 exchanges".into(), FaultKind::Cancelled));
    let transcript = Transcript::read(&record).expect("a transcript");
    assert_eq!(transcript.exchanges.len(), 2);
    assert_eq!(
        replay_transcript(&transcript).expect_err("it is not whole").to_string(),
        "the transcript lacks the exchange `said[2]`: the run was stopped earlier"
    );

    let limit = Duration::from_millis(800);
    let agent = Fake::new(stuck);
    let stopped = RunOptions { memo: Some(memo), deadline: Some(limit), ..options(&agent) };
    let error = run(&plan, bound(&plan, words("a b stuck")), stopped).await.outcome.expect_err("it never ends");
    let expected = "the deadline of 800ms passed after 2 exchanges".to_owned();
    assert_eq!((error.to_string(), error.fault.kind), (expected, FaultKind::Deadline));
    assert_eq!(agent.count(), 1);
}

/// An agent that never answers the prompt "far", and cancels the run when that request is dropped.
struct Far(Card, Cancel);

#[async_trait]
impl Agent for Far {
    fn card(&self) -> &Card {
        &self.0
    }
    async fn ask(&self, request: Request, _: CallContext) -> Result<Reply, Fault> {
        struct Dropped<'a>(&'a Cancel);
        impl Drop for Dropped<'_> {
            fn drop(&mut self) {
                self.0.cancel();
            }
        }
        if request.words() == "far" {
            let _dropped = Dropped(&self.1);
            return std::future::pending().await;
        }
        Ok(Reply::Say(SayReply::new("yes", Finish::Stop)))
    }
}

/// The names of the steps that a run has begun.
#[derive(Default)]
struct Begun(Mutex<Vec<String>>);

impl Progress for Begun {
    fn event(&self, event: Event) {
        if let Event::StepStarted { path, .. } = event {
            self.0.lock().expect("lock").push(path);
        }
    }
}

/// Step `slow` evaluates templates of the maximum length, forty times. The driver gets its events only afterwards.
#[tokio::test]
async fn limits_hold_while_templates_are_evaluated() {
    let check = async |timeout: &str, deadline: Option<Duration>, kind: FaultKind| {
        let work =
            "{% for i in range(99999) %}{% for j in range(99999) %}{{ [i, j] | sort | join }}{% endfor %}{% endfor %}";
        let source = format!(
            "version: 1\ndialogue: t\ninputs: {{ words: list of text }}\ncast: {{ mind: m }}\nsteps:\n  \
             far: {{ timeout: {timeout}, or: late, say: {{ agent: mind, text: far }} }}\n  \
             near: {{ say: {{ agent: mind, text: near }} }}\n  \
             slow: {{ each: words, or: none, compute: \"{{{{ near }}}}{work}\" }}\nanswer: \"{{{{ far }}}}{{{{ slow | length }}}}\"\n"
        );
        let library = MemoryLibrary::default().with(Resource::Agent, "m", "script: [\"x\"]");
        let plan = compile_text(&source, "t.yaml", &library, &Default::default()).unwrap_or_else(|e| panic!("{e:#?}"));
        let (cancel, begun) = (Cancel::default(), Arc::new(Begun::default()));
        let agent = Arc::new(Far(Fake::new(echo).card.clone(), cancel.clone()));
        let agents = Agents::from([("mind".to_owned(), agent as Arc<dyn Agent>)]);
        let options = RunOptions { cancel, deadline, progress: begun.clone(), ..RunOptions::new(agents) };
        let inputs = bound(&plan, words("a ".repeat(40).trim_end()));
        let error = run(&plan, inputs, options).await.outcome.expect_err("it is stopped");
        assert_eq!(error.fault.kind, kind, "{error}");
        assert_eq!(*begun.0.lock().expect("lock"), ["far", "near"], "{error}");
    };
    // the time limit of `far` drops its request, which cancels the run: all while `slow` is evaluated
    check("300ms", None, FaultKind::Cancelled).await;
    check("5m", Some(Duration::from_millis(300)), FaultKind::Deadline).await;
}

/// A transcript's lines without `timing`, which may differ.
fn timeless(lines: &[u8]) -> String {
    let lines = std::str::from_utf8(lines).expect("text").lines();
    let plain = lines.map(|line| {
        let mut json: serde_json::Value = serde_json::from_str(line).expect("JSON");
        json.as_object_mut().expect("an object").shift_remove("timing");
        json.to_string()
    });
    plain.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_same_seed_gives_the_same_transcript_and_it_replays() {
    let plan = plan("at_once: 8", "temperature: 0.9");
    let folder = tempfile::tempdir().expect("a folder");
    let record = async |seed: u64, at_once: usize, record: Recorder| {
        let options = RunOptions { seed, at_once, record, ..options(&Fake::new(echo)) };
        let inputs = bound(&plan, words("seed a seed b"));
        let Run { outcome, transcript: lines } = run(&plan, inputs, options).await;
        (outcome.expect("an answer").answer, lines)
    };
    let (answer, lines) = record(1, 8, Recorder::memory()).await;
    let path = folder.path().join("run.jsonl");
    record(1, 2, Recorder::file(&path).expect("a file")).await;
    let file = std::fs::read(&path).expect("a transcript");
    assert_eq!(timeless(&lines), timeless(&file));
    let other = record(2, 8, Recorder::memory()).await;
    assert_ne!(answer, other.0);
    assert_ne!(timeless(&lines), timeless(&other.1));

    let mut transcript = Transcript::read(&path).expect("a transcript");
    assert_eq!(replay_transcript(&transcript).expect("a replay").answer, answer);
    transcript.exchanges[0].seed += 1;
    assert_eq!(
        replay_transcript(&transcript).expect_err("it was changed").to_string(),
        "the request of `said[0]` differs from the recorded one; the transcript was changed, or another version made it"
    );
    // a run that was killed while it wrote a line
    std::fs::write(&path, &file[..file.len() - 3]).expect("written");
    assert_eq!(Transcript::read(&path).expect("a transcript").end, None);
}

#[tokio::test]
async fn every_role_needs_an_agent() {
    let plan = plan("at_once: 1", GREEDY);
    let error =
        run(&plan, bound(&plan, words("a")), RunOptions::new(Agents::new())).await.outcome.expect_err("refused");
    let expected = ("no agent plays the role `mind`", FaultKind::Refused);
    assert_eq!((error.to_string().as_str(), error.fault.kind), expected);
}

/// An agent that gets ready slowly, or fails to; then it answers `yes`.
struct SlowToLoad {
    card: Card,
    loads: std::sync::atomic::AtomicUsize,
    able: bool,
}

#[async_trait]
impl Agent for SlowToLoad {
    fn card(&self) -> &Card {
        &self.card
    }
    async fn ready(&self) -> Result<(), Fault> {
        self.loads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        if self.able { Ok(()) } else { Err(Fault::model("the weights cannot be read").of("fake")) }
    }
    async fn ask(&self, _: Request, _: CallContext) -> Result<Reply, Fault> {
        Ok(Reply::Say(SayReply::new("yes", Finish::Stop)))
    }
}

#[tokio::test]
async fn an_agent_gets_ready_once_for_exchanges_that_the_memo_lacks() {
    let slow = |able| {
        let card = Card {
            name: "fake".into(),
            answers: vec![Answers::usual(Kind::Say)],
            identity: "slow".into(),
            memo: true,
            own_labels: false,
        };
        Arc::new(SlowToLoad { card, loads: Default::default(), able })
    };
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    // getting ready takes longer than the step's limit, which applies to exchanges only
    let plan = plan("timeout: 200ms\n    or: none", GREEDY);
    let run_with = async |agent: Arc<SlowToLoad>, text: &str| {
        let agents = Agents::from([("mind".to_owned(), agent.clone() as Arc<dyn Agent>)]);
        let options = RunOptions { memo: Some(memo.clone()), ..RunOptions::new(agents) };
        let answer = run(&plan, bound(&plan, words(text)), options).await.outcome.map(|outcome| outcome.answer);
        (answer, agent.loads.load(std::sync::atomic::Ordering::SeqCst))
    };
    assert_eq!(run_with(slow(true), "a b c").await, (Ok("yes yes yes".into()), 1));
    assert_eq!(run_with(slow(false), "a b c").await, (Ok("yes yes yes".into()), 0));
    // no fallback replaces a model that cannot be loaded
    let error = RunError::from(Fault::model("the weights cannot be read").of("agent fake"));
    assert_eq!(run_with(slow(false), "a b c d").await, (Err(error), 1));
}

/// Samples any video into one moment.
struct Sampler(Card);

#[async_trait]
impl Agent for Sampler {
    fn card(&self) -> &Card {
        &self.0
    }
    async fn ask(&self, request: Request, _: CallContext) -> Result<Reply, Fault> {
        let Request::Frames(FramesRequest { video, .. }) = request else {
            return Err(Fault::failed("only frames"));
        };
        let (start, end) = (video.start, video.end);
        Ok(Reply::Frames(vec![Moment { media: video, start, end, text: None }]))
    }
}

#[tokio::test]
async fn the_store_expects_the_frames_of_a_memo_hit() {
    let source = "version: 1\ndialogue: t\ninputs: { video: video }\nsteps:\n  moments: { frames: { video: \"{{ video }}\", every: 1s } }\n\
                  answer: \"{{ moments | length }}\"\n";
    let plan = compile_text(source, "t.yaml", &MemoryLibrary::default(), &Default::default()).expect("sound");
    let (start, end) = (crate::value::Time::from_seconds(0.0), crate::value::Time::from_seconds(1.0));
    let media =
        Arc::new(crate::value::Media { has_audio: false, ..crate::value::Media::new("day.mp4", "d", start, end) });
    let folder = tempfile::tempdir().expect("a folder");
    let memo = Memo::open(folder.path()).expect("a memo");
    for hits in 0..2 {
        let store = Arc::new(MediaStore::new(Default::default()));
        let card = Card {
            name: "media".into(),
            answers: vec![Answers::usual(Kind::Frames)],
            identity: "sampler".into(),
            memo: true,
            own_labels: false,
        };
        let agents = Agents::from([("media".to_owned(), Arc::new(Sampler(card)) as Arc<dyn Agent>)]);
        let options = RunOptions { memo: Some(memo.clone()), media: Some(store.clone()), ..RunOptions::new(agents) };
        let inputs = IndexMap::from([("video".to_owned(), Value::Video(media.clone()))]);
        let outcome = run(&plan, bound(&plan, inputs), options).await.outcome.expect("an answer");
        // (this sampler, unlike the media agent, does not report its moments to the store)
        assert_eq!((outcome.memo_hits, store.expects(&media)), (hits, hits == 1));
    }
}
