//! Runs a dialogue's own tests: the machine gets scripted replies and made-up media. No model, video or ffmpeg is
//! needed.

use super::machine::Machine;
use crate::{
    agent::journal::JournalAgent,
    dialogue::{ScriptState, ScriptedReplies, TestWritten, plain},
    error::Fault,
    exchange::{JournalRequest, NoReply, Reply, Request},
    plan::{Inputs, Misfit, Plan},
    prompt::show,
    steps::lines_of,
    store::{
        journal::{JournalPlace, LineOrigin, RoleModels},
        memo::request_digest,
    },
    value::json::{from_json_as, to_json},
    value::{ImageFile, Media, Sense, Time, Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// The length of a made-up medium, in seconds.
const LENGTH_S: f64 = 60.0;

/// The result of one test.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// True if everything is as expected.
    pub passed: bool,
    /// One line for each difference.
    pub differences: Vec<String>,
    /// The number of scripted replies that were used.
    pub exchanges: usize,
}

/// Runs the tests of a dialogue. Replies in a list are used in plan order.
pub fn run_tests(plan: &Plan, tests: &[TestWritten]) -> Vec<TestResult> {
    let one = |test: &TestWritten| {
        let inputs = given(plan, test).map_err(|why| vec![why]).and_then(|given| {
            let shown = |misfit: &Misfit| match misfit {
                Misfit::Missing { name, .. } => format!("the test gives no `{name}`"),
                other => other.to_string(),
            };
            plan.bind(given).map_err(|misfits| misfits.iter().map(shown).collect())
        });
        let journal = JournalPlace::default();
        let inputs = inputs.and_then(|inputs| remember(test, &journal).map(|()| inputs).map_err(|why| vec![why]));
        let ran = inputs.map(|inputs| run_beside(plan, &inputs, &ScriptedReplies::of(test), &journal));
        let (exchanges, differences) = match ran {
            Err(why) => (0, why),
            Ok(run) => {
                let found = run.answer.map_or_else(|failed| failed, |answer| test.differences(&answer));
                (run.exchanges, [found, run.unused].concat())
            }
        };
        TestResult { name: test.name.value.clone(), passed: differences.is_empty(), differences, exchanges }
    };
    tests.iter().map(one).collect()
}

/// The inputs of a test, with made-up media.
fn given(plan: &Plan, test: &TestWritten) -> Result<IndexMap<String, Value>, String> {
    let mut inputs = IndexMap::new();
    for (name, input) in &plan.inputs {
        if let Some(written) = test.given.as_ref().and_then(|given| given.get(name.as_str())) {
            let value = made(&plain(written), &input.ty).map_err(|why| format!("input `{name}`: {why}"))?;
            inputs.insert(name.clone(), value);
        }
    }
    Ok(inputs)
}

/// A written value as the type of the input; a path becomes a medium that is never opened.
fn made(value: &Value, ty: &Type) -> Result<Value, String> {
    match (ty, value) {
        (Type::Video, Value::Text(path)) => Ok(Value::Video(medium(path, true))),
        (Type::Audio, Value::Text(path)) => Ok(Value::Audio(medium(path, false))),
        (Type::Image, Value::Text(path)) => {
            Ok(Value::Image(ImageFile { path: path.clone(), digest: name_digest(path) }))
        }
        (Type::List(item), Value::List(items)) => {
            items.iter().map(|value| made(value, item)).collect::<Result<_, _>>().map(Value::List)
        }
        _ => from_json_as(&to_json(value), ty),
    }
}

fn medium(path: &str, has_video: bool) -> Arc<Media> {
    let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(LENGTH_S));
    Arc::new(Media { has_video, ..Media::new(path, name_digest(path), start, end) })
}

/// Writes the lines of a test to its journal.
fn remember(test: &TestWritten, journal: &JournalPlace) -> Result<(), String> {
    let Some(written) = &test.journal else { return Ok(()) };
    let Value::List(items) = plain(written) else {
        return Err("`journal` is no list of lines".to_owned());
    };
    let mut of: IndexMap<String, Vec<Value>> = IndexMap::new();
    for item in items {
        let video = match &item {
            Value::Record(fields) => fields.get("video").map(show),
            _ => None,
        };
        let video = video.ok_or("`journal`: a line lacks `video`")?;
        of.entry(video).or_default().push(item);
    }
    for (video, items) in of {
        let media = medium(&video, true);
        let lines = lines_of(&Value::List(items), &media, None).map_err(|why| format!("`journal`: {why}"))?;
        let mut senses: Vec<Sense> = lines.iter().map(|line| line.sense).collect();
        senses.sort_unstable();
        senses.dedup();
        let request = JournalRequest::Append { writer: "test".to_owned(), medium: media, senses, lines };
        from_memory(journal, &Request::Journal(request)).map_err(|fault| fault.message)?;
    }
    Ok(())
}

