//! `elenchus ask VIDEO QUESTION`

use super::{
    Exit,
    common::{self, RunArgs},
    out::Out,
    progress::{count, hits},
    session::{CliSession, block_on},
    settings::Settings,
};
use crate::{
    error::Fault,
    media,
    run::Outcome,
    value::{Type, Value},
};
use indexmap::IndexMap;
use serde_json::json;

/// The arguments of `ask`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus ask day.mp4 \"Where did I last see the keys?\"
  elenchus ask day.mp4 \"What was I doing at 00:26?\" --json
  elenchus ask day.mp4 \"Did I water the plants?\" --record run.jsonl --fail-on-abstain

A second question about the same video is faster, because the memo has most replies.")]
pub(crate) struct Args {
    /// The video
    #[arg(value_parser = common::medium())]
    video: String,
    /// The question, in quotes
    question: String,
    /// The dialogue that answers; it must have the inputs `video` and `question`
    #[arg(long, value_name = "DIALOGUE", default_value = "video_qa")]
    dialogue: String,
    /// End with exit code 6 if the answer is "I don't know"
    #[arg(long)]
    fail_on_abstain: bool,
    #[command(flatten)]
    run: RunArgs,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        if self.question.trim().is_empty() {
            return Err(Fault::refused("the question is empty"));
        }
        block_on(|cancel| async {
            let session = CliSession::open(&self.dialogue, &self.run, out, settings, cancel)?;
            for (name, ty) in [("video", Type::Video), ("question", Type::Text)] {
                if !session.plan().inputs.get(name).is_some_and(|input| input.ty.accepts(&ty)) {
                    let message = format!("{} lacks the input `{name}`, which `ask` needs", session.plan().name);
                    return Err(Fault::refused(message).hint("`elenchus run` runs dialogues with other inputs"));
                }
            }
            let opening = async { Ok(media::open(&self.video, session.access()).await?) };
            let video = session.unless_interrupted(opening).await?;
            let question = Value::Text(self.question.trim().to_owned());
            let inputs = IndexMap::from([("video".into(), Value::Video(video)), ("question".into(), question)]);
            let inputs = session.plan().bind(inputs)?;
            let outcome = session.run(inputs, &self.run, self.run.record.as_deref()).await?;
            show(&outcome, out)?;
            Ok(ended(&outcome, self.fail_on_abstain))
        })
    }
}

/// Prints the answer, and the moments that support it.
pub(crate) fn show(outcome: &Outcome, out: &Out) -> Result<(), Fault> {
    if out.json {
        return out.value(&json!({
            "answer": outcome.answer,
            "abstained": outcome.abstained,
            "evidence": outcome.evidence,
            "exchanges": outcome.exchanges,
            "memo_hits": outcome.memo_hits,
            "elapsed_ms": outcome.elapsed_ms,
            "value": crate::value::json::to_json(&outcome.value),
        }));
    }
    out.text(&outcome.answer)?;
    for evidence in &outcome.evidence {
        out.text(format_args!("  {evidence}"))?;
    }
    let seconds = outcome.elapsed_ms as f64 / 1000.0;
    let hits = hits(outcome.memo_hits);
    out.note(format_args!("({}, {hits}, {seconds:.1} s)", count(outcome.exchanges)));
    Ok(())
}

/// The exit code of an outcome: abstention has its own code with `--fail-on-abstain`.
pub(crate) fn ended(outcome: &Outcome, fail_on_abstain: bool) -> Exit {
    if outcome.abstained && fail_on_abstain { Exit::Abstained } else { Exit::Answered }
}
