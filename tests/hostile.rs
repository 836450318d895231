//! Random and mutated input: the readers and the checker answer within their limits and never panic.

#[allow(unreachable_pub, reason = "in fuzz/ this file is a library")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz_targets;

use elenchus::{
    dialogue::{self, Resource},
    plan::{self, CompileOptions},
};
use fuzz_targets::library;
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const EXAMPLES: &[&str] = &[
    include_str!("../examples/video_qa.yaml"),
    include_str!("../examples/image_caption.yaml"),
    include_str!("../examples/world_state.yaml"),
    include_str!("../examples/story.yaml"),
];

/// Reads and checks `source` as a dialogue, an agent file and a cast, like the fuzz targets.
fn check(source: &str) {
    fuzz_targets::yaml(source);
    fuzz_targets::plan(source);
    fuzz_targets::agent(source);
}

/// The fuzz targets accept whole files, and every list of targets names each of them.
#[test]
fn fuzz_targets_take_whole_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str, ending: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(folder)).expect("listed").map(|entry| entry.expect("entry").path());
        let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == ending)).collect();
        assert!(!files.is_empty(), "{folder} has files that end with {ending}");
        files
    };
    let read = |path: PathBuf| fs::read_to_string(path).expect("text");
    files("agents", "yaml").into_iter().for_each(|path| fuzz_targets::agent(&read(path)));
    files("prompts", "md").into_iter().for_each(|path| fuzz_targets::template(&read(path)));
    files("tests/fixtures/chat", "jinja").into_iter().for_each(|path| fuzz_targets::chat(&read(path)));
    let bytes = |path: &str| fs::read(root.join("tests/parity/fixtures").join(path)).expect("bytes");
    fuzz_targets::safetensors(&bytes("lm-tied/model.safetensors"));
    fuzz_targets::gguf(&bytes("gguf-bpe/model.gguf"));

    let (bodies, manifest, makefile) =
        (read(root.join("fuzz/src/lib.rs")), read(root.join("fuzz/Cargo.toml")), read(root.join("Makefile")));
    let (_, loop_) = makefile.split_once("\tfor target in ").expect("a loop over the targets");
    let run: BTreeSet<&str> = loop_.split(';').next().expect("a list").split(' ').collect();
    let mut there = BTreeSet::new();
    for path in files("fuzz/fuzz_targets", "rs") {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        assert!(read(path).contains(&format!("elenchus_fuzz::{name}(")), "{name} calls its function");
        assert!(bodies.contains(&format!("pub fn {name}(")), "{name} has a function");
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is listed in fuzz/Cargo.toml"
        );
        there.insert(name);
    }
    assert_eq!(there.iter().map(String::as_str).collect::<BTreeSet<_>>(), run, "`make fuzz` runs every target");
}

/// Removes, doubles, cuts or moves lines.
fn mutated(source: &str, edits: &[(usize, usize, u8)]) -> String {
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    for (at, with, what) in edits {
        let (at, with) = (at % lines.len().max(1), with % lines.len().max(1));
        match what % 5 {
            _ if lines.is_empty() => {}
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[with].clone()),
            2 => lines.swap(at, with),
            3 => {
                let keep = lines[at].chars().count() * (with % 10) / 10;
                lines[at] = lines[at].chars().take(keep).collect();
            }
            _ => lines[at] = lines[at].replacen(['{', ':', '"', ' '], "", 1 + with % 3),
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_dialogues_are_answered(which in 0..EXAMPLES.len(), edits in prop::collection::vec(any::<(usize, usize, u8)>(), 1..6)) {
        check(&mutated(EXAMPLES[which], &edits));
    }

    #[test]
    fn random_text_is_answered(source in "[-a-z:{}\\[\\]&*|>\"' \n#%!0-9.,~é]{0,200}") {
        check(&source);
    }

    #[test]
    fn random_templates_are_answered(source in "(\\{\\{|\\}\\}|\\{%|%\\}|for x in y|endfor|if|endif|x|y|[ a-z0-9|.()'\\[\\],+*-]){0,24}") {
        fuzz_targets::template(&source);
    }
}

#[test]
fn many_steps_are_refused_or_checked_in_time() {
    let start = std::time::Instant::now();
    let chain: String = (1..900).map(|i| format!("  s{i}: {{ compute: \"{{{{ s{} }}}}\" }}\n", i - 1)).collect();
    let dialogue =
        |steps: &str, answer: &str| format!("version: 1\ndialogue: x\nsteps:\n{steps}answer: \"{{{{ {answer} }}}}\"\n");
    check(&dialogue(&format!("  s0: {{ compute: 1 }}\n{chain}"), "s899"));
    let knot: String =
        (0..300).map(|i| format!("  s{i}: {{ compute: \"{}\" }}\n", "{{ s1 }}{{ s7 }}{{ s250 }}")).collect();
    check(&dialogue(&knot, "s0"));
    check(&dialogue(&"  a: { compute: 1 }\n".repeat(20_000), "a"));
    check(&dialogue(&(0..9000).map(|i| format!("  s{i}: {{ sya: 1 }}\n")).collect::<String>(), "s0"));
    // generous, for a debug build on a loaded machine
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "took {:?}", start.elapsed());
}

