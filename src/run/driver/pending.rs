//! Exchanges on their way through the stages: without a result, and with one.

use crate::{
    agent::Agent,
    error::Fault,
    exchange::Reply,
    run::{
        machine::DueExchange,
        transcript::{ExchangeLine, Timing},
    },
    store::memo::MemoKey,
};
use std::sync::Arc;

/// An exchange with its result.
pub(super) struct FinishedExchange {
    pub exchange: DueExchange,
    pub key: MemoKey,
    pub result: Result<Reply, Fault>,
    pub timing: Timing,
}

impl FinishedExchange {
    /// Its line in the transcript, and its result for the machine.
    pub(super) fn into_line(self) -> (ExchangeLine, Result<Reply, Fault>) {
        let DueExchange { path, role, request, seed, .. } = self.exchange;
        let (reply, error) = match &self.result {
            Ok(reply) => (Some(reply.clone()), None),
            Err(failure) => (None, Some(failure.clone())),
        };
        let line = ExchangeLine { path, role, request, reply, error, seed, key: self.key.hex(), timing: self.timing };
        (line, self.result)
    }
}

/// An exchange without a result.
pub(super) struct PendingExchange {
    pub exchange: DueExchange,
    pub key: MemoKey,
    pub agent: Arc<dyn Agent>,
}

impl PendingExchange {
    /// True if the memo may keep its reply, and equal exchanges may share it.
    pub(super) fn kept(&self) -> bool {
        self.agent.card().memo && self.exchange.request.repeats()
    }
}

// the queue is sorted by plan order, so that earlier steps are asked first
impl PartialEq for PendingExchange {
    fn eq(&self, other: &Self) -> bool {
        self.exchange.order == other.exchange.order
    }
}
impl Eq for PendingExchange {}
impl PartialOrd for PendingExchange {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for PendingExchange {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.exchange.order.cmp(&other.exchange.order)
    }
}
