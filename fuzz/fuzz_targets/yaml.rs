//! The YAML readers: they never panic, and never report more problems than the limit.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| elenchus_fuzz::yaml(source));
