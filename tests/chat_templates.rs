//! Chat templates of published models render as in Python, and hostile templates end in time.

use elenchus::prompt::{ChatTemplate, ChatValue};
use serde_json::Value as Json;
use std::{
    fs,
    time::{Duration, Instant},
};

/// Any time.
const NOW: u64 = 1_709_210_096;
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chat");

/// Templates and conversations whose prompt differs from Python's, with the reason.
const MISSING: &[(&str, &str)] = &[(
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
    "it loops over `tools`, which is none without tools: Python fails there, our engine takes it as empty",
)];

fn value(json: &Json) -> ChatValue {
    match json {
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(fields) => ChatValue::from_pairs(fields.iter().map(|(name, field)| (name.clone(), value(field)))),
        other => panic!("{other} in a fixture"),
    }
}

fn names<'n>(messages: &Json, tokens: &'n Json) -> Vec<(&'n str, ChatValue)> {
    let tokens = tokens.as_object().expect("a record").iter().map(|(name, token)| (name.as_str(), value(token)));
    let mut names: Vec<_> = tokens.collect();
    names.push(("messages", value(messages)));
    names.push(("add_generation_prompt", true.into()));
    names.extend(["tools", "documents"].map(|name| (name, ChatValue::from(()))));
    names
}

/// Python's output contains dates as `<date FORMAT>`.
fn dated(text: &str) -> String {
    let mut parts = text.split("<date ");
    let mut out = parts.next().expect("split yields one").to_owned();
    for part in parts {
        let (format, rest) = part.split_once('>').expect("a date ends");
        let today = ChatTemplate::parse(&format!("{{{{ strftime_now('{format}') }}}}")).expect("a template");
        out += &today.render(Vec::new(), NOW).expect("a date");
        out += rest;
    }
    out
}

#[test]
fn templates_of_published_models_render_as_in_python() {
    let expected: Json = serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/expected.json")).unwrap()).unwrap();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (model, prompts) in expected["prompts"].as_object().unwrap() {
        let source = fs::read_to_string(format!("{FOLDER}/{model}.jinja")).unwrap();
        let template = ChatTemplate::parse(&source);
        for (name, prompt) in prompts.as_object().unwrap() {
            let names = names(&expected["conversations"][name], &expected["tokens"]);
            let found = template.as_ref().map_err(Clone::clone).and_then(|template| template.render(names, NOW));
            seen += 1;
            let missing = MISSING.iter().any(|(of, _)| of == model);
            let right = match (prompt.as_str(), &found) {
                (Some(prompt), Ok(found)) => dated(prompt) == *found,
                // both refuse these messages
                (None, Err(_)) => true,
                _ => false,
            };
            if !right && !missing {
                wrong.push(format!("{model}, {name}:\n  expected {prompt:?}\n  found    {found:?}"));
            }
        }
    }
    assert!(seen > 150, "{seen}");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}

/// `enable_thinking` is the switch of templates whose models can think.
#[test]
fn thinking_is_turned_on_and_off_as_in_python() {
    let expected: Json = serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/expected.json")).unwrap()).unwrap();
    let models = expected["thinking"].as_object().unwrap();
    assert!(models.contains_key("Qwen-Qwen3-0.6B"));
    for (model, prompts) in models {
        let template = ChatTemplate::parse(&fs::read_to_string(format!("{FOLDER}/{model}.jinja")).unwrap()).unwrap();
        for (name, prompts) in prompts.as_object().unwrap() {
            for (think, prompt) in [(false, &prompts[0]), (true, &prompts[1])] {
                let mut names = names(&expected["conversations"][name], &expected["tokens"]);
                names.push(("enable_thinking", think.into()));
                let found = template.render(names, NOW).ok();
                assert_eq!(found.as_deref(), prompt.as_str(), "{model}, {name}, thinking {think}");
            }
        }
    }
}

/// Checks that the template ends in time: with an error that contains the text (`Some`), or without one.
#[track_caller]
fn check(source: &str, expected: Option<&str>) {
    let source = source.to_owned();
    let start = Instant::now();
    // the default stack of a thread; the program's threads have this size or more
    let ended = std::thread::spawn(move || {
        let messages = ChatValue::from_pairs([("role", "user"), ("content", "hi")]);
        let names = vec![("messages", [messages].into_iter().collect()), ("tools", ().into())];
        let result = ChatTemplate::parse(&source).and_then(|template| template.render(names, NOW));
        (result.map(|text| text.chars().take(80).collect::<String>()), source.chars().take(200).collect::<String>())
    });
    let (result, source) = ended.join().expect("no panic");
    match (expected, &result) {
        (Some(expected), Err(why)) => assert!(why.contains(expected), "{source}: {why}"),
        (None, Ok(_)) => {}
        _ => panic!("{source}: {result:?}, expected {expected:?}"),
    }
    // generous, for a debug build on a loaded machine; without limits each took endless time or all memory
    assert!(start.elapsed() < Duration::from_secs(40), "{source} took {:?}", start.elapsed());
}

