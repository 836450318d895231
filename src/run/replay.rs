//! Replays a transcript: the machine runs again, and the file answers every exchange. No model or medium is needed.

use super::{
    machine::{DueExchange, Ended, Machine},
    outcome::{Outcome, RunError},
    transcript::{ExchangeLine, Transcript, TranscriptError},
};
use crate::{
    error::Fault,
    plan::{Problem, recompile},
    value::Value,
};
use std::{collections::HashMap, path::Path};

/// The error of a replay.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The transcript cannot be read.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The dialogue in the transcript does not pass this version's check.
    #[error("the transcript's dialogue does not pass the check: {}", first(.0))]
    Problems(Vec<Problem>),
    /// The inputs in the transcript do not fit its dialogue.
    #[error("the transcript's inputs do not fit its dialogue: {0}")]
    Inputs(String),
    /// This version's requests or answers differ from the recorded ones.
    #[error("{0}")]
    Mismatch(String),
    /// The recorded run failed, and so did the replay.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn first(problems: &[Problem]) -> &str {
    problems.first().map_or("", |problem| problem.message.as_str())
}

/// Replays the transcript in `path`. The second value is a warning about an incomplete file.
pub fn replay(path: &Path) -> Result<(Outcome, Option<String>), ReplayError> {
    let transcript = Transcript::read(path)?;
    let odd = transcript.end.is_none().then(|| {
        "the transcript lacks its last line, because the run was killed or the file is truncated; the answer cannot be compared"
            .to_owned()
    });
    Ok((replay_transcript(&transcript)?, odd))
}

/// Replays a transcript that was read.
pub fn replay_transcript(transcript: &Transcript) -> Result<Outcome, ReplayError> {
    let header = &transcript.header;
    let plan = recompile(&header.sources).map_err(ReplayError::Problems)?;
    let lines: HashMap<&str, &ExchangeLine> =
        transcript.exchanges.iter().map(|line| (line.path.as_str(), line)).collect();
    let misfits = |all| ReplayError::Inputs(Fault::from(all).message);
    let inputs = plan.bind(header.inputs.clone()).map_err(misfits)?;
    let mut machine = Machine::new(&plan, &inputs, header.seed);
    let missing = missing(transcript);
    let mut exchanges = 0;
    while machine.finished().is_none() {
        let due = machine.due();
        if due.is_empty() && machine.finished().is_none() {
            return Err(ReplayError::Mismatch("the replay stopped before its end; this is a bug".to_owned()));
        }
        for exchange in due {
            let (id, reply) = (exchange.id, recorded(&lines, &exchange, &missing)?);
            exchanges += u64::from(reply.is_ok());
            machine.take(id, reply);
        }
    }
    let ended = machine
        .into_ended()
        .ok_or_else(|| ReplayError::Mismatch("the replay did not end; this is a bug".to_owned()))?;
    same_end(transcript, &ended)?;
    let value = ended.map_err(RunError::failed)?;
    Ok(Outcome { exchanges, memo_hits: exchanges, ..Outcome::of(value) })
}

/// The reason why an exchange is missing: the run ended early, or lines were removed from its transcript.
fn missing(transcript: &Transcript) -> String {
    let held = transcript.exchanges.iter().filter(|line| line.reply.is_some()).count() as u64;
    match &transcript.end {
        None => "its last line is missing too, because the run was killed or the file is truncated".to_owned(),
        Some(end) if end.answer.is_none() => "the run was stopped earlier".to_owned(),
        Some(end) if held < end.timing.exchanges => format!(
            "the file was changed: its last line counts {} answered exchanges, but it contains {held}",
            end.timing.exchanges
        ),
        Some(_) => "the recorded run did not make this request".to_owned(),
    }
}

/// The recorded reply to this exchange.
fn recorded(
    lines: &HashMap<&str, &ExchangeLine>,
    exchange: &DueExchange,
    missing: &str,
) -> Result<Result<crate::exchange::Reply, Fault>, ReplayError> {
    let path = &exchange.path;
    let Some(line) = lines.get(path.as_str()) else {
        return Err(ReplayError::Mismatch(format!("the transcript lacks the exchange `{path}`: {missing}")));
    };
    if line.request != exchange.request || line.role != exchange.role || line.seed != exchange.seed {
        return Err(ReplayError::Mismatch(format!(
            "the request of `{path}` differs from the recorded one; the transcript was changed, or another version made it"
        )));
    }
    match (&line.reply, &line.error) {
        (Some(reply), _) => Ok(Ok(reply.clone())),
        (None, Some(failure)) => Ok(Err(failure.clone())),
        (None, None) => Err(ReplayError::Mismatch(format!("`{path}` was recorded without a reply"))),
    }
}

/// Fails if the replay ends otherwise than the recorded run.
fn same_end(transcript: &Transcript, ended: &Ended) -> Result<(), ReplayError> {
    let Some(end) = &transcript.end else { return Ok(()) };
    let differs = |recorded: &Value, now: &Value| {
        // numbers may lose their last digit in JSON, so the values are compared as people see them
        super::outcome::Outcome::of(recorded.clone()).answer != super::outcome::Outcome::of(now.clone()).answer
    };
    match (&end.answer, ended) {
        (Some(recorded), Ok(now)) if differs(recorded, now) => {
            Err(ReplayError::Mismatch("the replay gives another answer than the recorded run".to_owned()))
        }
        (Some(_), Err(_)) => Err(ReplayError::Mismatch("the replay fails where the recorded run answered".to_owned())),
        _ => Ok(()),
    }
}
