//! The local agents of this process, for all runs: each has one thread and one copy of its weights.

use super::{
    budget::{self, Need},
    local::{LocalAgent, LocalSpec},
    pool::MemoryPool,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Local agents by their settings. The references are weak, so that an agent is unloaded when no run uses it.
#[derive(Default)]
pub struct SharedAgents {
    known: Mutex<Vec<Entry>>,
    /// The memory that they take.
    pub(super) pool: Arc<MemoryPool>,
    /// Held while agents are counted and prepared, so that two runs that start together count each other's agents.
    pub(super) turn: tokio::sync::Mutex<()>,
}

struct Entry {
    need: Need,
    agent: Weak<LocalAgent>,
}

impl SharedAgents {
    /// The agent with the same settings, if a run uses it and its files have not changed.
    pub(super) fn find(&self, spec: &LocalSpec) -> Option<Arc<LocalAgent>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alive = known.iter().filter_map(|entry| entry.agent.upgrade());
        alive.find(|agent| agent.spec() == spec && agent.is_unchanged())
    }

    /// Adds an agent; `need` is the memory that it takes or will take.
    pub(super) fn add(&self, need: Need, agent: &Arc<LocalAgent>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|entry| entry.agent.strong_count() > 0);
        known.push(Entry { need, agent: Arc::downgrade(agent) });
    }

    /// The needs of all agents in use, except those for which `except` is true; and by device, the bytes that loaded
    /// agents hold.
    pub(super) fn needs(&self, except: impl Fn(&LocalSpec) -> bool) -> (Vec<Need>, HashMap<String, u64>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut needs, mut held) = (Vec::new(), HashMap::new());
        for (need, agent) in known.iter().filter_map(|entry| Some((&entry.need, entry.agent.upgrade()?))) {
            if agent.is_loaded() {
                *held.entry(need.device.clone()).or_default() += budget::with_rest(need.weights);
            }
            if !except(agent.spec()) {
                needs.push(need.clone());
            }
        }
        (needs, held)
    }
}
