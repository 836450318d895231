//! Exit codes, and failures on their way to one.

use serde::Serialize;

/// What the process's exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The answer, or whatever was asked for, is on stdout.
    Answered = 0,
    /// It ran, and failed.
    Failed = 1,
    /// The dialogue or the arguments were refused; nothing ran.
    Refused = 2,
    /// An input medium is missing or cannot be read.
    Media = 3,
    /// A model is missing or cannot be loaded.
    Model = 4,
    /// The deadline or budget was spent.
    Spent = 5,
    /// The dialogue abstained and `--fail-on-abstain` was given.
    Abstained = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// A failure that ends a verb: printed as one `error:` line (and a `hint:`), or as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Which exit code.
    #[serde(rename = "kind")]
    pub exit: Exit,
    /// One line, in the user's words.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with no hint. Line breaks become spaces: an error is one line.
    pub fn new(exit: Exit, message: impl std::fmt::Display) -> Failure {
        let message =
            message.to_string().split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
        Failure { exit, message, hint: None }
    }

    /// Arguments or files that the user must change.
    pub fn refused(message: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Refused, message)
    }

    /// The same failure with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

/// A failure when reading or writing an ordinary file that the user named.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(Exit::Failed, error)
    }
}
