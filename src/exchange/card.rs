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
    /// True if the agent has labels of its own, so that it answers `rank` without candidates. `false` is not
    /// serialised, so that cards of earlier versions can be read and compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_labels: bool,
}

impl Card {
    /// True if the agent answers this kind of request.
    pub fn can(&self, kind: Kind) -> bool {
        self.answers.iter().any(|answers| answers.kind == kind)
    }

    /// Refuses a request whose kind or content the agent does not accept, or that asks for labels that it lacks.
    pub fn check(&self, request: &Request) -> Result<(), Fault> {
        if let Some(why) = lacks(&self.answers, request.kind(), request.takes()) {
            return Err(Fault::failed(why).of(&self.name));
        }
        match request {
            Request::Rank(rank) if rank.wants_own_labels() && !self.own_labels => {
                Err(Fault::failed("the list of candidates is empty, and the agent has no labels of its own")
                    .of(&self.name))
            }
            _ => Ok(()),
        }
    }
}
