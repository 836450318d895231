//! `elenchus run DIALOGUE`

use super::{
    Exit, ask,
    common::{self, RunArgs},
    out::Out,
    session::{CliSession, block_on},
    settings::Settings,
};
use crate::error::Fault;

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus run examples/video_qa.yaml -i video=day.mp4 -i question=\"What do you see?\" --record run.jsonl
  elenchus run log_qa -i log=day/log.jsonl -i question=@question.txt --json
  elenchus run cook -i steps=steps.json --answer turn=next --answer turn=stop

A video, sound or image is a path. A text can come from @FILE, and a list or record from a .json or .jsonl file or as JSON. A list \
of videos, sounds or images can also be a folder, a pattern (`'days/*.mp4'`), @FILE with one path a line, or repeated -i options.
`elenchus run DIALOGUE --help` shows a dialogue's inputs.")]
pub(crate) struct Args {
    /// A dialogue: a file, `-` for standard input, or a name
    dialogue: String,
    /// An input of the dialogue
    #[arg(short, long = "input", value_name = "NAME=VALUE", value_parser = common::input())]
    inputs: Vec<String>,
    /// An answer to a step that asks the user, used in order; VALUE can be @FILE with one answer a line
    #[arg(long = "answer", value_name = "STEP=VALUE")]
    answers: Vec<String>,
    /// End with exit code 6 if the answer is "I don't know"
    #[arg(long)]
    fail_on_abstain: bool,
    #[command(flatten)]
    run: RunArgs,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        block_on(|cancel| async {
            let session = CliSession::open(&self.dialogue, &self.run, out, settings, cancel)?;
            let session = session.with_answers(&self.answers)?;
            let inputs = session.bind(&self.inputs).await?;
            let outcome = session.run(inputs, &self.run, self.run.record.as_deref()).await?;
            ask::show(&outcome, false, out)?;
            Ok(ask::ended(&outcome, self.fail_on_abstain))
        })
    }
}