/// Checks the codes of the problems of `source`, without repetition. Before there were limits, each of these took
/// minutes, gigabytes or the whole stack. The time limit is generous, for a debug build on a loaded machine.
#[track_caller]
fn check_refused(source: &str, expected: &[&str]) {
    let start = std::time::Instant::now();
    let problems = plan::compile_text(source, "hostile.yaml", &library(), &CompileOptions::default()).err();
    let mut codes: Vec<String> = problems.unwrap_or_default().into_iter().map(|problem| problem.code).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes, expected, "{}", source.chars().take(200).collect::<String>());
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "took {:?}", start.elapsed());
}

/// A dialogue with one step `a` that computes this template.
fn computing(template: &str) -> String {
    format!("version: 1\ndialogue: x\nsteps:\n  a:\n    compute: |-\n      {template}\nanswer: \"{{{{ a }}}}\"\n")
}

#[test]
fn aliases_of_long_texts_are_counted() {
    let long = "x".repeat(500_000);
    check_refused(&format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 100_000].join(",")), &["too-large"]);
    let steps: String = (0..900).map(|i| format!("  s{i}: {{ compute: *a }}\n")).collect();
    let about = "{{ b }}".repeat(30_000);
    check_refused(&format!("version: 1\nabout: &a '{about}'\nsteps:\n{steps}"), &["too-large"]);
}

#[test]
fn templates_that_nest_without_brackets_are_refused() {
    for (open, close) in [
        ("not ", "1 }}"),
        ("- ", "1 }}"),
        ("1+", "1 }}"),
        ("1 ~ ", "1 }}"),
        ("1**", "1 }}"),
        ("1 and ", "1 }}"),
        ("1 if 1 else ", "1 }}"),
        ("(", "1 }}"),
    ] {
        check_refused(&computing(&format!("{{{{ {}{close}", open.repeat(10_000))), &["too-large"]);
    }
    for link in [".b", "[1]", "[:]", "()", "|abs", " is odd", " is not odd", " if 1"] {
        check_refused(&computing(&format!("{{{{ 1{} }}}}", link.repeat(10_000))), &["too-large"]);
    }
    let branches = "{% elif 1 %}".repeat(10_000);
    check_refused(&computing(&format!("{{% if 1 %}}{branches}{{% endif %}}")), &["too-large"]);
    // nested brackets, each with a chain after it
    let knot = (0..70).fold("1".to_owned(), |inner, _| format!("({inner}{})", "+1".repeat(100)));
    check_refused(&computing(&format!("{{{{ {knot} }}}}")), &["too-large"]);
    let deeper = "{% set a = [[[[[a]]]]] %}\n      ".repeat(1000);
    check_refused(&computing(&format!("{{% set a = 1 %}}{deeper}{{{{ a }}}}")), &["too-large"]);
    // ordinary templates are accepted: many operators, each on its own
    let list = vec!["1 + 2 * 3 - (4 // 5)"; 500].join(", ");
    check_refused(&computing(&format!("{{{{ [{list}] }}}}")), &[]);
    check_refused(&computing(&"{% if 1 %}a{% elif 2 %}b{% else %}c{% endif %}".repeat(500)), &[]);
}

#[test]
fn long_lines_of_templates_are_refused() {
    // the lexer counts columns in 16 bits, and adds one for an error
    check_refused(&computing(&format!("{{{{ {} }}}}", "9".repeat(100_000))), &["too-large"]);
    check_refused(&computing(&"{% raw %}".repeat(20_000)), &["too-large"]);
}

#[test]
fn types_that_build_on_each_other_stay_small() {
    let step = |i: usize| format!("  s{i}: {{ compute: {{ x: '{{{{ s{} }}}}', y: '{{{{ s{0} }}}}' }} }}\n", i - 1);
    let steps: String = (1..60).map(step).collect();
    let dialogue = |steps: &str, answer: &str| {
        format!("version: 1\ndialogue: x\nsteps:\n  s0: {{ compute: 1 }}\n{steps}answer: \"{{{{ {answer} }}}}\"\n")
    };
    check_refused(&dialogue(&steps, "s59"), &[]);
    let set = "{% set a={'x':a,'y':a} %}".repeat(60);
    check_refused(&computing(&format!("{{% set a = 1 %}}{set}{{{{ a.x.x }}}}")), &[]);
    // a step 36 000 lists deep
    let lists =
        |i: usize| format!("  s{i}: {{ compute: {}'{{{{ s{} }}}}'{} }}\n", "[".repeat(40), i - 1, "]".repeat(40));
    check_refused(&dialogue(&(1..900).map(lists).collect::<String>(), "s899"), &[]);
    // small types keep their fields
    check_refused(&dialogue(&(1..5).map(step).collect::<String>(), "s4.x.z"), &["unknown-field"]);
}

