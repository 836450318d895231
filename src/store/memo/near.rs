//! Finds exchanges similar to a missing one: the same request with other settings, or the same place in a dialogue.

use super::{Memo, MemoError};
use rusqlite::{OptionalExtension, params};

/// The similar entries for a missing exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The identity and seed of an entry with the same request.
    pub same_request: Option<(String, Option<i64>)>,
    /// True if the memo contains an exchange from the same place in a dialogue.
    pub same_path: bool,
}

impl Memo {
    /// Searches for exchanges with this request digest, and for exchanges at this path.
    pub fn near(&self, request: [u8; 32], path: &str) -> Result<Near, MemoError> {
        let store = self.reader();
        let wrong = |error: rusqlite::Error| MemoError::of(&store.folder, &error);
        let same = "SELECT identity, seed FROM exchanges WHERE request = ?1 LIMIT 1";
        let same_request = store.base.query_row(same, params![request], |row| Ok((row.get(0)?, row.get(1)?)));
        let at = "SELECT 1 FROM exchanges WHERE path = ?1 LIMIT 1";
        let same_path = store.base.query_row(at, params![path], |_| Ok(()));
        Ok(Near {
            same_request: same_request.optional().map_err(wrong)?,
            same_path: same_path.optional().map_err(wrong)?.is_some(),
        })
    }
}
