//! `elenchus setup`

use super::{
    Exit, common,
    confirm::confirm,
    out::Out,
    progress::Bars,
    session::{block_on, listener, unless},
    settings::{Settings, report},
};
use crate::{
    agent::outward::Outward,
    doctor::{
        Check, Status,
        trial::{self, Scratch},
    },
    error::Fault,
    files::size_text,
    hub::{Preferences, preferences},
    run::Cancel,
    session::{
        Engine,
        pulling::{PullOptions, Pulling, wanted},
        setup::{self, Machine, ProposedAgent},
    },
};
use serde_json::json;
use std::{path::Path, sync::Arc};

/// The cast of the models in the program.
const STARTER: &str = "starter";

/// The arguments of `setup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus setup                        # proposes a cast for this machine, and asks before it downloads
  elenchus setup --cast laptop --yes    # downloads, tests and uses it, without a question
  elenchus setup --dry-run --json
  elenchus setup --cast starter         # the small models of the program again

Looks at memory, graphics card and disk, downloads the models of a cast, asks each of them one request, and makes the cast the default: \
dialogues that name the starter cast use it from then on. `--cast` of a command still chooses another one for that run.")]
pub(crate) struct Args {
    /// Use casts/NAME.yaml in place of the proposed one
    #[arg(long, value_name = "NAME")]
    cast: Option<String>,
    /// Download without asking
    #[arg(long)]
    yes: bool,
    /// Show the proposal, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Device of the models: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = common::device)]
    device: String,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        block_on(|cancel| async move { self.set_up(&cancel, out, settings).await })
    }

    async fn set_up(self, cancel: &Cancel, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let catalogue = settings.catalogue(Path::new("."), settings.network(true))?;
        let machine = Machine::look(&self.device, settings);
        let (proposed, why) = machine.proposed();
        let cast = self.cast.clone().unwrap_or_else(|| proposed.to_owned());
        out.note(machine_shown(&machine));
        if self.cast.is_none() {
            out.note(format_args!("cast {cast}, because {why}"));
        }
        let wanted = wanted(&[], Some(&cast), &catalogue);
        report(&catalogue.verdicts, out)?;
        if wanted.as_ref().is_ok_and(|wanted| !wanted.is_empty()) && catalogue.resolver().fetches() {
            out.warn(Outward::pull(&catalogue.settings));
        }
        // the cast is the user's, and no project's
        let options = PullOptions { no_new_pins: true, ..PullOptions::default() };
        let mut pulling = unless(cancel, Pulling::prepare(wanted?, &catalogue, options)).await?;
        let mut agents = unless(cancel, setup::propose(&cast, &catalogue, &pulling, &machine)).await?;
        shown(&agents, out);
        let missing = pulling.missing();
        if self.dry_run {
            let found = json!({ "cast": cast, "machine": machine, "agents": agents, "missing": missing });
            return finished(&found, Exit::Answered, out);
        }
        if missing > 0 {
            let question = format!("Download {} and make {cast} your default cast?", size_text(missing));
            if !confirm(&question, self.yes, "--yes downloads without asking; --dry-run shows the proposal")? {
                out.note("nothing was downloaded");
                return Ok(Exit::Failed);
            }
        }
        let bars = Arc::new(Bars::new(out));
        let progress = bars.clone();
        let pulled = unless(cancel, pulling.run(&move |progress_of| progress.download(&progress_of))).await;
        bars.clear();
        pulled?;
        let checks = unless(cancel, self.tested(&mut agents, settings, &bars, out)).await?;
        let failed = checks.iter().any(|check| check.status == Status::Fail);
        if !failed {
            let default = Some(cast.clone()).filter(|cast| cast != STARTER);
            Preferences { cast: default }.write(&settings.folders)?;
            // who has set up needs no hint
            let _ = preferences::tell_of_setup(&settings.folders);
        }
        let found = json!({
            "cast": cast, "machine": machine, "agents": agents, "missing": 0, "checks": checks, "default": !failed,
            "downloaded": missing,
        });
        match failed {
            true => out.warn("a model failed its test, so the default cast stays what it was"),
            false => out.note(used(&cast, &agents)),
        }
        finished(&found, if failed { Exit::Failed } else { Exit::Answered }, out)
    }

    /// Loads each agent and asks it a request. The measured speeds take the place of the estimated ones.
    async fn tested(
        &self,
        agents: &mut [ProposedAgent],
        settings: &Settings,
        bars: &Arc<Bars>,
        out: &Out,
    ) -> Result<Vec<Check>, Fault> {
        let catalogue = settings.catalogue(Path::new("."), settings.network(false))?;
        let engine = Engine::new(settings.clone());
        let options = engine.options(&catalogue, &self.device, &listener(bars, Arc::default()));
        let scratch = Scratch::new(&settings.folders);
        let mut checks = Vec::new();
        for one in agents {
            let (check, agent) = trial::measured(&one.agent, &options, &scratch).await;
            out.note(format_args!("{:>5}  {:22} {}", check.status.word(), check.name, check.detail));
            if let (Status::Fail, Some(hint)) = (check.status, &check.hint) {
                out.note(format_args!("{:>5}  {:22} hint: {hint}", "", ""));
            }
            if let Some(agent) = agent {
                let roles = one.roles.clone();
                let seconds = tokio::task::spawn_blocking(move || setup::measured(&agent, &roles)).await;
                if let Some(seconds) = seconds.map_err(Fault::failed)? {
                    (one.seconds_per_hour, one.estimated) = (Some(seconds), false);
                }
            }
            checks.push(check);
        }
        Ok(checks)
    }
}

