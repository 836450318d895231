//! Random and mutated input: the readers and the checker answer, within their limits, and never panic.

use elenchus::{
    dialogue::{self, Resource, Shelf},
    plan::{self, CompileOptions},
    prompt::{Scope, Template},
    value::{Type, Value},
};
use indexmap::IndexMap;
use proptest::prelude::*;

const EXAMPLES: &[&str] = &[
    include_str!("../examples/video_qa.yaml"),
    include_str!("../examples/caption.yaml"),
    include_str!("../examples/entities.yaml"),
    include_str!("../examples/story.yaml"),
];

fn shelf() -> Shelf {
    let agents = ["starter-clip", "starter-lm", "starter-whisper"];
    let shelf =
        agents.iter().fold(Shelf::default(), |shelf, name| shelf.with(Resource::Agent, name, "model: { path: x }"));
    shelf
        .with(Resource::Prompt, "video-qa", include_str!("../prompts/video-qa.md"))
        .with(Resource::Prompt, "activities", include_str!("../prompts/activities.md"))
        .with(Resource::Labels, "places", "kitchen")
        .with(Resource::Labels, "objects", "keys")
        .with(Resource::Dialogue, "caption", EXAMPLES[1])
}

/// Reads and checks `source`; what passes compiles again, what does not can be shown.
fn check(source: &str) {
    match plan::compile_text(source, "hostile.yaml", &shelf(), &CompileOptions::default()) {
        Ok(plan) => {
            assert!(plan::draw::svg(&plan).ends_with("</svg>\n"));
            assert!(plan::recompile(&plan.sources).is_ok());
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            problems.iter().take(3).for_each(|problem| drop(plan::render(problem, source, false)));
        }
    }
    let _ = dialogue::agent_file(source, "hostile.yaml");
    let _ = dialogue::cast(source, "hostile.yaml");
}

/// A line is removed, doubled, cut or pasted elsewhere.
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
        let Ok(template) = Template::parse(&source) else { return Ok(()) };
        let names: Vec<String> = template.names().into_iter().map(str::to_owned).collect();
        let types: IndexMap<String, Type> = names.iter().map(|name| (name.clone(), Type::Moment.list())).collect();
        template.ty(&types, &mut Vec::new());
        let scope: Scope = names.into_iter().map(|name| (name, Value::List(vec![Value::Number(1.0)]))).collect();
        let _ = template.eval(&scope);
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
    // generous: a debug build on a loaded machine
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "took {:?}", start.elapsed());
}
