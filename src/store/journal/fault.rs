//! Errors of the journal, in the user's words.

use crate::{error::Fault, store::index::IndexError};
use rusqlite::ErrorCode;
use std::path::Path;

/// An error of the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JournalError {
    /// One line that names the folder.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
    /// True if it cannot be written, but may be readable.
    pub(super) is_unwritable: bool,
    /// True for damaged vectors, which can be computed again.
    pub(super) is_lost_index: bool,
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Fault {
        let fault = Fault::failed(&error);
        match error.hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

const MOVE_IT: &str = "move the folder away and run `elenchus index` again; corrections in it would be lost";

const MAKE_ROOM: &str = "free some space and run the command again; nothing that was written before is lost";

impl JournalError {
    pub(super) fn new(message: String, hint: Option<&str>) -> JournalError {
        JournalError { message, hint: hint.map(str::to_owned), is_unwritable: false, is_lost_index: false }
    }

    /// The error for a journal of an unknown format.
    pub(super) fn format(folder: &Path, found: i64, known: i64) -> JournalError {
        let message = format!(
            "the journal in {} has format {found}; elenchus {} reads formats up to {known}",
            folder.display(),
            env!("CARGO_PKG_VERSION")
        );
        JournalError::new(
            message,
            Some("use the newer elenchus that wrote it, or name another folder with --journal-folder"),
        )
    }

    /// The error for a folder or file that cannot be created or written.
    pub(super) fn unwritable(what: &Path, error: &std::io::Error) -> JournalError {
        let message = format!("the journal cannot be written: {}: {error}", what.display());
        let hint = "check that the folder is writable and its disk has room, or name another one with --journal-folder";
        JournalError { is_unwritable: true, ..JournalError::new(message, Some(hint)) }
    }

    /// The error for an index of vectors beside the journal.
    pub(super) fn index(folder: &Path, error: &IndexError) -> JournalError {
        let what = if error.is_unwritable { " cannot be written" } else { "" };
        let message = format!("the vectors of the journal in {}{what}: {error}", folder.display());
        let hint = match (error.is_damage, error.is_unwritable) {
            (true, _) => Some("`elenchus index` with the same videos computes them again"),
            (_, true) => Some(MAKE_ROOM),
            _ => None,
        };
        JournalError { is_lost_index: error.is_damage, ..JournalError::new(message, hint) }
    }

    pub(super) fn of(folder: &Path, error: &rusqlite::Error) -> JournalError {
        let place = folder.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                JournalError::new(format!("the journal in {place} is damaged: {error}"), Some(MOVE_IT))
            }
            Some(ErrorCode::DatabaseBusy) => {
                let hint = "another process has been writing to it for a long time; try again";
                JournalError::new(format!("the journal in {place} is busy"), Some(hint))
            }
            Some(ErrorCode::DiskFull) => {
                let message = format!("the journal in {place} cannot be written: the disk is full");
                JournalError { is_unwritable: true, ..JournalError::new(message, Some(MAKE_ROOM)) }
            }
            Some(
                ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied,
            ) => JournalError::unwritable(folder, &std::io::Error::other(error.to_string())),
            _ => JournalError::new(format!("the journal in {place}: {error}"), None),
        }
    }
}
