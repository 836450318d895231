//! What all runs of one process share: settings, the memo, decoded media, and the agents that are loaded.

use super::Settings;
use crate::{
    agent::{outward::OnNetwork, person::LineReader, roster::RosterOptions, shared::SharedAgents},
    hub::{Catalogue, download::DownloadProgress as Download},
    media::{MediaLimits, MediaStore},
    store::memo::{Memo, MemoError},
};
use std::sync::{Arc, Mutex, PoisonError};

/// One for each process. Runs that use the same agent share its thread, so that their requests share its batches, and its
/// memory is counted once. An agent is unloaded when no run and no session holds it any more.
pub struct Engine {
    /// What the caller decided.
    pub settings: Settings,
    store: Arc<MediaStore>,
    agents: Arc<SharedAgents>,
    memo: Mutex<Option<Memo>>,
}

/// Who is told and asked while agents get ready.
#[derive(Clone)]
pub struct Listener {
    /// Told how downloads go.
    pub on_download: Arc<dyn Fn(Download) + Send + Sync>,
    /// Told what is about to leave the machine.
    pub on_network: OnNetwork,
    /// The way to ask a person.
    pub prompt: Arc<dyn LineReader>,
}

impl Engine {
    /// Opens and loads nothing yet.
    pub fn new(settings: Settings) -> Engine {
        let store = MediaStore::new(MediaLimits::default()).with_fetched(settings.folders.media());
        Engine { settings, store: Arc::new(store), agents: Arc::default(), memo: Mutex::default() }
    }

    /// The memo, opened at the first call.
    pub fn memo(&self) -> Result<Memo, MemoError> {
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = memo.as_ref() {
            return Ok(open.clone());
        }
        Ok(memo.insert(Memo::open(&self.settings.folders.memo())?).clone())
    }

    /// What loading agents takes. `device` (`auto`, `cpu`, …) is over what their files say.
    pub fn options(&self, catalogue: &Catalogue, device: &str, listener: &Listener) -> RosterOptions {
        let Listener { on_download, on_network, prompt } = listener.clone();
        RosterOptions {
            catalogue: catalogue.clone(),
            device: Some(device.to_owned()).filter(|device| device != "auto"),
            memory: None,
            store: self.store.clone(),
            shared: self.agents.clone(),
            keys: self.settings.keys.clone(),
            prompt,
            on_progress: on_download,
            on_network,
        }
    }
}