fn finished(found: &serde_json::Value, exit: Exit, out: &Out) -> Result<Exit, Fault> {
    if out.json {
        out.value(found)?;
    }
    Ok(exit)
}

fn machine_shown(machine: &Machine) -> String {
    let size = |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), size_text);
    let card = match machine.device.as_str() {
        "cpu" => "no graphics card is used".to_owned(),
        device => format!("{device} with {} free", size(machine.device_memory)),
    };
    let (memory, disk) = (size(machine.memory), size(machine.disk));
    format!("{} cores, memory free: {memory}, {card}, disk free for models: {disk}", machine.cores)
}

/// Shows each agent with its roles, its size, its licence and its time.
fn shown(agents: &[ProposedAgent], out: &Out) {
    for one in agents {
        let bytes = one.bytes.map(|bytes| format!("{} ", size_text(bytes))).unwrap_or_default();
        let here = match (one.missing, one.present) {
            (0, true) => "here",
            (0, false) => "not here",
            _ => "to download",
        };
        let license = one.license.as_ref().map_or(String::new(), |name| format!(", licence {name}"));
        let time = one.seconds_per_hour.map_or(String::new(), |s| format!(", about {} for an hour of video", time(s)));
        out.note(format_args!("{:24} {} ({bytes}{here}{license}{time})", one.agent, one.source));
        out.note(format_args!("{:24} {}", "", one.roles.join(", ")));
        if let Some(about) = &one.about {
            out.note(format_args!("{:24} {about}", ""));
        }
    }
    if let Some(total) = total(agents) {
        out.note(format_args!("an hour of video takes about {} for what is seen and heard (estimated)", time(total)));
    }
}

/// The seconds of an hour of video for all agents, if one is known.
fn total(agents: &[ProposedAgent]) -> Option<f64> {
    let known: Vec<f64> = agents.iter().filter_map(|one| one.seconds_per_hour).collect();
    (!known.is_empty()).then(|| known.iter().sum())
}

/// The line after a successful set-up.
fn used(cast: &str, agents: &[ProposedAgent]) -> String {
    let took = total(agents).map_or(String::new(), |total| {
        format!("; an hour of video takes about {} for what is seen and heard", time(total))
    });
    format!("{cast} is your default cast now{took}")
}

/// A time as text: `40 s`, `12 min`, `3.5 h`.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{:.0} s", s.max(1.0)),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_readable_unit() {
        assert_eq!([0.2, 40.0, 720.0, 12_600.0].map(time), ["1 s", "40 s", "12 min", "3.5 h"]);
    }
}
