//! Who answers: what is known of an agent before it is asked anything.

use super::{Answers, Kind, Request, lacks};
use crate::error::Fault;
use serde::{Deserialize, Serialize};

/// What is known of an agent before it is asked anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The agent's name (`agents/NAME.yaml`).
    pub name: String,
    /// What it can be asked, and with which content.
    pub answers: Vec<Answers>,
    /// Stands for all that decides its replies besides the request: weights' digests, dtype, device class,
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
