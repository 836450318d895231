//! Blocks of steps: when a step may start, how its items begin and end, and which steps a settled step unblocks.

use super::{ItemNote, Machine, PlanOrder, StepEvent, StepFailure, StepLine, TaskLimits, Todo, digest, tasks::TaskId};
use crate::{
    error::Fault,
    plan::{Block, PlannedStep},
    prompt::Scope,
    value::Value,
};
use indexmap::IndexMap;
use std::sync::Arc;

/// The id of a running block.
pub(super) type BlockId = u64;

/// The place of a block: the prefix of its steps' paths and orders, and the time limits around it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The prefix of paths, such as `refine round 2 / `; empty for the outermost block.
    pub prefix: Arc<str>,
    pub order: PlanOrder,
    pub depth: usize,
    /// The outermost step around it.
    pub step: Option<Arc<str>>,
    pub limits: TaskLimits,
}

impl Default for Place {
    fn default() -> Place {
        Place { prefix: "".into(), order: PlanOrder::default(), depth: 0, step: None, limits: Arc::new([]) }
    }
}

/// A running block.
#[derive(Debug)]
pub(super) struct BlockRun {
    pub block: Arc<Block>,
    pub scope: Scope,
    /// The task that opened it; none for the outermost.
    parent: Option<TaskId>,
    pub place: Place,
    pub steps: Vec<StepRun>,
    /// The number of steps that are not settled.
    left: usize,
    failures: Vec<StepFailure>,
}

/// A running step.
#[derive(Debug, Default)]
pub(super) struct StepRun {
    /// The number of needed steps that are not settled.
    missing: usize,
    /// The steps that need it.
    dependents: Vec<usize>,
    state: State,
    /// The items of `each`, each removed when it begins. A step without `each` has one item, nothing.
    items: Vec<Option<Value>>,
    results: Vec<Option<Value>>,
    next: usize,
    under_way: usize,
    unfinished: usize,
    skipped: usize,
    notes: Vec<ItemNote>,
    fallbacks: Vec<ItemNote>,
    failures: Vec<(usize, StepFailure)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Waiting,
    Done,
    /// Failed, or never begun because a needed step failed.
    Lost,
}

/// The result of one item.
pub(super) struct ItemEnd {
    pub value: Result<Value, StepFailure>,
    pub note: Option<String>,
    pub skipped: bool,
    /// The scope of the item: `or` may name it.
    pub scope: Scope,
}

impl Machine {
    /// Opens a block, and starts its steps without needs.
    pub(super) fn open_block(&mut self, block: Arc<Block>, scope: Scope, parent: Option<TaskId>, place: Place) {
        let id = self.id();
        let mut steps: Vec<StepRun> = block.steps.iter().map(|_| StepRun::default()).collect();
        for (index, planned) in block.steps.iter().enumerate() {
            steps[index].missing = planned.needs.len();
            planned.needs.iter().for_each(|need| steps[*need].dependents.push(index));
        }
        let ready = (0..steps.len()).filter(|index| steps[*index].missing == 0);
        self.jobs.extend(ready.map(|index| Todo::Start(id, index)));
        let left = steps.len();
        if left == 0 {
            self.jobs.push_back(Todo::Close(id));
        }
        self.blocks.insert(id, BlockRun { block, scope, parent, place, steps, left, failures: Vec::new() });
    }

    /// Closes a block whose steps are all settled, and gives their values to the step that opened it.
    pub(super) fn close(&mut self, id: BlockId) {
        let Some(run) = self.blocks.remove(&id) else { return };
        let Some(parent) = run.parent else { return self.end(&run.scope, run.failures) };
        let first = run.failures.into_iter().min_by(|a, b| a.order.cmp(&b.order));
        let values = || -> IndexMap<String, Value> {
            let value =
                |step: &PlannedStep| (step.name.clone(), run.scope.get(&step.name).cloned().unwrap_or_default());
            run.block.steps.iter().map(value).collect()
        };
        let result = match first {
            None => Ok(values()),
            Some(failure) => Err(failure),
        };
        self.hear_inner(parent, result);
    }

