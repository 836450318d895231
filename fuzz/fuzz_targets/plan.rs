//! The whole check of a dialogue: problems can be shown, and a valid dialogue can be drawn and compiled again.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| elenchus_fuzz::plan(source));
