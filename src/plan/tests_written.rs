//! Checks the tests of a dialogue: their names must exist, and each scripted reply must fit a request.

use super::{DeclaredInput, USER, cast::Cast, closest, shared::Shared};
use crate::{
    dialogue::{At, DialogueFile},
    exchange::{Kind, Script, ScriptReply},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// Reports unknown names, missing inputs and unfit replies in a dialogue's tests.
pub(super) fn check_tests(
    written: &DialogueFile,
    inputs: &IndexMap<String, DeclaredInput>,
    cast: &Cast,
    file: &Arc<str>,
    shared: &mut Shared,
) {
    let unknown = |key: &At<String>, what: &str, names: Vec<&str>, shared: &mut Shared| {
        if !names.contains(&key.as_str()) {
            let hint = closest(key, names.iter().copied());
            shared.problem("unknown-name", file, key.pos, format!("found no {what} `{}`", key.value), hint);
        }
    };
    for test in written.tests.iter().flatten() {
        for (name, _) in test.given.iter().flatten() {
            unknown(name, "input", inputs.keys().map(String::as_str).collect(), shared);
        }
        // a test can script the roles of a called dialogue too
        let roles: Vec<String> = shared.roles.keys().chain(shared.unfilled.keys()).cloned().collect();
        for (role, script) in test.script.iter().flatten() {
            let names =
                cast.agents.keys().chain(&roles).map(String::as_str).chain(["media", "journal", USER]).collect();
            unknown(role, "role", names, shared);
            check_replies(role, script, file, shared);
        }
        // a misspelt input is reported once, as unknown
        let given: Vec<&str> = test.given.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let meant: Vec<String> =
            given.iter().filter_map(|name| closest(name, inputs.keys().map(String::as_str))).collect();
        for (name, _) in inputs.iter().filter(|(_, input)| input.default.is_none()) {
            if !given.contains(&name.as_str()) && !meant.contains(&format!("did you mean `{name}`?")) {
                let message = format!("found no `{name}` in `given` of test `{}`", test.name.value);
                shared.problem("missing-key", file, test.name.pos, message, None);
            }
        }
    }
}

/// Reports a scripted reply that fits no request that the steps make to the role.
fn check_replies(role: &At<String>, script: &Script, file: &Arc<str>, shared: &mut Shared) {
    let known = shared.roles.get(role.as_str());
    let kinds = match role.as_str() {
        "media" => vec![Kind::Frames],
        "journal" => vec![Kind::Journal, Kind::Search],
        USER if known.is_none() => vec![Kind::AskUser],
        _ => known.map(|role| role.kinds.clone()).unwrap_or_default(),
    };
    // scores answer a `say` only if it has choices
    let choices = known.is_some_and(|role| role.choices);
    let is_odd =
        |reply: &ScriptReply, kind: Kind| kind == Kind::Say && !choices && matches!(reply, ScriptReply::Scores(_));
    let fits = |reply: &ScriptReply| kinds.iter().any(|kind| reply.fits(*kind) && !is_odd(reply, *kind));
    let unfit = script.replies().find(|reply| !kinds.is_empty() && !fits(reply));
    if let Some(reply) = unfit {
        let words = kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(" or ");
        let message = format!("found a reply ({}) that no `{words}` request takes", reply.brief());
        let hint = "a text answers say, rank and hear; scores answer rank; segments answer hear; a count or times answer `media`";
        shared.problem("wrong-value", file, role.pos, message, Some(hint.into()));
    }
}