    /// Begins a step whose needs are all settled.
    pub(super) fn start(&mut self, id: BlockId, index: usize) {
        let Some((run, planned)) = self.step(id, index) else { return };
        if planned.needs.iter().any(|need| run.steps[*need].state == State::Lost) {
            return self.settled(id, index, None);
        }
        // a `when` that names the item is evaluated for each item
        let by_step = planned.when.as_ref().filter(|when| planned.each.is_none() || !names_item(when));
        let guard = by_step.map_or(Ok(true), |when| when.eval(&run.scope).map(|value| value.is_truthy()));
        let items = guard.map_err(|error| error.message).and_then(|go| match &planned.each {
            _ if !go => Ok(None),
            None => Ok(Some(vec![Some(Value::Nothing)])),
            Some(each) => list(each.eval(&run.scope).map_err(|error| error.message)?).map(Some),
        });
        let (path, verb, depth) = (path(run, &planned, None), planned.verb, run.place.depth);
        let items = items.and_then(|items| {
            items.iter().flatten().flatten().try_for_each(|item| self.budget.keep(item)).map(|()| items)
        });
        let count = items.iter().flatten().next().map(Vec::len).filter(|_| planned.each.is_some());
        self.notes.push(StepEvent::Started { path, verb, items: count, depth });
        match items {
            Ok(Some(_)) if self.lacks(&planned) => self.skip(id, index, &planned),
            Ok(Some(items)) => self.begin(id, index, items),
            Ok(None) => self.skip(id, index, &planned),
            Err(message) => {
                let failure = self.failure(id, index, None, Fault::failed(message));
                self.whole(id, index, &planned, Err(failure), false);
            }
        }
    }

    fn begin(&mut self, id: BlockId, index: usize, items: Vec<Option<Value>>) {
        let Some(step) = self.blocks.get_mut(&id).and_then(|run| run.steps.get_mut(index)) else { return };
        step.results = vec![None; items.len()];
        step.unfinished = items.len();
        step.items = items;
        if step.unfinished == 0 { self.conclude(id, index) } else { self.jobs.push_back(Todo::Fill(id, index)) }
    }

    /// Begins items, up to the step's `at_once`.
    pub(super) fn fill(&mut self, id: BlockId, index: usize) {
        loop {
            let Some((run, planned)) = self.step(id, index) else { return };
            let step = &mut run.steps[index];
            if step.under_way >= planned.at_once.max(1) || step.next >= step.items.len() {
                return;
            }
            let number = step.next;
            step.next += 1;
            step.under_way += 1;
            let item = step.items[number].take().unwrap_or_default();
            self.open_task(id, index, &planned, number, item);
        }
    }

    /// Takes the result of an item.
    pub(super) fn item_done(&mut self, id: BlockId, index: usize, number: usize, mut end: ItemEnd) {
        if let Err(message) = end.value.as_ref().map_or(Ok(()), |value| self.budget.keep(value)) {
            end.value = Err(self.failure(id, index, Some(number), Fault::failed(message)));
        }
        let Some((run, planned)) = self.step(id, index) else { return };
        let step = &mut run.steps[index];
        let item = planned.each.is_some().then_some(number);
        step.under_way -= 1;
        step.unfinished -= 1;
        step.skipped += usize::from(end.skipped);
        step.notes.extend(end.note.map(|why| ItemNote { item, why }));
        match or_else(end.value, &planned, &end.scope, run.place.depth) {
            Ok((value, why)) => {
                step.fallbacks.extend(why.map(|why| ItemNote { item, why }));
                step.results[number] = Some(value);
            }
            Err(failure) => step.failures.push((number, *failure)),
        }
        if step.unfinished == 0 {
            self.conclude(id, index);
        } else if step.next < step.items.len() {
            self.jobs.push_back(Todo::Fill(id, index));
        }
    }

