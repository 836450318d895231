//! The language from a user's view: every example compiles and fits the schema, and a file breaks each rule.

use elenchus::{
    dialogue::{self, Library, Resource, SourceText, plain_name},
    exchange::{Answers, Kind, Modality},
    plan::{self, CompileOptions, Problem},
    run,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository's own resources. The abilities of local models are listed here, because no weights are read.
struct Repository;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Library for Repository {
    fn read(&self, kind: Resource, name: &str) -> Option<SourceText> {
        if (kind, name) == (Resource::Agent, "test-embedder") {
            return Some(SourceText { file: "agents/test-embedder.yaml".into(), source: "model: { path: x }".into() });
        }
        // a path with another folder starts at the root
        let inside = kind.file(name);
        let file = if root().join(&inside).is_file() {
            inside
        } else {
            format!("{}.{}", plain_name(kind, name), kind.ending())
        };
        let source = fs::read_to_string(root().join(&file)).ok()?;
        Some(SourceText { file, source })
    }
    fn names(&self, kind: Resource) -> Vec<String> {
        let folder = match kind {
            Resource::Labels => "vocab/starter",
            kind => kind.folder(),
        };
        let name = |path: &PathBuf| {
            let plain = path.strip_prefix(root().join(kind.folder())).ok()?.with_extension("");
            Some(plain.to_str()?.to_owned())
        };
        files(folder, kind.ending()).iter().filter_map(name).collect()
    }
    fn answers_of(&self, agent: &str) -> Option<Vec<Answers>> {
        Some(match agent {
            "starter-clip" | "starter-clip-int8" => {
                let content = &[Modality::Text, Modality::Image];
                vec![Answers::new(Kind::Rank, content), Answers::new(Kind::Embed, content)]
            }
            "starter-lm" => vec![Answers::new(Kind::Say, &[Modality::Text])],
            "starter-whisper" | "starter-whisper-int8" => vec![Answers::usual(Kind::Hear)],
            "test-embedder" => vec![Answers::usual(Kind::Embed)],
            _ => return None,
        })
    }
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder exists");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty(), "{folder} holds .{extension} files");
    files
}

/// A file's name relative to the root, and its text.
fn text(path: &Path) -> (String, String) {
    let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
    (name, fs::read_to_string(path).expect("text"))
}

fn compile(path: &Path) -> Result<plan::Plan, Vec<Problem>> {
    let (name, source) = text(path);
    plan::compile_text(&source, &name, &Repository, &CompileOptions::default())
}

#[test]
fn every_rule_has_a_file_that_breaks_it() {
    for path in files("tests/problems", "yaml") {
        let (name, source) = text(&path);
        let problems = compile(&path).map(|plan| plan.name).expect_err(&name);
        let source_of = |file: &str| {
            if file == name { source.clone() } else { fs::read_to_string(root().join(file)).unwrap_or_default() }
        };
        let rendered: Vec<String> =
            problems.iter().map(|problem| plan::render(problem, &source_of(&problem.file), false)).collect();
        let stem = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("problem-{stem}"), rendered.join("\n\n"));
        });
        // the file's name is the code of its problem
        let code = problems.iter().map(|problem| problem.code.as_str()).find(|code| stem.starts_with(code));
        let known =
            ["many-at-once", "missing-version", "one-for-list", "test-names", "agent-text-only", "unbound-hole"];
        assert!(code.is_some() || known.contains(&stem.as_str()), "{stem}: {problems:?}");
    }
}

#[test]
fn every_example_compiles_and_again_from_its_sources() {
    for path in files("examples", "yaml") {
        let plan = compile(&path).unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
        let again =
            plan::recompile(&plan.sources).unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
        let names = |plan: &plan::Plan| plan.block.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&plan), names(&again));
        assert_eq!(plan.roles, again.roles);
    }
}

#[test]
fn every_example_compiles_with_every_cast() {
    for cast in files("casts", "yaml") {
        let cast = cast.file_stem().expect("a stem").to_string_lossy().into_owned();
        let options = CompileOptions { cast: Some(cast.clone()), ..CompileOptions::default() };
        for path in files("examples", "yaml") {
            let (name, source) = text(&path);
            let plan = plan::compile_text(&source, &name, &Repository, &options);
            let plan = plan.unwrap_or_else(|problems| panic!("{name} with {cast}: {problems:#?}"));
            let own = if ["starter", "int8"].contains(&&*cast) { "labels/starter/" } else { "labels/world/" };
            // what the labels of a translator's classifier mean is no list of words to rank among
            let lists =
                plan.sources.keys().filter(|key| key.starts_with("labels/") && !key.starts_with("labels/senses/"));
            assert!(
                lists.clone().all(|key| key.starts_with(own)),
                "{name} with {cast}: {:?}",
                lists.collect::<Vec<_>>()
            );
        }
    }
}

