//! `elenchus list`

use super::{
    Exit,
    out::Out,
    settings::{Settings, report},
};
use crate::{
    dialogue::Resource,
    error::Fault,
    hub::listing::{From, ListedName},
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::Path;

/// The arguments of `list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus list
  elenchus list dialogues --json

The command lists the names in the project, in your configuration folder and in the program. `elenchus show NAME` prints one of them.")]
pub(crate) struct Args {
    /// List only this kind
    #[arg(value_parser = PossibleValuesParser::new(Resource::ALL.map(Resource::plural)).map(of_plural))]
    kind: Option<Resource>,
}

/// The kind with this plural. The parser accepts no other word.
fn of_plural(word: String) -> Resource {
    Resource::ALL.into_iter().find(|kind| kind.plural() == word).unwrap_or(Resource::Dialogue)
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let catalogue = settings.catalogue(Path::new("."), settings.network(false))?;
        let kinds = self.kind.map_or(Resource::ALL.to_vec(), |kind| vec![kind]);
        let all: Vec<ListedName> = kinds.into_iter().flat_map(|kind| catalogue.listed(kind)).collect();
        // a file that cannot be used is a row of the list, so the error is not needed here
        let _ = report(&catalogue.verdicts, out);
        if out.json {
            out.value(&all)?;
            return Ok(Exit::Answered);
        }
        let mut kind = None;
        for one in &all {
            if kind != Some(one.kind) {
                let plural =
                    Resource::ALL.into_iter().find(|kind| kind.word() == one.kind).map_or("", Resource::plural);
                out.text(format!("{}{plural}:", if kind.is_none() { "" } else { "\n" }))?;
                kind = Some(one.kind);
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
