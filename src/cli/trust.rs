//! `elenchus trust DIR`

use super::{Exit, out::Out, settings::Settings};
use crate::{
    error::Fault,
    hub::{Trust, trust},
};
use serde_json::json;
use std::path::PathBuf;

/// The arguments of `trust`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus trust .                 # the project in this folder
  elenchus trust --list
  elenchus trust --remove DIR

Agents of a trusted project may send data to their endpoints, with keys from your environment, and download models. Its files may be \
links that leave it, and they replace your files and the program's of the same name. Trust ends when the folder gets another owner. It \
does not cover projects inside the folder. `--trust` with any command trusts its project for one run.")]
pub(crate) struct Args {
    /// The project's folder
    #[arg(required_unless_present = "list")]
    dir: Option<PathBuf>,
    /// Show the trusted folders
    #[arg(long, conflicts_with_all = ["dir", "remove"])]
    list: bool,
    /// Stop trusting the folder
    #[arg(long, requires = "dir")]
    remove: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        match self.dir {
            None => list(&Trust::read(&settings.folders)?, out)?,
            Some(dir) if self.remove => {
                if !trust::remove(&settings.folders, &dir)? {
                    let message = format!("{} is not in the list of trusted folders", dir.display());
                    return Err(Fault::refused(message).hint("`elenchus trust --list` shows the list"));
                }
                match out.json {
                    true => out.value(&json!({ "removed": dir }))?,
                    false => out.text(format_args!("{} is no longer trusted", dir.display()))?,
                }
            }
            Some(dir) => {
                let entry = trust::add(&settings.folders, &dir)?;
                if trust::anyone_writes(&entry.folder) {
                    out.warn(format_args!("warning: every user can write to {}", entry.folder.display()));
                }
                match out.json {
                    true => out.value(&json!({ "trusted": entry }))?,
                    false => out.text(format_args!("{} is trusted", entry.folder.display()))?,
                }
            }
        }
        Ok(Exit::Answered)
    }
}

fn list(trust: &Trust, out: &Out) -> Result<(), Fault> {
    if out.json {
        let row = |entry: &trust::Trusted| {
            let still = entry.still();
            json!({ "folder": entry.folder, "owner": entry.owner, "counts": still.is_ok(), "why": still.err() })
        };
        return out.value(&json!({ "folders": trust.folders.iter().map(row).collect::<Vec<_>>() }));
    }
    for entry in &trust.folders {
        match entry.still() {
            Ok(()) => out.text(entry.folder.display())?,
            Err(why) => out.text(format_args!("{} (does not count: {why})", entry.folder.display()))?,
        }
    }
    if trust.folders.is_empty() {
        out.note("no folder is trusted");
    }
    Ok(())
}
