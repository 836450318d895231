//! The verbs of the language: one file for each, and one list. A file holds the verb's type as written, its
//! check, its behaviour and its tests.

mod call;
pub mod cite;
mod compute;
mod embed;
mod frames;
mod hear;
mod r#loop;
mod rank;
mod say;

use crate::{
    dialogue::{Node, Reading, Written},
    exchange::{Reply, Request},
    plan::{Block, Input, Planning, Range, Typing},
    prompt::Scope,
    value::{Type, Value},
};
use indexmap::IndexMap;
use schemars::{Schema, SchemaGenerator};
use std::sync::Arc;

/// Lists the verbs: key in YAML, type as written.
macro_rules! verbs {
    ($($key:literal $Verb:ident $ty:ty,)*) => {
        /// The verbs of this version.
        pub const VERBS: &[&str] = &[$($key),*];

        /// A verb as written.
        #[allow(clippy::large_enum_variant)] // a dialogue has a handful of them
        #[derive(Debug, Clone, PartialEq)]
        pub enum VerbWritten {
            $(#[doc = concat!("`", $key, "`")] $Verb($ty),)*
        }

        impl VerbWritten {
            /// Reads the verb `key`; `None` if there is no such verb or it cannot be read (noted).
            pub fn read(key: &str, node: &Node, reading: &mut Reading) -> Option<VerbWritten> {
                match key {
                    $($key => <$ty>::read(node, reading).map(VerbWritten::$Verb),)*
                    _ => None,
                }
            }
            /// The verb's name.
            pub fn name(&self) -> &'static str {
                match self { $(VerbWritten::$Verb(_) => $key,)* }
            }
            /// What it does.
            pub fn verb(&self) -> &dyn Verb {
                match self { $(VerbWritten::$Verb(verb) => verb,)* }
            }
            /// Each verb's JSON Schema.
            pub fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
                vec![$(($key, generator.subschema_for::<$ty>())),*]
            }
        }
    };
}

verbs! {
    "frames" Frames frames::Frames,
    "rank" Rank rank::Rank,
    "say" Say say::Say,
    "hear" Hear hear::Hear,
    "embed" Embed embed::Embed,
    "compute" Compute compute::Compute,
    "loop" Loop r#loop::Loop,
    "call" Call call::Call,
}

/// Verbs that the language has and this version does not.
pub const LATER: &[&str] = &["look", "search", "journal", "digest", "ask_user"];

/// A verb as written, ready to be checked.
pub trait Verb {
    /// Reads templates, prompts and roles. What is wrong is noted; `None` if no step can be made of it.
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>>;
}

/// A step whose names are known: its types can be checked.
pub trait Planned: Step {
    /// What it yields (without `each`), and what does not fit, noted.
    fn ty(&self, typing: &mut Typing<'_>) -> Type;
}

/// A checked step's behaviour. Pure: no await, clock, randomness or IO.
///
/// Contract: called first with nothing heard, then once after each answered [`Turn`], with all that was heard so far
/// (one [`Heard`] for each earlier turn). The same scope and hearings give the same turn. Every chain of turns ends.
pub trait Step: std::fmt::Debug + Send + Sync {
    /// What to do next.
    fn turn(&self, scope: &Scope, heard: &[Heard]) -> Result<Turn, StepError>;
    /// What is in it, for drawings.
    fn inside(&self) -> Inside {
        Inside::Nothing
    }
}

/// What is inside of a step.
#[derive(Debug, Clone)]
pub enum Inside {
    /// Nothing that a drawing shows.
    Nothing,
    /// Requests to this role.
    Asks(String),
    /// A loop.
    Repeats {
        /// The steps of one round.
        block: Arc<Block>,
        /// When it ends.
        until: String,
    },
    /// Another dialogue.
    Calls {
        /// Its name.
        name: String,
        /// Its steps.
        block: Arc<Block>,
        /// Its inputs.
        inputs: IndexMap<String, Input>,
        /// For each input that is given: the names that its value is made of.
        with: Vec<(String, Vec<String>)>,
        /// The names that its answer is made of.
        answer: Vec<String>,
    },
}

/// What a step wants next.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Ask all of these (concurrently); their replies come back in this order.
    Ask(Vec<Ask>),
    /// Run these inner steps in a scope of their own (one round of a `loop`, one `call`).
    Inner {
        /// The steps.
        block: Arc<Block>,
        /// What they see besides each other.
        scope: Scope,
    },
    /// Finished.
    Done(Value),
    /// Finished, with something that belongs in the transcript: why a loop stopped, a citation that was dropped.
    Noted {
        /// What the step yields.
        value: Value,
        /// In the user's words.
        note: String,
    },
}

/// One request to one role.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// A role of the dialogue's cast, or `media`.
    pub role: String,
    /// What is asked.
    pub request: Request,
    /// Which of several samples of the same request this is (`n`); part of the seed.
    pub sample: u32,
}

/// What came of one turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Replies to an [`Turn::Ask`], in order.
    Replies(Vec<Reply>),
    /// The values of an inner block's steps, by name.
    Inner(IndexMap<String, Value>),
}

/// Why a step could not go on; in the user's words, without the step's name (the engine adds it).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StepError(pub String);

impl From<String> for StepError {
    fn from(message: String) -> StepError {
        StepError(message)
    }
}

impl From<crate::prompt::TemplateError> for StepError {
    fn from(error: crate::prompt::TemplateError) -> StepError {
        StepError(error.message)
    }
}

/// The replies to the step's one request turn; `None` before it was asked.
fn replies(heard: &[Heard]) -> Option<&[Reply]> {
    match heard.first() {
        Some(Heard::Replies(replies)) => Some(replies),
        _ => None,
    }
}

/// A reply of another kind than was asked for breaks the agents' contract.
fn misfit(expected: &str) -> StepError {
    StepError(format!("the agent's reply is not of the kind that `{expected}` asks for"))
}

/// What a value is, for messages.
fn found(value: &Value) -> String {
    match value {
        Value::Nothing => "nothing".into(),
        other => other.ty().to_string(),
    }
}

/// A whole number from a template.
fn whole(value: &Value, what: &str) -> Result<usize, StepError> {
    match value {
        Value::Number(number) if number.fract() == 0.0 && (0.0..=1e9).contains(number) => Ok(*number as usize),
        other => Err(StepError(format!("found {} for `{what}`, expected a whole number", crate::prompt::show(other)))),
    }
}
