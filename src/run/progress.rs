//! The events of a run. The command line draws progress bars from them; a server can forward them. This module prints
//! nothing.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An event of a run. Its JSON is `{"step_started": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A step began. `depth` is 0 for the dialogue's own steps.
    StepStarted {
        /// Its path.
        path: String,
        /// Its verb.
        verb: String,
        /// The number of items, with `each`.
        items: Option<usize>,
        /// The number of blocks around it.
        depth: usize,
    },
    /// An exchange has its reply, or has failed finally.
    ExchangeDone {
        /// The outermost step that it belongs to.
        step: String,
        /// Its path.
        path: String,
        /// True if the reply came from the memo or from an equal exchange.
        hit: bool,
        /// The reason of a failure.
        error: Option<String>,
    },
    /// An agent had a passing fault, and the driver will ask it again.
    Retrying {
        /// The exchange's path.
        path: String,
        /// The number of the failed attempt, from 1.
        attempt: u32,
        /// The time until the next attempt.
        wait: Duration,
        /// The reason of the failure.
        why: String,
    },
    /// A step ended: it has its value, was skipped, or failed.
    StepDone {
        /// Its path.
        path: String,
        /// The number of blocks around it.
        depth: usize,
        /// True if `when` was false.
        skipped: bool,
        /// The reason of a failure.
        error: Option<String>,
    },
    /// The memo cannot be used; the run continues without it.
    MemoFailed {
        /// The reason.
        why: String,
    },
    /// The run is over.
    Stopped {
        /// The number of answered exchanges.
        exchanges: u64,
        /// The number of memo hits among them.
        memo_hits: u64,
    },
}

/// A receiver of events.
pub trait Progress: Send + Sync {
    /// Receives an event. The run's own task calls it, so it must not block.
    fn event(&self, event: Event);
}

/// A receiver that ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::{Fault, FaultKind},
        run::{
            RunError,
            machine::{PlanOrder, StepFailure},
        },
    };
    use serde::de::DeserializeOwned;

    fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
        let json = serde_json::to_string(value).expect("it serialises");
        assert_eq!(&serde_json::from_str::<T>(&json).expect("and comes back"), value, "{json}");
    }

    #[test]
    fn every_event_survives_serialisation() {
        let (path, why) = (|| "place[3]".to_owned(), || "busy".to_owned());
        let all = [
            Event::StepStarted { path: path(), verb: "rank".into(), items: Some(4), depth: 0 },
            Event::StepStarted { path: path(), verb: "say".into(), items: None, depth: 2 },
            Event::ExchangeDone { step: "place".into(), path: path(), hit: true, error: None },
            Event::ExchangeDone { step: "place".into(), path: path(), hit: false, error: Some(why()) },
            Event::Retrying { path: path(), attempt: 2, wait: Duration::from_micros(1_250_001), why: why() },
            Event::StepDone { path: path(), depth: 1, skipped: true, error: None },
            Event::StepDone { path: path(), depth: 0, skipped: false, error: Some(why()) },
            Event::MemoFailed { why: why() },
            Event::Stopped { exchanges: u64::MAX, memo_hits: 3 },
        ];
        for event in &all {
            // a new variant does not compile here: add one to the list
            match event {
                Event::StepStarted { .. } | Event::ExchangeDone { .. } | Event::Retrying { .. } => {}
                Event::StepDone { .. } | Event::MemoFailed { .. } | Event::Stopped { .. } => {}
            }
            check(event);
        }
    }

    #[test]
    fn a_failed_run_survives_serialisation() {
        let failure = |kind: FaultKind, path: &str, order: &[u32]| StepFailure {
            path: path.into(),
            order: PlanOrder(order.to_vec()),
            fault: Fault::new(kind, "why").of("eye").hint("wait"),
        };
        let passing = FaultKind::Passing { retry_after: Some(Duration::from_millis(1500)), is_unreachable: true };
        let failures = vec![failure(FaultKind::Media, "a", &[0]), failure(passing, "b[1]", &[1, 1])];
        check(&RunError::failed(failures));
        check(&RunError::cancelled());
        check(&RunError::deadline(Duration::from_secs(9)));
    }
}
