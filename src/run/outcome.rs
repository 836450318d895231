//! The result of a run: an answer with its evidence, or the reason of a failure.

use super::machine::StepFailure;
use crate::{
    error::{Fault, FaultKind},
    prompt::show,
    value::json::to_json,
    value::{Level, Moment, Sense, Time, Value, digest_of},
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize, Serializer};
use std::{fmt, time::Duration};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The answer as text.
    pub answer: String,
    /// True if the dialogue abstained ("I don't know").
    pub abstained: bool,
    /// The moments that support the answer.
    pub evidence: Vec<Evidence>,
    /// The answer's value; it is serialised as plain JSON.
    #[serde(serialize_with = "plain")]
    pub value: Value,
    /// The number of answered exchanges.
    pub exchanges: u64,
    /// The number of memo hits among them.
    pub memo_hits: u64,
    /// The time of the whole run, in ms.
    pub elapsed_ms: u64,
}

/// A moment that supports an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// The video's path.
    pub video: String,
    /// blake3 of the video's bytes, hex, if it is known. The file at the path may have been replaced since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The start, in seconds of presentation time.
    pub start: f64,
    /// The end, in seconds of presentation time.
    pub end: f64,
    /// Start and end in the video's own clock time, such as `08:10-09:06`, if it has a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// The date and the local time of the start (`Mon 2026-11-23 09:15:00`), if the time of the recording is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The log's text about the moment.
    pub text: String,
    /// The levels that the text rests on.
    #[serde(skip)]
    pub levels: Vec<Level>,
}

/// `HH:MM:SS.mmm-HH:MM:SS.mmm text`, with the date and time in parentheses before the text, or the video's own clock if it has no date.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", Time::from_seconds(self.start), Time::from_seconds(self.end))?;
        match &self.at {
            Some(at) => write!(f, " ({at})")?,
            None => self.clock.iter().try_for_each(|clock| write!(f, " ({clock})"))?,
        }
        write!(f, " {}", self.text)
    }
}

impl From<&Moment> for Evidence {
    fn from(moment: &Moment) -> Evidence {
        let text = moment.text.clone().unwrap_or_default();
        Evidence {
            video: moment.media.path.clone(),
            digest: Some(moment.media.digest.clone()),
            start: moment.start.seconds(),
            end: moment.end.seconds(),
            clock: moment.clock(),
            at: moment.at(),
            levels: Level::of_log(&text),
            text,
        }
    }
}

fn plain<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    to_json(value).serialize(serializer)
}

impl Outcome {
    /// The outcome of an answer's value: a text, the record of a citing `say` (`text`, `abstained`, `evidence`), or a
    /// list of these. Any other value is shown as text.
    pub fn of(value: Value) -> Outcome {
        let mut evidence = Vec::new();
        gather(&value, &mut evidence);
        let (answer, abstained) = (text(&value), abstains(&value));
        Outcome { answer, abstained, evidence, value, exchanges: 0, memo_hits: 0, elapsed_ms: 0 }
    }

    /// The levels that the evidence rests on, cheapest first.
    pub fn levels(&self) -> Vec<Level> {
        let mut levels: Vec<Level> = self.evidence.iter().flat_map(|evidence| evidence.levels.clone()).collect();
        levels.sort_unstable();
        levels.dedup();
        levels
    }
}

/// The fields of the record that a citing `say` yields.
fn citing(value: &Value) -> Option<&IndexMap<String, Value>> {
    match value {
        Value::Record(fields) if fields.contains_key("text") && fields.contains_key("evidence") => Some(fields),
        _ => None,
    }
}

fn abstains(value: &Value) -> bool {
    match value {
        Value::List(items) => !items.is_empty() && items.iter().all(abstains),
        _ => citing(value).is_some_and(|fields| fields.get("abstained") == Some(&Value::Truth(true))),
    }
}

fn gather(value: &Value, evidence: &mut Vec<Evidence>) {
    match (value, citing(value).and_then(|fields| fields.get("evidence"))) {
        (_, Some(Value::List(lines))) => {
            for found in lines.iter().filter_map(one) {
                if !evidence.contains(&found) {
                    evidence.push(found);
                }
            }
        }
        (Value::List(items), _) => items.iter().for_each(|item| gather(item, evidence)),
        _ => {}
    }
}

