//! Agents: who takes part. One trait; local models, remote endpoints, scripts, persons and the media agent implement it.

pub mod budget;
pub mod list;
pub mod local;
pub mod media;
pub mod outward;
pub mod person;
pub mod remote;
pub mod roster;
pub mod script;
pub mod shared;
pub mod spec;

pub use crate::exchange::Card;

use crate::{
    error::Fault,
    exchange::{Reply, Request},
};
use async_trait::async_trait;

/// Data that comes with a request and does not decide the reply's meaning (besides the seed).
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// Seed of the sampling; honoured or refused, never ignored.
    pub seed: u64,
    /// The channel for pieces of text as they are generated, if a caller wants them.
    pub stream: Option<tokio::sync::mpsc::UnboundedSender<String>>,
}

/// Tries after the first, where neither step nor agent file says.
pub const RETRIES: u32 = 2;

/// Someone who answers requests.
///
/// Contract: `ask` answers with the [`Reply`] variant of the request's kind, or an error; it never panics and never
/// blocks the async runtime. A kind that is not on the card is refused with a fault. Dropping the returned
/// future cancels the request: work not begun is skipped, generation stops between tokens. The same request and seed to
/// the same identity gives the same reply, also when it was batched with others.
#[async_trait]
pub trait Agent: Send + Sync {
    /// The agent's description of itself.
    fn card(&self) -> &Card;
    /// The number of retries after a passing failure where the step does not set it. The driver retries; an agent never tries
    /// again by itself, so that tries do not multiply.
    fn retries(&self) -> u32 {
        RETRIES
    }
    /// True if it can state the floor of each label that it ranks (`floor: true`).
    fn states_floors(&self) -> bool {
        false
    }
    /// Does what must be done once before the first request, such as loading weights. The driver calls it when the first
    /// exchange is due that the memo does not have, and counts the time on no exchange; a failure ends the run. An agent that
    /// is asked without it gets ready by itself.
    async fn ready(&self) -> Result<(), Fault> {
        Ok(())
    }
    /// One request in, one reply out.
    async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Answers, Kind, Modality};

    #[test]
    fn a_card_comes_back_equal_from_the_wire() {
        let answers =
            Kind::ALL.iter().map(|kind| Answers::usual(*kind)).chain([Answers::new(Kind::Say, Modality::ALL)]);
        let (name, identity) = ("eye".to_owned(), "blake3 of weights".to_owned());
        let card = Card { name, answers: answers.collect(), identity, memo: false };
        let json = serde_json::to_string(&card).expect("cards serialise");
        assert_eq!(serde_json::from_str::<Card>(&json).expect("and come back"), card);
    }
}
