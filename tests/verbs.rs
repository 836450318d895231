//! The requests and the value of each verb, dialogue by dialogue, with scripted replies.

use elenchus::{
    dialogue::{self, MemoryLibrary, Resource, ScriptedReplies},
    plan::{self, CompileOptions},
    run::scripted,
    value::json as value_json,
    value::{Media, Time, Value},
};
use std::sync::Arc;

fn media(has_audio: bool) -> Value {
    let (start, end) = (Time::from_seconds(0.0), Time::from_seconds(10.0));
    let path = if has_audio { "day.mp4" } else { "silent.mp4" };
    Value::Video(Arc::new(Media { has_audio, ..Media::new(path, "d", start, end) }))
}

fn library() -> MemoryLibrary {
    let agents = ["a", "b"]
        .iter()
        .fold(MemoryLibrary::default(), |library, name| library.with(Resource::Agent, name, "script: []"));
    agents
        .with(Resource::Labels, "colours", "red\ngreen\nblue")
        .with(Resource::Prompt, "asks", "Log:\n{{ log }}\nQ: {{ question }}")
        .with(Resource::Dialogue, "doubler", "version: 1\ndialogue: doubler\ninputs: { x: number, by: { type: number, default: 2 } }\nsteps: { y: { compute: '{{ x * by }}' } }\nanswer: '{{ y }}'\n")
}

/// Runs steps with scripted replies and compares the answer as JSON. An error starts with `!`.
#[track_caller]
fn check(steps: &str, script: &str, expected: &str) {
    let source = format!(
        "version: 1\ndialogue: test\ninputs: {{ video: video, silent: video, question: text }}\ncast: {{ eye: a, mind: b }}\n\
         steps:\n{steps}\nanswer: \"{{{{ out }}}}\"\n\
         tests: [{{ name: t, given: {{ video: v, silent: s, question: q }}, script: {{ {script} }}, expect: {{}} }}]\n"
    );
    let plan = plan::compile_text(&source, "test.yaml", &library(), &CompileOptions::default())
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{source}"));
    let dialogue = dialogue::load(&source, "test.yaml").expect("reads");
    let test = dialogue.written.tests.expect("a test").remove(0);
    let inputs = [("video", media(true)), ("silent", media(false)), ("question", Value::Text("where?".into()))];
    let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let inputs = plan.bind(inputs).expect("the inputs fit");
    let run = scripted::run(&plan, &inputs, &ScriptedReplies::of(&test));
    assert_eq!(run.unused, Vec::<String>::new(), "{source}");
    let found = run.answer.map(|answer| value_json::to_json(&answer).to_string());
    assert_eq!(found.unwrap_or_else(|failures| format!("! {}", failures.join("; "))), expected, "{source}");
}

