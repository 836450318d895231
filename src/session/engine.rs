//! The parts that all runs of a process share: settings, the memo, decoded media, and loaded agents.

use super::Settings;
use crate::{
    agent::{outward::OnNetwork, person::LineReader, roster::RosterOptions, shared::SharedAgents},
    hub::{Catalogue, download::DownloadProgress as Download},
    media::{MediaLimits, MediaStore},
    store::{
        TimingStore, VectorStore,
        journal::JournalPlace,
        memo::{Memo, MemoError},
    },
};
use std::sync::{Arc, Mutex, PoisonError};

/// The shared parts; a process needs one. Runs with the same agent share its thread, so that their requests share its
/// batches, and its memory is counted once. An agent is unloaded when no run and no session uses it, and
/// while it is idle if another one needs its memory.
pub struct Engine {
    /// The caller's settings.
    pub settings: Settings,
    store: Arc<MediaStore>,
    agents: Arc<SharedAgents>,
    memo: Mutex<Option<Memo>>,
    vectors: VectorStore,
    timings: TimingStore,
    journal: Arc<JournalPlace>,
}

/// The callbacks of a caller while agents get ready and run.
#[derive(Clone)]
pub struct Listener {
    /// Receives the progress of downloads.
    pub on_download: Arc<dyn Fn(Download) + Send + Sync>,
    /// Receives each network transfer before it begins.
    pub on_network: OnNetwork,
    /// Asks a person.
    pub prompt: Arc<dyn LineReader>,
}

impl Engine {
    /// An engine with these settings. Nothing is opened or loaded yet.
    pub fn new(settings: Settings) -> Engine {
        let store = MediaStore::new(MediaLimits::default());
        let store = store.with_fetched(settings.folders.media()).with_sounds(settings.folders.sounds());
        let vectors = VectorStore::at(&settings.folders.vectors());
        let timings = TimingStore::at(&settings.folders.timings());
        let journal = Arc::new(JournalPlace::at(&settings.journal));
        let (store, agents, memo) = (Arc::new(store), Arc::default(), Mutex::default());
        Engine { settings, store, agents, memo, vectors, timings, journal }
    }

    /// The same engine, which keeps no vectors of labels on disk.
    #[must_use]
    pub fn without_vectors(self) -> Engine {
        Engine { vectors: VectorStore::default(), ..self }
    }

    /// The same engine, whose journal is in memory and ends with it.
    #[must_use]
    pub fn without_journal(self) -> Engine {
        Engine { journal: Arc::default(), ..self }
    }

    /// An engine for runs that leave nothing behind: it shares the agents and the settings, and its journal is in memory.
    #[must_use]
    pub fn passing(&self) -> Engine {
        Engine {
            settings: self.settings.clone(),
            store: self.store.clone(),
            agents: self.agents.clone(),
            memo: Mutex::default(),
            vectors: VectorStore::default(),
            timings: self.timings.clone(),
            journal: Arc::default(),
        }
    }

    /// The journal.
    pub fn journal(&self) -> &JournalPlace {
        &self.journal
    }

    /// The store of vectors of texts.
    pub(super) fn vectors(&self) -> VectorStore {
        self.vectors.clone()
    }

    /// The store of measured speeds.
    pub(super) fn timings(&self) -> &TimingStore {
        &self.timings
    }

    /// The memo; the first call opens it. Fails if it cannot be opened.
    pub fn memo(&self) -> Result<Memo, MemoError> {
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = memo.as_ref() {
            return Ok(open.clone());
        }
        Ok(memo.insert(Memo::open(&self.settings.folders.memo())?).clone())
    }

    /// The options for loading agents. A `device` other than `auto` replaces the device in their files.
    pub fn options(&self, catalogue: &Catalogue, device: &str, listener: &Listener) -> RosterOptions {
        let Listener { on_download, on_network, prompt } = listener.clone();
        RosterOptions {
            catalogue: catalogue.clone(),
            device: Some(device.to_owned()).filter(|device| device != "auto"),
            memory: None,
            store: self.store.clone(),
            vectors: self.vectors.clone(),
            timings: self.timings.clone(),
            journal: self.journal.clone(),
            shared: self.agents.clone(),
            keys: self.settings.keys.clone(),
            prompt,
            on_progress: on_download,
            on_network,
        }
    }
}
