//! The journal of a rehearsal: made-up lines must never reach the user's journal.

use crate::{
    agent::{Agent, CallContext, journal::JournalAgent},
    exchange::{JournalRequest, Reply, Request},
};
use std::sync::Arc;

/// The journal of a rehearsal. A run that only reads gets the user's journal. A run that adds lines gets one in memory, so that
/// made-up lines are never kept.
#[derive(Default)]
pub(super) struct RehearsedJournal {
    added: Option<JournalAgent>,
}

impl RehearsedJournal {
    /// The reply, if the journal has one. `real` is the agent of the run.
    pub(super) async fn ask(&mut self, real: &Arc<dyn Agent>, request: &Request) -> Option<Reply> {
        if matches!(request, Request::Journal(JournalRequest::Append { .. } | JournalRequest::Correct { .. })) {
            self.added.get_or_insert_with(|| JournalAgent::new(Arc::default()));
        }
        let (request, context) = (request.clone(), CallContext::default());
        match &self.added {
            Some(added) => added.ask(request, context).await.ok(),
            None => real.ask(request, context).await.ok(),
        }
    }
}
