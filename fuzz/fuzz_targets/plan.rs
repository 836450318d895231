//! The whole check of a dialogue: problems can be shown, and what passes can be drawn and compiled again.
#![no_main]

use elenchus::{
    dialogue::{Resource, MemoryLibrary},
    exchange::{Answers, Kind},
    plan::{self, CompileOptions},
};
use libfuzzer_sys::fuzz_target;

fn library() -> MemoryLibrary {
    let agents = ["starter-clip", "starter-lm", "starter-whisper"];
    let library = agents.iter().fold(MemoryLibrary::default(), |library, name| library.with(Resource::Agent, name, "model: { path: x }"));
    library
        .with_answers("starter-clip", &[Kind::Rank, Kind::Embed].map(Answers::usual))
        .with_answers("starter-lm", &[Answers::usual(Kind::Say)])
        .with(Resource::Prompt, "video-qa", include_str!("../../prompts/video-qa.md"))
        .with(Resource::Prompt, "activities", include_str!("../../prompts/activities.md"))
        .with(Resource::Prompt, "caption", include_str!("../../prompts/caption.md"))
        .with(Resource::Prompt, "story", include_str!("../../prompts/story.md"))
        .with(Resource::Prompt, "entities", include_str!("../../prompts/entities.md"))
        .with(Resource::Labels, "places", "kitchen\nstreet")
        .with(Resource::Labels, "objects", "keys\nmug")
        .with(Resource::Dialogue, "caption", include_str!("../../examples/caption.yaml"))
}

fuzz_target!(|source: &str| {
    match plan::compile_text(source, "fuzz.yaml", &library(), &CompileOptions::default()) {
        Ok(plan) => {
            let _ = {
                let options = plan::draw::DrawOptions { expand: true };
                (plan::draw::mermaid(&plan, options), plan::draw::dot(&plan, options), plan::draw::svg(&plan, options))
            };
            plan::recompile(&plan.sources).expect("what compiled once compiles again");
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems.iter().take(5) {
                let _ = plan::render(problem, source, false);
            }
        }
    }
});
