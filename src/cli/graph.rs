//! `elenchus graph FILE`

use super::{Exit, out::Out, settings::Settings, source::Source};
use crate::error::Fault;
use crate::plan::{CompileOptions, draw};
use std::path::PathBuf;

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture, drawn here.
    Svg,
}

/// What `graph` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus graph examples/video_qa.yaml
  elenchus graph video_qa --format svg --output graph.svg")]
pub(crate) struct Args {
    /// A dialogue: a file, `-` for standard input, or a name
    file: String,
    /// How to draw it
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    format: Format,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    pub fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let source = Source::find(&self.file, settings, settings.network(false))?;
        let plan = source.compile(&CompileOptions::default(), out)?;
        let drawn = match self.format {
            Format::Mermaid => draw::mermaid(&plan),
            Format::Dot => draw::dot(&plan),
            Format::Svg => draw::svg(&plan),
        };
        match &self.output {
            Some(file) => std::fs::write(file, drawn)
                .map_err(|e| Fault::failed(format!("{} cannot be written: {e}", file.display())))?,
            None if out.json => out.value(&serde_json::json!({ "graph": drawn }))?,
            None => out.text(drawn)?,
        }
        Ok(Exit::Answered)
    }
}
