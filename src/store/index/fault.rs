//! Errors of an index.

use rusqlite::ErrorCode;

/// An error of an index of vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct IndexError {
    /// What happened.
    pub message: String,
    /// True if the file is damaged, so that it must begin again.
    pub is_damage: bool,
    /// True if the file cannot be written, for example on a full disk.
    pub is_unwritable: bool,
}

impl IndexError {
    pub(crate) fn new(message: impl Into<String>) -> IndexError {
        IndexError { message: message.into(), is_damage: false, is_unwritable: false }
    }

    pub(super) fn damage(message: impl Into<String>) -> IndexError {
        IndexError { message: message.into(), is_damage: true, is_unwritable: false }
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> IndexError {
        let is_damage = match &error {
            rusqlite::Error::InvalidColumnType(..) => true,
            error => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
            ),
        };
        let code = error.sqlite_error_code();
        let is_full = code == Some(ErrorCode::DiskFull);
        let is_unwritable = is_full || matches!(code, Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly));
        let message = if is_full { "the disk is full".to_owned() } else { error.to_string() };
        IndexError { message, is_damage, is_unwritable }
    }
}
