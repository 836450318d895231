//! Finds the verb of a step, and reports a missing, second or unknown verb.

use super::{Planning, USER, Verb, VerbRow};
use crate::{
    dialogue::{At, COMMON_KEYS, Pos, Reading, StepWritten, YamlKey, merge_key},
    exchange::Kind,
    problem::closest,
};

impl Planning<'_> {
    /// The place of the step that is being read: `DIALOGUE.STEP`. It stays the same when the file moves.
    pub fn writer(&self) -> String {
        format!("{}.{}", self.dialogue, self.step)
    }

    /// The role that `ask_user` asks if it names none: `user` of the cast, or else the user of the run. The truth says that it is the
    /// user of the run.
    pub fn user(&mut self, pos: Pos) -> Option<(String, bool)> {
        match self.cast.agents.contains_key(USER) {
            true => self.role(&At { value: USER.to_owned(), pos }, Kind::AskUser).map(|role| (role.role, false)),
            false => Some((USER.to_owned(), true)),
        }
    }
}

/// Reads the verb of a step. A missing or unreadable verb is reported and gives `None`; the name of a missing verb is
/// empty.
pub(super) fn read(step: &StepWritten, planning: &mut Planning<'_>) -> (&'static str, Option<Box<dyn Verb>>) {
    let verbs = planning.shared.verbs;
    let row = |name: &str| verbs.iter().find(|row| row.name == name);
    let is_verb = |key: &YamlKey| row(&key.name).is_some();
    let Some((key, value)) = step.rest.iter().find(|(key, _)| is_verb(key)).or_else(|| step.rest.first()) else {
        let hint = Some(format!("the verbs are {}", names(verbs)));
        planning.problem("missing-verb", step.pos, "found a step without a verb, expected one".into(), hint);
        return ("", None);
    };
    for (extra, _) in step.rest.iter().filter(|(extra, _)| extra.name != key.name) {
        if is_verb(extra) {
            let message = format!("found a second verb `{}` beside `{}`, expected one in a step", extra.name, key.name);
            planning.problem("too-many", extra.pos, message, None);
        } else {
            unknown(extra, planning);
        }
    }
    let Some(row) = row(&key.name) else {
        unknown(key, planning);
        return ("", None);
    };
    planning.verb_pos = key.pos;
    let mut reading = Reading::new(&planning.file);
    let verb = row.read(value, &mut reading);
    planning.shared.take(reading.problems);
    (row.name, verb)
}

fn names(verbs: &[VerbRow]) -> String {
    verbs.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

fn unknown(key: &YamlKey, planning: &mut Planning<'_>) {
    let verbs = planning.shared.verbs;
    let known = verbs.iter().map(|row| row.name).chain(COMMON_KEYS.iter().copied());
    let word = key.name.to_lowercase();
    let other = || verbs.iter().find(|row| row.also.contains(&word.as_str()));
    let near = merge_key(&key.name)
        .or_else(|| closest(&key.name, known))
        .or_else(|| other().map(|row| format!("did you mean `{}`?", row.name)));
    let hint = near.unwrap_or_else(|| format!("the verbs are {}", names(verbs)));
    planning.problem(
        "unknown-verb",
        key.pos,
        format!("found unknown verb or key `{}` in a step", key.name),
        Some(hint),
    );
}
