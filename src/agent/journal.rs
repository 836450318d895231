//! The built-in journal agent, which keeps and searches what runs saw, did and heard. Every run has it.

use super::{Agent, CallContext, Card};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Reply, Request},
    store::{
        journal::{Journal, JournalError, JournalPlace},
        memo::MemoKey,
    },
};
use async_trait::async_trait;
use std::sync::Arc;

/// Answers [`Kind::Journal`] and [`Kind::Search`] from the journal of a folder.
#[derive(Debug)]
pub struct JournalAgent {
    card: Card,
    place: Arc<JournalPlace>,
}

impl JournalAgent {
    /// The agent's name, and the role that steps ask.
    pub const NAME: &str = "journal";

    /// An agent for the journal at `place`. The first request opens it.
    pub fn new(place: Arc<JournalPlace>) -> JournalAgent {
        let card = Card {
            name: Self::NAME.to_owned(),
            answers: vec![Answers::usual(Kind::Journal), Answers::usual(Kind::Search)],
            // a request names the state of its journal; the number counts our own changes to searching
            identity: "journal 3".to_owned(),
            memo: true,
            own_labels: false,
        };
        JournalAgent { card, place }
    }
}

#[async_trait]
impl Agent for JournalAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault> {
        let key = MemoKey::of(&self.card, &request, 0);
        let place = self.place.clone();
        let work = move || {
            let journal: Journal = place.open()?;
            Ok::<_, JournalError>(match &request {
                Request::Journal(asked) => Some(Reply::Journal(journal.answer(asked, &key.0, &asking.origin)?)),
                Request::Search(asked) => Some(Reply::Search(journal.search(asked, &asking.models)?)),
                _ => None,
            })
        };
        let answered = tokio::task::spawn_blocking(work).await;
        let answered = answered.map_err(|error| Fault::failed(format!("the journal's thread stopped: {error}")))?;
        answered?
            .ok_or_else(|| Fault::failed("the journal agent keeps and searches lines; it cannot answer this request"))
    }
}
