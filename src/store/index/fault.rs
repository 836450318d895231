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
}

impl IndexError {
    pub(crate) fn new(message: impl Into<String>) -> IndexError {
        IndexError { message: message.into(), is_damage: false }
    }

    pub(super) fn damage(message: impl Into<String>) -> IndexError {
        IndexError { message: message.into(), is_damage: true }
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
        IndexError { message: error.to_string(), is_damage }
    }
}
