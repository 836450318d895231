//! `elenchus plan DIALOGUE`

use super::{
    Exit,
    common::{self, RunArgs},
    out::Out,
    session::{CliSession, block_on},
    settings::Settings,
};
use crate::{
    agent::budget,
    error::Fault,
    session::forecast::{AgentForecast, Forecast, StepForecast, Units},
};

/// The arguments of `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus plan video_qa -i video=day.mp4 -i question=\"Where are my keys?\"
  elenchus plan video_qa -i video=day.mp4 -i question=x --cast real --memory 2GB --json

No model is loaded. Videos are sampled, and the memo is searched. A count marked with ~ depends on replies that are not known yet. \
The time comes from earlier runs on this machine, so it is unknown before the first run. A run that does not fit into memory is refused \
here too.")]
pub(crate) struct Args {
    /// A dialogue: a file, `-` for standard input, or a name
    dialogue: String,
    /// An input of the dialogue
    #[arg(short, long = "input", value_name = "NAME=VALUE", value_parser = common::input())]
    inputs: Vec<String>,
    #[command(flatten)]
    run: PlanArgs,
}

/// The options of a run that decide its cost.
#[derive(Debug, Clone, clap::Args)]
struct PlanArgs {
    /// Use the agents of casts/NAME.yaml
    #[arg(long, value_name = "NAME")]
    cast: Option<String>,
    /// Device of local models: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = common::device)]
    device: String,
    /// Maximum memory of all models on a device (4GB) [default: the free memory]
    #[arg(long, value_name = "SIZE", value_parser = common::bytes)]
    memory: Option<u64>,
    /// Seed of all sampling
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Count the replies that the memo has as new
    #[arg(long)]
    fresh: bool,
    /// Do not use the memo or the kept vectors of labels
    #[arg(long, conflicts_with = "fresh")]
    no_memo: bool,
    /// Allow videos and sounds by URL, and downloads of missing weights
    #[arg(long)]
    allow_network: bool,
}

impl PlanArgs {
    /// The same options for a run.
    fn run_args(&self) -> RunArgs {
        let PlanArgs { cast, device, memory, seed, fresh, no_memo, allow_network } = self.clone();
        RunArgs { cast, device, memory, seed, fresh, no_memo, allow_network, deadline: None, record: None }
    }
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        block_on(|cancel| async {
            let args = self.run.run_args();
            let session = CliSession::open(&self.dialogue, &args, out, settings, cancel)?;
            let inputs = session.bind(&self.inputs).await?;
            let found = session.forecast(&inputs, &args).await?;
            if out.json {
                out.value(&found)?
            } else {
                out.text(text(&found))?
            }
            Ok(Exit::Answered)
        })
    }
}

/// The prediction as text.
fn text(found: &Forecast) -> String {
    let mut lines = table(
        &["step", "agent", "exchanges", "memo hits", "work", "FLOPs"],
        found.steps.iter().map(step_row).collect::<Vec<_>>(),
    );
    lines.push(String::new());
    lines.extend(table(
        &["agent", "requests", "weights", "cache", "activations", "work", "FLOPs", "time"],
        found.agents.iter().map(agent_row).collect::<Vec<_>>(),
    ));
    lines.push(String::new());
    let about = if found.estimated { "about " } else { "" };
    lines.push(format!(
        "exchanges  {about}{}, of which the memo answers {}; {}",
        found.exchanges,
        found.memo_hits,
        flops(found.flops)
    ));
    let memory = &found.memory;
    lines.push(format!(
        "memory     {} (program {}, media {}, models {}; ffmpeg {} in a process of its own)",
        budget::size(memory.peak),
        budget::size(memory.program),
        budget::size(memory.media),
        budget::size(memory.models),
        budget::size(memory.ffmpeg)
    ));
    for device in memory.devices.iter().filter(|device| device.in_turns) {
        let room = device.room.map(budget::size).unwrap_or_default();
        lines.push(format!("           {} has room for {room}, so agents are loaded in turns", device.device));
    }
    lines.push(format!("time       {}", time(found)));
    if found.estimated {
        lines.push("~ depends on replies that are not known yet".to_owned());
    }
    lines.extend(found.unfinished.iter().map(|why| format!("the count is incomplete: {why}")));
    lines.join("\n")
}

fn time(found: &Forecast) -> String {
    match (found.time.seconds, found.time.same_dialogue) {
        (Some(seconds), true) => format!("{}, from earlier runs of this dialogue", duration(seconds)),
        (Some(seconds), false) => {
            format!(
                "{} for the models, without decoding of media; no run of this dialogue was measured",
                duration(seconds)
            )
        }
        (None, _) => format!("unknown until the first run of {}", found.time.unmeasured.join(", ")),
    }
}

fn step_row(step: &StepForecast) -> Vec<String> {
    let sign = if step.estimated { "~" } else { "" };
    let hits = step.memo_hits + step.repeated;
    let work = work(&step.units);
    let name = format!("{} ({})", step.step, step.kind);
    vec![name, step.agent.clone(), format!("{sign}{}", step.exchanges), hits.to_string(), work, flops(step.flops)]
}

fn agent_row(agent: &AgentForecast) -> Vec<String> {
    let memory = |part: fn(&crate::session::forecast::AgentMemory) -> u64| {
        agent.memory.as_ref().map_or_else(|| "-".to_owned(), |memory| budget::size(part(memory)))
    };
    let time = match agent.seconds {
        Some(seconds) => duration(seconds),
        None if agent.local => "unknown".to_owned(),
        None => "elsewhere".to_owned(),
    };
    vec![
        agent.agent.clone(),
        agent.requests.to_string(),
        memory(|memory| memory.weights),
        memory(|memory| memory.cache),
        memory(|memory| memory.activations),
        work(&agent.units),
        flops(agent.flops),
        time,
    ]
}

fn work(units: &Units) -> String {
    let parts = [
        (units.prompt_tokens, "prompt tokens"),
        (units.reply_tokens, "reply tokens"),
        (units.text_tokens, "text tokens"),
        (units.pictures, "pictures"),
        (units.windows, "windows"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let all = parts.collect::<Vec<_>>().join(", ");
    if all.is_empty() { "-".to_owned() } else { all }
}

/// A number of floating-point operations as text, such as `1.2 TFLOP`.
fn flops(count: f64) -> String {
    let units = [(1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP")];
    match units.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", count / unit),
        None if count == 0.0 => "-".to_owned(),
        None => format!("{count:.0} FLOP"),
    }
}

/// A number of seconds as text.
fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Rows in columns of equal width, below their titles.
fn table(titles: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
    let all: Vec<Vec<String>> =
        std::iter::once(titles.iter().map(|title| (*title).to_owned()).collect()).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_readable() {
        let check = |found: String, expected: &str| assert_eq!(found, expected);
        check(flops(0.0), "-");
        check(flops(500.0), "500 FLOP");
        check(flops(2.34e12), "2.3 TFLOP");
        check(duration(3.04), "3.0 s");
        check(duration(90.0), "90 s");
        check(duration(600.0), "10 min");
        check(duration(9000.0), "2.5 h");
        let units = Units { prompt_tokens: 7, pictures: 2, ..Units::default() };
        check(work(&units), "7 prompt tokens, 2 pictures");
        check(work(&Units::default()), "-");
        let rows = vec![vec!["longer".to_owned(), "x".to_owned()]];
        check(table(&["a", "b"], rows).join("|"), "a       b|longer  x");
    }
}
