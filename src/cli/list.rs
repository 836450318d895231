//! `elenchus list`

use super::{
    Exit,
    out::Out,
    settings::{Settings, tell},
};
use crate::{
    dialogue::Resource,
    error::Fault,
    hub::listing::{From, KINDS, Listed},
};
use std::path::Path;

/// What `list` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus list
  elenchus list dialogues --json

Lists the things that dialogues and commands can name: those of the project, of your own folder, and those that come with the program.
`elenchus show NAME` prints one.")]
pub(crate) struct Args {
    /// Only these
    kind: Option<Kind>,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Dialogues.
    Dialogues,
    /// Prompts.
    Prompts,
    /// Lists of labels.
    Labels,
    /// Casts.
    Casts,
    /// Agents.
    Agents,
}

impl Kind {
    fn resource(self) -> Resource {
        match self {
            Kind::Dialogues => Resource::Dialogue,
            Kind::Prompts => Resource::Prompt,
            Kind::Labels => Resource::Labels,
            Kind::Casts => Resource::Cast,
            Kind::Agents => Resource::Agent,
        }
    }
}

impl Args {
    pub fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let hub = settings.hub(Path::new("."), settings.network(false))?;
        let kinds = self.kind.map_or(KINDS.to_vec(), |kind| vec![kind.resource()]);
        let all: Vec<Listed> = kinds.into_iter().flat_map(|kind| hub.listed(kind)).collect();
        // a file that cannot be used is a row of the list
        let _ = tell(&hub.verdicts, out);
        if out.json {
            out.value(&all)?;
            return Ok(Exit::Answered);
        }
        let mut kind = "";
        for one in &all {
            if one.kind != kind {
                out.text(format!("{}{}", if kind.is_empty() { "" } else { "\n" }, heading(one.kind)))?;
                kind = one.kind;
            }
            let from = match one.from {
                From::Program => "program",
                From::User => "user",
                From::Project => "project",
            };
            out.text(format!("  {:18} {from:8} {}", one.name, one.about.as_deref().unwrap_or_default()).trim_end())?;
        }
        Ok(Exit::Answered)
    }
}

fn heading(kind: &str) -> String {
    if kind == "labels" { "labels:".into() } else { format!("{kind}s:") }
}
