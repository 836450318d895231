//! The memo: every exchange already had, so that nothing finished is asked twice. SQLite in WAL mode, with replies
//! above [`BIG`] bytes in content-addressed files beside it; several processes may share one.
//!
//! A reply is committed before the run counts it as finished. A commit hands the data to the operating system
//! (`synchronous = NORMAL`): a killed process loses nothing, a power cut may lose the last moments but never the rest.
//! One thread writes, and commits together what waits together, so that a commit is shared by all who wait for it.
//!
//! Only the user may read the folder. Each reply has a digest, and one that does not fit it counts as not kept. A memo
//! that cannot be written (a read-only or full disk) is still read.

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

/// Replies with longer JSON are kept in files of their own.
pub const BIG: usize = 64 * 1024;

/// A kept exchange.
#[derive(Debug, Clone)]
pub struct MemoEntry {
    /// Its key.
    pub key: MemoKey,
    /// The agent's identity.
    pub identity: String,
    /// [`request_digest`].
    pub request: [u8; 32],
    /// The word for its kind (`rank`).
    pub kind: String,
    /// The seed, if it counted.
    pub seed: Option<u64>,
    /// The reply.
    pub reply: Reply,
    /// The media that it came from: those it names, or else those that its run was given.
    pub media: Arc<[Medium]>,
    /// The time that the agent took.
    pub elapsed_ms: u64,
    /// Which run made it.
    pub run: Arc<str>,
    /// Its path in that run.
    pub path: String,
}

/// A memo that is open. Clones share it; the last one to go waits for what is still being written.
#[derive(Clone)]
pub struct Memo {
    inner: Arc<Inner>,
}

struct Inner {
    reader: Arc<Mutex<Database>>,
    writer: writer::Writer,
}

impl Memo {
    /// Opens the memo in `folder`, making both if needed. One that cannot be written answers, but keeps nothing new.
    pub fn open(folder: &Path) -> Result<Memo, MemoError> {
        let reader = Database::open(folder)?;
        let writer = writer::Writer::start(Database::open(folder)?)?;
        Ok(Memo { inner: Arc::new(Inner { reader: Arc::new(Mutex::new(reader)), writer }) })
    }

    /// The kept replies, in the order of `keys`, read together off the async threads.
    pub async fn get_all(&self, keys: Vec<MemoKey>) -> Result<Vec<Option<Reply>>, MemoError> {
        let reader = self.inner.reader.clone();
        let read = move || lock(&reader).get_all(&keys);
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|error| Err(MemoError::other(format!("reading the memo stopped: {error}"))))
    }

    /// The reply, if it is kept.
    pub fn get(&self, key: MemoKey) -> Result<Option<Reply>, MemoError> {
        Ok(lock(&self.inner.reader).get_all(&[key])?.pop().flatten())
    }

    /// Keeps an exchange; the receiver hears when it is safe (or that it could not be kept).
    pub fn put(&self, entry: MemoEntry) -> tokio::sync::oneshot::Receiver<Result<(), MemoError>> {
        self.inner.writer.put(entry)
    }

    /// The content in figures. Checks the whole database, too: a damaged one is an error.
    pub fn stat(&self) -> Result<Stat, MemoError> {
        lock(&self.inner.reader).stat()
    }

    /// The digests of the media that `name` identifies: a path that a medium had in some run, or a digest or the
    /// beginning of one.
    pub fn digests_of(&self, name: &str) -> Result<Vec<String>, MemoError> {
        lock(&self.inner.reader).digests_of(name)
    }

    /// Removes exchanges and says how many. [`purge()`] does so for a memo in any state.
    pub fn purge(&self, what: &Purge) -> Result<u64, MemoError> {
        lock(&self.inner.reader).purge(what)
    }

    pub(super) fn reader(&self) -> std::sync::MutexGuard<'_, Database> {
        lock(&self.inner.reader)
    }
}

/// A reader that panicked left nothing half done: transactions roll back.
fn lock(store: &Mutex<Database>) -> std::sync::MutexGuard<'_, Database> {
    store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
