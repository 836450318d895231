//! Cards: the facts about an agent that are known before any request.

use super::{Answers, Kind, Request, lacks};
use crate::error::Fault;
use serde::{Deserialize, Serialize};

/// The facts about an agent that are known before any request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The agent's name (`agents/NAME.yaml`).
    pub name: String,
    /// The requests that it answers, with the accepted content.
    pub answers: Vec<Answers>,
    /// Identifies everything but the request that decides its replies: digests of weights, dtype, device class, decode
    /// defaults, endpoint and model name. It never contains a key. It is part of the memo key.
    pub identity: String,
    /// False for agents whose replies must not enter the memo (a person).
    pub memo: bool,
}

impl Card {
    /// True if the agent answers this kind of request.
    pub fn can(&self, kind: Kind) -> bool {
        self.answers.iter().any(|answers| answers.kind == kind)
    }

    /// Refuses a request whose kind or content the agent does not accept.
    pub fn check(&self, request: &Request) -> Result<(), Fault> {
        match lacks(&self.answers, request.kind(), request.takes()) {
            None => Ok(()),
            Some(why) => Err(Fault::failed(why).of(&self.name)),
        }
    }
}
