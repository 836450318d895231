//! Scripted replies: what a test or a scripted agent answers to a request. Pure.

use super::{Expr, ScriptReply, ScriptWritten, TestWritten, yaml::Data};
use crate::{
    exchange::{
        EmbedRequest, Finish, FramesRequest, HearRequest, Item, Kind, RankRequest, Reply, Request, SayReply,
        SayRequest, Speech,
    },
    value::{Media, Moment, Scored, Time, Value},
};
use indexmap::IndexMap;
use std::{collections::BTreeSet, sync::Arc};

/// The scripted replies of one test, by role.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScriptedReplies {
    roles: IndexMap<String, ScriptWritten>,
}

/// What was asked of one role so far.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    requests: usize,
    /// The pieces of its script that occurred, by place.
    pieces: BTreeSet<usize>,
}

/// Why a script gives no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The script says so: `{ fail: why }`.
    #[error("{0}")]
    OnPurpose(String),
    /// The script and the request do not fit together: the test is wrong.
    #[error("{0}")]
    Unfit(String),
}

impl ScriptedReplies {
    /// The replies of a test.
    pub fn of(test: &TestWritten) -> ScriptedReplies {
        let roles = test.script.iter().flatten().map(|(role, script)| (role.value.clone(), script.clone()));
        ScriptedReplies { roles: roles.collect() }
    }

    /// The reply to the `ordinal`-th request (from 0, in plan order) made of `role`.
    pub fn reply(&self, role: &str, request: &Request, ordinal: usize) -> Result<Reply, NoReply> {
        match self.roles.get(role) {
            Some(script) => script.reply(request, ordinal),
            // a test that says nothing of its video has one moment in it
            None if role == "media" => reply_to(request, &ScriptReply::Count(1)).map_err(NoReply::Unfit),
            None => Err(NoReply::Unfit(format!("the test scripts no replies for `{role}`"))),
        }
    }

    /// The reply to the next request of `role`; what was asked is counted in `asked`.
    pub fn next(&self, role: &str, request: &Request, asked: &mut Asked) -> Result<Reply, NoReply> {
        let ordinal = asked.requests;
        asked.requests += 1;
        if let Some(ScriptWritten::ByPiece(replies)) = self.roles.get(role) {
            asked.pieces.extend(matching(replies, request));
        }
        self.reply(role, request, ordinal)
    }

    /// Each reply that no request asked for, in words.
    pub fn unused(&self, asked: &IndexMap<String, Asked>) -> Vec<String> {
        let none = Asked::default();
        let of = |(role, script): (&String, &ScriptWritten)| {
            let unused = script.unused(asked.get(role).unwrap_or(&none));
            unused.into_iter().map(|what| format!("script of `{role}`: {what}")).collect::<Vec<_>>()
        };
        self.roles.iter().flat_map(of).collect()
    }
}

impl ScriptWritten {
    /// The replies, in the order in which they are written.
    pub fn replies(&self) -> Box<dyn Iterator<Item = &ScriptReply> + '_> {
        match self {
            ScriptWritten::InOrder(replies) => Box::new(replies.iter()),
            ScriptWritten::ByPiece(replies) => Box::new(replies.iter().map(|(_, reply)| reply)),
        }
    }

    /// The reply to the `ordinal`-th request (from 0).
    pub fn reply(&self, request: &Request, ordinal: usize) -> Result<Reply, NoReply> {
        let reply = match self {
            ScriptWritten::InOrder(replies) => replies.get(ordinal).ok_or_else(|| {
                let many = if replies.len() == 1 { "reply" } else { "replies" };
                format!(
                    "request {} came, but the script holds {} {many}: {}",
                    ordinal + 1,
                    replies.len(),
                    shown(request)
                )
            }),
            ScriptWritten::ByPiece(replies) => {
                let found = matching(replies, request).map(|place| &replies[place].1);
                found.ok_or_else(|| {
                    let pieces: Vec<String> = replies.iter().map(|(piece, _)| format!("`{piece}`")).collect();
                    format!("no piece of the script ({}) occurs in: {}", pieces.join(", "), shown(request))
                })
            }
        };
        match reply.map_err(NoReply::Unfit)? {
            ScriptReply::Fail(why) => Err(NoReply::OnPurpose(why.clone())),
            reply => reply_to(request, reply).map_err(NoReply::Unfit),
        }
    }

    /// What was not asked for, in words. A piece `""` beside others is for all the rest and may stay unused.
    fn unused(&self, asked: &Asked) -> Vec<String> {
        match self {
            ScriptWritten::InOrder(replies) => {
                let left = replies.iter().enumerate().skip(asked.requests);
                left.map(|(i, reply)| format!("reply {} was not asked for: {}", i + 1, reply.brief())).collect()
            }
            ScriptWritten::ByPiece(replies) => {
                let wanted = |(piece, _): &(String, ScriptReply)| !piece.is_empty() || replies.len() == 1;
                let left = replies.iter().enumerate().filter(|(i, one)| !asked.pieces.contains(i) && wanted(one));
                let line = |(_, (piece, reply)): (usize, &(String, ScriptReply))| match piece.as_str() {
                    "" => format!("nothing was asked of it, so its reply is unused: {}", reply.brief()),
                    piece => format!("no request contains the piece `{piece}`"),
                };
                left.map(line).collect()
            }
        }
    }
}

/// Which of the pieces answers this request.
fn matching(replies: &[(String, ScriptReply)], request: &Request) -> Option<usize> {
    let shown = shown(request);
    replies.iter().position(|(piece, _)| shown.contains(piece.as_str()))
}

impl ScriptReply {
    /// The reply in a few words.
    pub fn brief(&self) -> String {
        match self {
            ScriptReply::Text(text) => format!("`{}`", brief(text)),
            ScriptReply::Scores(scores) => {
                format!("scores for {}", scores.keys().cloned().collect::<Vec<_>>().join(", "))
            }
            ScriptReply::Segments(segments) => format!("{} segments", segments.len()),
            ScriptReply::Count(count) => count.to_string(),
            ScriptReply::Numbers(numbers) => format!("{} numbers", numbers.len()),
            ScriptReply::Fail(why) => format!("the failure `{}`", brief(why)),
        }
    }

    /// True if it can answer a request of this kind.
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            ScriptReply::Text(_) => matches!(kind, Kind::Say | Kind::Rank | Kind::Hear),
            ScriptReply::Scores(_) => kind == Kind::Rank,
            ScriptReply::Segments(_) => matches!(kind, Kind::Hear | Kind::Frames),
            ScriptReply::Count(_) => kind != Kind::Embed,
            ScriptReply::Numbers(_) => matches!(kind, Kind::Embed | Kind::Frames),
            ScriptReply::Fail(_) => true,
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
    // a bare number is a count for `frames` and its digits for all others
    let digits = match (request, scripted) {
        (Request::Frames(_), _) => None,
        (_, ScriptReply::Count(count)) => Some(ScriptReply::Text(count.to_string())),
        _ => None,
    };
    match (request, digits.as_ref().unwrap_or(scripted)) {
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
