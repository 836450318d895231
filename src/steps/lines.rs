//! Lines of the journal in dialogues: the media, senses, times and lines that values name, and the check of constant ones.

use super::found;
use crate::{
    dialogue::{Data, Expr, Node, TextExpr},
    exchange::TimeSpan,
    plan::{Planning, StepError, closest},
    prompt::show,
    value::{JournalLine, LineLabel, Media, Moment, Sense, Time, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// The text of a node without templates.
fn plain(node: &Node) -> Option<&str> {
    match &node.data {
        Data::Text(text, _) if !text.contains("{{") && !text.contains("{%") => Some(text.trim()),
        _ => None,
    }
}

/// Reports constant senses that do not exist.
pub(super) fn check_senses(senses: Option<&Expr>, planning: &mut Planning<'_>) {
    let Some(Expr(node)) = senses else { return };
    let words = match &node.data {
        Data::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for (node, word) in words.iter().filter_map(|node| Some((node, plain(node)?))) {
        if Sense::of(word).is_none() {
            let message = format!("found sense `{word}`, expected one of {}", sense_words());
            let hint = closest(word, Sense::ALL.iter().map(|sense| sense.word()));
            planning.problem("wrong-value", node.pos, message, hint);
        }
    }
}

/// Reports a constant text that names no media: only `all` does.
pub(super) fn check_media(media: Option<&Expr>, key: &str, planning: &mut Planning<'_>) {
    let Some(Expr(node)) = media else { return };
    if let Some(word) = plain(node).filter(|word| *word != "all") {
        let message = format!("found `{word}` for `{key}`, expected a video, a list of videos, or `all`");
        let hint = format!("a template names an input or a step: `{key}: \"{{{{ video }}}}\"`");
        planning.problem("wrong-value", node.pos, message, Some(hint));
    }
}

/// Reports a constant text that is neither empty nor what `fits` accepts.
pub(super) fn check_text(
    text: Option<&TextExpr>,
    key: &str,
    expected: &str,
    fits: impl Fn(&str) -> bool,
    planning: &mut Planning<'_>,
) {
    let Some(TextExpr(Expr(node))) = text else { return };
    if let Some(word) = plain(node).filter(|word| !word.is_empty() && !fits(word)) {
        planning.problem("wrong-value", node.pos, format!("found `{word}` for `{key}`, expected {expected}"), None);
    }
}

fn sense_words() -> String {
    Sense::ALL.iter().map(|sense| sense.word()).collect::<Vec<_>>().join(", ")
}

pub(super) fn medium(value: &Value, key: &str) -> Result<Arc<Media>, StepError> {
    match value {
        Value::Video(media) | Value::Audio(media) => Ok(media.clone()),
        other => Err(StepError(format!("found {} for `{key}`, expected a video or a sound", found(other)))),
    }
}

/// The digests of the media to read; none for `all`.
pub(super) fn digests(value: &Value) -> Result<Vec<String>, StepError> {
    match value {
        Value::Text(all) if all == "all" => Ok(Vec::new()),
        Value::List(items) => items.iter().map(|item| Ok(medium(item, "read")?.digest.clone())).collect(),
        one => Ok(vec![medium(one, "read")?.digest.clone()]),
    }
}

/// The senses that a text or a list names.
pub(super) fn senses_of(value: &Value) -> Result<Vec<Sense>, StepError> {
    let one = |word: &Value| {
        let word = show(word);
        let wrong = || StepError(format!("found sense `{word}`, expected one of {}", sense_words()));
        Sense::of(word.trim()).ok_or_else(wrong)
    };
    match value {
        Value::Nothing => Ok(Vec::new()),
        Value::List(words) => words.iter().map(one).collect(),
        word => Ok(vec![one(word)?]),
    }
}

/// Stretches of presentation time from records with `from` and `to`.
pub(super) fn stretches(value: &Value) -> Result<Vec<TimeSpan>, StepError> {
    let Value::List(items) = value else { return Ok(Vec::new()) };
    let one = |item: &Value| {
        let Value::Record(fields) = item else {
            return Err(StepError(format!("found {} in `within`, expected records with `from` and `to`", found(item))));
        };
        Ok(TimeSpan::Played(number(fields, "from")?, number(fields, "to")?))
    };
    items.iter().map(one).collect()
}

fn number(fields: &IndexMap<String, Value>, name: &str) -> Result<f64, StepError> {
    match fields.get(name) {
        Some(Value::Number(number)) if number.is_finite() => Ok(*number),
        _ => Err(StepError(format!("found a record without the number `{name}`, expected seconds"))),
    }
}

/// The lines that a list of moments or records holds, in order of time. Those without text are left out.
pub(crate) fn lines_of(
    value: &Value,
    medium: &Arc<Media>,
    usual: Option<Sense>,
) -> Result<Vec<JournalLine>, StepError> {
    let items = match value {
        Value::Nothing => return Ok(Vec::new()),
        Value::List(items) => items,
        other => return Err(StepError(format!("found {} for `add`, expected a list of lines", found(other)))),
    };
    let lines = items.iter().map(|item| line(item, medium, usual)).collect::<Result<Vec<_>, _>>()?;
    let mut lines: Vec<JournalLine> = lines.into_iter().filter(|line| !line.text.trim().is_empty()).collect();
    lines.sort_by(|a, b| a.moment.start.cmp(&b.moment.start).then(a.moment.end.cmp(&b.moment.end)));
    Ok(lines)
}

pub(super) fn line(item: &Value, medium: &Arc<Media>, usual: Option<Sense>) -> Result<JournalLine, StepError> {
    let none = || StepError("found a line without `sense`, expected one, or `senses` in the step".to_owned());
    let bare = |start: Time, end: Time| Moment { media: medium.clone(), start, end, text: None };
    match item {
        Value::Moment(moment) => Ok(JournalLine {
            moment: bare(moment.start, moment.end),
            sense: usual.ok_or_else(none)?,
            text: moment.text.clone().unwrap_or_default(),
            labels: Vec::new(),
        }),
        Value::Record(fields) => {
            let moment = match fields.get("moment") {
                Some(Value::Moment(moment)) => bare(moment.start, moment.end),
                _ => bare(Time::from_seconds(number(fields, "start")?), Time::from_seconds(number(fields, "end")?)),
            };
            if moment.end < moment.start {
                return Err(StepError(format!(
                    "found a line that ends at {} before it starts at {}",
                    moment.end, moment.start
                )));
            }
            let own = match fields.get("sense") {
                Some(word) => senses_of(word)?.first().copied(),
                None => None,
            };
            let labels = match fields.get("labels") {
                Some(Value::List(labels)) => labels.iter().map(label).collect::<Result<_, _>>()?,
                _ => Vec::new(),
            };
            let text = fields.get("text").map(show).unwrap_or_default();
            Ok(JournalLine { moment, sense: own.or(usual).ok_or_else(none)?, text, labels })
        }
        other => Err(StepError(format!("found {} in `add`, expected moments or records", found(other)))),
    }
}

fn label(value: &Value) -> Result<LineLabel, StepError> {
    match value {
        Value::Scored(scored) => {
            Ok(LineLabel { text: scored.text.clone(), score: Some(scored.probability), role: None })
        }
        Value::Record(fields) => Ok(LineLabel {
            // boxes have a `label`
            text: fields.get("text").or(fields.get("label")).map(show).unwrap_or_default(),
            score: match ["score", "probability", "share"].iter().find_map(|name| fields.get(*name)) {
                Some(Value::Number(score)) => Some(*score as f32),
                _ => None,
            },
            role: fields.get("role").map(show).filter(|role| !role.is_empty()),
        }),
        Value::Text(text) => Ok(LineLabel { text: text.clone(), score: None, role: None }),
        other => Err(StepError(format!("found {} in `labels`, expected labels", found(other)))),
    }
}
