//! Errors of a memo, in the user's words.

use crate::error::Fault;
use std::path::Path;

/// The kind of a memo error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoErrorKind {
    /// The folder or the disk cannot be written. Existing data may still be readable.
    Unwritable,
    /// The file is not a memo of this version.
    Damaged,
    /// Any other error, such as a lock that another process holds.
    Other,
}

/// An error of a memo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MemoError {
    /// The kind of error.
    pub sort: MemoErrorKind,
    /// One line that names the folder.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

impl From<MemoError> for Fault {
    fn from(error: MemoError) -> Fault {
        let hint = error.hint.clone().unwrap_or_else(|| "--no-memo runs without it".to_owned());
        Fault::failed(error).hint(hint)
    }
}

const EMPTY_IT: &str = "empty it with `elenchus memo purge --all`; it contains only replies that can be asked again";

impl MemoError {
    /// An error of another kind, without a hint.
    pub fn other(message: String) -> MemoError {
        MemoError { sort: MemoErrorKind::Other, message, hint: None }
    }

    pub(super) fn damage(folder: &Path, what: &str) -> MemoError {
        let message = format!("the memo in {} is damaged: {what}", folder.display());
        MemoError { sort: MemoErrorKind::Damaged, message, hint: Some(EMPTY_IT.to_owned()) }
    }

    /// The error for a memo of an unknown format.
    pub(super) fn format(folder: &Path, found: i64, engine: Option<String>) -> MemoError {
        let engine = engine.map_or_else(|| "another version of elenchus".to_owned(), |v| format!("elenchus {v}"));
        let message = format!(
            "the memo in {} was written by {engine} in format {found}; elenchus {} reads formats 1 and 2",
            folder.display(),
            super::ENGINE
        );
        let hint = format!("use that version, set ELENCHUS_CACHE to another folder, or {EMPTY_IT}");
        MemoError { sort: MemoErrorKind::Damaged, message, hint: Some(hint) }
    }

    /// The error for a folder or file that cannot be created or written.
    pub(super) fn unwritable(what: &Path, error: &std::io::Error) -> MemoError {
        MemoError {
            sort: MemoErrorKind::Unwritable,
            message: format!("the memo cannot be written: {}: {error}", what.display()),
            hint: Some("set ELENCHUS_CACHE to a writable folder, or run with --no-memo".to_owned()),
        }
    }

    pub(super) fn of(folder: &Path, error: &rusqlite::Error) -> MemoError {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, PermissionDenied, ReadOnly,
            SystemIoFailure,
        };
        let place = folder.display();
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => MemoError::damage(folder, &error.to_string()),
            Some(DatabaseBusy) => MemoError {
                sort: MemoErrorKind::Other,
                message: format!("the memo in {place} is busy: {error}"),
                hint: Some("another process has been writing to it for a long time; try again".to_owned()),
            },
            Some(DiskFull) => MemoError {
                sort: MemoErrorKind::Unwritable,
                message: format!("the memo in {place} cannot be written: the disk is full"),
                hint: Some("free some space; `elenchus memo purge --all` empties the memo".to_owned()),
            },
            Some(CannotOpen | ReadOnly | SystemIoFailure | PermissionDenied) => MemoError {
                sort: MemoErrorKind::Unwritable,
                message: format!("the memo in {place} cannot be written: {error}"),
                hint: Some(
                    "check that the folder is writable and its disk has room; --no-memo runs without the memo"
                        .to_owned(),
                ),
            },
            // a table or a column is missing
            Some(rusqlite::ErrorCode::Unknown) => MemoError::damage(folder, &error.to_string()),
            _ => MemoError::other(format!("the memo in {place}: {error}")),
        }
    }
}
