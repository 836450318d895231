//! Questions as typed queries: what is asked, when, beside which event, in which order, and the words to search for.
//!
//! [`parse()`] reads a question in English. It knows words of time, order and quantity, and English function words; all
//! other words become the [`topic`](Query::topic). What it cannot place is in [`unknown`](Query::unknown), and a language
//! model is asked for the same type instead. [`resolve()`] turns a [`When`] into intervals. Both are pure: no clock and no
//! time zone of the machine is read.

mod asks;
mod clauses;
mod clocks;
mod context;
mod days;
mod events;
mod follow;
mod lexicon;
mod order;
mod parse;
mod relations;
mod render;
mod resolve;
mod spans;
mod times;
mod tokens;
mod topic;
mod wall;
mod when;

pub use clocks::SMALL_NUMBERS;
pub use follow::{EarlierTurn, standalone, without_day};
pub use lexicon::{Word, words};
pub use parse::parse;
pub use resolve::{
    AROUND_TOLERANCE_MS, AROUND_TOLERANCE_S, AT_TOLERANCE_MS, AT_TOLERANCE_S, Context, Coverage, EDGE_MOST_S,
    EDGE_PART, MediaSpan, MediaWindow, Resolved, UnknownZone, WallWindow, resolve,
};
pub use when::{Day, Mark, Month, PartOfDay, Point, TimeRelation, Weekday, When};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question as data. A language model can be asked for it by its JSON Schema.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What kind of answer is expected.
    pub asks: Asks,
    /// The time that the question names; none if it names no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// The event beside which the answer lies, such as "after washing the dishes".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Which of several matches is meant.
    #[serde(default)]
    pub order: Order,
    /// The words to search for, as written; empty if the question asks for whatever happened at a time or beside an event.
    #[serde(default)]
    pub topic: String,
    /// True if every word of time, order and quantity found its place, and the question is in English.
    #[serde(default)]
    pub parsed: bool,
    /// The words of time, order and quantity that found no place, as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// The kind of answer that a question expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// A place.
    Where,
    /// A time.
    When,
    /// A person.
    Who,
    /// A thing, an activity or words.
    What,
    /// One of several: "which bus".
    Which,
    /// A reason.
    Why,
    /// A manner or a property.
    How,
    /// How many times something happened.
    HowMany,
    /// On how many days something happened.
    HowManyDays,
    /// A number or amount of something in one moment: "how many people".
    HowManyOf,
    /// A duration.
    HowLong,
    /// Yes or no.
    YesNo,
    /// All of them: "all the places I went to".
    List,
    /// No question word was found: words to search for, or a request.
    #[default]
    Other,
}

/// How the answer lies to an event that is described in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// On which side of the event.
    pub relation: EventRelation,
    /// True for the nearest only: "right after", "just before", "next".
    #[serde(default)]
    pub near: bool,
    /// Which of several such events: "after I last washed my hands".
    #[serde(default, skip_serializing_if = "Order::is_none")]
    pub order: Order,
    /// The words of the event, as written.
    pub event: String,
    /// The words of the second event of "between X and Y".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}

/// On which side of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventRelation {
    /// Before it begins.
    Before,
    /// After it ends.
    After,
    /// At the same time.
    While,
    /// After the end of one event and before the beginning of another.
    Between,
    /// From its end to now.
    Since,
    /// From the beginning to its beginning.
    Until,
}

/// Which of several matches is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The question does not say.
    #[default]
    None,
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// The one that follows the event beside it.
    Next,
    /// The one with this number, from 1.
    Nth(u16),
    /// Every one after the first.
    Again,
    /// All of them.
    Every,
}

impl Order {
    /// True if the question does not say.
    pub fn is_none(&self) -> bool {
        *self == Order::None
    }
}
