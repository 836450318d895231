//! Checked dialogues. Every [`Plan`] can run. Compiling one reports every problem at once and loads nothing.

pub mod bind;
mod block;
mod calls;
mod cast;
mod compile;
pub mod draw;
mod formula;
mod planning;
pub mod range;
mod reference;
mod schema;
mod shared;
mod step;
mod tests_written;
mod typing;
mod unfilled;
mod verbs;

pub use crate::problem::{Problem, Severity, closest, render};
pub use bind::{Inputs, Misfit};
pub(crate) use block::Draft;
pub use cast::closest_cast;
pub(crate) use compile::Compiled;
pub use compile::{CompileOptions, compile, compile_text, recompile};
pub use formula::Formula;
pub use planning::{AskedRole, Planning};
pub use range::{Range, Rule};
pub use reference::reference;
pub use schema::{agent_schema, cast_schema, schema};
pub use step::{Answered, Ask, Inside, Planned, Step, StepError, Turn, USER, UserQuestion, Verb, VerbRow};
pub use typing::Typing;

use crate::{
    exchange::Kind,
    prompt::Template,
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A dialogue that passed its check.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The dialogue's name.
    pub name: String,
    /// The dialogue's purpose.
    pub about: Option<String>,
    /// Every text that this plan was compiled from (dialogues, prompts, label lists, agent files), by name. A
    /// transcript contains them, so that the plan compiles again without files.
    pub sources: IndexMap<String, String>,
    /// Inputs with their types and defaults, as declared.
    pub inputs: IndexMap<String, DeclaredInput>,
    /// Roles, each with its agent and the kinds of request that steps make.
    pub roles: IndexMap<String, Role>,
    /// All roles of the cast with their agents, also those that no step asks.
    pub cast: IndexMap<String, String>,
    /// The steps.
    pub block: Arc<Block>,
    /// Warnings. They do not prevent a run.
    pub warnings: Vec<Problem>,
    /// What a run leaves out because no agent fills an optional role, one line each.
    pub notes: Vec<String>,
    /// The dialogue's answer: text, or the record of a citing `say`.
    pub answer: Template,
}

/// One declared input.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredInput {
    /// The input's type.
    pub ty: Type,
    /// The value if the run gives none.
    pub default: Option<Value>,
    /// A description for people.
    pub about: Option<String>,
    /// Ranges of the value, from the step keys that use it as their number.
    pub rules: Vec<Rule>,
}

/// One role of the cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The name of the agent (`agents/NAME.yaml`).
    pub agent: String,
    /// The kinds of request that steps make to it.
    pub kinds: Vec<Kind>,
    /// True if a step needs each label's floor (`rank` with `floor: true`).
    pub floor: bool,
    /// True if a step asks for the agent's own labels (`rank` without `among`).
    pub own_labels: bool,
    /// True if a step gives it choices (`say` with `choices`).
    pub choices: bool,
}

/// Steps that can name each other, in plan order: the written order, changed only where dependencies require it.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// The steps in plan order. Their `needs` point backwards only.
    pub steps: Vec<PlannedStep>,
}

impl Block {
    /// True if a step adds lines to the journal, also one inside a loop or a called dialogue.
    pub fn writes_journal(&self) -> bool {
        self.steps.iter().any(|planned| {
            planned.step.writes_journal()
                || match planned.step.inside() {
                    Inside::Repeats { block, .. } | Inside::Calls { block, .. } => block.writes_journal(),
                    Inside::Nothing | Inside::Asks(_) => false,
                }
        })
    }

    /// The roles that each dialogue asks whose steps add lines to the journal, by the dialogue's name. `name` is the name of the
    /// dialogue whose steps these are.
    pub fn writers(&self, name: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut writers = BTreeMap::new();
        self.note_writers(name, &mut writers);
        writers
    }

    /// Notes the writers here and inside, and returns the roles that these steps ask.
    fn note_writers(&self, name: &str, writers: &mut BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
        let roles: BTreeSet<String> = (self.steps.iter())
            .flat_map(|planned| match planned.step.inside() {
                Inside::Nothing => BTreeSet::new(),
                Inside::Asks(role) => BTreeSet::from([role]),
                Inside::Repeats { block, .. } => block.note_writers(name, writers),
                Inside::Calls { name, block, .. } => block.note_writers(&name, writers),
            })
            .collect();
        if self.steps.iter().any(|planned| planned.step.writes_journal()) {
            writers.entry(name.to_owned()).or_default();
        }
        // a loop is a part of its dialogue, which may ask more roles outside the loop
        if let Some(known) = writers.get_mut(name) {
            known.extend(roles.iter().cloned());
        }
        roles
    }

    /// The questions to a person, also those inside loops and called dialogues. `true` marks one that every run asks.
    pub fn questions(&self) -> Vec<(UserQuestion, bool)> {
        let of = |planned: &PlannedStep| {
            let inner = match planned.step.inside() {
                Inside::Repeats { block, .. } | Inside::Calls { block, .. } => block.questions(),
                Inside::Nothing | Inside::Asks(_) => Vec::new(),
            };
            let is_certain = planned.when.is_none() && planned.each.is_none() && planned.or.is_none();
            let own = planned.step.question().map(|question| (question, true));
            own.into_iter().chain(inner).map(move |(question, certain)| (question, certain && is_certain))
        };
        self.steps.iter().flat_map(of).collect()
    }
}

/// One step, ready to run.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// The step's name in the dialogue.
    pub name: String,
    /// The verb (`rank`), for transcripts and progress.
    pub verb: &'static str,
    /// Its behaviour.
    pub step: Arc<dyn Step>,
    /// Indices, in this block, of the steps that must end before.
    pub needs: Vec<usize>,
    /// The names that it takes from outside this block (inputs; in a loop, outer steps too).
    pub uses: Vec<String>,
    /// The optional role that the step asks and no agent fills. The step is skipped.
    pub lacks: Option<String>,
    /// If this is false, the step is skipped: its value is nothing, or `or`.
    pub when: Option<Template>,
    /// The step runs once for each item of this list. Its value is the list of results.
    pub each: Option<Template>,
    /// Maximum number of items that run at the same time.
    pub at_once: usize,
    /// Maximum time of one exchange, or of one item of an `each` step with several turns.
    pub timeout: Option<Duration>,
    /// Retries after a passing failure; `None` leaves them to the agent.
    pub retries: Option<u32>,
    /// The value if the step, or one item of it, fails or is skipped. It may name whatever the step names.
    pub or: Option<Formula>,
    /// The type of its value (with `each`, the list type).
    pub ty: Type,
}
