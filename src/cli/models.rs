//! `elenchus models list|path|pull|verify|remove`

use super::{
    Exit, models_keep, models_pull,
    out::Out,
    settings::{Settings, report},
};
use crate::{
    agent::{budget, list},
    error::Fault,
    hub::{Catalogue, WeightsSource, checkpoint::Origin, stored::StoredRepo},
    session::keeping,
};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// The arguments of `models`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus models list --cast laptop          # the models of a cast: licences, sizes, what is here
  elenchus models pull --cast laptop          # download them
  elenchus models pull org/name@revision      # or any model of the hub; org/name:Q4_K_M for a GGUF file
  elenchus models verify                      # compare every file of the cache with its digest
  elenchus models remove org/name

Models are kept in the cache of the Hugging Face hub, which Python's tools share. HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, \
HF_TOKEN_PATH, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT mean the same as there; HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name \
proxies.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the agents, the supported model families, and what the hub's cache holds
    List {
        /// List only the agents of casts/NAME.yaml, by role
        #[arg(long, value_name = "NAME")]
        cast: Option<String>,
    },
    /// Print the path of a model's weights
    Path {
        /// An agent (NAME of agents/NAME.yaml), or a model of the hub (org/name)
        #[arg(value_name = "AGENT|MODEL")]
        name: String,
    },
    /// Download models, and pin them in the project's agents.lock
    Pull(models_pull::Args),
    /// Compare the files of the hub's cache with their digests
    Verify(models_keep::VerifyArgs),
    /// Remove models from the hub's cache
    Remove(models_keep::RemoveArgs),
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let open = |allow| settings.catalogue(Path::new("."), settings.network(allow));
        match self.what {
            What::List { cast } => show_list(cast.as_deref(), &open(false)?, out)?,
            What::Path { name } => {
                let catalogue = open(false)?;
                let path = place(&name, &catalogue);
                let _ = report(&catalogue.verdicts, out);
                let path = path?;
                match out.json {
                    true => out.value(&serde_json::json!({ "path": path }))?,
                    false => out.text(path.display())?,
                }
            }
            What::Pull(args) => return args.run(out, &open(true)?),
            What::Verify(args) => return args.run(out, &open(false)?),
            What::Remove(args) => return args.run(out, &open(false)?),
        }
        Ok(Exit::Answered)
    }
}

/// The path of an agent's weights, or of a model of the hub.
fn place(name: &str, catalogue: &Catalogue) -> Result<PathBuf, Fault> {
    if !name.contains('/') {
        return Ok(list::path(name, catalogue)?);
    }
    let source = WeightsSource::hub(name, None)?;
    Ok(catalogue.resolver().local(&source, &Origin::Embedded("agents"))?.path().to_owned())
}

fn show_list(cast: Option<&str>, catalogue: &Catalogue, out: &Out) -> Result<(), Fault> {
    if let Some(cast) = cast {
        let rows = list::of_cast(cast, catalogue)?;
        let _ = report(&catalogue.verdicts, out);
        if out.json {
            return out.value(&serde_json::json!({ "cast": cast, "agents": rows }));
        }
        for row in &rows {
            out.text(format!("{}:", row.role))?;
            shown(&row.agent, out)?;
        }
        return Ok(());
    }
    let (agents, families, stored) = (list::agents(catalogue), list::families(), keeping::all(catalogue));
    // a file that cannot be used is a row of the list, so the error is not needed here
    let _ = report(&catalogue.verdicts, out);
    if out.json {
        let cache = &catalogue.settings.cache;
        return out
            .value(&serde_json::json!({ "agents": agents, "families": families, "cache": cache, "stored": stored }));
    }
    for agent in &agents {
        shown(agent, out)?;
    }
    out.text("\nfamilies:")?;
    for family in &families {
        out.text(format!("{:20} {:28} {}", family.name, family.kinds.join(", "), family.about))?;
    }
    out.text(format!("\nthe hub's cache ({}):", catalogue.settings.cache.display()))?;
    for repo in &stored {
        shown_repo(repo, out)?;
    }
    if stored.is_empty() {
        out.text("it is empty; `elenchus models pull` downloads models")?;
    }
    Ok(())
}

/// Prints one repository of the cache: its size, and each snapshot with its revisions and GGUF files.
fn shown_repo(repo: &StoredRepo, out: &Out) -> Result<(), Fault> {
    let unfinished = match repo.unfinished {
        0 => String::new(),
        bytes => format!(" (and {} of an unfinished download)", budget::size(bytes)),
    };
    out.text(format!("{:48} {:>9}{unfinished}", repo.repo, budget::size(repo.bytes)))?;
    for snapshot in &repo.snapshots {
        let files = snapshot.files.iter().map(|file| file.name.as_str()).filter(|name| name.ends_with(".gguf"));
        let files: Vec<&str> = files.collect();
        let revisions = match snapshot.revisions.is_empty() {
            true => "no revision".to_owned(),
            false => snapshot.revisions.join(", "),
        };
        let short: String = snapshot.commit.chars().take(12).collect();
        out.text(format!("  {short} {revisions}  {}", files.join(", ")).trim_end())?;
    }
    Ok(())
}

/// Prints one agent: a line of facts, then its description and, if it cannot be used, why.
fn shown(agent: &list::AgentRow, out: &Out) -> Result<(), Fault> {
    let size = agent.bytes.map(budget::size).unwrap_or_default();
    let here = if agent.present { "" } else { " (not here)" };
    out.text(format!(
        "{:20} {:9} {:18} {size:>9} {}{here}",
        agent.name,
        agent.sort,
        agent.kinds.join(", "),
        agent.place
    ))?;
    let hint = agent.hint.as_ref().map(|hint| format!("hint: {hint}"));
    for line in [&agent.about, &agent.note, &hint].into_iter().flatten() {
        out.text(format!("{:20} {line}", ""))?;
    }
    Ok(())
}
