//! The header of a GGUF file, and the configuration and the tokenizer that it becomes.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| elenchus_fuzz::gguf(file));
