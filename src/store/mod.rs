//! Data that is kept between runs: the memo of finished exchanges, the journal, indexes of vectors, the vectors of labels, and the speeds of
//! models.

pub mod index;
pub mod journal;
pub mod memo;
mod sqlite;
pub mod timings;
pub mod vectors;

pub use journal::{Journal, JournalError};
pub use memo::{Memo, MemoError};
pub use timings::TimingStore;
pub use vectors::VectorStore;

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// The absolute path, so that a later look-up works from any folder. An address stays unchanged.
fn absolute(path: &str) -> String {
    if path.contains("://") && !Path::new(path).exists() {
        return path.to_owned();
    }
    let found = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    found.map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
