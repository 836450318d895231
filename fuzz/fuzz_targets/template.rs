//! The template compiler, its type inference and its evaluation.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| elenchus_fuzz::template(source));