    /// Ends a step whose items are all done.
    fn conclude(&mut self, id: BlockId, index: usize) {
        let Some((run, planned)) = self.step(id, index) else { return };
        let step = &mut run.steps[index];
        let results = std::mem::take(&mut step.results);
        step.items = Vec::new();
        // items may end in any order, but notes must be in the order of items
        step.notes.sort_by_key(|note| note.item);
        step.fallbacks.sort_by_key(|note| note.item);
        step.failures.sort_by_key(|(number, _)| *number);
        let value = step.failures.is_empty().then(|| {
            let mut values = results.into_iter().flatten();
            if planned.each.is_some() { Value::List(values.collect()) } else { values.next().unwrap_or_default() }
        });
        self.settled(id, index, value);
    }

    /// Ends a step before any of its items begins.
    fn whole(
        &mut self,
        id: BlockId,
        index: usize,
        planned: &PlannedStep,
        value: Result<Value, StepFailure>,
        skipped: bool,
    ) {
        let Some(run) = self.blocks.get_mut(&id) else { return };
        let value = or_else(value, planned, &run.scope, run.place.depth);
        let step = &mut run.steps[index];
        step.skipped = usize::from(skipped);
        let value = match value {
            Ok((value, why)) => {
                step.fallbacks.extend(why.map(|why| ItemNote { item: None, why }));
                Some(value)
            }
            Err(failure) => {
                step.failures.push((0, *failure));
                None
            }
        };
        self.settled(id, index, value);
    }

    /// Skips a step whose `when` is false. Its value is that of `or`, or nothing.
    fn skip(&mut self, id: BlockId, index: usize, planned: &PlannedStep) {
        let Some(run) = self.blocks.get(&id) else { return };
        let value = skipped(planned, &run.scope).map_err(|why| self.failure(id, index, None, Fault::failed(why)));
        match value {
            Ok(value) => self.whole(id, index, planned, Ok(value), true),
            Err(failure) => {
                if let Some(run) = self.blocks.get_mut(&id) {
                    run.steps[index].failures.push((0, failure));
                }
                self.settled(id, index, None);
            }
        }
    }

    /// Records the end of a step, and starts the steps that waited for it.
    fn settled(&mut self, id: BlockId, index: usize, value: Option<Value>) {
        let digests = self.digests;
        let Some((run, planned)) = self.step(id, index) else { return };
        let step = &mut run.steps[index];
        let failures = std::mem::take(&mut step.failures);
        let lost = value.is_none();
        let item = |number: usize| planned.each.is_some().then_some(number);
        let line = StepLine {
            order: run.place.order.then(&[index as u32, u32::MAX]),
            depth: run.place.depth,
            verb: planned.verb.to_owned(),
            value: value.as_ref().filter(|_| digests).map(digest),
            skipped: step.skipped > 0 && step.skipped >= step.next,
            not_started: lost && failures.is_empty(),
            notes: std::mem::take(&mut step.notes),
            fallbacks: std::mem::take(&mut step.fallbacks),
            failures: failures
                .iter()
                .map(|(number, failure)| ItemNote { item: item(*number), why: reason(failure, run.place.depth) })
                .collect(),
            path: String::new(),
        };
        run.failures.extend(summary(failures));
        let step = &mut run.steps[index];
        step.state = if lost { State::Lost } else { State::Done };
        run.left -= 1;
        let mut freed = Vec::new();
        for dependent in std::mem::take(&mut run.steps[index].dependents) {
            let waiting = &mut run.steps[dependent];
            waiting.missing -= 1;
            if waiting.missing == 0 {
                freed.push(Todo::Start(id, dependent));
            }
        }
        if run.left == 0 {
            freed.push(Todo::Close(id));
        }
        let line = StepLine { path: path(run, &planned, None), ..line };
        if let Some(value) = value {
            run.scope.bind(&planned.name, value);
        }
        self.jobs.extend(freed);
        self.notes.push(StepEvent::Settled(line));
    }

