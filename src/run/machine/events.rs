//! Notes of the machine about steps: for progress, for the transcript, and for people when a run fails.

use super::PlanOrder;
use crate::error::Fault;
use serde::{Deserialize, Serialize};

/// A step that failed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// `place[3]`, `refine round 2 / draft`.
    pub path: String,
    /// For putting failures into plan order.
    #[serde(default)]
    pub order: PlanOrder,
    /// Why.
    pub fault: Fault,
}

/// Something to know about a step.
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
    /// A step is settled.
    Settled(StepLine),
}

/// A settled step, as the transcript keeps it.
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
    /// blake3 of its value, if digests are wanted and it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// True if `when` was false (for every item, if it is asked item by item).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// True if it was not begun because a step that it needs failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_started: bool,
    /// The notes of its items: why a loop stopped, a dropped citation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<ItemNote>,
    /// The places that used `or`, and the failures it replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<ItemNote>,
    /// The failures without an `or`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<ItemNote>,
}

/// Something about one item of a step, or about a step without items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemNote {
    /// Which item, with `each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
    /// In the user's words.
    pub why: String,
}
