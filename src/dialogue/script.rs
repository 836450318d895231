//! Scripted replies: what a test or a scripted agent answers to a request. Pure.

use super::{Expr, ScriptReply, ScriptWritten, TestWritten, yaml::Data};
use crate::{
    exchange::{
        EmbedRequest, Finish, FramesRequest, HearRequest, Item, RankRequest, Reply, Request, SayReply, SayRequest,
        Speech,
    },
    value::{Media, Moment, Scored, Time, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// The scripted replies of one test, by role.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScriptedReplies {
    roles: IndexMap<String, ScriptWritten>,
}

impl ScriptedReplies {
    /// The replies of a test.
    pub fn of(test: &TestWritten) -> ScriptedReplies {
        let roles = test.script.iter().flatten().map(|(role, script)| (role.value.clone(), script.clone()));
        ScriptedReplies { roles: roles.collect() }
    }

    /// The reply to the `ordinal`-th request (from 0, in plan order) made of `role`.
    pub fn reply(&self, role: &str, request: &Request, ordinal: usize) -> Result<Reply, String> {
        match self.roles.get(role) {
            Some(script) => script.reply(request, ordinal),
            // a test that says nothing of its video has one moment in it
            None if role == "media" => reply_to(request, &ScriptReply::Count(1)),
            None => Err(format!("the test scripts no replies for `{role}`")),
        }
    }
}

impl ScriptWritten {
    /// The reply to the `ordinal`-th request (from 0).
    pub fn reply(&self, request: &Request, ordinal: usize) -> Result<Reply, String> {
        match self {
            ScriptWritten::InOrder(replies) => match replies.get(ordinal) {
                Some(reply) => reply_to(request, reply),
                None => Err(format!("request {} came, but the script holds {} replies", ordinal + 1, replies.len())),
            },
            ScriptWritten::ByPiece(replies) => {
                let shown = shown(request);
                match replies.iter().find(|(piece, _)| shown.contains(piece.as_str())) {
                    Some((_, reply)) => reply_to(request, reply),
                    None => Err(format!("no piece of the script occurs in: {shown}")),
                }
            }
        }
    }
}

/// What of a request a script may look for.
fn shown(request: &Request) -> String {
    let item = |item: &Item| match item {
        Item::Text(text) => text.clone(),
        Item::Image(image) => image.path.clone(),
        Item::Frame(moment) | Item::Sound(moment) => format!("{}@{}", moment.media.path, moment.start),
    };
    match request {
        Request::Rank(RankRequest { what, texts, .. }) => format!("{}\n{}", item(what), texts.join("\n")),
        Request::Say(SayRequest { messages, .. }) => {
            messages.iter().map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n")
        }
        Request::Hear(HearRequest { audio, .. }) => audio.path.clone(),
        Request::Embed(EmbedRequest { what }) => item(what),
        Request::Frames(FramesRequest { video, .. }) => video.path.clone(),
    }
}

/// A scripted reply as the reply to this request.
fn reply_to(request: &Request, scripted: &ScriptReply) -> Result<Reply, String> {
    match (request, scripted) {
        (Request::Say(SayRequest { choices, .. }), ScriptReply::Text(text)) => {
            if !choices.is_empty() && !choices.contains(text) {
                return Err(format!("the script says `{text}`, which is none of the choices {}", choices.join(", ")));
            }
            Ok(Reply::Say(SayReply { text: text.clone(), tokens: Vec::new(), finish: Finish::Stop }))
        }
        (Request::Rank(RankRequest { among, .. }), ScriptReply::Text(winner)) => {
            ranked(among, &IndexMap::from([(winner.clone(), 1.0)]))
        }
        (Request::Rank(RankRequest { among, .. }), ScriptReply::Scores(scores)) => ranked(among, scores),
        (Request::Hear(HearRequest { audio, start, end, .. }), ScriptReply::Text(text)) => {
            let (start, end) = (start.unwrap_or(audio.start), end.unwrap_or(audio.end));
            Ok(Reply::Hear(vec![Speech { start, end, text: text.clone() }]))
        }
        (Request::Hear(_), ScriptReply::Segments(segments)) => {
            let heard = |s: &super::ScriptSegment| Speech {
                start: Time::from_seconds(s.start),
                end: Time::from_seconds(s.end),
                text: s.text.clone(),
            };
            Ok(Reply::Hear(segments.iter().map(heard).collect()))
        }
        (Request::Embed(_), ScriptReply::Numbers(numbers)) => {
            Ok(Reply::Embed(numbers.iter().map(|x| *x as f32).collect()))
        }
        (Request::Frames(FramesRequest { video, .. }), scripted) => moments(video, scripted),
        (request, _) => Err(format!("the script's reply does not fit a `{:?}` request", request.kind()).to_lowercase()),
    }
}

/// Scores for every candidate; candidates that the script leaves out score 0. Probabilities are the scores' shares.
fn ranked(among: &[String], scores: &IndexMap<String, f64>) -> Result<Reply, String> {
    if let Some(unknown) = scores.keys().find(|label| !among.contains(label)) {
        return Err(format!("the script ranks `{unknown}`, which is not among {}", among.join(", ")));
    }
    let total: f64 = scores.values().map(|score| score.max(0.0)).sum();
    let scored = among.iter().map(|label| {
        let score = scores.get(label).copied().unwrap_or(0.0);
        let probability = if total > 0.0 { score.max(0.0) / total } else { 1.0 / among.len() as f64 };
        Scored { text: label.clone(), score: score as f32, probability: probability as f32 }
    });
    Ok(Reply::Rank(scored.collect()))
}

fn moments(video: &Arc<Media>, scripted: &ScriptReply) -> Result<Reply, String> {
    let moment = |start, end| Moment { media: video.clone(), start, end, text: None };
    let starts: Vec<f64> = match scripted {
        ScriptReply::Numbers(starts) => starts.clone(),
        ScriptReply::Count(count) => {
            let (start, end) = (video.start.seconds(), video.end.seconds());
            (0..*count).map(|i| start + (end - start) * i as f64 / *count as f64).collect()
        }
        ScriptReply::Segments(segments) => {
            let of = |s: &super::ScriptSegment| moment(Time::from_seconds(s.start), Time::from_seconds(s.end));
            return Ok(Reply::Frames(segments.iter().map(of).collect()));
        }
        _ => return Err("the script of `media` holds neither a count, nor times, nor {start, end}".into()),
    };
    let ends = starts.iter().skip(1).map(|end| Time::from_seconds(*end)).chain([video.end]);
    Ok(Reply::Frames(starts.iter().zip(ends).map(|(start, end)| moment(Time::from_seconds(*start), end)).collect()))
}

impl TestWritten {
    /// What is wrong with this answer, one line for each difference; empty if it is as expected.
    pub fn differences(&self, answer: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let field = |name: &str| match answer {
            Value::Record(fields) => fields.get(name),
            _ => None,
        };
        if let Some(expected) = &self.expect.answer {
            let answer = field("text").unwrap_or(answer);
            compare("answer", &plain(expected), Some(answer), &mut found);
        }
        if let Some(expected) = &self.expect.abstained {
            compare("abstained", &Value::Truth(expected.value), field("abstained"), &mut found);
        }
        if let Some(expected) = &self.expect.evidence {
            let items = match field("evidence") {
                Some(Value::List(items)) => items.as_slice(),
                _ => &[],
            };
            if items.len() != expected.len() {
                found.push(format!("evidence: found {} entries, expected {}", items.len(), expected.len()));
            }
            for (i, (expected, item)) in expected.iter().zip(items).enumerate() {
                compare_entry(i + 1, &plain(expected), item, &mut found);
            }
        }
        found
    }
}

fn compare(what: &str, expected: &Value, found: Option<&Value>, differences: &mut Vec<String>) {
    let text = |value: &Value| crate::value::json::to_json(value).to_string();
    let expected = text(expected);
    match found.map(text) {
        Some(found) if found == expected => {}
        Some(found) => differences.push(format!("{what}: found {}, expected {}", brief(&found), brief(&expected))),
        None => differences.push(format!("{what}: found nothing, expected {}", brief(&expected))),
    }
}

/// What a person would still read of a long text.
fn brief(text: &str) -> String {
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

fn compare_entry(number: usize, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    // a moment has the fields that people see of it
    let found = &match found {
        Value::Moment(_) => crate::value::json::from_json(&crate::value::json::to_json(found)),
        other => other.clone(),
    };
    let field = |name: &str| match found {
        Value::Record(fields) => fields.get(name),
        _ => None,
    };
    match expected {
        Value::Record(fields) => {
            for (name, value) in fields {
                compare(&format!("evidence {number} {name}"), value, field(name), differences);
            }
        }
        text => compare(&format!("evidence {number}"), text, field("text").or(Some(found)), differences),
    }
}

/// A written value without templates, as it stands.
pub fn plain(expr: &Expr) -> Value {
    fn value(node: &super::Node) -> Value {
        match &node.data {
            Data::Null => Value::Nothing,
            Data::Bool(truth) => Value::Truth(*truth),
            Data::Number(number) => Value::Number(*number),
            Data::Text(text, _) => Value::Text(text.clone()),
            Data::List(items) => Value::List(items.iter().map(value).collect()),
            Data::Map(entries) => Value::Record(entries.iter().map(|(key, v)| (key.name.clone(), value(v))).collect()),
        }
    }
    value(&expr.0)
}
