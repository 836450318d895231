//! Questions that lean on those before: the answers of each conversation, in memory.

use super::super::{api_error::ApiError, door::secret};
use crate::value::Value;
use indexmap::IndexMap;
use std::sync::{Mutex, PoisonError};

/// The conversations that are kept; the oldest one goes.
const KEPT: usize = 100;
/// The turns that are remembered.
const TURNS: usize = 8;

/// The answers of one conversation, with the media that they are about.
#[derive(Debug, Default)]
struct Turns {
    answers: Vec<Value>,
    digests: Vec<String>,
}

/// The conversations by their name.
#[derive(Debug, Default)]
pub(in crate::serve) struct Conversations(Mutex<IndexMap<String, Turns>>);

impl Conversations {
    fn lock(&self) -> std::sync::MutexGuard<'_, IndexMap<String, Turns>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answers of a conversation, oldest first; none without a name. Fails for an unknown one.
    pub(super) fn history(&self, name: Option<&str>) -> Result<Vec<Value>, ApiError> {
        let Some(name) = name else { return Ok(Vec::new()) };
        let known = self.lock().get(name).map(|turns| turns.answers.clone());
        known.ok_or_else(|| {
            ApiError::missing("no conversation has this name")
                .param("conversation")
                .hint("ask without it; a conversation ends with the server, and when one of its videos is forgotten")
        })
    }

    /// Adds an answer, and returns the name of the conversation: a new one if it has none, or is unknown.
    pub(super) fn add(&self, name: Option<&str>, answer: Value, digests: &[String]) -> String {
        let mut all = self.lock();
        let name = name.filter(|name| all.contains_key(*name)).map_or_else(secret, str::to_owned);
        // the latest one is the last
        let mut turns = all.shift_remove(&name).unwrap_or_default();
        if matches!(answer, Value::Record(_)) {
            turns.answers.push(answer);
            let excess = turns.answers.len().saturating_sub(TURNS);
            turns.answers.drain(..excess);
        }
        turns.digests.extend(digests.iter().cloned());
        turns.digests.sort();
        turns.digests.dedup();
        all.insert(name.clone(), turns);
        while all.len() > KEPT {
            all.shift_remove_index(0);
        }
        name
    }

    /// Removes the conversations about these media.
    pub(super) fn forget(&self, digests: &[String]) {
        self.lock().retain(|_, turns| !turns.digests.iter().any(|digest| digests.contains(digest)));
    }
}
