//! `elenchus models verify` and `elenchus models remove`

use super::{Exit, confirm::confirm, out::Out, progress::Bars, settings::report};
use crate::{
    error::Fault,
    files::size_text,
    hub::{Catalogue, stored::StoredState},
    session::keeping::{self, Verified},
};
use serde_json::json;

/// The arguments of `models verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus models verify
  elenchus models verify laptop-mind org/name --json

The name of each file in the cache's blobs is its digest, so the hub is not asked. In a trusted project, the files are compared with \
agents.lock too. The exit code is 1 if a file is damaged or missing.")]
pub(crate) struct VerifyArgs {
    /// Agents, or models of the hub [default: the whole cache]
    #[arg(value_name = "AGENT|MODEL")]
    names: Vec<String>,
}

/// The arguments of `models remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus models remove org/name              # all its revisions
  elenchus models remove org/name@v1.0 --yes
  elenchus models remove org/name:Q4_K_M       # one GGUF file

Files that another revision needs stay.")]
pub(crate) struct RemoveArgs {
    /// Agents, or models of the hub
    #[arg(value_name = "AGENT|MODEL", required = true)]
    names: Vec<String>,
    /// Remove without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

impl VerifyArgs {
    pub(super) fn run(self, out: &Out, catalogue: &Catalogue) -> Result<Exit, Fault> {
        let bars = Bars::new(out);
        let found = keeping::verify(&self.names, catalogue, &|progress| bars.download(&progress));
        bars.clear();
        report(&catalogue.verdicts, out)?;
        let found = found?;
        match out.json {
            true => out.value(&found)?,
            false => shown(&found, out)?,
        }
        Ok(if found.wrong == 0 { Exit::Answered } else { Exit::Failed })
    }
}

fn shown(found: &Verified, out: &Out) -> Result<(), Fault> {
    let mut checked = 0;
    for snapshot in &found.snapshots {
        for file in &snapshot.files {
            let (repo, name) = (&snapshot.repo, &file.name);
            let place = snapshot.path.join(name);
            match &file.state {
                StoredState::Ok => checked += 1,
                StoredState::Unstated => out.note(format_args!("{repo} {name}: the hub stated no digest")),
                StoredState::Missing => out.text(format!("{repo} {name}: MISSING ({})", place.display()))?,
                StoredState::Damaged { found } => {
                    let stated = file.digest.as_deref().unwrap_or_default();
                    out.text(format!(
                        "{repo} {name}: DAMAGED, its digest is {found}, the hub stated {stated} ({})",
                        place.display()
                    ))?;
                }
            }
        }
    }
    for pin in &found.pins {
        match &pin.why {
            Some(why) => out.text(format!("{}: NOT AS PINNED, {why}", pin.source))?,
            None => out.text(format!("{}: as agents.lock pins it", pin.source))?,
        }
    }
    out.text(format!("{checked} file{} as the hub stated", if checked == 1 { "" } else { "s" }))?;
    if found.wrong > 0 {
        out.note("hint: `elenchus models pull MODEL --check` downloads the damaged files again");
    }
    Ok(())
}

impl RemoveArgs {
    pub(super) fn run(self, out: &Out, catalogue: &Catalogue) -> Result<Exit, Fault> {
        let found = keeping::removals(&self.names, catalogue);
        report(&catalogue.verdicts, out)?;
        let found = found?;
        let bytes: u64 = found.iter().map(|removal| removal.bytes).sum();
        for removal in &found {
            let agents = keeping::users(&removal.repo, catalogue);
            if !agents.is_empty() && !out.json {
                out.note(format_args!("note: {} is the model of {}", removal.repo, agents.join(", ")));
            }
        }
        if !self.dry_run {
            let names: Vec<&str> = found.iter().map(|removal| removal.repo.as_str()).collect();
            let question = format!("Remove {} ({}) from the hub's cache?", names.join(", "), size_text(bytes));
            if !confirm(&question, self.yes, "--yes removes without asking; --dry-run shows what would go")? {
                out.note("nothing was removed");
                return Ok(Exit::Failed);
            }
            found.iter().try_for_each(|removal| removal.run())?;
        }
        let word = if self.dry_run { "would be removed" } else { "removed" };
        if out.json {
            out.value(&json!({ "removed": found, "bytes": bytes, "dry_run": self.dry_run }))?;
            return Ok(Exit::Answered);
        }
        for removal in &found {
            out.text(format!("{}: {} {word}: {}", removal.repo, size_text(removal.bytes), removal.files.join(", ")))?;
        }
        Ok(Exit::Answered)
    }
}