fn validator(schema: &serde_json::Value) -> jsonschema::Validator {
    jsonschema::validator_for(schema).expect("the schema is a schema")
}

/// Converts YAML to JSON with the reader of dialogues.
fn json(source: &str) -> serde_json::Value {
    elenchus::dialogue::to_json(source, "file").expect("readable YAML")
}

#[test]
fn examples_and_agents_fit_the_schemas() {
    let pairs = [
        ("examples", elenchus::plan::schema(elenchus::steps::VERBS)),
        ("agents", plan::agent_schema()),
        ("casts", plan::cast_schema()),
    ];
    for (folder, schema) in pairs {
        let validator = validator(&schema);
        for path in files(folder, "yaml") {
            let errors: Vec<String> =
                validator.iter_errors(&json(&text(&path).1)).map(|e| format!("{}: {e}", e.instance_path)).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        }
    }
}

#[test]
fn the_schema_refuses_unknown_keys_and_verbs() {
    let validator = validator(&elenchus::plan::schema(elenchus::steps::VERBS));
    for name in [
        "unknown-key",
        "unknown-verb",
        "unknown-type",
        "missing-version",
        "unsupported-version",
        "missing-key",
        "too-many",
    ] {
        let (_, source) = text(&root().join(format!("tests/problems/{name}.yaml")));
        assert!(!validator.is_valid(&json(&source)), "{name}");
    }
}

#[test]
fn the_schema_describes_every_verb() {
    let schema = elenchus::plan::schema(elenchus::steps::VERBS).to_string();
    for verb in elenchus::steps::VERBS {
        assert!(schema.contains(&format!("\"{}\":", verb.name)), "{}", verb.name);
    }
    assert!(schema.contains("Candidates") || schema.contains("candidates"), "doc comments become descriptions");
}

#[test]
fn the_tests_of_every_example_pass() {
    for path in files("examples", "yaml") {
        let (name, source) = text(&path);
        let dialogue = dialogue::load(&source, &name).expect("reads");
        let plan = compile(&path).expect("compiles");
        let tests = dialogue.written.tests.unwrap_or_default();
        assert!(!tests.is_empty(), "{name} has tests");
        for result in run::run_tests(&plan, &tests) {
            assert_eq!(result.differences, Vec::<String>::new(), "{name}: {}", result.name);
        }
    }
}

#[test]
fn a_plan_is_drawn() {
    let plan = compile(&root().join("examples/small_captions.yaml")).expect("compiles");
    insta::assert_snapshot!(plan::draw::mermaid(&plan, Default::default()));
    insta::assert_snapshot!(plan::draw::dot(&plan, Default::default()));
    let svg = plan::draw::svg(&plan, Default::default()).expect("small");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(
        svg.matches("marker-end").count(),
        plan::draw::mermaid(&plan, Default::default()).matches("-->").count() + 1,
        "each edge has an arrowhead, and the legend shows one"
    );
}

