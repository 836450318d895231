//! Dialogues, agent files and casts exactly as written: YAML as types, each value with its position. This is the only
//! module that knows YAML. It reads texts, never files; callers pass texts through [`Library`].

mod agent_file;
mod answers;
mod decode;
mod file;
mod hearing;
mod keys;
mod library;
mod replies;
mod resource;
mod script;
mod slips;
mod span;
mod written;
mod yaml;

pub use crate::problem::Pos;
pub use agent_file::{
    AgentFile, CastFile, EndpointWritten, LimitsWritten, ModelWritten, PersonWritten, TranslateWritten, WhoWritten,
    is_device,
};

pub use decode::DecodeWritten;
pub(crate) use decode::{settings_schema, texts};
pub(crate) use file::name_steps;
pub use file::{
    COMMON_KEYS, CastWritten, Common, DialogueFile, ExpectWritten, InputWritten, RESERVED, StepWritten, TestWritten,
    Version,
};
pub use hearing::HearingWritten;
pub use keys::Keys;
pub(crate) use keys::written;
pub use library::{CallRefused, Called, Caller, Library, MemoryLibrary, SourceText, call_key, plain_name};
pub use resource::Resource;
pub use script::{ScriptState, ScriptedReplies, plain};
pub use span::{NoSpan, PATTERN as SPAN_PATTERN, Span, USAGE as SPAN_USAGE};
pub(crate) use written::merge_key;
pub use written::{At, Expr, NumberExpr, Required, RoleNames, TextExpr, Written, text_node};
pub use yaml::{Data, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, TextStyle, YamlKey};

use crate::problem::{MAX_PROBLEMS, Problem};
use indexmap::IndexSet;
use std::sync::Arc;

/// The file that is being read, and its problems so far.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The problems, in the order of their discovery.
    pub problems: Vec<Problem>,
}

impl Reading {
    /// Starts reading `file`.
    pub fn new(file: &str) -> Reading {
        Reading { file: file.into(), problems: Vec::new() }
    }

    /// Reports a problem at `pos`. Problems beyond [`MAX_PROBLEMS`] are dropped.
    pub fn problem(&mut self, code: &str, pos: Pos, message: String, hint: Option<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        self.problems.push(Problem::new(code, &self.file, pos, message, hint));
    }
}

/// Reads a whole text as `T`. Fails with every problem, in order of position.
fn whole<T: Written>(source: &str, file: &str) -> Result<T, Vec<Problem>> {
    let mut reading = Reading::new(file);
    let read = yaml::read(source, &mut reading).and_then(|root| T::read(&root, &mut reading));
    match read {
        Some(read) if reading.problems.is_empty() => Ok(read),
        _ => Err(in_order(reading.problems)),
    }
}

/// Reads a text as a tree with positions. JSON is a subset of YAML.
pub(crate) fn tree(source: &str, file: &str) -> Result<Node, Vec<Problem>> {
    let mut reading = Reading::new(file);
    match yaml::read(source, &mut reading) {
        Some(root) if reading.problems.is_empty() => Ok(root),
        _ => Err(reading.problems),
    }
}

/// The tree as plain JSON.
pub(crate) fn json_of(node: &Node) -> serde_json::Value {
    crate::value::json::to_json(&plain(&Expr(node.clone())))
}

/// Converts a text to plain JSON, for validation against a schema.
pub fn to_json(source: &str, file: &str) -> Result<serde_json::Value, Vec<Problem>> {
    let mut reading = Reading::new(file);
    match yaml::read(source, &mut reading) {
        Some(root) => Ok(crate::value::json::to_json(&plain(&Expr(root)))),
        None => Err(reading.problems),
    }
}

/// Sorts problems by file, line and column, and drops repeated ones.
pub fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let place = |p: &Problem| (p.file.clone(), p.line, p.column);
    problems.sort_by_key(place);
    problems.dedup();
    problems
}

/// A dialogue as written, with its source text.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialogue {
    /// The file as the user named it.
    pub file: String,
    /// The whole text.
    pub source: String,
    /// The content.
    pub written: DialogueFile,
}

/// Reads a dialogue.
pub fn load(source: &str, file: &str) -> Result<Dialogue, Vec<Problem>> {
    match load_partly(source, file) {
        (Some(dialogue), problems) if problems.is_empty() => Ok(dialogue),
        (_, problems) => Err(in_order(problems)),
    }
}

/// Reads a dialogue as far as possible: the understood part, and every problem so far. The check continues with
/// the understood part, so that an error in one step does not hide the problems of other steps.
pub fn load_partly(source: &str, file: &str) -> (Option<Dialogue>, Vec<Problem>) {
    let mut reading = Reading::new(file);
    let read = yaml::read(source, &mut reading).and_then(|root| DialogueFile::read(&root, &mut reading));
    if let Some(written) = &read {
        let has = [
            ("version", written.version.is_some(), Some("start the file with `version: 1`")),
            ("dialogue", written.dialogue.is_some(), Some("give the dialogue a name: `dialogue: my-dialogue`")),
            ("answer", written.answer.is_some(), Some("state the result of the dialogue: `answer: \"{{ step }}\"`")),
        ];
        for (key, _, hint) in has.iter().filter(|(_, has, _)| !has) {
            // an unreadable value already has its own problem
            let written = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
            if !source.lines().any(written) {
                let message = format!("found no key `{key}` in a dialogue");
                reading.problem("missing-key", Pos { line: 1, column: 1 }, message, hint.map(str::to_owned));
            }
        }
    }
    let dialogue = read.map(|written| Dialogue { file: file.to_owned(), source: source.to_owned(), written });
    (dialogue, reading.problems)
}

/// Reads an agent file (`agents/NAME.yaml`).
pub fn agent_file(source: &str, file: &str) -> Result<AgentFile, Vec<Problem>> {
    let agent: AgentFile = whole(source, file)?;
    agent.check(file)?;
    Ok(agent)
}

/// Reads a cast file (`casts/NAME.yaml`): which agent plays which role.
pub fn cast(source: &str, file: &str) -> Result<CastFile, Vec<Problem>> {
    whole(source, file)
}

/// A line of a list of meanings: a label and its meaning, `label: meaning`; none for an empty line and a comment. The
/// error says what was found.
pub fn sense(line: &str) -> Result<Option<(&str, &str)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    match line.split_once(": ").map(|(label, meaning)| (label.trim(), meaning.trim())) {
        Some((label, meaning)) if !label.is_empty() && !meaning.is_empty() => Ok(Some((label, meaning))),
        _ => Err(format!("found `{line}`, expected `label: meaning`")),
    }
}

/// Maximum number of labels in a list. A model reads each label once.
pub const MAX_LABELS: usize = 100_000;

/// Reads a label list (`vocab/NAME.txt`) with one label on each line. Empty lines and lines that start with `#` are
/// skipped, and a repeated label counts once: its share of the probability would be divided.
pub fn labels(source: &str) -> Vec<String> {
    // Some editors begin a file with a byte order mark.
    let lines = source.trim_start_matches('\u{feff}').lines().map(str::trim);
    let labels: IndexSet<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    labels.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
