//! Cards: the facts about an agent that are known before any request.

use super::{Answers, Kind, Request, lacks};
use crate::error::Fault;
use serde::{Deserialize, Serialize};

/// The facts about an agent that are known before any request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The agent's name (`agents/NAME.yaml`).
    pub name: String,
    /// The requests that it takes, and with which content.
    pub answers: Vec<Answers>,
    /// Identifies all that decides its replies besides the request: weights' digests, dtype, device class,
    /// decode defaults, endpoint and model name; never a key. Part of the memo key.
    pub identity: String,
    /// False for agents whose replies must not be kept (a person).
    pub memo: bool,
}

impl Card {
    /// True if it answers this kind of request.
    pub fn can(&self, kind: Kind) -> bool {
        self.answers.iter().any(|answers| answers.kind == kind)
    }

    /// Refuses a request whose kind or content the agent does not take.
    pub fn check(&self, request: &Request) -> Result<(), Fault> {
        match lacks(&self.answers, request.kind(), request.takes()) {
            None => Ok(()),
            Some(why) => Err(Fault::failed(why).of(&self.name)),
        }
    }
}
