//! Checked dialogues. A [`Plan`] that exists can run; making one reports every problem at once and loads nothing.

pub mod bind;
mod block;
mod calls;
mod compile;
pub mod draw;
mod formula;
mod planning;
pub mod range;
mod schema;
mod shared;
mod step;
mod tests_written;
mod verbs;

pub use crate::problem::{Problem, Severity, closest, render};
pub use bind::{Inputs, Misfit};
pub(crate) use block::Draft;
pub(crate) use compile::Compiled;
pub use compile::{CompileOptions, closest_cast, compile, compile_text, recompile};
pub use formula::Formula;
pub use planning::{AskedRole, Planning, Typing};
pub use range::{Range, Rule};
pub use schema::{agent_schema, cast_schema, schema};
pub use step::{Answered, Ask, Inside, Planned, Step, StepError, Turn, Verb, VerbRow};

use crate::{
    exchange::Kind,
    prompt::Template,
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::{sync::Arc, time::Duration};

/// A dialogue that passed its check.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The dialogue's name.
    pub name: String,
    /// The purpose.
    pub about: Option<String>,
    /// Every text that this plan was compiled from (dialogues, prompts, label lists, agent files), by name: enough
    /// to compile it again with no files at hand (a transcript carries them).
    pub sources: IndexMap<String, String>,
    /// Inputs with their types and defaults, as declared.
    pub inputs: IndexMap<String, DeclaredInput>,
    /// Roles with the agent that plays each and the kinds of request the steps make of it.
    pub roles: IndexMap<String, Role>,
    /// The steps.
    pub block: Arc<Block>,
    /// Warnings: they do not keep it from running.
    pub warnings: Vec<Problem>,
    /// The dialogue's answer: text, or the record that a citing `say` yields.
    pub answer: Template,
}

/// One declared input.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredInput {
    /// Its type.
    pub ty: Type,
    /// Used when the run binds none.
    pub default: Option<Value>,
    /// A description for people.
    pub about: Option<String>,
    /// The values that it may have, where steps use it as the number of a key.
    pub rules: Vec<Rule>,
}

/// One role of the cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `agents/NAME.yaml`
    pub agent: String,
    /// The requests that the steps make of it.
    pub kinds: Vec<Kind>,
    /// A step wants each label's floor (`rank` with `floor: true`).
    pub floor: bool,
}

/// Steps that see each other, in plan order (as written, moved only as far as their dependencies demand).
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// In plan order; `needs` point backwards only.
    pub steps: Vec<PlannedStep>,
}

/// One step, ready to run.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// The user's name for it.
    pub name: String,
    /// The verb (`rank`), for transcripts and progress.
    pub verb: &'static str,
    /// Its behaviour.
    pub step: Arc<dyn Step>,
    /// Indices, in this block, of the steps that must be done before.
    pub needs: Vec<usize>,
    /// The names that it takes from outside of this block (inputs; in a loop, outer steps too).
    pub uses: Vec<String>,
    /// Skipped (value `nothing`, or `or`) when this is false.
    pub when: Option<Template>,
    /// Done once for each item of this list; the value is then the list of results.
    pub each: Option<Template>,
    /// Most items under way together.
    pub at_once: usize,
    /// Limit for one exchange, or for one item of an `each` step with several turns.
    pub timeout: Option<Duration>,
    /// Retries after a passing failure, if the dialogue sets them; else its agent does.
    pub retries: Option<u32>,
    /// The value when the step (or this item of it) fails or is skipped; may name what the step names.
    pub or: Option<Formula>,
    /// The type of its value (the list type, with `each`).
    pub ty: Type,
}
