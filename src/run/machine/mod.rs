//! The machine decides which exchanges are due, what follows from a reply, and when the run ends. It is pure: it has no
//! await, clock, channel or randomness. The same plan, inputs and seed give the same exchanges and events, in any order
//! of replies.
//!
//! A block of steps runs in a scope. A ready step becomes one task (with `each`, one for each item). A task is a chain
//! of turns. A turn asks agents or opens an inner block, which runs with the same code.

mod blocks;
mod budget;
mod events;
mod exchange;
mod tasks;

#[cfg(test)]
mod tests;

pub use events::{ItemNote, StepEvent, StepFailure, StepLine};
pub use exchange::{DueExchange, PlanOrder, TaskLimit};

use crate::{
    error::Fault,
    exchange::Reply,
    plan::{Inputs, Plan, PlannedStep},
    prompt::{Scope, Template},
    value::Value,
};
use blocks::{BlockId, BlockRun};
use budget::Budget;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};
use tasks::{Task, TaskId};

/// The end of a run: the answer's value, or the failures, in plan order.
pub type Ended = Result<Value, Vec<StepFailure>>;

/// The state of one run of a plan, which replies advance.
#[derive(Debug)]
pub struct Machine {
    seed: u64,
    digests: bool,
    /// Optional roles that somebody plays although no agent of the plan does.
    played: BTreeSet<String>,
    answer: Template,
    blocks: HashMap<BlockId, BlockRun>,
    tasks: HashMap<TaskId, Task>,
    /// The task of each open exchange, and its index in the task's turn.
    asked: HashMap<u64, (TaskId, usize)>,
    jobs: VecDeque<Todo>,
    due: Vec<DueExchange>,
    notes: Vec<StepEvent>,
    next_id: u64,
    budget: Budget,
    ended: Option<Ended>,
}

/// Work that needs no further reply.
#[derive(Debug, Clone, Copy)]
enum Todo {
    /// Start a step: all steps that it needs are settled.
    Start(BlockId, usize),
    /// Begin further items of a step.
    Fill(BlockId, usize),
    /// Let a task take its next turn.
    Advance(TaskId),
    /// Close a block: all its steps are settled.
    Close(BlockId),
}

impl Machine {
    /// A machine for a run of `plan` with these inputs and this seed.
    pub fn new(plan: &Plan, inputs: &Inputs, seed: u64) -> Machine {
        let mut machine = Machine {
            seed,
            digests: false,
            played: BTreeSet::new(),
            answer: plan.answer.clone(),
            blocks: HashMap::new(),
            tasks: HashMap::new(),
            asked: HashMap::new(),
            jobs: VecDeque::new(),
            due: Vec::new(),
            notes: Vec::new(),
            next_id: 0,
            budget: Budget::default(),
            ended: None,
        };
        machine.open_block(plan.block.clone(), inputs.scope(), None, blocks::Place::default());
        machine
    }

    /// The same machine, with a digest of each step's value in its events, for the transcript.
    pub fn with_digests(mut self) -> Machine {
        self.digests = true;
        self
    }

    /// The same machine in which the caller answers for these optional roles, so that their steps are not skipped.
    pub fn with_played(mut self, roles: impl IntoIterator<Item = String>) -> Machine {
        self.played.extend(roles);
        self
    }

    /// True if the step asks an optional role that nobody plays.
    fn lacks(&self, planned: &PlannedStep) -> bool {
        planned.lacks.as_ref().is_some_and(|role| !self.played.contains(role))
    }

    /// The exchanges that became due since the last call, in plan order.
    pub fn due(&mut self) -> Vec<DueExchange> {
        self.settle();
        let mut due = std::mem::take(&mut self.due);
        due.sort_by(|a, b| a.order.cmp(&b.order));
        due
    }

    /// True if [`Machine::due`] would give an exchange.
    pub fn has_due(&mut self) -> bool {
        self.settle();
        !self.due.is_empty()
    }

    /// Takes the result of an exchange. An id without an open exchange is ignored.
    pub fn take(&mut self, id: u64, outcome: Result<Reply, Fault>) {
        if let Some((task, place)) = self.asked.remove(&id) {
            self.hear(task, place, outcome);
        }
    }

    /// The events of steps since the last call.
    pub fn notes(&mut self) -> Vec<StepEvent> {
        self.settle();
        std::mem::take(&mut self.notes)
    }

    /// The answer or the failures, if the run has ended.
    pub fn finished(&mut self) -> Option<&Ended> {
        self.settle();
        self.ended.as_ref()
    }

    /// The answer or the failures by value, if the run has ended.
    pub fn into_ended(mut self) -> Option<Ended> {
        self.settle();
        self.ended
    }

    /// Does all work that needs no further reply, as long as `wanted` gives true. Gives false if work is left; every
    /// other method does the rest first.
    pub fn settle_while(&mut self, wanted: impl Fn() -> bool) -> bool {
        while let Some(job) = self.jobs.pop_front() {
            if !wanted() {
                self.jobs.push_front(job);
                return false;
            }
            match job {
                Todo::Start(block, step) => self.start(block, step),
                Todo::Fill(block, step) => self.fill(block, step),
                Todo::Advance(task) => self.advance(task),
                Todo::Close(block) => self.close(block),
            }
        }
        true
    }

    fn settle(&mut self) {
        self.settle_while(|| true);
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Ends the run: the outermost block is closed.
    fn end(&mut self, scope: &Scope, mut failures: Vec<StepFailure>) {
        self.ended = Some(if failures.is_empty() {
            self.answer.eval(scope).map_err(|error| {
                let fault = Fault::failed(error.message);
                vec![StepFailure { path: "answer".to_owned(), order: PlanOrder::default(), fault }]
            })
        } else {
            failures.sort_by(|a, b| a.order.cmp(&b.order));
            Err(failures)
        });
    }
}

/// blake3 of a value's JSON in hex: equal values have equal digests on every machine.
pub fn digest(value: &Value) -> String {
    let json = serde_json::to_vec(value).expect("values serialise: this is a bug");
    blake3::hash(&json).to_hex().to_string()
}

/// The seed of one exchange: 53 bits, because some JSON readers store numbers as f64.
fn seed_of(run: u64, path: &str, sample: u32) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&run.to_le_bytes());
    hasher.update(path.as_bytes());
    hasher.update(&sample.to_le_bytes());
    let bytes = *hasher.finalize().as_bytes();
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes: this is a bug")) >> 11
}

/// The time limits of a task: its own, and those of the steps around it.
type TaskLimits = Arc<[TaskLimit]>;
