//! The writing thread. It commits all waiting replies together.

use super::{MemoEntry, MemoError, store::Database};
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// Maximum number of exchanges in one commit. It keeps the wait for a commit short.
const MAX_ENTRIES: usize = 1024;

type Ack = oneshot::Sender<Result<(), MemoError>>;

/// A handle to the writing thread. Dropping it waits until all exchanges are committed.
pub(super) struct Writer {
    /// Unbounded: each running exchange waits for its commit, so the driver's limit on exchanges applies here too.
    entries: Option<Sender<(MemoEntry, Ack)>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(store: Database) -> Result<Writer, MemoError> {
        let (entries, waiting) = channel();
        let thread = std::thread::Builder::new().name("memo".to_owned());
        let thread = thread
            .spawn(move || write(store, &waiting))
            .map_err(|error| MemoError::other(format!("the memo's thread cannot start: {error}")))?;
        Ok(Writer { entries: Some(entries), thread: Some(thread) })
    }

    pub(super) fn put(&self, entry: MemoEntry) -> oneshot::Receiver<Result<(), MemoError>> {
        let (ack, committed) = oneshot::channel();
        if let Some(entries) = &self.entries {
            // an ended thread drops the ack, and the receiver gets an error
            let _ = entries.send((entry, ack));
        }
        committed
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.entries.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(mut store: Database, waiting: &Receiver<(MemoEntry, Ack)>) {
    if let Err(error) = store.sweep() {
        tracing::debug!(%error, "partial replies cannot be removed");
    }
    while let Ok(first) = waiting.recv() {
        let mut entries = vec![first];
        entries.extend(waiting.try_iter().take(MAX_ENTRIES - 1));
        let (entries, acks): (Vec<MemoEntry>, Vec<Ack>) = entries.into_iter().unzip();
        let result = store.put_all(&entries);
        for ack in acks {
            let _ = ack.send(result.clone());
        }
    }
}
