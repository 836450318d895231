//! The compiler of chat templates and their evaluation.
#![no_main]

use elenchus::prompt::{ChatTemplate, ChatValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::parse(source) else { return };
    let message = |(role, content): &(&str, &str)| ChatValue::from_pairs([("role", *role), ("content", *content)]);
    let said = [("system", "Be brief."), ("user", "hi <b>"), ("assistant", "<think>\nx\n</think>\n\nyes"), ("user", "?")];
    let names = vec![
        ("messages", said.iter().map(message).collect()),
        ("add_generation_prompt", true.into()),
        ("bos_token", "<s>".into()),
        ("tools", ().into()),
    ];
    let _ = template.render(names, 0);
});
