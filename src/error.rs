//! Faults: failures at run time, as data until they are printed. Every layer makes them, and the message is formatted
//! once. The command line derives the exit code from [`FaultKind`] alone.

use serde::{Deserialize, Serialize};
use std::{error::Error, fmt, time::Duration};

/// The kind of failure. It decides the engine's next action (try again, give up) and the exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The work ran and failed; another try gives the same result (exit code 1).
    Failed,
    /// The user must change arguments, the dialogue or files; nothing ran (exit code 2).
    Refused,
    /// A medium is missing or cannot be read (exit code 3).
    Media,
    /// A model is missing, cannot be loaded, or yields no usable numbers (exit code 4).
    Model,
    /// Weights that a model reads at their first use are damaged (exit code 4). The run ends: `or` does not replace a
    /// model that cannot be loaded.
    Weights,
    /// Another try may help: rate limit, lost connection, restarted worker (exit code 1 when no try is left).
    Passing {
        /// The wait that the server asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Duration>,
        /// True if no server answers at the address. After the last try, the model then counts as missing (exit code
        /// 4).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_unreachable: bool,
    },
    /// The time limit of the run passed (exit code 5).
    Deadline,
    /// The caller no longer waits for the result (exit code 130).
    Cancelled,
}

impl FaultKind {
    /// The word for this kind in transcripts and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            FaultKind::Failed | FaultKind::Passing { .. } => "failed",
            FaultKind::Refused => "refused",
            FaultKind::Media => "media",
            FaultKind::Model | FaultKind::Weights => "model",
            FaultKind::Deadline => "deadline",
            FaultKind::Cancelled => "cancelled",
        }
    }
}

/// A failure: its kind, its agent or file, a message, a hint and a cause. It displays as one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of failure.
    pub kind: FaultKind,
    /// The agent or file that failed. Displayed before the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// One line, in the user's words, without `who`.
    pub message: String,
    /// The remedy, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The error that caused this fault, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<Cause>>,
}

/// An error that caused a [`Fault`], kept as text so that it can be sent and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The error's own message.
    pub message: String,
    /// The cause of this error, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<Cause>>,
}

impl Cause {
    /// The error and its chain of sources, as text.
    pub fn of(error: &(dyn Error + 'static)) -> Cause {
        Cause { message: error.to_string(), source: error.source().map(|source| Box::new(Cause::of(source))) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl Fault {
    /// A fault of this kind. Line breaks become spaces: a message is one line.
    pub fn new(kind: FaultKind, message: impl fmt::Display) -> Fault {
        let message = message.to_string();
        let lines = message.split('\n').map(str::trim).filter(|line| !line.is_empty());
        Fault { kind, who: None, message: lines.collect::<Vec<_>>().join(" "), hint: None, source: None }
    }

    /// The work ran and failed.
    pub fn failed(message: impl fmt::Display) -> Fault {
        Fault::new(FaultKind::Failed, message)
    }

    /// The user must change arguments or files.
    pub fn refused(message: impl fmt::Display) -> Fault {
        Fault::new(FaultKind::Refused, message)
    }

    /// A medium is missing or cannot be read.
    pub fn media(message: impl fmt::Display) -> Fault {
        Fault::new(FaultKind::Media, message)
    }

    /// A model is missing or unusable.
    pub fn model(message: impl fmt::Display) -> Fault {
        Fault::new(FaultKind::Model, message)
    }

    /// Another try may help, after `retry_after` if the server says so.
    pub fn passing(message: impl fmt::Display, retry_after: Option<Duration>) -> Fault {
        Fault::new(FaultKind::Passing { retry_after, is_unreachable: false }, message)
    }

    /// No server answers at the address; another try may help.
    pub fn unreachable(message: impl fmt::Display) -> Fault {
        Fault::new(FaultKind::Passing { retry_after: None, is_unreachable: true }, message)
    }

    /// The caller no longer waits for the result.
    pub fn cancelled() -> Fault {
        Fault::new(FaultKind::Cancelled, "cancelled")
    }

    /// The same fault with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault, attributed to `who` unless it already names an agent.
    pub fn of(mut self, who: &str) -> Fault {
        self.who.get_or_insert_with(|| who.to_owned());
        self
    }

    /// The same fault with the error that caused it.
    pub fn caused_by(mut self, error: &(dyn Error + 'static)) -> Fault {
        self.source = Some(Box::new(Cause::of(error)));
        self
    }

    /// The same fault of a model as one of its weights: they are read, or read again, while a run goes on.
    #[must_use]
    pub fn of_weights(mut self) -> Fault {
        if self.kind == FaultKind::Model {
            self.kind = FaultKind::Weights;
        }
        self
    }

    /// True if another try may help.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, FaultKind::Passing { .. })
    }
}

/// `who: message`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Some(who) => write!(f, "{who}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// An input or output error of an ordinary file: a fault of kind [`FaultKind::Failed`].
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::failed(&error).caused_by(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_line_and_survives_serialisation() {
        let cause = Fault::failed("the socket closed").caused_by(&std::fmt::Error);
        let fault = Fault::passing("busy\n  now", Some(Duration::from_millis(1500))).of("far").of("near");
        let fault = fault.hint("wait").caused_by(&cause);
        assert_eq!(fault.to_string(), "far: busy now");
        let json = serde_json::to_string(&fault).expect("faults serialise");
        assert_eq!(serde_json::from_str::<Fault>(&json).expect("and come back"), fault);
        assert!(fault.source().is_some_and(|cause| cause.source().is_some()), "the chain is kept");
    }
}
