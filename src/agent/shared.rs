//! Local agents that are loaded in this process, for all runs: one thread and one copy of the weights for each.

use super::{
    budget::{self, Need},
    local::{LocalAgent, LocalSpec},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Agents by all that decides how they are loaded. Holds none of them: one that no run uses is unloaded.
#[derive(Default)]
pub struct SharedAgents {
    known: Mutex<Vec<Entry>>,
    /// Held while agents are counted and prepared, so that two runs that start together count each other's.
    pub(super) turn: tokio::sync::Mutex<()>,
}

struct Entry {
    need: Need,
    agent: Weak<LocalAgent>,
}

impl SharedAgents {
    /// The agent that was prepared from the same specification, if it lives and its files are as they were then.
    pub(super) fn find(&self, spec: &LocalSpec) -> Option<Arc<LocalAgent>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alive = known.iter().filter_map(|entry| entry.agent.upgrade());
        alive.find(|agent| agent.spec() == spec && agent.is_unchanged())
    }

    /// Knows an agent from now on; `need` is the memory that it takes or will take.
    pub(super) fn add(&self, need: Need, agent: &Arc<LocalAgent>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|entry| entry.agent.strong_count() > 0);
        known.push(Entry { need, agent: Arc::downgrade(agent) });
    }

    /// What the agents that live need, without those that `but` says; and by device what those that are loaded hold.
    pub(super) fn needs(&self, but: impl Fn(&LocalSpec) -> bool) -> (Vec<Need>, HashMap<String, u64>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut needs, mut held) = (Vec::new(), HashMap::new());
        for (need, agent) in known.iter().filter_map(|entry| Some((&entry.need, entry.agent.upgrade()?))) {
            if agent.is_loaded() {
                *held.entry(need.device.clone()).or_default() += budget::with_rest(need.weights);
            }
            if !but(agent.spec()) {
                needs.push(need.clone());
            }
        }
        (needs, held)
    }
}
