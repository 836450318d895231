//! What a run tells while it is under way. The command line draws bars from it; nothing here prints.

use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A step began. `depth` 0: one of the dialogue's own steps.
    StepStarted {
        /// Its path.
        path: &'a str,
        /// Its verb.
        verb: &'static str,
        /// How many items it has, with `each`.
        items: Option<usize>,
        /// How many blocks it stands inside of.
        depth: usize,
    },
    /// An exchange was answered, or failed for good.
    ExchangeDone {
        /// The outermost step that it belongs to.
        step: &'a str,
        /// Its path.
        path: &'a str,
        /// True if nobody had to be asked.
        hit: bool,
        /// Why it failed.
        error: Option<&'a str>,
    },
    /// An agent failed in passing and will be asked again.
    Retrying {
        /// The exchange's path.
        path: &'a str,
        /// Which try failed, from 1.
        attempt: u32,
        /// How long until the next.
        wait: Duration,
        /// Why.
        why: &'a str,
    },
    /// A step is settled.
    StepDone {
        /// Its path.
        path: &'a str,
        /// How many blocks it stands inside of.
        depth: usize,
        /// True if `when` was false.
        skipped: bool,
        /// Why it failed, if it did.
        error: Option<&'a str>,
    },
    /// The memo cannot be used; the run goes on without.
    MemoFailed {
        /// Why.
        why: &'a str,
    },
    /// The run is over.
    Stopped {
        /// Exchanges that were answered.
        exchanges: u64,
        /// Those that nobody was asked for.
        memo_hits: u64,
    },
}

/// Someone who wants to know.
pub trait Progress: Send + Sync {
    /// Called from the run's own task: must not block.
    fn event(&self, event: Event<'_>);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}
