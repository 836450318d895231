//! `elenchus graph FILE`

use super::{Exit, out::Out, settings::Settings, source};
use crate::error::Fault;
use crate::plan::{CompileOptions, draw};
use std::path::PathBuf;

/// The options of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
}

/// The arguments of `graph`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus graph examples/video_qa.yaml
  elenchus graph video_qa --format svg --expand --output graph.svg

A loop is a box around its steps, with an edge back to the first step. A call shows the name of its dialogue. With --json, the drawing is \
in the field `graph`. --output writes the drawing alone.")]
pub(crate) struct Args {
    /// A dialogue: a file, `-` for standard input, or a name
    file: String,
    /// Format of the drawing
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    format: Format,
    /// Draw the steps of called dialogues too
    #[arg(long)]
    expand: bool,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let source = source::find(&self.file, settings, settings.network(false))?;
        let plan = source::compile(&source, &CompileOptions::default(), out)?;
        let options = draw::DrawOptions { expand: self.expand };
        let drawn = match self.format {
            Format::Mermaid => draw::mermaid(&plan, options),
            Format::Dot => draw::dot(&plan, options),
            Format::Svg => draw::svg(&plan, options).map_err(|why| Fault::refused(why).hint("use --format dot"))?,
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