/// The digest of a made-up medium: that of its name.
fn name_digest(path: &str) -> String {
    blake3::hash(path.as_bytes()).to_hex().to_string()
}

/// The reply of a journal in memory, which every test has unless it scripts the journal.
fn from_memory(place: &JournalPlace, request: &Request) -> Result<Reply, Fault> {
    let journal = place.open()?;
    match request {
        Request::Journal(asked) => {
            let key = request_digest(request);
            Ok(Reply::Journal(journal.answer(asked, &key, &LineOrigin::default())?))
        }
        Request::Search(asked) => Ok(Reply::Search(journal.search(asked, &RoleModels::new())?)),
        _ => Err(Fault::failed("the journal keeps and searches lines; it cannot answer this request")),
    }
}

/// The result of a run with scripted replies.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptedRun {
    /// The answer's value, or one line for each failure.
    pub answer: Result<Value, Vec<String>>,
    /// One line for each unused reply; empty if a reply does not fit its request.
    pub unused: Vec<String>,
    /// The number of scripted replies that were used.
    pub exchanges: usize,
}

/// Runs a plan with scripted replies, one exchange at a time in plan order. A reply that does not fit its request
/// ends the run.
pub fn run(plan: &Plan, inputs: &Inputs, script: &ScriptedReplies) -> ScriptedRun {
    run_beside(plan, inputs, script, &JournalPlace::default())
}

/// Like [`run`], with a journal in memory that may have lines.
fn run_beside(plan: &Plan, inputs: &Inputs, script: &ScriptedReplies, journal: &JournalPlace) -> ScriptedRun {
    let mut asked: IndexMap<String, ScriptState> = IndexMap::new();
    let mut exchanges = 0;
    let machine = Machine::new(plan, inputs, 0).with_played(script.roles().map(str::to_owned));
    let ended = answered(machine, script, journal, &mut asked, &mut exchanges);
    match ended {
        Ok(answer) => ScriptedRun { answer, unused: script.unused(&asked), exchanges },
        Err(why) => ScriptedRun { answer: Err(vec![why]), unused: Vec::new(), exchanges },
    }
}

/// The end of the machine's run, or the reason why the script stops it earlier.
fn answered(
    mut machine: Machine,
    script: &ScriptedReplies,
    journal: &JournalPlace,
    asked: &mut IndexMap<String, ScriptState>,
    exchanges: &mut usize,
) -> Result<Result<Value, Vec<String>>, String> {
    let mut waiting = Vec::new();
    while machine.finished().is_none() {
        waiting.extend(machine.due());
        // the first in plan order, even if later ones are due: the replies of a list are used in plan order
        let first = waiting.iter().enumerate().min_by(|a, b| a.1.order.cmp(&b.1.order)).map(|(place, _)| place);
        let exchange = waiting.swap_remove(first.ok_or("the run stopped before its end: this is a bug")?);
        if exchange.role == JournalAgent::NAME && !script.has(JournalAgent::NAME) {
            machine.take(exchange.id, from_memory(journal, &exchange.request));
            continue;
        }
        let asked = asked.entry(exchange.role.clone()).or_default();
        let mut next = || {
            *exchanges += 1;
            script.next(&exchange.role, &exchange.request, asked)
        };
        let mut reply = next();
        // a failure on purpose counts against the step's retries
        for _ in 0..exchange.retries.unwrap_or(0) {
            if !matches!(reply, Err(NoReply::OnPurpose(_))) {
                break;
            }
            reply = next();
        }
        match reply {
            Ok(reply) => machine.take(exchange.id, Ok(reply)),
            Err(NoReply::OnPurpose(why)) => machine.take(exchange.id, Err(Fault::failed(why))),
            // `or` does not replace a reply that does not fit, because the test would pass for the wrong reason
            Err(NoReply::Unfit(why)) => return Err(format!("{}: {why}", exchange.path)),
        }
    }
    let ended = machine.into_ended().ok_or("the run did not end: this is a bug")?;
    let line = |failure: &super::machine::StepFailure| format!("{}: {}", failure.path, failure.fault.message);
    Ok(ended.map_err(|failures| failures.iter().map(line).collect()))
}
