//! Where things are found: agent files, prompts, label lists, casts and dialogues, and the weights of models.
//!
//! Names are looked for in three places, nearest first: the dialogue's project ([`Project`]), the user's
//! configuration folder ([`Folders`]), and what the binary carries ([`embedded`]). Checkpoints are local folders,
//! GGUF files, or repositories of a model hub, found in its cache or downloaded ([`checkpoint`]).

pub mod cache;
pub mod checkpoint;
pub mod digest;
pub mod download;
pub mod embedded;
pub mod folders;
pub mod http;
pub mod project;
pub mod shelf;
pub mod text;
pub mod weights;

pub use checkpoint::{Checkpoint, Source};
pub use folders::{Folders, HubSettings};
pub use project::Project;
pub use shelf::{Found, Hub};

use crate::error::Fault;

/// Why something could not be found or fetched; always about a model's files, so it ends in exit code 4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HubError {
    /// What is missing or wrong, in the user's words.
    pub message: String,
    /// What can be done about it, also without a network.
    pub hint: Option<String>,
}

impl HubError {
    /// An error with a hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> HubError {
        HubError { message: message.into(), hint: Some(hint.into()) }
    }
    /// An error that says it all.
    pub fn plain(message: impl Into<String>) -> HubError {
        HubError { message: message.into(), hint: None }
    }
    /// Message and hint on one line.
    pub fn line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} (hint: {hint})", self.message),
            None => self.message.clone(),
        }
    }
}

impl From<HubError> for Fault {
    fn from(error: HubError) -> Self {
        let fault = Fault::model(error.message);
        match error.hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}