    /// A running block, and one of its planned steps.
    pub(super) fn step(&mut self, id: BlockId, index: usize) -> Option<(&mut BlockRun, PlannedRef)> {
        let run = self.blocks.get_mut(&id)?;
        let planned = PlannedRef(run.block.clone(), index);
        Some((run, planned))
    }

    /// A fault with the path and the plan order of its step or item.
    pub(super) fn failure(&self, id: BlockId, index: usize, item: Option<usize>, fault: Fault) -> StepFailure {
        let Some(run) = self.blocks.get(&id) else {
            return StepFailure { path: String::new(), order: PlanOrder::default(), fault };
        };
        let path = path(run, &run.block.steps[index], item);
        let order = run.place.order.then(&[index as u32, item.unwrap_or(0) as u32]);
        StepFailure { path, order, fault }
    }
}

/// A reference to a planned step that keeps its block alive.
pub(super) struct PlannedRef(Arc<Block>, usize);

impl std::ops::Deref for PlannedRef {
    type Target = PlannedStep;
    fn deref(&self) -> &PlannedStep {
        &self.0.steps[self.1]
    }
}

/// The path of a step or item, such as `refine round 2 / draft[1]`.
pub(super) fn path(run: &BlockRun, planned: &PlannedStep, item: Option<usize>) -> String {
    let (prefix, name) = (&run.place.prefix, &planned.name);
    match item.filter(|_| planned.each.is_some()) {
        Some(item) => format!("{prefix}{name}[{item}]"),
        None => format!("{prefix}{name}"),
    }
}

/// The value of a skipped step: its `or`, or nothing.
pub(super) fn skipped(planned: &PlannedStep, scope: &Scope) -> Result<Value, String> {
    planned.or.as_ref().map_or(Ok(Value::Nothing), |or| or.eval(scope).map_err(|error| format!("`or`: {error}")))
}

/// The value; or, after a failure, the value of `or` with the reason of the failure.
fn or_else(
    value: Result<Value, StepFailure>,
    planned: &PlannedStep,
    scope: &Scope,
    depth: usize,
) -> Result<(Value, Option<String>), Box<StepFailure>> {
    match (value, &planned.or) {
        (Ok(value), _) => Ok((value, None)),
        (Err(failure), None) => Err(Box::new(failure)),
        (Err(mut failure), Some(or)) => match or.eval(scope) {
            Ok(value) => Ok((value, Some(reason(&failure, depth)))),
            Err(error) => {
                failure.fault.message = format!("{}; `or` failed too: {error}", failure.fault.message);
                Err(Box::new(failure))
            }
        },
    }
}

/// True if the template reads `item` or `index`.
pub(super) fn names_item(template: &crate::prompt::Template) -> bool {
    template.names().iter().any(|name| *name == "item" || *name == "index")
}

/// The items of a list. Nothing (such as the speech of a silent video) gives an empty list.
fn list(value: Value) -> Result<Vec<Option<Value>>, String> {
    match value {
        Value::List(items) => Ok(items.into_iter().map(Some).collect()),
        Value::Vector(numbers) => Ok(numbers.into_iter().map(|n| Some(Value::Number(f64::from(n)))).collect()),
        Value::Nothing => Ok(Vec::new()),
        other => Err(format!("`each` expects a list, found {}", other.ty())),
    }
}

/// The message of a failure, with its agent. A failure of an inner block includes its path.
fn reason(failure: &StepFailure, depth: usize) -> String {
    let inner = failure.order.0.len() > depth * 3 + 2;
    let fault = &failure.fault;
    if inner { format!("{}: {fault}", failure.path) } else { fault.to_string() }
}

/// The failure of a step with failed items: the first one, with the number of the others.
fn summary(failures: Vec<(usize, StepFailure)>) -> Option<StepFailure> {
    let more = failures.len().saturating_sub(1);
    let mut first = failures.into_iter().next()?.1;
    if more > 0 {
        let items = if more == 1 { "item" } else { "items" };
        first.fault.message = format!("{} (and {more} more {items} failed)", first.fault.message);
    }
    Some(first)
}