#[test]
fn rank_sorts_and_cuts() {
    let rank = |rest: &str| format!("  out: {{ rank: {{ agent: eye, what: x, among: vocab/colours{rest} }} }}");
    let labels = |rest: &str, script: &str, expected: &str| {
        let steps = rank(rest).replace("out:", "ranked:")
            + "\n  out: { compute: \"{{ ranked | map(attribute='text') | list }}\" }";
        check(&steps, script, expected);
    };
    labels("", "eye: [{ green: 0.9, blue: 0.1 }]", r#"["green","blue","red"]"#);
    labels(", top: 1", "eye: [blue]", r#"["blue"]"#);
    labels(", min: 0.05", "eye: [{ green: 0.9, blue: 0.1 }]", r#"["green","blue"]"#);
    labels(", top: 2", "eye: [{ red: 0.5, green: 0.5 }]", r#"["red","green"]"#);
    // every floor of a script is 0
    labels(", floor: true", "eye: [{ red: 0.5, green: 0 }]", r#"["red"]"#);
    labels(", floor: optional", "eye: [{ red: 0.5, green: 0 }]", r#"["red"]"#);
    labels(", floor: false, top: 2", "eye: [{ red: 0.5 }]", r#"["red","green"]"#);
    check("  out: { rank: { agent: eye, what: x, among: [] } }", "eye: []", "[]");
    check(
        "  out: { rank: { agent: eye, what: x, among: [a, b], as: \"one {} here\" } }",
        r#"eye: { "one b here": a }"#,
        r#"[{"text":"a","score":1.0,"probability":1.0},{"text":"b","score":0.0,"probability":0.0}]"#,
    );
}

#[test]
fn rank_without_candidates_asks_for_the_agents_own_labels() {
    let check = |rest: &str, script: &str, expected: &str| {
        check(&format!("  out: {{ rank: {{ agent: eye, what: x{rest} }} }}"), script, expected);
    };
    check(
        "",
        "eye: [{ wok: 1, pan: 3 }]",
        r#"[{"text":"pan","score":3.0,"probability":0.75},{"text":"wok","score":1.0,"probability":0.25}]"#,
    );
    check(", top: 1", "eye: [{ wok: 1, pan: 3 }]", r#"[{"text":"pan","score":3.0,"probability":0.75}]"#);
    check(", min: 0.9", "eye: [{ wok: 1, pan: 3 }]", "[]");
    check("", "eye: [stove]", r#"[{"text":"stove","score":1.0,"probability":1.0}]"#);
}

#[test]
fn say_samples_binds_and_chooses() {
    check("  out: { say: { agent: mind, text: hello } }", "mind: [\" hi \"]", r#""hi""#);
    check("  out: { say: { agent: mind, text: hello, n: 2 } }", "mind: [a, b]", r#"["a","b"]"#);
    check(
        "  out: { say: { agent: mind, text: \"{{ a }}{{ question }}\", with: { a: x } } }",
        "mind: { xwhere?: yes }",
        r#""yes""#,
    );
    check(
        "  out: { say: { agent: mind, text: x, choices: [yes it is, no] } }",
        "mind: [maybe]",
        "! out: the script's reply does not fit: found `maybe`, expected one of the choices yes it is, no",
    );
}

#[test]
fn a_regular_expression_may_describe_a_citing_reply() {
    let step = |regex: &str| {
        let log = "  log: { compute: [{ start: 0, end: 8, text: kitchen. }] }";
        format!("{log}\n  out: {{ say: {{ agent: mind, prompt: asks, cite: log, regex: '{regex}' }} }}")
    };
    let script = "mind: [\"[1] in the kitchen\"]";
    check(
        &step(r"\[[0-9]\] [a-z ]+"),
        script,
        r#"{"text":"in the kitchen","abstained":false,"evidence":[{"video":null,"start":0,"end":8,"clock":null,"text":"kitchen."}]}"#,
    );
    let unfit = "! out: the script's reply does not fit: found `[1] in the kitchen`, which the regular expression `[a-z ]+` \
                 does not match";
    check(&step("[a-z ]+"), script, unfit);
}

#[test]
fn say_cites() {
    let log = "  log: { compute: [{ start: 0, end: 8, text: kitchen. }, { start: 8, end: 3725, text: street. }] }\n";
    let step = |log: &str| format!("{log}  out: {{ say: {{ agent: mind, prompt: asks, cite: log }} }}");
    check(
        &step(log),
        "mind: { \"[2] 00:08-01:02:05 street.\\nQ: where?\": \"[2] [7] in the street\" }",
        r#"{"text":"in the street","abstained":false,"evidence":[{"video":null,"start":8,"end":3725,"clock":null,"text":"street."}]}"#,
    );
    check(&step(log), "mind: [\"I don't know.\"]", r#"{"text":"I don't know.","abstained":true,"evidence":[]}"#);
    let speech = "  log: { hear: { agent: eye, audio: \"{{ video }}\" } }\n";
    check(
        &step(speech),
        "eye: [[{ start: 1, end: 2, text: hello }]], mind: [\"[1] hello\"]",
        r#"{"text":"hello","abstained":false,"evidence":[{"video":"day.mp4","start":1,"end":2,"clock":null,"text":"hello","digest":"d"}]}"#,
    );
}

#[test]
fn hear_and_frames() {
    let hear = |audio: &str| format!("  out: {{ hear: {{ agent: eye, audio: \"{{{{ {audio} }}}}\" }} }}");
    check(
        &hear("video.audio"),
        "eye: [[{ start: 1, end: 2, text: hello }]]",
        r#"[{"video":"day.mp4","start":1,"end":2,"text":"hello"}]"#,
    );
    check(&hear("silent.audio"), "eye: []", "[]");
    check(&hear("silent"), "eye: []", "[]");
    check(
        "  out: { frames: { video: \"{{ video }}\", every: 5s } }",
        "media: 2",
        r#"[{"video":"day.mp4","start":0,"end":5},{"video":"day.mp4","start":5,"end":10}]"#,
    );
}

#[test]
fn embed_one_and_many() {
    check("  out: { embed: { agent: eye, what: x } }", "eye: [[1, 0]]", "[1.0,0.0]");
    check("  out: { embed: { agent: eye, what: [x, y] } }", "eye: [[1, 0], [0, 1]]", "[[1.0,0.0],[0.0,1.0]]");
    check("  out: { embed: { agent: eye, what: [] } }", "eye: []", "[]");
}

#[test]
fn compute_keeps_types() {
    check(
        "  n: { compute: 3 }\n  out: { compute: { a: \"{{ n + 1 }}\", b: [\"{{ n }}\", x], c: \"n={{ n }}\" } }",
        "",
        r#"{"a":4,"b":[3,"x"],"c":"n=3"}"#,
    );
    check("  l: { compute: [a, b] }\n  out: { each: l, compute: \"{{ index }}{{ item }}\" }", "", r#"["0a","1b"]"#);
}

#[test]
fn loops_report_why_they_stopped() {
    let body = "steps: { x: { say: { agent: mind, text: \"round {{ round }} after {{ previous.x }}\" } } }";
    let step = |until: &str| format!("  out: {{ loop: {{ {body}, {until} max_rounds: 3 }} }}");
    check(&step("until: { stable: x },"), "mind: [a, b, b]", r#"{"x":"b","rounds":3,"stopped":"stable"}"#);
    check(&step("until: \"{{ x == 'b' }}\","), "mind: [a, b]", r#"{"x":"b","rounds":2,"stopped":"until"}"#);
    check(
        &step(""),
        "mind: { round 3 after b: c, round 2 after a: b, round 1 after: a }",
        r#"{"x":"c","rounds":3,"stopped":"max_rounds"}"#,
    );
}

#[test]
fn a_call_knows_only_its_inputs() {
    check("  out: { call: { dialogue: examples/doubler, with: { x: 4 } } }", "", "8");
    check("  n: { compute: 5 }\n  out: { call: { dialogue: doubler, with: { x: \"{{ n }}\", by: 3 } } }", "", "15");
}

#[test]
fn when_until_and_templates_agree_on_truth() {
    let scene = "  moments: { frames: { video: \"{{ video }}\", every: 5s } }\n  ranked: { rank: { agent: eye, what: x, among: [a] } }\n  \
                 vector: { embed: { agent: eye, what: x } }\n  skipped: { when: \"{{ false }}\", compute: 1 }\n";
    let values = [
        ("skipped", false),
        ("none", false),
        ("false", false),
        ("true", true),
        ("0", false),
        ("0.0", false),
        ("-1", true),
        ("''", false),
        ("' '", true),
        ("'0'", true),
        ("[]", false),
        ("[0]", true),
        ("{}", false),
        ("{'a': 0}", true),
        ("video", true),
        ("video.audio", true),
        ("silent.audio", false),
        ("moments[0]", true),
        ("ranked[0]", true),
        ("vector", true),
    ];
    for (value, truth) in values {
        // the condition is the bare value: `not` or `if` in it would use the truth rule of templates
        let steps = format!(
            "{scene}  whole: {{ compute: \"{{{{ video.path }}}}\" }}\n  a: {{ when: \"{{{{ {value} }}}}\", compute: ran }}\n  \
             b: {{ loop: {{ max_rounds: 2, until: \"{{{{ {value} }}}}\", steps: {{ x: {{ compute: 1 }} }} }} }}\n  \
             out: {{ compute: [\"{{{{ a == 'ran' }}}}\", \"{{{{ b.stopped == 'until' }}}}\", \"{{{{ true if {value} else false }}}}\", \
             \"{{{{ [moments, ranked, vector, skipped, whole] | length }}}}\"] }}"
        );
        let expected = format!("[{truth},{truth},{truth},5]");
        check(&steps, "media: 2, eye: [a, [1, 0]]", &expected);
    }
}

#[test]
fn say_yields_the_value_of_a_schema_and_the_scores_of_choices() {
    let schema = "{ type: object, properties: { who: { type: string }, n: { type: integer } }, required: [who] }";
    let say = format!("  ask: {{ say: {{ agent: mind, text: hi, schema: {schema} }} }}\n");
    let out = |expr: &str| format!("{say}  out: {{ compute: \"{expr}\" }}");
    check(&out("{{ ask.who }} {{ ask.n is none }}"), "mind: ['{\"who\": \"Ann\"}']", "\"Ann True\"");
    check(&out("{{ ask }}"), "mind: ['{\"n\": 2, \"who\": \"Ann\"}']", r#"{"who":"Ann","n":2}"#);
    check(
        &out("{{ ask }}"),
        "mind: ['{\"n\": 2}']",
        "! ask: the script's reply does not fit: found a reply that does not fit the schema: \"who\" is a required property",
    );
    let regex = "  out: { say: { agent: mind, text: hi, regex: '[0-9]+' } }";
    check(regex, "mind: ['12']", "\"12\"");
    check(
        regex,
        "mind: ['x']",
        "! out: the script's reply does not fit: found `x`, which the regular expression `[0-9]+` does not match",
    );
    let scores = "  out: { say: { agent: mind, text: hi, choices: [yes, no], scores: true } }";
    check(
        scores,
        "mind: [{ 'yes': -1, 'no': -1 }]",
        r#"[{"text":"yes","score":-1.0,"probability":0.5},{"text":"no","score":-1.0,"probability":0.5}]"#,
    );
    check(
        scores,
        "mind: ['no']",
        "! out: found no scores in the reply: only local models give them; remove `scores: true`",
    );
}
