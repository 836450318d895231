//! An exchange as the machine hands it out, and its place in the plan.

use crate::exchange::Request;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A place in plan order: step, item, turn and place in the turn, for each level of nesting. Compares as it reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
pub struct PlanOrder(pub Vec<u32>);

impl PlanOrder {
    /// One level deeper.
    pub(super) fn then(&self, parts: &[u32]) -> PlanOrder {
        let mut order = Vec::with_capacity(self.0.len() + parts.len() + 2);
        order.extend_from_slice(&self.0);
        order.extend_from_slice(parts);
        PlanOrder(order)
    }
}

/// A limit on the time of one task: all exchanges of the task together, counted from the first one's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLimit {
    /// Which task; the same for all its exchanges.
    pub task: u64,
    /// The time limit.
    pub limit: Duration,
}

/// One request that is due.
#[derive(Debug, Clone)]
pub struct DueExchange {
    /// What [`Machine::take`](super::Machine::take) wants back. Depends on the order of replies: never recorded.
    pub id: u64,
    /// Its place in plan order.
    pub order: PlanOrder,
    /// Its place, in the user's names: `place[3]`, `refine round 2 / draft[1]`. Unique in a run.
    pub path: String,
    /// The step of the outermost block that it belongs to.
    pub step: Arc<str>,
    /// The role that is asked.
    pub role: String,
    /// The request.
    pub request: Request,
    /// Seed of the sampling: from the run's seed, the path (not for hearing, which is the same wherever it is asked) and the sample.
    pub seed: u64,
    /// The limits of its step and of the steps around it.
    pub limits: Arc<[TaskLimit]>,
    /// Retries after a passing failure, if the step sets them; else the agent does.
    pub retries: Option<u32>,
}
