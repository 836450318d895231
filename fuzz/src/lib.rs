//! The functions of the fuzz targets. A test of the main crate compiles this file too, so that the targets cannot rot.

use elenchus::{
    agent::spec::Spec,
    dialogue::{self, MemoryLibrary, Resource},
    exchange::{Answers, Kind},
    hub::checkpoint::Origin,
    infer::{
        gguf::{Gguf, Lists},
        growth,
        weights::header,
    },
    plan::{self, CompileOptions},
    problem::MAX_PROBLEMS,
    prompt::{ChatTemplate, ChatValue, Scope, Template},
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::path::Path;

/// The YAML readers: never a panic, never more problems than the limit.
pub fn yaml(source: &str) {
    let (_, problems) = dialogue::load_partly(source, "fuzz.yaml");
    assert!(problems.len() <= MAX_PROBLEMS + 3);
    let _ = dialogue::agent_file(source, "fuzz.yaml");
    let _ = dialogue::cast(source, "fuzz.yaml");
}

/// The agents, prompts, label lists and dialogues that inputs can name.
pub fn library() -> MemoryLibrary {
    let agents = ["starter-clip", "starter-lm", "starter-whisper"];
    let library = agents
        .iter()
        .fold(MemoryLibrary::default(), |library, name| library.with(Resource::Agent, name, "model: { path: x }"));
    library
        .with_answers("starter-clip", &[Kind::Rank, Kind::Embed].map(Answers::usual))
        .with_answers("starter-lm", &[Answers::usual(Kind::Say)])
        .with(Resource::Prompt, "video-qa", include_str!("../../prompts/video-qa.md"))
        .with(Resource::Prompt, "activities", include_str!("../../prompts/activities.md"))
        .with(Resource::Prompt, "caption", include_str!("../../prompts/caption.md"))
        .with(Resource::Prompt, "image-caption", include_str!("../../prompts/image-caption.md"))
        .with(Resource::Prompt, "story", include_str!("../../prompts/story.md"))
        .with(Resource::Prompt, "entities", include_str!("../../prompts/entities.md"))
        .with(Resource::Labels, "places", "kitchen\nstreet")
        .with(Resource::Labels, "objects", "keys\nmug")
        .with(Resource::Dialogue, "image_caption", include_str!("../../examples/image_caption.yaml"))
        .with(Resource::Dialogue, "captions", include_str!("../../examples/captions.yaml"))
}

/// The whole check of a dialogue: problems can be shown, and a valid dialogue can be drawn and compiled again.
pub fn plan(source: &str) {
    match plan::compile_text(source, "fuzz.yaml", &library(), &CompileOptions::default()) {
        Ok(plan) => {
            let options = plan::draw::DrawOptions { expand: true };
            let _ = (plan::draw::mermaid(&plan, options), plan::draw::dot(&plan, options));
            match plan::draw::svg(&plan, options) {
                Ok(svg) => assert!(svg.ends_with("</svg>\n")),
                Err(why) => assert!(why.contains("boxes and edges"), "{why}"),
            }
            plan::recompile(&plan.sources).expect("a plan that compiled once compiles again");
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems.iter().take(5) {
                let _ = plan::render(problem, source, false);
            }
        }
    }
}

/// The template compiler, its type inference and its evaluation.
pub fn template(source: &str) {
    let Ok(template) = Template::parse(source) else { return };
    let names = template.names().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let types: IndexMap<String, Type> = names.iter().map(|name| (name.clone(), Type::Text.list())).collect();
    let _ = template.ty(&types, &mut Vec::new());
    let list = || Value::List(vec![Value::Text("a".into()), Value::Number(1.0), Value::Nothing]);
    let scope: Scope = names.into_iter().map(|name| (name, list())).collect();
    let _ = template.eval(&scope);
}

/// The compiler of chat templates and their evaluation.
pub fn chat(source: &str) {
    let Ok(template) = ChatTemplate::parse(source) else { return };
    let message = |(role, content): &(&str, &str)| ChatValue::from_pairs([("role", *role), ("content", *content)]);
    let said =
        [("system", "Be brief."), ("user", "hi <b>"), ("assistant", "<think>\nx\n</think>\n\nyes"), ("user", "?")];
    let names = vec![
        ("messages", said.iter().map(message).collect()),
        ("add_generation_prompt", true.into()),
        ("bos_token", "<s>".into()),
        ("tools", ().into()),
    ];
    let _ = template.render(names, 0);
}

/// Agent files: as written, and as the agent that they ask for.
pub fn agent(source: &str) {
    match dialogue::agent_file(source, "fuzz.yaml") {
        Ok(file) => {
            let _ = (file.answers(), Spec::new("fuzz", &file, &Origin::Folder("agents".into())));
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
}

/// The header of a safetensors file: a header that passes is complete, and its tensors lie within the file.
pub fn safetensors(file: &[u8]) {
    let length = file.len() as u64;
    if let Ok((tensors, begin)) = header(file, length) {
        for info in tensors.tensors().values() {
            assert!(begin + info.data_offsets.1 as u64 <= length);
        }
    }
}

/// The header of a GGUF file, and the configuration and the tokenizer that it becomes.
pub fn gguf(file: &[u8]) {
    let Ok(gguf) = Gguf::read(Path::new("fuzz.gguf"), file, file.len() as u64, Lists::Kept) else { return };
    let _ = (gguf.config(), gguf.bytes(Some(4), true), gguf.bytes(Some(4), false), gguf.stored_dtype());
    let _ = gguf.text("tokenizer_config.json");
    if let Ok(Some(tokenizer)) = gguf.text("tokenizer.json") {
        let _ = growth::check_file(&tokenizer);
    }
}
