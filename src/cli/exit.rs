//! Exit codes, derived from the kind of fault in one place.

use crate::error::FaultKind;
use serde::Serialize;

/// The exit codes of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The answer, or other requested output, is on stdout.
    Answered = 0,
    /// The run failed.
    Failed = 1,
    /// The dialogue or the arguments were refused; nothing ran.
    Refused = 2,
    /// An input medium is missing or cannot be read.
    Media = 3,
    /// A model is missing or cannot be loaded.
    Model = 4,
    /// The deadline passed.
    Spent = 5,
    /// The dialogue abstained and `--fail-on-abstain` was given.
    Abstained = 6,
    /// SIGHUP: the terminal was closed.
    HungUp = 129,
    /// SIGINT (Ctrl-C).
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

impl From<&FaultKind> for Exit {
    fn from(kind: &FaultKind) -> Self {
        match kind {
            FaultKind::Failed | FaultKind::Passing { .. } => Exit::Failed,
            FaultKind::Refused => Exit::Refused,
            FaultKind::Media => Exit::Media,
            FaultKind::Model | FaultKind::Weights => Exit::Model,
            FaultKind::Deadline => Exit::Spent,
            FaultKind::Cancelled => super::signals::exit(),
        }
    }
}
