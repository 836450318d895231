//! Agent files: as written, and as the settings of their agent.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| elenchus_fuzz::agent(source));
