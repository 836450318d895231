//! `elenchus models list|path`

use super::{
    Exit,
    out::Out,
    settings::{Settings, report},
};
use crate::{
    agent::{budget, list},
    error::Fault,
};
use clap::Subcommand;
use std::path::Path;

/// The arguments of `models`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  elenchus models list\n  elenchus models list --cast laptop   # the models of a cast: licences, sizes, what is here\n  elenchus models path starter-lm"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the agents and the supported model families
    List {
        /// List only the agents of casts/NAME.yaml, by role
        #[arg(long, value_name = "NAME")]
        cast: Option<String>,
    },
    /// Print the path of an agent's weights
    Path {
        /// The agent: NAME of agents/NAME.yaml
        agent: String,
    },
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let catalogue = settings.catalogue(Path::new("."), settings.network(false))?;
        match self.what {
            What::List { cast: Some(cast) } => {
                let rows = list::of_cast(&cast, &catalogue)?;
                let _ = report(&catalogue.verdicts, out);
                if out.json {
                    out.value(&serde_json::json!({ "cast": cast, "agents": rows }))?;
                    return Ok(Exit::Answered);
                }
                for row in &rows {
                    out.text(format!("{}:", row.role))?;
                    shown(&row.agent, out)?;
                }
            }
            What::List { cast: None } => {
                let (agents, families) = (list::agents(&catalogue), list::families());
                // a file that cannot be used is a row of the list, so the error is not needed here
                let _ = report(&catalogue.verdicts, out);
                if out.json {
                    out.value(&serde_json::json!({ "agents": agents, "families": families }))?;
                    return Ok(Exit::Answered);
                }
                for agent in &agents {
                    shown(agent, out)?;
                }
                out.text("\nfamilies:")?;
                for family in &families {
                    out.text(format!("{:20} {:28} {}", family.name, family.kinds.join(", "), family.about))?;
                }
            }
            What::Path { agent } => {
                let path = list::path(&agent, &catalogue);
                let _ = report(&catalogue.verdicts, out);
                let path = path?;
                if out.json {
                    out.value(&serde_json::json!({ "path": path }))?;
                } else {
                    out.text(path.display())?;
                }
            }
        }
        Ok(Exit::Answered)
    }
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
