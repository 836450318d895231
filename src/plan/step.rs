//! The contract of a step, in three stages: a verb as written, a step with known names, and its checked behaviour. The
//! verbs are in a higher layer, so a compilation gets their list from its caller.

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
    /// Words for this verb in other tools, for hints.
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

    /// Reads the verb's value. Reports its problems, and returns `None` if it cannot be read.
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
    /// Reads templates, prompts and roles. Reports problems, and returns `None` if they leave no step.
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>>;
}

/// A step with known names. Its types can be checked.
pub trait Planned: fmt::Debug + Send + Sync {
    /// True if the step has an effect besides its value, so that nothing needs to use it.
    fn has_effect(&self) -> bool {
        false
    }
    /// The type of its value (without `each`), and its behaviour. Reports types that do not fit.
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>);
}

/// The behaviour of a checked step. Pure: no await, clock, randomness or IO.
///
/// Contract: the engine first calls `turn` without answers, then once after each answered [`Turn`], with all answers so
/// far (one [`Answered`] for each earlier turn). The same scope and answers give the same turn. Every chain of turns
/// ends.
pub trait Step: fmt::Debug + Send + Sync {
    /// The next turn. An error fails the step.
    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError>;
    /// The parts inside the step, for drawings.
    fn inside(&self) -> Inside {
        Inside::Nothing
    }
    /// True if the step itself adds lines to the journal.
    fn writes_journal(&self) -> bool {
        false
    }
    /// The question that the step asks a person, if it asks one.
    fn question(&self) -> Option<UserQuestion> {
        None
    }
}

/// The role of the user of a run. Every run that asks it has it, unless the cast fills it.
pub const USER: &str = "user";

/// A step's question to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserQuestion {
    /// The step: `DIALOGUE.STEP`.
    pub name: String,
    /// True if the step has an answer for when nobody can be asked.
    pub has_default: bool,
    /// True if the user of the run is asked, false for an agent of the cast.
    pub is_of_run: bool,
}

/// The parts inside a step.
#[derive(Debug, Clone)]
pub enum Inside {
    /// Nothing to draw.
    Nothing,
    /// Requests to this role.
    Asks(String),
    /// A loop.
    Repeats {
        /// The steps of one round.
        block: Arc<Block>,
        /// The condition that ends the loop, as text.
        until: String,
    },
    /// Another dialogue.
    Calls {
        /// The dialogue's name.
        name: String,
        /// The dialogue's steps.
        block: Arc<Block>,
        /// The dialogue's inputs.
        inputs: IndexMap<String, DeclaredInput>,
        /// For each given input, the names that its value uses.
        with: Vec<(String, Vec<String>)>,
        /// The names that the dialogue's answer uses.
        answer: Vec<String>,
    },
}

/// The next action of a step.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Ask all of these at the same time. Their replies come in this order.
    Ask(Vec<Ask>),
    /// Run these inner steps in their own scope (one round of a `loop`, one `call`).
    Inner {
        /// The inner steps.
        block: Arc<Block>,
        /// The names that they can use besides each other.
        scope: Scope,
    },
    /// The step is finished with this value.
    Done(Value),
    /// The step is finished, with a note for the transcript: why a loop stopped, or which citation was dropped.
    Noted {
        /// The value of the step.
        value: Value,
        /// The note, in the user's words.
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
    /// The number of the sample, if a step asks the same request several times (`n`); part of the seed.
    pub sample: u32,
}

/// The result of one turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// Replies to a [`Turn::Ask`], in order.
    Replies(Vec<Reply>),
    /// The values of an inner block's steps, by name.
    Inner(IndexMap<String, Value>),
}

/// Why a step cannot continue, in the user's words and without the step's name (the engine adds it).
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
