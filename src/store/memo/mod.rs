//! The memo: every finished exchange, so that no request is asked twice. It is a SQLite database in WAL mode, with
//! replies above [`BIG`] bytes in content-addressed files beside it. Several processes can share it.
//!
//! A reply is committed before the run counts it as finished. A commit passes the data to the operating system
//! (`synchronous = NORMAL`). A killed process loses no data; a power cut may lose the last commits but never the rest.
//! One thread writes, and puts all waiting exchanges into one commit.
//!
//! Only the user can read the folder. Each reply has a digest, and a reply with a wrong digest does not count. A memo
//! that cannot be written (a read-only or full disk) can still be read.

mod fault;
mod key;
mod near;
mod open;
mod purge;
mod stat;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use fault::{MemoError, MemoErrorKind};
pub use key::{ENGINE, Medium, MemoKey, media, request_digest};
pub use near::Near;
pub use purge::{Purge, purge};
pub use stat::{MediaUse, Stat};

use crate::exchange::Reply;
use std::{
    path::Path,
    sync::{Arc, Mutex},
};
use store::Database;

/// Maximum size of a reply's JSON in the database, in bytes. A larger one is in a file of its own.
pub const BIG: usize = 64 * 1024;

/// A finished exchange, for the memo.
#[derive(Debug, Clone)]
pub struct MemoEntry {
    /// The exchange's key.
    pub key: MemoKey,
    /// The agent's identity.
    pub identity: String,
    /// The digest of the request ([`request_digest`]).
    pub request: [u8; 32],
    /// The word for the request's kind (`rank`).
    pub kind: String,
    /// The seed, if it is part of the key.
    pub seed: Option<u64>,
    /// The reply.
    pub reply: Reply,
    /// The media that the request names, or else the media inputs of its run.
    pub media: Arc<[Medium]>,
    /// The time that the agent needed, in milliseconds.
    pub elapsed_ms: u64,
    /// The run that asked it.
    pub run: Arc<str>,
    /// The exchange's path in that run.
    pub path: String,
}

/// An open memo. Clones share it. Dropping the last one waits for unfinished writes.
#[derive(Clone)]
pub struct Memo {
    inner: Arc<Inner>,
}

struct Inner {
    reader: Arc<Mutex<Database>>,
    writer: writer::Writer,
}

impl Memo {
    /// Opens the memo in `folder`, and creates both if needed. A memo that cannot be written is read, and records no
    /// new exchanges. Fails if the memo cannot be read.
    pub fn open(folder: &Path) -> Result<Memo, MemoError> {
        let reader = Database::open(folder)?;
        let writer = writer::Writer::start(Database::open(folder)?)?;
        Ok(Memo { inner: Arc::new(Inner { reader: Arc::new(Mutex::new(reader)), writer }) })
    }

    /// The replies in the memo, in the order of `keys`; `None` for a memo miss. Reads outside the async threads.
    pub async fn get_all(&self, keys: Vec<MemoKey>) -> Result<Vec<Option<Reply>>, MemoError> {
        let reader = self.inner.reader.clone();
        let read = move || lock(&reader).get_all(&keys);
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|error| Err(MemoError::other(format!("reading the memo stopped: {error}"))))
    }

    /// The reply in the memo; `None` for a memo miss.
    pub fn get(&self, key: MemoKey) -> Result<Option<Reply>, MemoError> {
        Ok(lock(&self.inner.reader).get_all(&[key])?.pop().flatten())
    }

    /// Adds an exchange. The receiver gets the result after the commit.
    pub fn put(&self, entry: MemoEntry) -> tokio::sync::oneshot::Receiver<Result<(), MemoError>> {
        self.inner.writer.put(entry)
    }

    /// The statistics of the memo. Checks the whole database too, and fails if it is damaged.
    pub fn stat(&self) -> Result<Stat, MemoError> {
        lock(&self.inner.reader).stat()
    }

    /// The digests of the media that `name` identifies: a path that a medium had in some run, a digest, or the start of
    /// a digest.
    pub fn digests_of(&self, name: &str) -> Result<Vec<String>, MemoError> {
        lock(&self.inner.reader).digests_of(name)
    }

    /// Removes exchanges and returns their number. [`purge()`] does this for a memo in any state.
    pub fn purge(&self, what: &Purge) -> Result<u64, MemoError> {
        lock(&self.inner.reader).purge(what)
    }

    pub(super) fn reader(&self) -> std::sync::MutexGuard<'_, Database> {
        lock(&self.inner.reader)
    }
}

/// Locks the database even after a panic: unfinished transactions roll back.
fn lock(store: &Mutex<Database>) -> std::sync::MutexGuard<'_, Database> {
    store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