const WORK: Option<&str> = Some("the work limit of a template");
const DEEP: Option<&str> = Some("nested deeper than");

#[test]
fn trees_that_are_too_deep_are_refused() {
    for (open, link, close) in
        [("not ", "", "1"), ("1+", "", "1"), ("messages", ".a", ""), ("messages", "|abs", ""), ("(", "", "1")]
    {
        let many = if link.is_empty() { open.repeat(50_000) } else { open.to_owned() + &link.repeat(50_000) };
        check(&format!("{{{{ {} }}}}", (many + close).replace("+1+", "+1\n+")), Some("template"));
    }
    check(&format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}\n".repeat(10_000)), Some("template"));
    check(&"x".repeat(300_000), Some("bytes"));
}

/// Runs `work` on a list `a` that contains another list twice, and so on: half a million items in 19 lists.
#[track_caller]
fn check_shared(work: &str) {
    let few = format!("{{% set a = [1] %}}{}", "{% set a = [a, a] %}\n".repeat(19));
    check(&format!("{few}{{% for i in range(20) %}}{work}{{% endfor %}}"), WORK);
}

#[test]
fn lists_that_are_shared_many_times_are_bounded() {
    check(&format!("{{% set a = [1] %}}{}", "{% set a = [a, a] %}\n".repeat(40)), WORK);
    for work in [
        "{{ a ~ '' }}",
        "{{ '' ~ a }}",
        "{{ {a: 1} | length }}",
        "{{ a == [a] }}",
        "{% set b = [a, [1]] %}{{ a < b }}",
        "{{ 1 < a < [a] }}",
        "{{ [a] in [[a, 1]] }}",
        "{{ [a, 1] is in [[a, 2]] }}",
        "{{ a is eq [a] }}",
        "{{ [a, [a]] | sort | length }}",
        "{{ [a, [a]] | unique | length }}",
        "{{ [a, [a]] | max | length }}",
        "{{ a | tojson | length }}",
        "{{ a }}",
        "{{ a | join | length }}",
        "{{ '-'.join(a) | length }}",
        "{{ '%s' | format(a) | length }}",
        "{{ '{}'.format(a) | length }}",
        "{{ a | string | length }}",
        "{{ a | pprint | length }}",
        "{{ [[a, 1]].count([a, 2]) }}",
        "{{ messages[0].get([a]) }}",
        "{{ messages[0][[a]] }}",
        "{{ [{'x': a}] | selectattr('x', 'equalto', [a]) | list | length }}",
        "{{ [{'x': a}] | groupby('x') | length }}",
        "{{ 'a' is startingwith a }}",
        "{{ a | replace('1', '2') | length }}",
    ] {
        check_shared(work);
    }
}

#[test]
fn the_nesting_of_values_is_limited() {
    let built = |first: &str, next: &str, then: &str| {
        format!(
            "{{% set ns = namespace(l={first}) %}}{{% for i in range(99999) %}}{{% set ns.l = {next} %}}{{% endfor %}}{then}"
        )
    };
    for (first, next) in [
        ("[]", "[ns.l]"),
        ("[]", "(ns.l, 1)"),
        ("[]", "{'a': ns.l}"),
        ("[]", "dict(a=ns.l)"),
        ("[]", "namespace(l=ns.l)"),
        ("[1]", "ns.l | batch(1)"),
        ("[1]", "ns.l | batch(1) | list"),
        ("[1]", "ns.l | slice(1)"),
        ("[1]", "ns.l | zip"),
        ("[[1]]", "ns.l | map('list') | batch(2)"),
        ("[]", "[ns]"),
    ] {
        check(&built(first, next, ""), DEEP);
        check(&built(first, next, "{{ ns.l }}"), DEEP);
    }
    check(&built("[]", "ns.l + [ns.l]", ""), WORK);
    // lazy values, whose nesting cannot be seen
    for next in ["ns.l[0:]", "ns.l[::-1]", "ns.l * 1", "ns.l | reverse", "ns.l | map('int')", "ns.l | chain([])"] {
        check(&built("[1]", next, "{{ ns.l | list }}"), None);
    }
    check(&built("{'a': 1}", "ns.l | chain({})", "{{ ns.l }}"), None);
    check(&built("[1]", "loop", ""), Some("`loop` is used as a value"));
    check("{% set ns = namespace() %}{% set ns.l = ns %}{{ ns == ns.l }}{{ ns.l.l.l is mapping }}", DEEP);
    check("{% set ns = namespace() %}{% set ns.l = ns %}{{ ns | tojson }}", DEEP);
    check("{% set ns = namespace() %}{% set ns.l = [ns] %}{{ ns.l }}", DEEP);
    // a chain of namespaces, each of which contains the next
    let chain = "{% set first = namespace() %}{% set ns = namespace(last=first) %}{% for i in range(99999) %}\
                 {% set new = namespace() %}{% set ns.last.next = new %}{% set ns.last = new %}{% endfor %}";
    check(chain, None);
    check(&format!("{chain}{{{{ first }}}}"), DEEP);
}