/// Values that `check` and the schema for editors must both refuse or both accept.
#[test]
fn the_schema_and_the_check_agree_on_values() {
    let validator = validator(&elenchus::plan::schema(elenchus::steps::VERBS));
    let check = |step: &str, expected: bool| {
        let source = format!(
            "version: 1\ndialogue: d\ninputs: {{ v: video, x: {{ type: number, default: 1 }} }}\ncast: {{ mind: starter-lm, eye: starter-clip }}\n\
             steps:\n  {step}\n  y: {{ compute: \"{{{{ v.duration + x }}}}\" }}\nanswer: \"{{{{ s }}}} {{{{ y }}}}\"\n"
        );
        let problems = plan::compile_text(&source, "d.yaml", &Repository, &CompileOptions::default()).err();
        // a step of another name is unused, which this test ignores
        let problems: Vec<_> = problems
            .into_iter()
            .flatten()
            .filter(|p| !["unused-step", "unknown-name"].contains(&p.code.as_str()))
            .collect();
        assert_eq!(problems.is_empty(), expected, "check: {step}: {problems:?}");
        assert_eq!(validator.is_valid(&json(&source)), expected, "schema: {step}");
    };
    let frames = |more: &str| format!("s: {{ frames: {{ video: \"{{{{ v }}}}\", {more} }} }}");
    let spans = [
        ("2s", true),
        ("1h30m", true),
        ("0.5s", true),
        ("5min", true),
        ("2", false),
        ("2 sec", false),
        ("0s", false),
        ("-1s", false),
        ("0.0ms", false),
        ("1.s", false),
    ];
    for (span, good) in spans {
        check(&frames(&format!("every: {span}")), good);
        check(&format!("s: {{ timeout: {span}, compute: 1 }}"), good);
    }
    check(&frames("every: \"{{ x }}\""), true);
    check(&frames("every: \"{{ x }}s\""), true);
    for (at, good) in [
        ("keyframes", true),
        ("scenes", true),
        ("[1, 2]", true),
        ("\"{{ [x] }}\"", true),
        ("frames", false),
        ("3", false),
    ] {
        check(&frames(&format!("at: {at}")), good);
    }
    check(&frames("at: scenes, threshold: 0.4"), true);
    check(&frames("at: scenes, threshold: 2"), false);
    let say = |more: &str| format!("s: {{ say: {{ agent: mind, text: hi, {more} }} }}");
    let numbers = [
        ("n: 1", true),
        ("n: 0", false),
        ("n: 1.5", false),
        ("n: \"{{ x }}\"", true),
        ("n: many", false),
        ("temperature: 0", true),
        ("temperature: -1", false),
        ("top_p: 1", true),
        ("top_p: 3", false),
        ("top_k: 0", true),
        ("top_k: -1", false),
        ("max_tokens: 1", true),
        ("max_tokens: 0", false),
        ("max_tokens: ten", false),
    ];
    for (number, good) in numbers {
        check(&say(number), good);
    }
    let rank = |more: &str| format!("s: {{ rank: {{ agent: eye, what: hi, among: [a, b], {more} }} }}");
    for (number, good) in [("top: 1", true), ("top: 0", false), ("min: 0.5", true), ("min: 2", false)] {
        check(&rank(number), good);
    }
    for (rounds, good) in [("3", true), ("0", false), ("1001", false), ("1.5", false)] {
        check(&format!("s: {{ loop: {{ max_rounds: {rounds}, steps: {{ a: {{ compute: 1 }} }} }} }}"), good);
    }
    for (name, good) in [
        ("s_2", true),
        ("größe", true),
        ("_s", true),
        ("my-step", false),
        ("2s", false),
        ("item", false),
        ("none", false),
    ] {
        check(&format!("{name}: {{ compute: 1 }}"), good);
        check(&format!("s: {{ loop: {{ max_rounds: 3, steps: {{ {name}: {{ compute: 1 }} }} }} }}"), good);
    }
    for (at_once, good) in [("1", true), ("0", false), ("1.5", false)] {
        check(&format!("s: {{ at_once: {at_once}, compute: 1 }}"), good);
    }
    check("s: { or: \"{{ x }}\", compute: 1 }", true);
}

fn optional_roles(source: &str, file: &str) -> Vec<String> {
    let written = dialogue::load(source, file).expect("reads").written;
    written.optional.into_iter().flatten().map(|role| role.value).collect()
}

/// Each row of `docs/dialogues.md` names a dialogue with its inputs and roles, and casts that fill these roles.
#[test]
fn the_table_of_dialogues_is_true() {
    let table = fs::read_to_string(root().join("docs/dialogues.md")).expect("the table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 17, "{rows:?}");
    let sorted = |text: &str| {
        let mut words: Vec<String> = text.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        words.sort();
        words
    };
    let (file, reader) = text(&root().join("examples/reader.yaml"));
    // a dialogue that calls `reader` has the optional roles of it that its cast fills
    let of_reader = optional_roles(&reader, &file);
    for row in rows {
        let [name, inputs, roles, casts, ..] = row[..] else { panic!("{row:?}") };
        let name = name.trim_matches('`');
        let (file, source) = text(&root().join(format!("examples/{name}.yaml")));
        let plan = compile(&root().join(&file)).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        let input = |(name, input): (&String, &plan::DeclaredInput)| match &input.default {
            Some(_) => format!("{name}?"),
            None => name.clone(),
        };
        assert_eq!(sorted(inputs), sorted(&plan.inputs.iter().map(input).collect::<Vec<_>>().join(", ")), "{name}");
        let optional = optional_roles(&source, &file);
        let mut all: Vec<String> = plan.roles.keys().cloned().chain(optional.clone()).collect();
        all.sort();
        all.dedup();
        let is_optional = |role: &String| optional.contains(role) || of_reader.contains(role);
        let all: Vec<String> =
            all.into_iter().map(|role| if is_optional(&role) { format!("{role}?") } else { role }).collect();
        assert_eq!(sorted(roles), all, "{name}");
        for cast in casts.split(", ") {
            let options = CompileOptions { cast: Some(cast.to_owned()), ..CompileOptions::default() };
            let plan = plan::compile_text(&source, &file, &Repository, &options);
            let plan = plan.unwrap_or_else(|problems| panic!("{name} with {cast}: {problems:#?}"));
            // an agent of another cast would be missing, or would not know the words
            let (_, cast_text) = text(&root().join(format!("casts/{cast}.yaml")));
            let filled = dialogue::cast(&cast_text, cast).expect("a cast").cast;
            let own = |role: &String| filled.iter().any(|(name, _)| name.value == *role) || optional.contains(role);
            assert!(plan.roles.keys().all(own), "{name} with {cast}: {:?}", plan.roles.keys());
        }
    }
}
