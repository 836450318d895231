//! Agent files: as written, and as the agent that they ask for.
#![no_main]

use elenchus::{agent::spec::Spec, dialogue, hub::checkpoint::Origin};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    match dialogue::agent_file(source, "fuzz.yaml") {
        Ok(file) => {
            let _ = (file.answers(), Spec::new("fuzz", &file, &Origin::Folder("agents".into())));
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
});
