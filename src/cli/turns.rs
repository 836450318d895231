//! One question after another: `ask` without a question.

use super::{Exit, ask::show, out::Out, print, session::CliSession};
use crate::{
    error::{Fault, FaultKind},
    run::Outcome,
    value::Value,
};
use std::io::{BufRead, IsTerminal};

/// So many turns are remembered.
const TURNS: usize = 8;
/// The longest question that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Reads questions from standard input until it ends, and answers each. A question may lean on the one before. A question that fails is
/// reported, and the next one is read; the exit code is then 1.
pub(super) async fn run(
    ask: impl AsyncFn(&str, &[Value]) -> Result<Outcome, Fault>,
    session: &CliSession,
    several: bool,
    fail_on_abstain: bool,
    out: &Out,
) -> Result<Exit, Fault> {
    let is_terminal = std::io::stdin().is_terminal();
    if is_terminal {
        out.note("ask a question; an empty line or Ctrl-D ends");
    }
    let mut history: Vec<Value> = Vec::new();
    let (mut failed, mut abstained) = (false, false);
    loop {
        if is_terminal {
            print::prompt("> ");
        }
        let reading = async {
            let read = tokio::task::spawn_blocking(line).await;
            read.map_err(|error| Fault::failed(error.to_string()))?
        };
        let question = match session.unless_interrupted(reading).await? {
            Some(question) if !question.is_empty() => question,
            Some(_) if !is_terminal => continue,
            _ => break,
        };
        match ask(&question, &history).await {
            Ok(outcome) => {
                show(&outcome, several, out)?;
                abstained |= outcome.abstained;
                if let Value::Record(_) = &outcome.value {
                    history.push(outcome.value);
                    history.drain(..history.len().saturating_sub(TURNS));
                }
            }
            Err(fault) if matches!(fault.kind, FaultKind::Cancelled | FaultKind::Deadline) => return Err(fault),
            Err(fault) => {
                failed = true;
                out.failure(&fault);
            }
        }
    }
    Ok(match (failed, abstained && fail_on_abstain) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Abstained,
        (false, false) => Exit::Answered,
    })
}

/// The next line of standard input; none at its end. Blocks.
fn line() -> Result<Option<String>, Fault> {
    let mut bytes = Vec::new();
    let input = std::io::stdin();
    let unreadable = |error: std::io::Error| Fault::failed(format!("standard input cannot be read: {error}"));
    let count = std::io::Read::take(input.lock(), LONGEST).read_until(b'\n', &mut bytes).map_err(unreadable)?;
    if count as u64 == LONGEST {
        return Err(Fault::refused(format!("a question is longer than {} kB", LONGEST / 1024)));
    }
    Ok((count > 0).then(|| String::from_utf8_lossy(&bytes).trim().to_owned()))
}
