//! Finds files: agent files, prompts, label lists, casts and dialogues, and the weights of models.
//!
//! Names are searched in three places, nearest first: the dialogue's project ([`Project`]), the user's configuration
//! folder ([`Folders`]), and the binary ([`embedded`]). An untrusted project ([`trust`]) comes last and cannot reach
//! files outside its folder ([`inside`]). Checkpoints are local folders, GGUF files, or repositories of a model hub, in
//! its cache or downloaded ([`checkpoint`]).

pub mod cache;
mod calls;
pub mod catalogue;
pub mod checkpoint;
pub mod digest;
pub mod download;
pub mod embedded;
pub mod folders;
pub mod http;
pub mod inside;
pub mod listing;
pub mod pins;
pub mod preferences;
pub mod project;
pub mod source;
pub mod space;
pub mod stored;
pub mod trust;
pub mod verdict;
pub mod weights;

pub use catalogue::{Catalogue, FoundFile};
pub use checkpoint::WeightsPath;
pub use folders::{Folders, HubSettings, Network, Secret};
pub use pins::Pins;
pub use preferences::Preferences;
pub use project::{PassedOver, Project, ProjectSearch};
pub use source::WeightsSource;
pub use trust::Trust;

use crate::error::Fault;

/// Why a file was not found or downloaded. It concerns a model's files, so the exit code is 4 unless the search was
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HubError {
    /// The missing or wrong part. One line.
    pub message: String,
    /// The remedy, also without a network.
    pub hint: Option<String>,
    /// True if trust or `--offline` forbids the action, so that nothing was tried (exit code 2).
    pub refused: bool,
    /// True if the hub does not answer, so that asking it for something else is of no use either.
    pub is_silent: bool,
}

impl HubError {
    /// An error with a hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> HubError {
        HubError { message: message.into(), hint: Some(hint.into()), refused: false, is_silent: false }
    }
    /// An error without a hint.
    pub fn plain(message: impl Into<String>) -> HubError {
        HubError { message: message.into(), hint: None, refused: false, is_silent: false }
    }
    /// An error for an action that trust or `--offline` forbids.
    pub fn refused(message: impl Into<String>) -> HubError {
        HubError { message: message.into(), hint: None, refused: true, is_silent: false }
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
        let fault = match error.refused {
            true => Fault::refused(error.message),
            false => Fault::model(error.message),
        };
        match error.hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}
