//! `elenchus replay FILE`

use super::{Exit, ask, out::Out};
use crate::error::Fault;
use crate::{run, session::confidence::Calibration, value::Value};
use std::path::PathBuf;

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus ask day.mp4 \"Where are my keys?\" --record run.jsonl
  elenchus replay run.jsonl

The command needs no model and no video, because every reply comes from the transcript.")]
pub(crate) struct Args {
    /// A transcript (`--record`)
    file: PathBuf,
    /// End with exit code 6 if the answer is "I don't know"
    #[arg(long)]
    fail_on_abstain: bool,
}

impl Args {
    pub(super) fn run(self, out: &Out) -> Result<Exit, Fault> {
        if !self.file.is_file() {
            return Err(Fault::refused(format!("the transcript {} does not exist", self.file.display())));
        }
        let (mut outcome, odd) = run::replay(&self.file).map_err(Fault::failed)?;
        let recorded = run::Transcript::read(&self.file).map_err(Fault::failed)?;
        if let Some(calibration) = Calibration::recorded(&recorded.header.sources) {
            let answer = std::mem::replace(&mut outcome.value, Value::Nothing);
            outcome.value = calibration.applied(answer);
        }
        if let Some(odd) = odd {
            out.note(format_args!("note: {odd}"));
        }
        ask::show(&outcome, false, out)?;
        Ok(ask::ended(&outcome, self.fail_on_abstain))
    }
}
