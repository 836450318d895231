//! The header of a GGUF file, and the configuration and the tokenizer that it becomes.
#![no_main]

use elenchus::infer::{gguf::Gguf, growth};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|file: &[u8]| {
    let Ok(gguf) = Gguf::read(Path::new("fuzz.gguf"), file, file.len() as u64) else { return };
    let _ = (gguf.config(), gguf.bytes(Some(4)), gguf.copied_on_cpu(), gguf.stored_dtype());
    let _ = gguf.text("tokenizer_config.json");
    if let Ok(Some(tokenizer)) = gguf.text("tokenizer.json") {
        let _ = growth::check_file(&tokenizer);
    }
});
