//! Tasks: a task is a chain of turns, for a step or for one item of an `each` step.

use super::{
    DueExchange, Machine, PlanOrder, StepFailure, TaskLimit, TaskLimits, Todo,
    blocks::{BlockId, ItemEnd, Place, names_item, path, skipped},
    seed_of,
};
use crate::{
    error::Fault,
    exchange::Reply,
    plan::PlannedStep,
    plan::{Answered, Ask, StepError, Turn},
    prompt::Scope,
    value::Value,
};
use indexmap::IndexMap;

/// The id of a task.
pub(super) type TaskId = u64;

/// A running task.
#[derive(Debug)]
pub(super) struct Task {
    block: BlockId,
    step: usize,
    item: usize,
    scope: Scope,
    answered: Vec<Answered>,
    path: String,
    /// A short description of the item, for failures.
    label: Option<String>,
    order: PlanOrder,
    limits: TaskLimits,
    /// The replies of this turn, by index.
    got: Vec<Option<Result<Reply, Fault>>>,
    awaited: usize,
}

impl Machine {
    /// Opens a task. If its `when` is false, it ends at once.
    pub(super) fn open_task(&mut self, block: BlockId, step: usize, planned: &PlannedStep, item: usize, value: Value) {
        let id = self.id();
        let Some(run) = self.blocks.get(&block) else { return };
        let mut scope = run.scope.clone();
        let mut guard = None;
        let path = path(run, planned, Some(item));
        let mut label = None;
        if planned.each.is_some() {
            label = label_of(&value);
            scope.bind("item", value);
            scope.bind("index", Value::Number(item as f64));
            guard = planned.when.as_ref().filter(|when| names_item(when)).map(|when| when.eval(&scope));
        }
        let order = run.place.order.then(&[step as u32, item as u32]);
        let own = planned.timeout.map(|limit| TaskLimit { task: id, limit });
        let limits = match own {
            Some(own) => run.place.limits.iter().copied().chain([own]).collect(),
            None => run.place.limits.clone(),
        };
        let instead = matches!(&guard, Some(Ok(value)) if !value.is_truthy()).then(|| skipped(planned, &scope));
        let task = Task {
            block,
            step,
            item,
            scope,
            answered: Vec::new(),
            path,
            label,
            order,
            limits,
            got: Vec::new(),
            awaited: 0,
        };
        self.tasks.insert(id, task);
        if let Err(message) = self.budget.task() {
            return self.fail(id, Fault::failed(message));
        }
        match (guard, instead) {
            (Some(Err(error)), _) => self.fail(id, Fault::failed(error.message)),
            (_, Some(Ok(value))) => self.close_task(id, Ok(value), None, true),
            (_, Some(Err(message))) => self.fail(id, Fault::failed(message)),
            (_, None) => self.jobs.push_back(Todo::Advance(id)),
        }
    }

    /// Lets a task take its next turn.
    pub(super) fn advance(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        let Some(run) = self.blocks.get(&task.block) else { return };
        let turn = run.block.steps[task.step].step.turn(&task.scope, &task.answered);
        match turn {
            Ok(Turn::Ask(asks)) => self.ask(id, asks),
            Ok(Turn::Inner { block, scope }) => {
                let place = self.inner_place(id);
                self.open_block(block, scope, Some(id), place);
            }
            Ok(Turn::Done(value)) => self.close_task(id, Ok(value), None, false),
            Ok(Turn::Noted { value, note }) => self.close_task(id, Ok(value), Some(note), false),
            Err(StepError(message)) => self.fail(id, Fault::failed(message)),
        }
    }

    /// The place of the inner block that a task's next turn opens.
    fn inner_place(&self, id: TaskId) -> Place {
        let (Some(task), Some(run)) =
            (self.tasks.get(&id), self.tasks.get(&id).and_then(|t| self.blocks.get(&t.block)))
        else {
            return Place::default();
        };
        let planned = &run.block.steps[task.step];
        let turn = task.answered.len();
        let prefix = match (planned.verb, turn) {
            ("loop", _) => format!("{} round {} / ", task.path, turn + 1),
            (_, 0) => format!("{} / ", task.path),
            _ => format!("{} turn {} / ", task.path, turn + 1),
        };
        Place {
            prefix: prefix.into(),
            order: task.order.then(&[turn as u32]),
            depth: run.place.depth + 1,
            step: Some(run.place.step.clone().unwrap_or_else(|| planned.name.as_str().into())),
            limits: task.limits.clone(),
        }
    }

