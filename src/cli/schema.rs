//! `elenchus schema`

use super::{Exit, out::Out};
use crate::error::Fault;
use crate::plan;

/// The files that the schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// examples/*.yaml
    Dialogue,
    /// agents/*.yaml
    Agent,
    /// casts/*.yaml
    Cast,
}

/// The arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus schema > dialogue.schema.json
  elenchus schema agent > agent.schema.json
  elenchus schema --markdown > language.md

Then, as the first line of a dialogue:
  # yaml-language-server: $schema=dialogue.schema.json")]
pub(crate) struct Args {
    /// The files that the schema is for
    #[arg(default_value = "dialogue")]
    which: Which,
    /// Print the reference of the whole language as Markdown instead
    #[arg(long)]
    markdown: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out) -> Result<Exit, Fault> {
        if self.markdown {
            let page = plan::reference(crate::steps::VERBS);
            match out.json {
                true => out.value(&serde_json::json!({ "markdown": page }))?,
                false => out.piece(&page)?,
            }
            return Ok(Exit::Answered);
        }
        let schema = match self.which {
            Which::Dialogue => crate::plan::schema(crate::steps::VERBS),
            Which::Agent => plan::agent_schema(),
            Which::Cast => plan::cast_schema(),
        };
        out.text(serde_json::to_string_pretty(&schema).expect("schemas serialise: this is a bug"))?;
        Ok(Exit::Answered)
    }
}
