//! `elenchus completions SHELL`

use super::{Exit, out::Out};
use crate::error::Fault;

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  elenchus completions bash > ~/.local/share/bash-completion/completions/elenchus")]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

impl Args {
    pub(super) fn run(self, out: &Out) -> Result<Exit, Fault> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "elenchus", &mut script);
        let script = String::from_utf8_lossy(&script);
        if out.json {
            out.value(&serde_json::json!({ "shell": self.shell.to_string(), "script": script }))?;
        } else {
            out.text(script)?;
        }
        Ok(Exit::Answered)
    }
}
