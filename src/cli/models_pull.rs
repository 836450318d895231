//! `elenchus models pull`

use super::{
    Exit,
    out::Out,
    progress::Bars,
    session::{block_on, unless},
    settings::report,
};
use crate::{
    agent::outward::Outward,
    error::Fault,
    files::size_text,
    hub::Catalogue,
    session::pulling::{PullOptions, Pulled, Pulling, wanted},
};
use serde_json::json;
use std::sync::Arc;

/// The arguments of `models pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus models pull                        # the models of this project's agents, as agents.lock pins them
  elenchus models pull --update               # the newest ones, and pin those
  elenchus models pull laptop-eye --dry-run   # what would be downloaded
  elenchus models pull --cast laptop
  elenchus models pull org/name@v1.0 org/name:Q4_K_M org/name:FILE.gguf

A download that was stopped continues where it stopped. Each file is checked against the digest that the hub states. In the folder of a \
trusted project, the commit and the SHA-256 of each file are written to agents.lock, which you commit beside agents/. Later pulls and \
runs use exactly these files.")]
pub(crate) struct Args {
    /// Agents (NAME of agents/NAME.yaml), or models of the hub [default: all agents of the project]
    #[arg(value_name = "AGENT|MODEL")]
    names: Vec<String>,
    /// Download the models of casts/NAME.yaml
    #[arg(long, value_name = "NAME")]
    cast: Option<String>,
    /// Fail unless agents.lock pins everything; change no pin
    #[arg(long, conflicts_with = "update")]
    locked: bool,
    /// Take what the hub has now, and change the pins
    #[arg(long)]
    update: bool,
    /// Check the files that are here, and download the damaged ones again
    #[arg(long)]
    check: bool,
    /// Show what would be downloaded, and download nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out, catalogue: &Catalogue) -> Result<Exit, Fault> {
        let wanted = wanted(&self.names, self.cast.as_deref(), catalogue);
        report(&catalogue.verdicts, out)?;
        let (wanted, bars) = (wanted?, Arc::new(Bars::new(out)));
        if wanted.is_empty() {
            out.note("no agent there uses a model of the hub, so nothing must be downloaded");
        }
        if !wanted.is_empty() && catalogue.resolver().fetches() {
            out.warn(Outward::pull(&catalogue.settings));
        }
        let options =
            PullOptions { locked: self.locked, update: self.update, check: self.check, ..PullOptions::default() };
        block_on(|cancel| async move {
            let mut pulling = unless(&cancel, Pulling::prepare(wanted, catalogue, options)).await?;
            announce(&pulling, out);
            if self.dry_run {
                return planned(&pulling, out);
            }
            let shown = bars.clone();
            let pulled = unless(&cancel, pulling.run(&move |progress| shown.download(&progress))).await;
            bars.clear();
            finished(&pulled?, &pulling, out)?;
            Ok(Exit::Answered)
        })
    }
}

/// Tells what will be downloaded, under which licences.
fn announce(pulling: &Pulling, out: &Out) {
    for (wanted, plan) in pulling.plans() {
        let Some(plan) = plan else { continue };
        let license = plan.license.as_ref().map_or("no stated licence".to_owned(), |name| format!("licence {name}"));
        let gated = if plan.gated { ", gated: you accepted its owner's terms" } else { "" };
        let size = match plan.missing() {
            0 => format!("{}, all here", size_text(plan.bytes())),
            missing if missing == plan.bytes() => size_text(missing),
            missing => format!("{} of {}", size_text(missing), size_text(plan.bytes())),
        };
        let short: String = plan.commit.chars().take(12).collect();
        out.note(format_args!("{} at {short}: {size}, {license}{gated}", wanted.source));
    }
    if pulling.missing() > 0 {
        out.note(format_args!("{} to download", size_text(pulling.missing())));
    }
}

/// Prints what would be downloaded.
fn planned(pulling: &Pulling, out: &Out) -> Result<Exit, Fault> {
    let rows: Vec<_> = pulling
        .plans()
        .map(|(wanted, plan)| {
            let files = plan.iter().flat_map(|plan| &plan.files);
            let files: Vec<_> =
                files.map(|file| json!({ "name": file.name, "bytes": file.bytes, "present": file.is_here })).collect();
            json!({
                "agent": wanted.agent, "source": wanted.source.to_string(), "commit": plan.map(|plan| &plan.commit),
                "license": plan.and_then(|plan| plan.license.as_ref()), "bytes": plan.map(|plan| plan.bytes()),
                "missing": plan.map_or(0, |plan| plan.missing()), "files": files,
            })
        })
        .collect();
    match out.json {
        true => out.value(&json!({ "planned": rows, "missing": pulling.missing() }))?,
        false => {
            for (wanted, plan) in pulling.plans() {
                out.text(format!("{}:", wanted.source))?;
                for file in plan.iter().flat_map(|plan| &plan.files) {
                    let size = file.bytes.map(size_text).unwrap_or_default();
                    out.text(format!("  {:44} {size:>9}{}", file.name, if file.is_here { "  here" } else { "" }))?;
                }
            }
            out.text(format!("{} would be downloaded", size_text(pulling.missing())))?;
        }
    }
    Ok(Exit::Answered)
}

fn finished(pulled: &[Pulled], pulling: &Pulling, out: &Out) -> Result<(), Fault> {
    let lock = pulling.lock().filter(|_| pulled.iter().any(|one| one.pinned));
    if out.json {
        return out.value(&json!({ "pulled": pulled, "lock": lock }));
    }
    for one in pulled {
        for name in &one.replaced {
            out.warn(format_args!("{name} of {} was damaged, and is replaced", one.source));
        }
        let what = match one.downloaded {
            0 => "was here".to_owned(),
            bytes => format!("{} downloaded", size_text(bytes)),
        };
        let agent = one.agent.as_ref().map_or(String::new(), |agent| format!("{agent}: "));
        out.text(format!("{agent}{} ({what})  {}", one.source, one.path.display()))?;
    }
    if let Some(lock) = lock {
        out.note(format_args!("{} pins {}", lock.display(), if pulled.len() == 1 { "it" } else { "them" }));
    }
    Ok(())
}