    /// Makes the asks of a turn due.
    fn ask(&mut self, id: TaskId, asks: Vec<Ask>) {
        let first = self.next_id + 1;
        self.next_id += asks.len() as u64;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Some(run) = self.blocks.get(&task.block) else { return };
        if asks.is_empty() {
            task.answered.push(Answered::Replies(Vec::new()));
            return self.jobs.push_back(Todo::Advance(id));
        }
        let planned = &run.block.steps[task.step];
        let step = run.place.step.clone().unwrap_or_else(|| planned.name.as_str().into());
        let (turn, several) = (task.answered.len(), asks.len() > 1);
        task.got = asks.iter().map(|_| None).collect();
        task.awaited = asks.len();
        for (place, ask) in asks.into_iter().enumerate() {
            let mut path = task.path.clone();
            if turn > 0 {
                path.push_str(&format!(" turn {}", turn + 1));
            }
            if several {
                path.push_str(&format!(" #{}", place + 1));
            }
            let exchange_id = first + place as u64;
            let place_word = if ask.request.seed_by_place() { path.as_str() } else { ask.request.kind().word() };
            let seed = seed_of(self.seed, place_word, ask.sample);
            self.asked.insert(exchange_id, (id, place));
            self.due.push(DueExchange {
                id: exchange_id,
                order: task.order.then(&[turn as u32, place as u32]),
                seed,
                path,
                step: step.clone(),
                role: ask.role,
                request: ask.request,
                limits: task.limits.clone(),
                retries: planned.retries,
            });
        }
    }

    /// Takes one reply of a turn. A turn ends only after its last reply, so that the failure that counts does not
    /// depend on the order of replies.
    pub(super) fn hear(&mut self, id: TaskId, place: usize, outcome: Result<Reply, Fault>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.got[place] = Some(outcome);
        task.awaited -= 1;
        if task.awaited > 0 {
            return;
        }
        let replies: Result<Vec<Reply>, Fault> = std::mem::take(&mut task.got).into_iter().flatten().collect();
        match replies {
            Ok(replies) => {
                task.answered.push(Answered::Replies(replies));
                self.jobs.push_back(Todo::Advance(id));
            }
            Err(failure) => self.fail(id, failure),
        }
    }

    /// Takes the values of a turn's inner block, or its failure.
    pub(super) fn hear_inner(&mut self, id: TaskId, result: Result<IndexMap<String, Value>, StepFailure>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        match result {
            Ok(values) => {
                task.answered.push(Answered::Inner(values));
                self.jobs.push_back(Todo::Advance(id));
            }
            Err(failure) => self.close_task(id, Err(failure), None, false),
        }
    }

    fn fail(&mut self, id: TaskId, mut fault: Fault) {
        let Some(task) = self.tasks.get(&id) else { return };
        if let Some(label) = &task.label {
            fault.message = format!("{} ({label})", fault.message);
        }
        let (path, order) = (task.path.clone(), task.order.clone());
        self.close_task(id, Err(StepFailure { path, order, fault }), None, false);
    }

    fn close_task(&mut self, id: TaskId, value: Result<Value, StepFailure>, note: Option<String>, skipped: bool) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.item_done(task.block, task.step, task.item, ItemEnd { value, note, skipped, scope: task.scope });
    }
}

/// A short description of an item, because a time or a text identifies it better than `place[3]`.
fn label_of(item: &Value) -> Option<String> {
    match item {
        Value::Moment(moment) => Some(format!("at {}", moment.start)),
        Value::Text(text) if text.chars().count() <= 40 => Some(format!("for `{text}`")),
        Value::Text(text) => Some(format!("for `{}…`", text.chars().take(40).collect::<String>())),
        Value::Scored(scored) => Some(format!("for `{}`", scored.text)),
        _ => None,
    }
}
