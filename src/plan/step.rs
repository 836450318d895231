//! The contract of a step, in three stages: a verb as written, a step whose names are known, and its checked behaviour.
//! The verbs themselves are above this layer; a compilation is handed the list of those that there are.

use super::{Block, DeclaredInput, Planning, Typing};
use crate::{
    dialogue::{Node, Reading, Written},
    exchange::{Reply, Request},
    prompt::Scope,
    value::{Type, Value},
};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::{fmt, sync::Arc};

/// A row of the list of verbs.
#[derive(Clone, Copy)]
pub struct VerbRow {
    /// The key in YAML.
    pub name: &'static str,
    /// Words that people use for it elsewhere, for hints.
    pub also: &'static [&'static str],
    read: fn(&Node, &mut Reading) -> Option<Box<dyn Verb>>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl VerbRow {
    /// The row of the verb `V`.
    pub const fn new<V: Verb + Written + JsonSchema + 'static>(
        name: &'static str,
        also: &'static [&'static str],
    ) -> VerbRow {
        fn read<V: Verb + Written + 'static>(node: &Node, reading: &mut Reading) -> Option<Box<dyn Verb>> {
            V::read(node, reading).map(|verb| Box::new(verb) as Box<dyn Verb>)
        }
        fn schema<V: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
            generator.subschema_for::<V>()
        }
        VerbRow { name, also, read: read::<V>, schema: schema::<V> }
    }

    /// Reads the verb's value; `None` if it cannot be read (noted).
    pub fn read(&self, node: &Node, reading: &mut Reading) -> Option<Box<dyn Verb>> {
        (self.read)(node, reading)
    }

    /// The JSON Schema of the verb's value.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}

impl fmt::Debug for VerbRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerbRow").field(&self.name).finish()
    }
}

/// A verb as written, ready to be checked.
pub trait Verb {
    /// Reads templates, prompts and roles. Problems are noted; `None` if they leave no step.
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>>;
}

/// A step whose names are known: its types can be checked.
pub trait Planned: fmt::Debug + Send + Sync {
    /// The type of its value (without `each`), and its behaviour. Mismatches are noted.
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>);
}

/// A checked step's behaviour. Pure: no await, clock, randomness or IO.
///
/// Contract: called first with nothing heard, then once after each answered [`Turn`], with all that was heard so far
/// (one [`Answered`] for each earlier turn). The same scope and hearings give the same turn. Every chain of turns ends.
pub trait Step: fmt::Debug + Send + Sync {
    /// The next turn.
    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError>;
    /// The inner steps, for drawings.
    fn inside(&self) -> Inside {
        Inside::Nothing
    }
}

/// The inside of a step.
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
        /// The end.
        until: String,
    },
    /// Another dialogue.
    Calls {
        /// Its name.
        name: String,
        /// Its steps.
        block: Arc<Block>,
        /// Its inputs.
        inputs: IndexMap<String, DeclaredInput>,
        /// For each input that is given: the names that its value is made of.
        with: Vec<(String, Vec<String>)>,
        /// The names that its answer is made of.
        answer: Vec<String>,
    },
}

/// The next wish of a step.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Ask all of these (concurrently); their replies come back in this order.
    Ask(Vec<Ask>),
    /// Run these inner steps in a scope of their own (one round of a `loop`, one `call`).
    Inner {
        /// The steps.
        block: Arc<Block>,
        /// The names that they see besides each other.
        scope: Scope,
    },
    /// Finished.
    Done(Value),
    /// Finished, with something that belongs in the transcript: why a loop stopped, a citation that was dropped.
    Noted {
        /// The value of the step.
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
    /// The request.
    pub request: Request,
    /// Which of several samples of the same request this is (`n`); part of the seed.
    pub sample: u32,
}

/// The result of one turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// Replies to an [`Turn::Ask`], in order.
    Replies(Vec<Reply>),
    /// The values of an inner block's steps, by name.
    Inner(IndexMap<String, Value>),
}

/// Why a step could not continue; in the user's words, without the step's name (the engine adds it).
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
