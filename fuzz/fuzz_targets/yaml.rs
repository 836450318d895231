//! The YAML readers: never a panic, never more problems than the limit.
#![no_main]

use elenchus::{dialogue, problem::MAX_PROBLEMS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let (_, problems) = dialogue::load_partly(source, "fuzz.yaml");
    assert!(problems.len() <= MAX_PROBLEMS + 3);
    let _ = dialogue::agent_file(source, "fuzz.yaml");
    let _ = dialogue::cast(source, "fuzz.yaml");
});
