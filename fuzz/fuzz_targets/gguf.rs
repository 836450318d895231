//! The header of a GGUF file, and its conversion to a configuration and a tokenizer.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| elenchus_fuzz::gguf(file));
