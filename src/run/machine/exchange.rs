//! An exchange that is due, and its place in the plan.

use crate::exchange::Request;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A place in plan order: step, item, turn and index in the turn, for each level of nesting. The derived order is the
/// plan's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
pub struct PlanOrder(pub Vec<u32>);

impl PlanOrder {
    /// This place with further parts.
    pub(super) fn then(&self, parts: &[u32]) -> PlanOrder {
        let mut order = Vec::with_capacity(self.0.len() + parts.len() + 2);
        order.extend_from_slice(&self.0);
        order.extend_from_slice(parts);
        PlanOrder(order)
    }
}

/// The time limit of a task. It counts from the start of the task's first exchange, and includes all its exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLimit {
    /// The id of the task; the same for all its exchanges.
    pub task: u64,
    /// The time limit.
    pub limit: Duration,
}

/// One request that is due.
#[derive(Debug, Clone)]
pub struct DueExchange {
    /// The id for [`Machine::take`](super::Machine::take). It depends on the order of replies, so it is never recorded.
    pub id: u64,
    /// Its place in plan order.
    pub order: PlanOrder,
    /// Its path, such as `place[3]` or `refine round 2 / draft[1]`. Unique in a run.
    pub path: String,
    /// The step of the outermost block that it belongs to.
    pub step: Arc<str>,
    /// The role that must answer.
    pub role: String,
    /// The request.
    pub request: Request,
    /// The seed of the sampling: from the run's seed, the path and the sample. `hear` leaves out the path, so that
    /// every step gets the same transcription.
    pub seed: u64,
    /// The limits of its step and of the steps around it.
    pub limits: Arc<[TaskLimit]>,
    /// The number of retries after a passing fault, if the step sets it; else the agent's number.
    pub retries: Option<u32>,
}
