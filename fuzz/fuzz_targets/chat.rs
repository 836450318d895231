//! The compiler of chat templates and their evaluation.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| elenchus_fuzz::chat(source));
