//! `elenchus show NAME`

use super::{
    Exit, describe,
    out::Out,
    settings::{Settings, report},
    source,
};
use crate::{
    dialogue::Resource,
    error::Fault,
    hub::{Catalogue, catalogue::FoundFile},
    plan::{self, CompileOptions},
};
use std::path::Path;

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus show video_qa                       # a dialogue that comes with the program
  elenchus show prompts/video-qa               # the folder selects one of several things with this name
  elenchus show vocab/starter/places > vocab/mine.txt  # a start for your own list

`elenchus list` shows the names.")]
pub(crate) struct Args {
    /// The name of a dialogue, prompt, label list, cast or agent
    name: String,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let catalogue = settings.catalogue(Path::new("."), settings.network(false))?;
        let found = self.find(&catalogue);
        report(&catalogue.verdicts, out)?;
        let (kind, found) = found?;
        if !out.json {
            out.text(&found.text)?;
            return Ok(Exit::Answered);
        }
        let mut shown = serde_json::json!({
            "kind": kind.word(), "name": self.plain(kind), "from": catalogue.from(&found), "file": found.file, "text": found.text,
        });
        if kind == Resource::Dialogue
            && let Ok(plan) =
                source::find(&self.plain(kind), settings, settings.network(false))?.plan(&CompileOptions::default())
        {
            shown["inputs"] = describe::inputs_json(&plan);
        }
        out.value(&shown)?;
        Ok(Exit::Answered)
    }

    /// The name without folder and ending.
    fn plain(&self, kind: Resource) -> String {
        crate::dialogue::plain_name(kind, &self.name)
    }

    /// Finds the thing with this name. Fails if there is none, or more than one.
    fn find(&self, catalogue: &Catalogue) -> Result<(Resource, FoundFile), Fault> {
        let folder = self.name.split_once('/').map(|(folder, _)| folder);
        let in_folder = Resource::ALL.into_iter().find(|kind| folder == Some(kind.folder()));
        let kinds = in_folder.map_or(Resource::ALL.to_vec(), |kind| vec![kind]);
        let mut found = Vec::new();
        for kind in &kinds {
            if let Some(one) = catalogue.find(*kind, &self.name).map_err(Fault::refused)? {
                found.push((*kind, one));
            }
        }
        if found.len() > 1 {
            let names: Vec<String> = found
                .iter()
                .map(|(kind, _)| format!("`elenchus show {}/{}`", kind.folder(), self.plain(*kind)))
                .collect();
            return Err(Fault::refused(format!("`{}` names {} things", self.name, found.len()))
                .hint(format!("write {}", names.join(" or "))));
        }
        found.pop().ok_or_else(|| {
            let names: Vec<String> = kinds.iter().flat_map(|kind| catalogue.names(*kind)).collect();
            let plain = self.plain(kinds[0]);
            let hint = plan::closest(&plain, names.iter().map(String::as_str));
            Fault::refused(format!("nothing is named `{}`", self.name))
                .hint(hint.unwrap_or_else(|| "`elenchus list` shows the names".to_owned()))
        })
    }
}
