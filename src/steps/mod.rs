//! The verbs of the language: one file for each verb, and one list. A file holds the verb as written, its check, its
//! behaviour and its tests.

mod ask_user;
mod asked;
mod call;
pub mod cite;
mod compute;
mod decoding;
mod detect;
mod digest;
mod embed;
mod entries;
mod frames;
mod gather;
mod grounds;
mod hear;
mod journal;
mod lines;
mod look;
mod r#loop;
mod prompted;
mod rank;
mod restricted;
mod say;
mod search;

pub(crate) use lines::lines_of;

use crate::{
    exchange::Reply,
    plan::{Answered, CompileOptions, StepError, VerbRow},
    value::Value,
};

/// The verbs of this version, with the words for them in other tools.
pub const VERBS: &[VerbRow] = &[
    VerbRow::new::<frames::Frames>("frames", &["sample", "extract", "video", "moments", "images"]),
    VerbRow::new::<rank::Rank>("rank", &["classify", "score", "choose", "match", "compare", "label", "clip"]),
    VerbRow::new::<say::Say>(
        "say",
        &["speak", "tell", "ask", "answer", "prompt", "generate", "complete", "chat", "llm", "write"],
    ),
    VerbRow::new::<look::Look>("look", &["describe", "caption", "vqa", "see", "vision"]),
    VerbRow::new::<detect::Detect>("detect", &["locate", "boxes", "objects", "box", "ground", "segment"]),
    VerbRow::new::<hear::Hear>("hear", &["listen", "transcribe", "speech", "whisper"]),
    VerbRow::new::<journal::JournalVerb>("journal", &["log", "record", "history", "memory", "store", "append", "save"]),
    VerbRow::new::<search::Search>("search", &["find", "retrieve", "query", "lookup", "grep", "rag"]),
    VerbRow::new::<digest::Digest>("digest", &["summarize", "summarise", "summary", "reduce", "condense", "tldr"]),
    VerbRow::new::<embed::Embed>("embed", &["embedding", "vector", "encode"]),
    VerbRow::new::<compute::Compute>("compute", &["set", "let", "eval", "expression", "template", "value", "return"]),
    VerbRow::new::<ask_user::AskUser>("ask_user", &["input", "human", "person", "user", "prompt_user", "confirm"]),
    VerbRow::new::<r#loop::Loop>("loop", &["repeat", "while", "until", "for", "iterate"]),
    VerbRow::new::<call::Call>("call", &["include", "run", "use", "import", "dialogue"]),
];

/// Without a cast or other changes, and with the verbs of this version.
impl Default for CompileOptions {
    fn default() -> CompileOptions {
        CompileOptions {
            cast: None,
            roles: Default::default(),
            labels: Default::default(),
            dialogues: Default::default(),
            path: None,
            verbs: VERBS,
        }
    }
}

/// The part of an optional key. The outer option says whether the key was written, the inner one whether it was
/// readable; `None` if it was written and not readable.
fn readable<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    part.map_or(Some(None), |part| part.map(Some))
}

/// The replies to the only turn with requests; `None` before that turn.
fn replies(answered: &[Answered]) -> Option<&[Reply]> {
    match answered.first() {
        Some(Answered::Replies(replies)) => Some(replies),
        _ => None,
    }
}

/// The error for a reply of another kind than the request.
fn misfit(expected: &str) -> StepError {
    StepError(format!("found a reply of another kind from the agent, expected a `{expected}` reply"))
}

/// The type of a value as text, for messages.
fn found(value: &Value) -> String {
    match value {
        Value::Nothing => "nothing".into(),
        other => other.ty().to_string(),
    }
}

/// The whole number that a template gave.
fn whole(value: &Value, what: &str) -> Result<usize, StepError> {
    match value {
        Value::Number(number) if number.fract() == 0.0 && (0.0..=1e9).contains(number) => Ok(*number as usize),
        other => Err(StepError(format!("found {} for `{what}`, expected a whole number", crate::prompt::show(other)))),
    }
}
