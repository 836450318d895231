//! `elenchus mcp`

use super::{Exit, serve::AnsweringArgs, session::block_on, settings::Settings};
use crate::{error::Fault, serve::serve_stdio, session::Engine};
use std::{path::PathBuf, sync::Arc};

/// The arguments of `mcp`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus mcp                          # an assistant starts this command itself
  elenchus mcp --cast laptop

In the settings of an assistant: { \"mcpServers\": { \"elenchus\": { \"command\": \"elenchus\", \"args\": [\"mcp\"] } } }

The tools are ask, search, journal, videos and clip. They read the journal; `elenchus index` fills it. The assistant gets what the tools \
return, so a remote one learns what you ask about. `elenchus serve` has the same tools at /mcp.")]
pub(crate) struct Args {
    #[command(flatten)]
    answering: AnsweringArgs,
    /// Folders whose videos are listed beside those of the journal
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
}

impl Args {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, Fault> {
        let options = self.answering.options(self.folders);
        let engine = Arc::new(Engine::new(settings.clone()));
        block_on(|cancel| async move {
            serve_stdio(engine, options, cancel).await?;
            Ok(Exit::Answered)
        })
    }
}
