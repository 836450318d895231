//! Templates: their values, the names that they use, and their refusals.

use super::*;
use crate::value::{Media, Moment, Scored, Time, Type};
use indexmap::IndexMap;
use std::sync::Arc;

fn media(has_audio: bool) -> Arc<Media> {
    let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(90.0));
    Arc::new(Media { has_audio, ..Media::new("day.mp4", "d", start, end) })
}

fn moment(start: f64, end: f64, text: Option<&str>) -> Value {
    let (start, end) = (Time::from_seconds(start), Time::from_seconds(end));
    Value::Moment(Moment { media: media(true), start, end, text: text.map(str::to_owned) })
}

/// A moment of a medium whose two minutes represent a day.
fn long(start: f64, end: f64) -> Value {
    let clock = crate::value::clock::DayClock::parse("clock 07:00, 420 seconds a second");
    let media = Arc::new(Media { clock, ..Media::clone(&media(true)) });
    let (start, end) = (Time::from_seconds(start), Time::from_seconds(end));
    Value::Moment(Moment { media, start, end, text: Some("cafe".into()) })
}

fn texts(texts: &[&str]) -> Value {
    Value::List(texts.iter().map(|text| Value::Text((*text).into())).collect())
}

fn record(fields: &[(&str, Value)]) -> Value {
    Value::Record(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<IndexMap<_, _>>())
}

fn scope() -> Scope {
    Scope::from_iter([
        ("video", Value::Video(media(true))),
        ("silent", Value::Video(media(false))),
        ("item", moment(2.0, 4.0, None)),
        ("best", Value::Scored(Scored { text: "kitchen".into(), score: 0.25, probability: 0.9, floor: None })),
        ("labels", texts(&["a", "b", "a", "a"])),
        ("n", Value::Number(2.0)),
        ("long", Value::List(vec![long(10.0, 18.0)])),
        ("speech", Value::List(vec![moment(1.0, 3.0, Some("hello")), moment(8.0, 9.0, Some("bye"))])),
        (
            "rows",
            Value::List(vec![
                record(&[("place", Value::Text("x".into())), ("k", Value::Number(1.0))]),
                record(&[("place", Value::Text("x".into())), ("k", Value::Number(2.0))]),
                record(&[("place", Value::Text("y".into())), ("k", Value::Number(3.0))]),
            ]),
        ),
    ])
}

fn eval(source: &str) -> Result<Value, String> {
    let parse = |errors: Vec<ParseError>| errors.into_iter().map(|e| e.message).collect::<Vec<_>>().join("; ");
    Template::parse(source).map_err(parse)?.eval(&scope()).map_err(|error| error.message)
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let found =
        eval(source).map(|value| crate::value::json::to_json(&value).to_string()).unwrap_or_else(|e| format!("! {e}"));
    assert_eq!(found, expected, "{source}");
}

#[test]
fn the_readme_lists_our_filters() {
    let readme = include_str!("../../README.md");
    for filter in filter_list::FILTERS {
        let row = format!("| `{}` | {} |", filter.usage.replace('|', "\\|"), filter.about);
        assert!(readme.contains(&row), "README.md lacks {row}");
    }
}

