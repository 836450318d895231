//! Parts of `say` that restrict a reply or its prompt: `schema`, `regex`, `scores` and `overflow`.

use crate::{
    dialogue::At,
    exchange::{ChoiceScore, LeaveOut, Overflow, SayReply},
    grammar::Restriction,
    plan::{Planning, StepError},
    value::{Scored, Value},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The JSON Schema of `schema`, for editors.
#[derive(Debug)]
pub(super) struct SchemaOrName;

impl JsonSchema for SchemaOrName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "SchemaOrName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["object", "string", "boolean"] })
    }
}

/// The regular expression, if it can be used.
pub(super) fn checked(regex: &At<String>, planning: &mut Planning<'_>) -> Option<String> {
    match Restriction::Regex(regex).check() {
        Ok(()) => Some(regex.value.clone()),
        Err(unfit) => {
            planning.problem("bad-regex", regex.pos, unfit.message, unfit.hint);
            None
        }
    }
}

/// The JSON Schema of `overflow`, for editors.
#[derive(Debug)]
pub(super) struct OverflowWord;

impl JsonSchema for OverflowWord {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "OverflowWord".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["refuse", "oldest", "middle"] })
    }
}

/// The place of the list's lines in the prompt. Fails if the prompt does not show them as they are, exactly once.
pub(super) fn overflow(first: LeaveOut, prompt: &str, lines: &str, message: usize) -> Result<Overflow, StepError> {
    match prompt.match_indices(lines).collect::<Vec<_>>().as_slice() {
        [(start, _)] => Ok(Overflow { first, message, start: *start, end: start + lines.len() }),
        found => Err(StepError(format!(
            "found the lines of `log` {} times in the prompt, expected once and unchanged (some may be left out)",
            found.len()
        ))),
    }
}

/// The choices with their scores, most likely first. Fails if the agent gave none.
pub(super) fn scored(said: &SayReply) -> Result<Value, StepError> {
    if said.scores.is_empty() {
        return Err(StepError(
            "found no scores in the reply: only local models give them; remove `scores: true`".into(),
        ));
    }
    let most = said.scores.iter().map(|choice| choice.logprob).fold(f32::NEG_INFINITY, f32::max);
    let share = |choice: &ChoiceScore| (choice.logprob - most).exp();
    let sum: f32 = said.scores.iter().map(share).sum();
    let mut sorted: Vec<&ChoiceScore> = said.scores.iter().collect();
    sorted.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
    let value = |choice: &ChoiceScore| {
        let (text, score) = (choice.text.clone(), choice.logprob);
        Value::Scored(Scored { text, score, probability: share(choice) / sum, floor: None })
    };
    Ok(Value::List(sorted.into_iter().map(value).collect()))
}
