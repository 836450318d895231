//! Agents answer the requests of a run. Local models, remote endpoints, scripts, persons and the media agent implement
//! one trait.

pub mod budget;
mod identity;
pub mod journal;
pub mod list;
mod listening;
pub mod local;
pub mod media;
pub mod outward;
pub mod person;
pub mod pool;
pub mod remote;
pub mod roster;
pub mod script;
pub mod shared;
pub mod spec;
pub mod translate;
pub mod work;

pub use crate::exchange::Card;

use crate::{
    error::Fault,
    exchange::{Reply, Request},
    telemetry,
};
use async_trait::async_trait;
use tracing::Instrument;

/// The context of a request: data that is not part of its content.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// The seed of the sampling. An agent uses it or fails; it never ignores it.
    pub seed: u64,
    /// The channel for the text piece by piece, if the caller streams.
    pub stream: Option<tokio::sync::mpsc::UnboundedSender<String>>,
    /// For lines of the journal: where they come from.
    pub origin: crate::store::journal::LineOrigin,
    /// For a search by meaning: the models that made its vectors, by role.
    pub models: crate::store::journal::RoleModels,
}

/// The default number of retries, if neither the step nor the agent file sets it.
pub const RETRIES: u32 = 2;

/// An agent: a model, endpoint, script or person that answers requests.
///
/// Contract: `ask` gives the [`Reply`] variant of the request's kind, or a fault. It never panics and never blocks the
/// async runtime. A kind that is not on the card gives a fault. Dropping the returned future cancels the request: work
/// that has not begun is skipped, and generation stops between tokens. The same identity gives the same reply to the
/// same request and seed, whatever other requests share the batch.
#[async_trait]
pub trait Agent: Send + Sync {
    /// The agent's description of itself.
    fn card(&self) -> &Card;
    /// The number of retries after a passing fault, unless the step sets it. Only the driver retries; an agent does
    /// not, because the attempts would multiply.
    fn retries(&self) -> u32 {
        RETRIES
    }
    /// True if the agent can state the floor of each label that it ranks (`floor: true`).
    fn states_floors(&self) -> bool {
        false
    }
    /// Prepares for the first request, for example by loading weights. The driver calls it once, when the first
    /// exchange is due that the memo does not have. The time counts for no exchange, and a fault ends the run. An agent
    /// must also answer if this was not called.
    async fn ready(&self) -> Result<(), Fault> {
        Ok(())
    }
    /// The models of this process that it uses, for predictions of cost.
    fn locals(&self) -> Vec<&local::LocalAgent> {
        Vec::new()
    }
    /// The requests that its models get for `request`.
    fn parts(&self, request: &Request) -> Vec<(&local::LocalAgent, Request)> {
        self.locals().into_iter().map(|local| (local, request.clone())).collect()
    }
    /// Answers one request.
    async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault>;
}

/// Asks an agent outside of a run, within a span of its own.
pub(crate) async fn ask_alone(agent: &dyn Agent, request: Request, context: CallContext) -> Result<Reply, Fault> {
    let span = telemetry::exchange_span(agent.card(), &request, "", context.seed);
    let result = agent.ask(request, context).instrument(span.clone()).await;
    telemetry::exchange_ended(&span, &result, 1);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Answers, Kind, Modality};

    #[test]
    fn a_card_survives_serialisation() {
        let answers =
            Kind::ALL.iter().map(|kind| Answers::usual(*kind)).chain([Answers::new(Kind::Say, Modality::ALL)]);
        let (name, identity) = ("eye".to_owned(), "blake3 of weights".to_owned());
        let card = Card { name, answers: answers.collect(), identity, memo: false, own_labels: true };
        let json = serde_json::to_string(&card).expect("cards serialise");
        assert_eq!(serde_json::from_str::<Card>(&json).expect("and come back"), card);
    }
}