#[test]
fn the_length_of_texts_is_limited() {
    let grown = |next: &str| {
        format!("{{% set ns = namespace(s='xx') %}}{{% for i in range(36) %}}{{% set ns.s = {next} %}}{{% endfor %}}")
    };
    for next in [
        "ns.s ~ ns.s",
        "ns.s + ns.s",
        "ns.s * 2",
        "ns.s | replace('x', 'xx')",
        "ns.s.replace('x', 'xx')",
        "ns.s.join([ns.s, ns.s])",
        "[ns.s, ns.s] | join",
        "'%s%s' | format(ns.s, ns.s)",
        "'{0}{0}'.format(ns.s)",
        "ns.s | upper ~ ns.s",
        "[ns.s, ns.s] | tojson",
    ] {
        check(&grown(next), WORK);
    }
    for (source, expected) in [
        ("{{ [[1]] | tojson(indent=10000000000) }}", Some("indentation")),
        ("{{ 'x' | indent(10**10) }}", WORK),
        ("{{ ('x\n' * 100000) | indent(100000) }}", WORK),
        ("{{ '%1000000000d' | format(1) }}", Some("wider than")),
        ("{{ '%.1000000000f' | format(1.5) }}", Some("wider than")),
        ("{{ '%*d' | format(1000000000, 1) }}", Some("")),
        ("{{ '{:1000000000}'.format(1) }}", Some("wider than")),
        ("{{ ('{0}' * 80000).format('x' * 1000000) | length }}", WORK),
        ("{{ ('%(a)s' * 80000) | format(a='x' * 1000000) | length }}", WORK),
        ("{{ ('x' * 5000000).strip('y' * 5000000) | length }}", WORK),
        ("{{ ('x' * 40000000).split('x') | length }}", WORK),
        ("{{ [1] * 100000000 }}", WORK),
        ("{{ ([1] * 99999) * 99999 }}", Some("too large")),
        ("{{ range(1000000000) | list }}", Some("too many elements")),
        ("{{ [1] | batch(1000000000, 0) }}", WORK),
        ("{{ [1] | slice(1000000000) }}", WORK),
        ("{{ 'x' * 9000000 }}", Some("expected at most")),
        ("{{ ([[['x' * 100]] * 1000] * 1000) | tojson(indent=64) }}", WORK),
        ("{{ 'x'.center(1000000000) }}", Some("")),
        ("{{ 'x'.ljust(1000000000) }}", Some("")),
        ("{{ strftime_now('%Y' * 1000000) | length }}", None),
        ("{{ 10 ** 1000000000 }}", Some("")),
        ("{{ 1.5 | round(1000000000) }}", None),
        ("{{ lipsum(1000000) }}", Some("")),
    ] {
        check(source, expected);
    }
}

#[test]
fn rounds_end() {
    let nested = "{% for i in range(99999) %}{% for i in range(99999) %}{% for i in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}";
    check(nested, WORK);
    check("{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(30) }}", Some("recursion"));
    check("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(18) }}", WORK);
    check("{% for x in [[]] recursive %}{{ loop([[]]) }}{% endfor %}", Some("recursion"));
    check("{% for i in range(99999) %}{% if range(99999) | list == i %}x{% endif %}{% endfor %}", WORK);
}

#[test]
fn access_beyond_the_template_is_refused() {
    for statement in ["{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% block b %}{% endblock %}"]
    {
        check(statement, Some("not available"));
    }
    check("{{ debug() }}", Some("unknown"));
    let shared = format!("{{% set a = [1] %}}{}", "{% set a = [a, a] %}\n".repeat(19));
    check(&format!("{shared}{{{{ raise_exception(a) }}}}"), Some("[[[["));
}