fn one(line: &Value) -> Option<Evidence> {
    match line {
        Value::Moment(moment) => Some(moment.into()),
        Value::Record(fields) => {
            let seconds = |name: &str| match fields.get(name) {
                Some(Value::Number(seconds)) => Some(*seconds),
                _ => None,
            };
            let words = |name: &str| fields.get(name).map(show).unwrap_or_default();
            let (start, end) = (seconds("start")?, seconds("end").or(seconds("start"))?);
            let some = |name: &str| Some(words(name)).filter(|text| !text.is_empty());
            let (clock, at) = (some("clock"), some("at"));
            let text = words("text");
            // a line of the journal has a sense
            let levels = match some("sense").and_then(|sense| Sense::of(&sense)) {
                Some(sense) => Level::of_senses(&[sense]),
                None => Level::of_log(&text),
            };
            Some(Evidence { video: words("video"), digest: digest_of(fields), start, end, clock, at, text, levels })
        }
        _ => None,
    }
}

/// A value as text for people: lists and records line by line.
fn text(value: &Value) -> String {
    match value {
        Value::List(items) => items.iter().map(text).collect::<Vec<_>>().join("\n"),
        Value::Record(fields) => match citing(value).and_then(|fields| fields.get("text")) {
            Some(said) => show(said),
            None => {
                fields.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect::<Vec<_>>().join("\n")
            }
        },
        Value::Moment(moment) => Evidence::from(moment).to_string().trim_end().to_owned(),
        Value::Truth(truth) => if *truth { "yes" } else { "no" }.to_owned(),
        other => show(other).trim().to_owned(),
    }
}

/// The reason why a run has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The message and the kind of the failure.
    pub fault: Box<Fault>,
    /// The failed steps in plan order; empty if the run ended for another reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StepFailure>,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for RunError {}

impl From<Fault> for RunError {
    fn from(fault: Fault) -> RunError {
        RunError { fault: Box::new(fault), failures: Vec::new() }
    }
}

impl From<RunError> for Fault {
    fn from(error: RunError) -> Fault {
        *error.fault
    }
}

impl RunError {
    /// The error of failed steps, in plan order. The first determines the kind: media, model, or failed.
    pub fn failed(failures: Vec<StepFailure>) -> RunError {
        let kind = match failures.first().map(|first| &first.fault.kind) {
            Some(kind @ (FaultKind::Media | FaultKind::Model)) => kind.clone(),
            _ => FaultKind::Failed,
        };
        let each = failures.iter().map(|failure| format!("{}: {}", failure.path, failure.fault));
        let mut fault = Fault::new(kind, each.collect::<Vec<_>>().join("; "));
        fault.hint = failures.iter().find_map(|failure| failure.fault.hint.clone());
        RunError { fault: Box::new(fault), failures }
    }

    /// The error of a run whose deadline passed.
    pub(crate) fn deadline(limit: Duration) -> RunError {
        Fault::new(FaultKind::Deadline, format!("the deadline of {} passed", seconds(limit))).hint(GO_ON).into()
    }

    /// The error of a run that was stopped from outside.
    pub(super) fn cancelled() -> RunError {
        Fault::new(FaultKind::Cancelled, "interrupted").hint(GO_ON).into()
    }

    /// The same error; for a stopped run, with the number of answered exchanges.
    pub(super) fn after(mut self, exchanges: u64) -> RunError {
        if matches!(self.fault.kind, FaultKind::Deadline | FaultKind::Cancelled) {
            self.fault.message =
                format!("{} after {exchanges} exchange{}", self.fault.message, if exchanges == 1 { "" } else { "s" });
        }
        self
    }
}

const GO_ON: &str = "the memo has the finished exchanges; run the command again to continue";

/// A duration as text: `90s`, `1.5s`, `250ms`.
pub(super) fn seconds(span: Duration) -> String {
    if span.as_millis() < 1000 { format!("{}ms", span.as_millis()) } else { format!("{}s", span.as_secs_f64()) }
}