#[test]
fn positions_of_many_mistakes_are_found_in_one_pass() {
    check_refused(&computing(&"{{b}}".repeat(11_000)), &["unknown-name"]);
    let many: String = (0..8_000).map(|i| format!("{{{{ b{i}|nope }}}}\n      ")).collect();
    check_refused(&computing(&many), &["unknown-filter"]);
    let bound: String = (0..7_000).map(|i| format!("{{% set v{i}=1 %}}{{{{ v{i} }}}}\n      ")).collect();
    check_refused(&computing(&bound), &[]);
    let keys: String = (0..900).map(|i| format!("{}{i}: 1\n", "x".repeat(1000))).collect();
    let problems =
        plan::compile_text(&keys, "hostile.yaml", &library(), &CompileOptions::default()).expect_err("refused");
    assert!(problems.iter().all(|problem| problem.message.chars().count() <= 2001));
    let start = std::time::Instant::now();
    problems.iter().for_each(|problem| drop(plan::render(problem, &keys, false)));
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "took {:?}", start.elapsed());
}

#[test]
fn loops_and_numbers_are_bounded() {
    let looping = |rounds: &str| {
        let body = format!("{{ loop: {{ steps: {{ b: {{ compute: 1 }} }}, max_rounds: {rounds} }} }}");
        format!("version: 1\ndialogue: x\nsteps:\n  a: {body}\nanswer: \"{{{{ a.b }}}}\"\n")
    };
    check_refused(&looping("1000"), &[]);
    check_refused(&looping("1000000000"), &["wrong-value"]);
    for number in ["0", "-1", "1.5", "1e400", ".inf", ".nan", "1e13"] {
        let problems = plan::compile_text(&looping(number), "x.yaml", &library(), &CompileOptions::default());
        assert!(problems.is_err(), "{number}");
    }
}

/// The differences of a dialogue's only test, which runs with scripted replies.
fn differences(steps: &str, answer: &str) -> Vec<String> {
    let source = format!(
        "version: 1\ndialogue: x\nsteps:\n{steps}answer: \"{{{{ {answer} }}}}\"\n\
         tests: [{{ name: t, expect: {{ answer: none }} }}]\n"
    );
    let problems = |problems: Vec<plan::Problem>| problems.into_iter().map(|p| p.message).collect::<Vec<_>>();
    let plan = plan::compile_text(&source, "x.yaml", &library(), &CompileOptions::default());
    let plan = plan.map_err(problems).expect("a plan");
    let tests = dialogue::load(&source, "x.yaml").map_err(problems).expect("read").written.tests.expect("a test");
    elenchus::run::run_tests(&plan, &tests).into_iter().flat_map(|test| test.differences).collect()
}

#[track_caller]
fn check_fails(steps: &str, answer: &str, expected: &str) {
    let start = std::time::Instant::now();
    let found = differences(steps, answer).join("; ");
    assert!(found.contains(expected), "{found}");
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "took {:?}", start.elapsed());
}

#[test]
fn values_that_grow_fail_the_step() {
    let doubled = |value: &str| -> String {
        (1..60).map(|i| format!("  s{i}: {{ compute: {} }}\n", value.replace('N', &(i - 1).to_string()))).collect()
    };
    // a megabyte, so that a few values reach the limit
    let from = |value: &str| format!("  s0: {{ compute: \"{{{{ 'x' * 1000000 }}}}\" }}\n{}", doubled(value));
    check_fails(&from("['{{ sN }}', '{{ sN }}']"), "s59", "MiB");
    check_fails(&from("{ a: '{{ sN }}', b: '{{ sN }}' }"), "s59", "MiB");
    check_fails(&from("'{{ sN ~ sN }}'"), "s59", "work limit");
    check_fails(&from("'{{ sN }}{{ sN }}'"), "s59", "more than");
    check_fails(&from("[[['{{ sN }}']]]"), "s59", "nested deeper than");
    let previous = "  a: { loop: { steps: { b: { compute: ['{{ previous.b }}'] } }, max_rounds: 1000 } }\n";
    check_fails(previous, "a.b", "nested deeper than");
}

#[test]
fn dialogues_that_call_each_other_many_times_are_refused() {
    let caller = |next: usize| {
        let calls: String = (0..10).map(|i| format!("  s{i}: {{ call: {{ dialogue: d{next} }} }}\n")).collect();
        let all = (0..10).map(|i| format!("s{i}")).collect::<Vec<_>>().join(", ");
        format!("version: 1\ndialogue: x\nsteps:\n{calls}answer: \"{{{{ [{all}] }}}}\"\n")
    };
    let last = "version: 1\ndialogue: x\nsteps:\n  a: { compute: 1 }\nanswer: \"{{ a }}\"\n";
    let library =
        (1..8).fold(library(), |library, i| library.with(Resource::Dialogue, &format!("d{i}"), &caller(i + 1)));
    let library = library.with(Resource::Dialogue, "d8", last);
    let problems =
        plan::compile_text(&caller(1), "d0.yaml", &library, &CompileOptions::default()).expect_err("refused");
    assert!(problems.iter().any(|problem| problem.code == "too-large"), "{:?}", problems.first());
}
