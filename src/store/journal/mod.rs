//! The journal: an append-only log of what was seen, heard and done, over many videos and days. It is a SQLite database in WAL mode with a
//! full-text index, and with indexes of vectors beside it (`indexes`). Several processes can share it.
//!
//! A line is never changed. Each change of the journal has a number, its revision. A line carries the revision in which it was added, and
//! the revision in which another line took its place, if one did. A reading of a stated revision therefore gives the same lines for ever,
//! until their video is forgotten.
//!
//! Only the user can read the folder. A journal that cannot be written can still be read.

mod append;
mod correct;
mod deny;
pub mod export;
mod fault;
mod forget;
mod indexes;
mod marks;
mod meaning;
mod open;
mod overview;
mod place;
mod read;
mod record;
mod search;
mod words;

#[cfg(test)]
mod tests;

pub use append::LineOrigin;
pub use correct::Correction;
pub use deny::{Denied, Denylist};
pub use fault::JournalError;
pub use forget::{Forget, Forgotten};
pub use overview::{JournalStat, MediumStat};
pub use place::JournalPlace;
pub use read::StoredLine;
pub use record::LineRecord;

use crate::{
    exchange::{JournalReply, JournalRequest, Revision, SearchHit, SearchRequest},
    store::vectors::ModelDigest,
};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The model of each role that embeds: the digest of its agent's identity.
pub type RoleModels = HashMap<String, ModelDigest>;

/// Maximum number of lines that one request reads.
pub const MAX_LINES: usize = 100_000;

/// An open journal. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Mutex<Database>>,
}

/// One connection.
#[derive(Debug)]
struct Database {
    base: Connection,
    /// The folder, for messages; empty for a journal in memory.
    folder: PathBuf,
    /// Why it cannot be written, if it is only read.
    unwritable: Option<JournalError>,
    /// The lines that the denylist kept out, by digest of their medium.
    left_out: HashMap<String, u64>,
    indexes: indexes::Indexes,
}

impl Journal {
    /// Opens the journal in `folder`, and creates both if needed. A journal that cannot be written is read. Blocks. Fails if it cannot be read,
    /// or if a newer version of the program wrote it.
    pub fn open(folder: &Path) -> Result<Journal, JournalError> {
        Ok(Journal::of(Database::open(folder)?))
    }

    /// A journal of this process alone, which keeps nothing.
    pub fn in_memory() -> Result<Journal, JournalError> {
        Ok(Journal::of(Database::in_memory()?))
    }

    fn of(database: Database) -> Journal {
        Journal { inner: Arc::new(Mutex::new(database)) }
    }

    /// Answers a request to the journal. `key` identifies the request, and `origin` tells where its lines come from. Blocks.
    pub fn answer(
        &self,
        request: &JournalRequest,
        key: &[u8; 32],
        origin: &LineOrigin,
    ) -> Result<JournalReply, JournalError> {
        let mut database = self.lock();
        Ok(match request {
            JournalRequest::Append { writer, medium, senses, lines } => {
                database.append(key, writer, medium, senses, lines, origin)?;
                JournalReply::Added(lines.len())
            }
            JournalRequest::Correct { line, text } => {
                JournalReply::Corrected(Box::new(database.correct_line(line, text)?.line))
            }
            JournalRequest::Revision => JournalReply::Revision(database.revision()?),
            JournalRequest::Read { revision, filter } => {
                database.knows(revision)?;
                let found = database.read(revision.number, filter, MAX_LINES)?;
                JournalReply::Lines(found.into_iter().map(|stored| stored.line).collect())
            }
        })
    }

    /// The lines that fit the words best. `models` identifies the agents of the request's vectors by role. Blocks.
    pub fn search(&self, request: &SearchRequest, models: &RoleModels) -> Result<Vec<SearchHit>, JournalError> {
        self.lock().search(request, models)
    }

    /// The current state. Blocks.
    pub fn revision(&self) -> Result<Revision, JournalError> {
        self.lock().revision()
    }

    fn lock(&self) -> MutexGuard<'_, Database> {
        // unfinished transactions roll back, so the database is sound even after a panic
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
