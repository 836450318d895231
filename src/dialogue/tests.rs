//! Reading of YAML: the results, and every refusal.

use super::*;
use crate::exchange::Kind;
use crate::exchange::{Script, ScriptReply};
use std::time::{Duration, Instant};

fn problems(found: Result<impl std::fmt::Debug, Vec<Problem>>) -> String {
    let line = |p: &Problem| format!("{}:{} {}: {}{}", p.line, p.column, p.code, p.message, hint(p));
    let hint_less = found.expect_err("problems");
    hint_less.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn hint(problem: &Problem) -> String {
    problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default()
}

#[test]
fn agent_files_are_read() {
    let agent =
        agent_file("about: x\nmodel: { path: starter/lm }\ndecode: { temperature: 0, stop: [a] }", "f").expect("fine");
    assert_eq!(agent.model.as_ref().and_then(|m| m.path.as_ref()).map(|p| p.as_str()), Some("starter/lm"));
    assert!(matches!(agent.who(), Some(WhoWritten::Model(_))));
    let agent = agent_file("endpoint: { url: 'http://x/v1', model: m, answers: [say, embed], timeout: 2s }", "f")
        .expect("fine");
    let kinds: Vec<Kind> = agent.answers().expect("an endpoint").iter().map(|answers| answers.kind).collect();
    assert_eq!(kinds, [Kind::Say, Kind::Embed]);
    let found = "script: [[{label: cup, box: [1, 2, 3, 4]}, {label: key, box: [0, 0, 9, 9], score: 0.5}]]";
    let agent = agent_file(found, "f").expect("fine");
    let boxes = |reply: &ScriptReply| matches!(reply, ScriptReply::Boxes(boxes) if boxes[1].score == 0.5);
    assert!(matches!(agent.who(), Some(WhoWritten::Script(Script::InOrder(replies))) if boxes(&replies[0])));
    insta::assert_snapshot!(problems(agent_file("script: [[{label: cup, box: [1, 2]}]]", "f")), @"1:10 wrong-type: found a list, expected four numbers for `box`: left, top, right and bottom");
    let agent = agent_file("script: [yes, {a: 0.5}, [{start: 0, end: 1, text: hi}], 3]", "f").expect("fine");
    assert!(matches!(agent.who(), Some(WhoWritten::Script(Script::InOrder(replies))) if replies.len() == 4));
}

#[test]
fn every_problem_of_an_agent_file_is_reported() {
    let source = "abut: x\nmodel: { path: a, hub: b, dtype: f31 }\nendpoint: { url: ftp, answers: [sey], timeout: 2 }\nmodel: {}";
    insta::assert_snapshot!(problems(agent_file(source, "a.yaml")), @r"
    1:1 unknown-key: found unknown key `abut` in an agent file (did you mean `about`?)
    3:11 missing-key: found no key `model` in `endpoint`
    3:33 wrong-value: found `sey`, expected one of rank, say, look, detect, hear, embed, frames, journal, search, ask_user (did you mean `say`?)
    3:48 bad-duration: found number 2 for `timeout`, expected a duration with a unit (write a number and a unit: `500ms`, `2s`, `1.5m`, `1h30m`)
    4:1 duplicate-key: found key `model` a second time; the first is at 2:1
    ");
    let source = "model: { path: a, hub: b, dtype: f31, kv_cache: q8 }\nendpoint: { url: ftp, model: m }";
    insta::assert_snapshot!(problems(agent_file(source, "a.yaml")), @r"
    1:24 too-many: found also `hub` in `model`, expected exactly one of path, hub, gguf
    1:34 wrong-value: found dtype `f31`, expected one of auto, f32, f16, bf16, int8
    1:49 wrong-value: found kv_cache `q8`, expected f32 or f16
    2:11 too-many: found also `endpoint` in an agent file, expected exactly one of model, endpoint, translate, script, person
    2:18 wrong-value: found `ftp`, expected an address that starts with http:// or https://
    ");
    insta::assert_snapshot!(problems(agent_file("about: x", "a.yaml")), @"1:1 missing-key: found none of model, endpoint, translate, script, person in an agent file, expected exactly one");
}

#[test]
fn casts_are_read() {
    let cast = cast("about: big\ncast: { eye: clip, mind: lm }", "c").expect("fine");
    assert_eq!(cast.cast.get("mind").map(|agent| agent.as_str()), Some("lm"));
}

#[test]
fn labels_skip_comments() {
    assert_eq!(labels("# places\nkitchen\n\n living room \n"), ["kitchen", "living room"]);
    assert_eq!(labels("street\nkitchen\n street\nkitchen\n"), ["street", "kitchen"]);
}

fn tree(source: &str) -> Result<Node, String> {
    let mut reading = Reading::new("f");
    let node = yaml::read(source, &mut reading);
    match (node, reading.problems.first()) {
        (Some(node), None) => Ok(node),
        (_, problem) => {
            Err(problem.map(|p| format!("{}:{} {}: {}", p.line, p.column, p.code, p.message)).unwrap_or_default())
        }
    }
}

/// A misspelt key gives one problem. That the right key is missing is not a second one.
#[test]
fn a_misspelt_required_key_is_reported_once() {
    let codes = |tests: &str| -> Vec<String> {
        let source =
            format!("version: 1\ndialogue: d\nsteps: {{ s: {{ compute: 1 }} }}\nanswer: x\ntests: [{tests}]\n");
        load(&source, "f").expect_err("problems").iter().map(|p| format!("{} {}", p.code, p.message)).collect()
    };
    assert_eq!(codes("{ name: a, expct: { answer: x } }"), ["unknown-key found unknown key `expct` in a test"]);
    assert_eq!(codes("{ name: a }"), ["missing-key found no key `expect` in a test"]);
    assert_eq!(
        codes("{ name: a, zzz: 1 }"),
        ["missing-key found no key `expect` in a test", "unknown-key found unknown key `zzz` in a test"]
    );
}

#[test]
fn scalars_follow_the_core_schema() {
    let check = |source: &str, expected: Data| assert_eq!(tree(source).map(|node| node.data), Ok(expected), "{source}");
    check("1e3", Data::Number(1000.0));
    check("-2.5", Data::Number(-2.5));
    check("yes", Data::Text("yes".into(), TextStyle::Plain));
    check("inf", Data::Text("inf".into(), TextStyle::Plain));
    check("'1'", Data::Text("1".into(), TextStyle::Quoted));
    check("2s", Data::Text("2s".into(), TextStyle::Plain));
    check("true", Data::Bool(true));
    check("~", Data::Null);
}

#[test]
fn positions_inside_texts_are_positions_in_the_file() {
    let check = |source: &str, word: &str| {
        let Data::Map(entries) = tree(source).expect("fine").data else { panic!("a mapping") };
        let Data::Text(text, _) = &entries[0].1.data else { panic!("a text") };
        let pos = entries[0].1.places().at(text.find(word).expect("the word"));
        let line = source.lines().nth(pos.line - 1).expect("the line");
        assert!(line[pos.column - 1..].starts_with(word), "{source:?} {pos:?}");
    };
    check("a: plain here", "here");
    check("a: \"quoted here\"", "here");
    check("a: |\n   one\n   two here\n", "here");
}

/// Checks that the text is refused quickly. A release build takes milliseconds. The limit allows for a debug build on a
/// loaded machine, and is far below the time of a successful attack.
fn refused(source: &str, expected: &str) {
    let start = Instant::now();
    let error = tree(source).expect_err("refused");
    assert!(error.contains(expected), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
}

#[test]
fn hostile_yaml_is_refused_quickly() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..30 {
        let last = i - 1;
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{last}"); 10].join(", "));
    }
    refused(&bomb, "too-large");
    refused(&"[".repeat(10_000), "");
    refused(&"{a: ".repeat(10_000), "");
    refused(&(0..10_000).map(|i| format!("{}a:\n", " ".repeat(i.min(90)))).collect::<String>(), "");
    refused(&"- ".repeat(10_000), "");
    refused(&"x".repeat(20 << 20), "too-large");
    refused(&format!("a: [{}]", "x,".repeat(200_000)), "too-large");
    refused(&"a: |\n x\n".repeat(90_000), "");
    refused("a: &a [*a]", "");
}
