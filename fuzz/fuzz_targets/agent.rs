//! Agent files: as written, and as the agent that they ask for.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| elenchus_fuzz::agent(source));
