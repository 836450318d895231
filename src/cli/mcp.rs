//! `elenchus mcp`

use super::{
    Exit,
    common::{bytes, device, duration},
    session::block_on,
    settings::Settings,
};
use crate::{
    error::Fault,
    serve::{ServeLimits, ServeOptions, serve_stdio},
    session::Engine,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

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
    /// Use the agents of casts/NAME.yaml in all dialogues
    #[arg(long, value_name = "NAME")]
    cast: Option<String>,
    /// Device of local models: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    device: String,
    /// Maximum memory of all models on a device (4GB) [default: the free memory]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
    /// The dialogue that answers questions, with the inputs `videos` and `question`
    #[arg(long, value_name = "DIALOGUE", default_value = "journal_qa")]
    dialogue: String,
    /// Folders whose videos are listed beside those of the journal
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// The longest time of a run
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    timeout: Duration,
}

impl Args {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, Fault> {
        let options = ServeOptions {
            cast: self.cast,
            device: self.device,
            memory: self.memory,
            folders: self.folders,
            answering: self.dialogue,
            limits: ServeLimits { run_time: self.timeout, ..ServeLimits::default() },
            ..ServeOptions::default()
        };
        let engine = Arc::new(Engine::new(settings.clone()));
        block_on(|cancel| async move {
            serve_stdio(engine, options, cancel).await?;
            Ok(Exit::Answered)
        })
    }
}
