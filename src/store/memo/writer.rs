//! The writing thread. All waiting replies become one commit when it is free.

use super::{MemoEntry, MemoError, store::Database};
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};
use tokio::sync::oneshot;

/// Most exchanges in one commit: keeps a commit short for those who wait for it.
const MOST: usize = 1024;

type Ack = oneshot::Sender<Result<(), MemoError>>;

/// A handle to the writing thread. Dropping it waits until every put is committed.
pub(super) struct Writer {
    /// Not bounded: each exchange under way waits for its commit, so the driver's bound holds here too.
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
            // a thread that is gone drops the ack, which the asker hears
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
        tracing::debug!(%error, "half-written replies are left");
    }
    while let Ok(first) = waiting.recv() {
        let mut entries = vec![first];
        entries.extend(waiting.try_iter().take(MOST - 1));
        let (entries, acks): (Vec<MemoEntry>, Vec<Ack>) = entries.into_iter().unzip();
        let result = store.put_all(&entries);
        for ack in acks {
            let _ = ack.send(result.clone());
        }
    }
}