#[test]
fn whole_expressions_keep_their_type() {
    assert_eq!(eval("{{ item }}"), Ok(moment(2.0, 4.0, None)));
    assert_eq!(eval(" {{- video.audio -}} "), Ok(Value::Audio(media(true))));
    assert_eq!(eval("{{ silent.audio }}"), Ok(Value::Nothing));
    assert_eq!(eval("{{ item.video }}"), Ok(Value::Video(media(true))));
    check("{{ n + 1 }}", "3");
    check("{{ n / 4 }}", "0.5");
    check("{{ [best, n] }}", r#"[{"text":"kitchen","score":0.25,"probability":0.8999999761581421},2]"#);
    check("{{ {'a': labels[:2], 'b': none} }}", r#"{"a":["a","b"],"b":null}"#);
    check("{{ n > 1 }}", "true");
}

#[test]
fn mixed_text_renders() {
    check("from {{ item.start }} to {{ item.end }}: {{ best }}", r#""from 2 to 4: kitchen""#);
    check("plain", r#""plain""#);
    check("{% for l in labels %}{{ loop.index }}{{ l }} {% endfor %}", r#""1a 2b 3a 4a ""#);
    check("{{ best.text }}, {{ video.path }}", r#""kitchen, day.mp4""#);
}

#[test]
fn filters_of_dialogues() {
    check("{{ '1. eat\n2) sleep\n\n- run\n2.5 litres' | lines }}", r#"["eat","sleep","run","2.5 litres"]"#);
    check("{{ labels | smooth(3) }}", r#"["a","a","a","a"]"#);
    check("{{ labels | tally }}", r#"[{"text":"a","count":3,"share":0.75},{"text":"b","count":1,"share":0.25}]"#);
    check("{{ labels | runs }}", r#"[["a"],["b"],["a","a"]]"#);
    check("{{ rows | runs('place') | map('length') | list }}", "[2,1]");
    check("{{ rows | runs('place') | absorb(2) | map('length') | list }}", "[3]");
    check("{{ rows | runs('place') | flatten | length }}", "3");
    check("{{ item | clock }} {{ 3725.9 | clock }}", r#""00:02 01:02:05""#);
    check("{{ speech | numbered }}", r#""[1] 00:01-00:03 hello\n[2] 00:08-00:09 bye""#);
    check(
        "{{ long | numbered }} {{ long[0] | clock }} {{ long[0].clock }}",
        r#""[1] 08:10-09:06 cafe 08:10 08:10-09:06""#,
    );
    check("{{ [{'start': 0, 'end': 1, 'text': 'x', 'clock': 'dawn'}] | numbered }}", r#""[1] dawn x""#);
    check("{{ long }}", r#"[{"video":"day.mp4","start":10,"end":18,"clock":"08:10-09:06","text":"cafe"}]"#);
    check("{{ item.clock }}", r#""""#);
    check("{{ speech | overlapping(2, 8) | map(attribute='text') | list }}", r#"["hello"]"#);
    check("{{ speech | within(8, 10) | map(attribute='text') | join(' ') }}", r#""bye""#);
    check("{{ speech | span('all') }}", r#"{"video":"day.mp4","start":1,"end":9,"text":"all"}"#);
    check("{{ labels | zip([1, 2]) | list }}", r#"[["a",1],["b",2]]"#);
}

#[test]
fn every_listed_filter_and_test_exists() {
    for name in filter_list::names() {
        let error = eval(&format!("{{{{ 1 | {name} }}}}")).err().unwrap_or_default();
        assert!(!error.contains("unknown filter"), "{error}");
    }
    for name in filter_list::TESTS.iter().filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())) {
        let error = eval(&format!("{{{{ 1 is {name} }}}}")).err().unwrap_or_default();
        assert!(!error.contains("unknown test"), "{error}");
    }
}

#[test]
fn filters_yield_the_type_of_their_row() {
    // an operand for each filter that does not take a list of texts
    let operand = |name: &str| match name {
        "abs" | "bool" | "float" | "int" | "round" => "2.5",
        "capitalize" | "escape" | "e" | "indent" | "lines" | "lower" | "safe" | "split" | "string" | "title"
        | "trim" | "upper" => "'a b'",
        "format" => "'%s' | format",
        "clock" => "item",
        "numbered" | "span" | "overlapping" | "within" => "speech",
        "max" | "min" | "sum" => "[1, 2]",
        "flatten" => "[labels]",
        "mean" => "[[1, 2]]",
        "cosine" => "[1, 2]",
        "absorb" => "rows | runs('place')",
        "rejectattr" | "selectattr" => "rows",
        _ => "labels",
    };
    let arguments = |name: &str| match name {
        "absorb" | "batch" | "slice" | "smooth" => "(2)",
        "overlapping" | "within" => "(0, 9)",
        "replace" => "('a', 'b')",
        "format" => "('a')",
        "cosine" => "([1, 2])",
        "rejectattr" | "selectattr" => "('place')",
        _ => "",
    };
    let mut typed = 0;
    for name in filter_list::names().filter(|name| *name != "map") {
        let (operand, arguments) = (operand(name).trim_end_matches(" | format"), arguments(name));
        // a lazy filter needs `list` to become a list
        let list = if matches!(filter_list::yielded(name, &Type::Any), Type::List(_)) { " | list" } else { "" };
        let source = format!("{{{{ {operand} | {name}{arguments}{list} }}}}");
        let of = eval(&format!("{{{{ {operand} }}}}")).expect("the operand is a value").ty();
        let expected = filter_list::yielded(name, &of);
        if expected != Type::Any {
            let value = eval(&source).unwrap_or_else(|why| panic!("{source}: {why}"));
            assert!(expected.accepts(&value.ty()), "{source} is of type {}, expected {expected}", value.ty());
            typed += 1;
        }
    }
    assert!(typed > 40, "{typed} filters have a type");
}

#[test]
fn names_are_taken_from_the_scope() {
    let check = |source: &str, expected: &[&str]| {
        assert_eq!(Template::parse(source).expect("parses").names(), expected, "{source}");
    };
    check("{{ item.start + index }}", &["item", "index"]);
    check(
        "{% for x in xs if x > least %}{{ x }}{{ loop.index }}{{ y }}{% endfor %}{{ x }}",
        &["xs", "least", "y", "x"],
    );
    check("{% set a = b %}{{ a }}", &["b"]);
    check("{{ range(n) | list }}", &["n"]);
    check("{{ rows | selectattr('k', 'ge', least) | list }}", &["rows", "least"]);
}

#[test]
fn mistakes_are_reported() {
    check("{{ nobody }}", "! `nobody` is not bound here");
    check("{{ item.colour }}", "! `{{ item.colour }}` is undefined");
    check("a {{ item.colour }}", "! something in `a {{ item.colour }}` is undefined: `item.colour` is undefined");
    check("{{ labels | linse }}", "! unknown filter `linse`");
    check("{{ 1 +", "! template: unexpected end of input, expected expression");
    check("{% include 'x' %}", "! `include` is not available in templates");
    check("{{ 'x' * 999999999 }}", "! `{{ 'x' * 999999999 }}` exceeds the work limit of a template");
    check(
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "! `{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}` exceeds the work limit of a template",
    );
}

#[test]
fn lists_that_contain_themselves_many_times_fail_the_step() {
    let check = |source: &str| assert!(eval(source).is_err_and(|why| why.contains("work limit")), "{source}");
    let list = "([[[1] * 10000] * 10000] * 10000)";
    check(&format!("x {{{{ {list} }}}}"));
    check(&format!("{{% set a = [1] %}}{}{{{{ a }}}}", "{% set a = [a, a] %}".repeat(40)));
    check(&format!("{{{{ {list} | tally }}}}"));
    check(&format!("{{{{ [{{'start': 1, 'end': 2, 'text': {list}}}] | numbered }}}}"));
    for filter in ["join", "tojson", "sort"] {
        check(&format!("{{{{ {list} | {filter} | length }}}}"));
    }
    check("{{ ([[1] * 100000] * 100000) | flatten | length }}");
    check("{{ range(100000) | list | smooth(100000) }}");
    check("{{ ([('x' * 100000)] * 100000) | tally }}");
    check(&format!("{{{{ {list} }}}}"));
    // cheap to build, too expensive to walk again and again
    let shared = format!("{{% set a = [1] %}}{}", "{% set a = [a, a] %}".repeat(17));
    for work in ["a ~ ''", "{a: 1} | length", "a == [a]"] {
        check(&format!("{shared}{{% for i in range(99) %}}{{{{ {work} }}}}{{% endfor %}}"));
    }
    // the engine's own mistakes fail the step too: this overflows in builds with overflow checks
    let _ = eval("{{ 'abc'[::-9223372036854775808] }}");
    assert!(eval("{{ 1e308 * 10 }}").is_err());
    assert!(eval("{{ {'a': [1]} | tojson(indent=10**9) }}").is_err_and(|why| why.contains("indentation")));
    assert!(eval("{{ {'a': [1]} | tojson(10**9) }}").is_err_and(|why| why.contains("indentation")));
    assert_eq!(eval("{{ {'a': 1} | tojson(indent=1) }}"), Ok(Value::Text("{\n \"a\": 1\n}".into())));
    assert_eq!(eval("{{ [3, 1] | sort(reverse=true) | join('-') }}"), Ok(Value::Text("3-1".into())));
    assert_eq!(eval("{{ {'a': 1} | tojson }}"), Ok(Value::Text("{\"a\": 1}".into())));
    assert!(Template::parse("{% set ns = namespace(x=[]) %}").is_ok_and(|template| template.names() == ["namespace"]));
}

#[test]
fn walks_over_media_and_moments_end() {
    check("{{ video == video.audio }}", "false");
    check("{{ video.audio == item.video.audio }}", "true");
    check("{{ speech[0] == speech[1] or speech == [item] }}", "false");
    check("{{ {item: 1} | length + {[video]: 1} | length }}", "2");
    check("{{ video.audio | tojson | length > 10 }}", "true");
}

struct Types;
impl NameTypes for Types {
    fn ty(&self, name: &str) -> Option<crate::value::Type> {
        name.split("__").last().and_then(|ty| ty.replace('_', " ").parse().ok())
    }
}

#[test]
fn types_are_inferred() {
    let check = |source: &str, expected: &str| {
        let mut findings = Vec::new();
        let ty = Template::parse(source).expect("parses").ty(&Types, &mut findings);
        let found = findings.iter().map(|f| format!(" ! {} at {}", f.message, f.offset)).collect::<String>();
        assert_eq!(format!("{ty}{found}"), expected, "{source}");
    };
    check("{{ a__list_of_moment[0].start }}", "number");
    check("{{ a__list_of_list_of_scored_text | map('first') | map(attribute='text') | smooth(3) }}", "list of text");
    check("{{ text | lines }}", "list of text");
    check("say {{ text }}", "text");
    check("{{ video.audio }}", "audio");
    check("{{ a__list_of_moment | runs }}", "list of list of moment");
    check("{{ moment.strat }}", "any ! found `.strat` of a value of type moment, which lacks this field at 3");
}

#[test]
fn vectors_have_a_mean_and_a_cosine() {
    check("{{ [[2, 0], [4, 0]] | mean }}", "[1.0,0.0]");
    check("{{ [[3, 4]] | mean | cosine([6, 8]) | round(4) }}", "1");
    check("{{ [1, 0] | cosine([0, 2]) }}", "0");
    check("{{ [1, 0] | cosine([-2, 0]) }}", "-1");
    check("{{ [0, 0] | cosine([1, 0]) }}", "0");
    check("{{ [[1, 0], [0, 1]] | mean | cosine([1, 0]) | round(4) }}", "0.7071");
    check("{{ [] | mean }}", "! `{{ [] | mean }}`: invalid operation: found no vectors, expected one or more");
    check(
        "{{ [[1], [-1]] | mean }}",
        "! `{{ [[1], [-1]] | mean }}`: invalid operation: found vectors that cancel out, so that they have no mean direction",
    );
    check(
        "{{ [1, 0] | cosine([1]) }}",
        "! `{{ [1, 0] | cosine([1]) }}`: invalid operation: found vectors of 2 and 1 numbers, expected those of one model",
    );
    check(
        "{{ ['a'] | cosine([1]) }}",
        "! `{{ ['a'] | cosine([1]) }}`: invalid operation: found a in a vector, expected a number",
    );
}
