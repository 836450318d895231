//! The scripted replies of a dialogue's tests, by role: which reply comes next, and which replies no request used.
//! Pure.

use super::{Expr, TestWritten, yaml::Data};
use crate::{
    exchange::{NoReply, Reply, Request, Script, ScriptReply},
    value::Value,
};
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// The scripted replies of one test, by role.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScriptedReplies {
    roles: IndexMap<String, Script>,
}

/// The state of one role's script: its requests so far and the replies that they used.
#[derive(Debug, Clone, Default)]
pub struct ScriptState {
    requests: usize,
    /// The places of the used replies.
    used: BTreeSet<usize>,
}

impl ScriptedReplies {
    /// The replies of a test.
    pub fn of(test: &TestWritten) -> ScriptedReplies {
        let roles = test.script.iter().flatten().map(|(role, script)| (role.value.clone(), script.clone()));
        ScriptedReplies { roles: roles.collect() }
    }

    /// True if the test scripts replies for this role.
    pub fn has(&self, role: &str) -> bool {
        self.roles.contains_key(role)
    }

    /// The roles with scripted replies.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// The reply to the next request of `role`, in plan order. `asked` counts the request.
    pub fn next(&self, role: &str, request: &Request, asked: &mut ScriptState) -> Result<Reply, NoReply> {
        let ordinal = asked.requests;
        asked.requests += 1;
        match self.roles.get(role) {
            Some(script) => {
                asked.used.extend(script.place(request, ordinal));
                script.reply(request, ordinal)
            }
            // without a script for `media`, every video has one moment
            None if role == "media" => request.scripted(&ScriptReply::Count(1)).map_err(NoReply::Unfit),
            None => Err(NoReply::Unfit(format!("the test scripts no replies for `{role}`"))),
        }
    }

    /// Each reply that no request used, as text.
    pub fn unused(&self, asked: &IndexMap<String, ScriptState>) -> Vec<String> {
        let none = ScriptState::default();
        let of = |(role, script): (&String, &Script)| {
            let unused = unused(script, asked.get(role).unwrap_or(&none));
            unused.into_iter().map(|what| format!("script of `{role}`: {what}")).collect::<Vec<_>>()
        };
        self.roles.iter().flat_map(of).collect()
    }
}

/// The unused replies, as text. A piece `""` beside others answers all other requests and may stay unused.
fn unused(script: &Script, asked: &ScriptState) -> Vec<String> {
    let left = |place: usize| !asked.used.contains(&place);
    match script {
        Script::InOrder(replies) => {
            let left = replies.iter().enumerate().filter(|(place, _)| left(*place));
            left.map(|(place, reply)| format!("reply {} was never requested: {}", place + 1, reply.brief())).collect()
        }
        Script::ByPiece(replies) => {
            let wanted = |(piece, _): &(String, ScriptReply)| !piece.is_empty() || replies.len() == 1;
            let left = replies.iter().enumerate().filter(|(place, one)| left(*place) && wanted(one));
            let line = |(_, (piece, reply)): (usize, &(String, ScriptReply))| match piece.as_str() {
                "" => format!("no request came, so its reply is unused: {}", reply.brief()),
                piece => format!("no request contains the piece `{piece}`"),
            };
            left.map(line).collect()
        }
    }
}

impl TestWritten {
    /// The differences from the expected result, one line each; empty if the test passes.
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

/// The beginning of a long text.
fn brief(text: &str) -> String {
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

fn compare_entry(number: usize, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    // a moment is compared by its fields in JSON
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

/// A written value as it is. Templates stay text.
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
