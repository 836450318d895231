//! The machine's step events: for progress, for the transcript, and for the messages of a failed run.

use super::PlanOrder;
use crate::error::Fault;
use serde::{Deserialize, Serialize};

/// The failure of a step or item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// The path, such as `place[3]` or `refine round 2 / draft`.
    pub path: String,
    /// The place in plan order, for sorting failures.
    #[serde(default)]
    pub order: PlanOrder,
    /// The reason.
    pub fault: Fault,
}

/// An event of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepEvent {
    /// A step began.
    Started {
        /// Its path.
        path: String,
        /// Its verb.
        verb: &'static str,
        /// The number of items, with `each`.
        items: Option<usize>,
        /// The number of blocks around it; 0 for the dialogue's own steps.
        depth: usize,
    },
    /// A step ended: it has its value, was skipped, or failed.
    Settled(StepLine),
}

/// The line of a settled step in the transcript.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepLine {
    /// Its place in plan order, after its own exchanges.
    #[serde(skip)]
    pub order: PlanOrder,
    /// The number of blocks around it.
    #[serde(skip)]
    pub depth: usize,
    /// Its path.
    #[serde(rename = "step")]
    pub path: String,
    /// Its verb.
    pub verb: String,
    /// blake3 of its value, if the run computes digests and the step has a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// True if `when` was false (for every item, if it is evaluated for each item).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// True if it did not start because a needed step failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_started: bool,
    /// The notes of its items, such as the reason why a loop stopped, or a dropped citation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ItemNote>,
    /// The items that used `or`, with the failures that it replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<ItemNote>,
    /// The failures without an `or`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ItemNote>,
}

/// A note about one item of a step, or about a step without items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemNote {
    /// The index of the item, with `each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// The text of the note.
    pub why: String,
}
