//! Blocks of steps: their order, cycles, unused steps and types.

use super::{
    Block, Formula, Planned, PlannedStep, Planning, Step, Typing, Verb, planning::Mention, shared::Shared, verbs,
};
use crate::{
    dialogue::{At, Pos, RESERVED, StepWritten},
    value::Type,
};
use indexmap::IndexMap;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Items of an `each` that run at the same time if the step does not set it: enough to fill a batch.
const AT_ONCE: usize = 32;
/// Maximum number of steps in one block. It is far above any real dialogue, and bounds the work of checking hostile
/// files.
const MAX_STEPS: usize = 1000;

/// Steps with known names and unknown types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    steps: Vec<DraftStep>,
}

#[derive(Debug, Clone)]
struct DraftStep {
    name: String,
    verb: &'static str,
    planned: Option<Arc<dyn Planned>>,
    lacks: Option<String>,
    when: Option<Formula>,
    each: Option<Formula>,
    at_once: usize,
    timeout: Option<Duration>,
    retries: Option<u32>,
    or: Option<Formula>,
    needs: Vec<usize>,
    uses: Vec<String>,
}

/// Reads all steps and puts them in order. Also returns the mentions that name no step of the block.
pub(super) fn plan(steps: &IndexMap<At<String>, StepWritten>, planning: &mut Planning<'_>) -> (Draft, Vec<Mention>) {
    let mut drafts = Vec::new();
    let mut open = Vec::new();
    if let Some((name, _)) = steps.get_index(MAX_STEPS) {
        let message = format!("found {} steps, expected at most {MAX_STEPS}", steps.len());
        planning.problem("too-large", name.pos, message, None);
        return (Draft::default(), open);
    }
    for (i, (name, written)) in steps.iter().enumerate() {
        check_name(name, planning);
        planning.step.clone_from(&name.value);
        let verb = verbs::read(written, planning);
        let until = steps.get_index(i + 1).map(|(next, _)| next.pos);
        let doubtful = planning.shared.has_problem(&planning.file, name.pos, until);
        let outer = std::mem::replace(&mut planning.doubtful, doubtful);
        let (mut draft, mentions) = read(name, written, verb, planning);
        planning.doubtful = outer;
        for mention in mentions {
            match steps.get_index_of(mention.name.as_str()) {
                Some(needed) if !draft.needs.contains(&needed) => draft.needs.push(needed),
                Some(_) => {}
                None => {
                    if draft.uses.len() < MAX_STEPS && !draft.uses.contains(&mention.name) {
                        draft.uses.push(mention.name.clone());
                    }
                    open.push(mention);
                }
            }
        }
        drafts.push(draft);
    }
    report_cycles(&drafts, steps, planning);
    (Draft { steps: in_order(drafts) }, open)
}

/// Reports a step name that templates cannot use or that is reserved.
fn check_name(name: &At<String>, planning: &mut Planning<'_>) {
    let mut letters = name.chars();
    let starts = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if !starts || !letters.all(|c| c.is_alphanumeric() || c == '_') {
        let message = format!("found step name `{}`, expected letters, digits and `_`", name.value);
        planning.problem("wrong-value", name.pos, message, Some("templates name steps: `{{ my_step }}`".into()));
    }
    if RESERVED.contains(&name.as_str()) {
        let message = format!("found step name `{}`, which is a reserved name", name.value);
        let hint = format!("choose another name; the reserved names are {}", RESERVED.join(", "));
        planning.problem("wrong-value", name.pos, message, Some(hint));
    }
}

fn read(
    name: &At<String>,
    written: &StepWritten,
    (verb_name, verb): (&'static str, Option<Box<dyn Verb>>),
    planning: &mut Planning<'_>,
) -> (DraftStep, Vec<Mention>) {
    let common = &written.common;
    let each = common.each.as_ref().and_then(|each| planning.name_or_template(&each.0));
    // names in `each` itself are outside its items
    let outside = std::mem::take(&mut planning.mentions);
    let when = common.when.as_ref().and_then(|when| planning.name_or_template(&when.0));
    let outer = planning.conditional;
    planning.conditional = outer || common.when.is_some() || common.or.is_some();
    let planned = verb.and_then(|verb| verb.plan(planning));
    planning.conditional = outer;
    let lacks = planning.lacks.take();
    let or = common.or.as_ref().and_then(|or| planning.expr(or));
    let inside = std::mem::take(&mut planning.mentions);
    let bound = |mention: &Mention| common.each.is_some() && ["item", "index"].contains(&mention.name.as_str());
    let mentions = outside.into_iter().chain(inside.into_iter().filter(|mention| !bound(mention))).collect();
    for (key, value) in [("at_once", &common.at_once)] {
        if let Some(zero) = value.as_ref().filter(|value| value.value == 0) {
            planning.problem("wrong-value", zero.pos, format!("found 0 for `{key}`, expected 1 or more"), None);
        }
    }
    let draft = DraftStep {
        name: name.value.clone(),
        verb: verb_name,
        planned,
        lacks,
        when,
        each,
        at_once: common.at_once.as_ref().map_or(AT_ONCE, |n| n.value),
        timeout: common.timeout.as_ref().map(|span| span.value.0),
        retries: common.retries.as_ref().map(|n| n.value.min(1000) as u32),
        or,
        needs: Vec::new(),
        uses: Vec::new(),
    };
    planning.mentions.clear();
    (draft, mentions)
}

/// Reports each cycle once, with its path. Searches from every step.
fn report_cycles(drafts: &[DraftStep], steps: &IndexMap<At<String>, StepWritten>, planning: &mut Planning<'_>) {
    let mut reported: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
    let mut done = vec![false; drafts.len()];
    for start in 0..drafts.len() {
        // (step, number of its needs that were followed)
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((step, followed)) = path.last().copied() {
            let Some(&need) = drafts[step].needs.get(followed) else {
                done[step] = true;
                path.pop();
                continue;
            };
            if let Some((_, followed)) = path.last_mut() {
                *followed += 1;
            }
            if let Some(from) = path.iter().position(|(on_path, _)| *on_path == need) {
                let members: Vec<usize> = path[from..].iter().map(|(step, _)| *step).collect();
                // a few cycles are enough to show the mistake
                if reported.len() < 20 && reported.insert(members.iter().copied().collect()) {
                    let names = members.iter().chain([&need]).map(|i| drafts[*i].name.as_str());
                    let message =
                        format!("found steps that wait for each other: {}", names.collect::<Vec<_>>().join(" → "));
                    let hint = Some("repetition lives inside a `loop` step".to_owned());
                    planning.problem("cycle", place(steps, need), message, hint);
                }
            } else if !done[need] {
                path.push((need, 0));
            }
        }
    }
}

fn place(steps: &IndexMap<At<String>, StepWritten>, index: usize) -> Pos {
    steps.get_index(index).map(|(name, _)| name.pos).unwrap_or_default()
}

/// Sorts the steps in plan order: the written order, changed only where dependencies require it. Renumbers `needs`.
fn in_order(drafts: Vec<DraftStep>) -> Vec<DraftStep> {
    let mut order: Vec<usize> = Vec::new();
    let mut seen = vec![false; drafts.len()];
    for start in 0..drafts.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut path = vec![(start, 0)];
        while let Some((step, followed)) = path.last_mut() {
            match drafts[*step].needs.get(*followed) {
                Some(&need) => {
                    *followed += 1;
                    if !std::mem::replace(&mut seen[need], true) {
                        path.push((need, 0));
                    }
                }
                None => {
                    order.push(*step);
                    path.pop();
                }
            }
        }
    }
    let mut place_of = vec![0; drafts.len()];
    order.iter().enumerate().for_each(|(place, step)| place_of[*step] = place);
    let mut ordered: Vec<(usize, DraftStep)> = drafts.into_iter().enumerate().collect();
    ordered.sort_by_key(|(step, _)| place_of[*step]);
    let renumbered = ordered.into_iter().map(|(_, mut draft)| {
        draft.needs.iter_mut().for_each(|need| *need = place_of[*need]);
        draft.needs.sort_unstable();
        draft
    });
    renumbered.collect()
}

/// Reports steps whose value is never used.
pub(super) fn unused(
    draft: &Draft,
    steps: &IndexMap<At<String>, StepWritten>,
    answer: &[Mention],
    readable: bool,
    file: &Arc<str>,
    shared: &mut Shared,
) {
    // the unreadable part may use any step
    if !readable || draft.steps.iter().any(|step| step.planned.is_none()) {
        return;
    }
    let mut used: BTreeSet<&str> = answer.iter().map(|mention| mention.name.as_str()).collect();
    for (i, step) in draft.steps.iter().enumerate() {
        used.extend(step.needs.iter().filter(|need| **need != i).map(|need| draft.steps[*need].name.as_str()));
    }
    let has_effect = |step: &DraftStep| step.planned.as_ref().is_some_and(|planned| planned.has_effect());
    for step in draft.steps.iter().filter(|step| !used.contains(step.name.as_str()) && !has_effect(step)) {
        let pos = steps.get_key_value(step.name.as_str()).map(|(name, _)| name.pos).unwrap_or_default();
        let message = format!("found step `{}`, which neither the answer nor any step uses", step.name);
        shared.problem("unused-step", file, pos, message, Some("use it, or remove it".into()));
    }
}

/// The block with types. Adds each step's type to `names`.
pub(crate) fn typed(draft: &Draft, names: &mut IndexMap<String, Type>, shared: &mut Shared) -> Block {
    let mut block = Block::default();
    for step in &draft.steps {
        let (ty, behaviour) = step_type(step, names, shared);
        let ty = ty.bounded();
        names.insert(step.name.clone(), ty.clone());
        let Some(behaviour) = behaviour else { continue };
        block.steps.push(PlannedStep {
            name: step.name.clone(),
            verb: step.verb,
            step: behaviour,
            needs: step.needs.clone(),
            uses: step.uses.clone(),
            lacks: step.lacks.clone(),
            when: step.when.as_ref().and_then(|when| when.template().cloned()),
            each: step.each.as_ref().and_then(|each| each.template().cloned()),
            at_once: step.at_once,
            timeout: step.timeout,
            retries: step.retries,
            or: step.or.clone(),
            ty,
        });
    }
    block
}

/// The type of a step's value, and its behaviour if its verb was readable.
type Typed = (Type, Option<Arc<dyn Step>>);

/// The types of the names for a guarded step. Where one of them is nothing, it does not run or yields another value.
fn required(names: &IndexMap<String, Type>) -> IndexMap<String, Type> {
    names.iter().map(|(name, ty)| (name.clone(), ty.required().clone())).collect()
}

fn step_type(step: &DraftStep, names: &IndexMap<String, Type>, shared: &mut Shared) -> Typed {
    let list = step.each.as_ref().map(|each| {
        let mut typing = Typing { shared, names };
        typing.expect_or_nothing(each, &[Type::Any.list()], "`each`")
    });
    // an `each` over nothing runs no item
    let is_guarded = step.when.is_some() || step.or.is_some() || matches!(list, Some(Type::Optional(_)));
    let guarded = is_guarded.then(|| required(names));
    let names = guarded.as_ref().unwrap_or(names);
    let mut typing = Typing { shared, names };
    let Some(list) = list else {
        return one_type(step, &mut typing);
    };
    let item = match list.required() {
        Type::List(item) => (**item).clone(),
        _ => Type::Any,
    };
    let mut inner = names.clone();
    inner.insert("item".into(), item);
    inner.insert("index".into(), Type::Number);
    let (ty, behaviour) = typing.with(&inner, |typing| one_type(step, typing));
    (ty.list(), behaviour)
}

/// The type of one item's value: the verb's type, or `any` if `or` gives another.
fn one_type(step: &DraftStep, typing: &mut Typing<'_>) -> Typed {
    step.when.iter().for_each(|when| drop(when.ty(typing)));
    let (ty, behaviour) = match step.planned.clone().map(|planned| planned.typed(typing)) {
        Some((ty, behaviour)) => (ty, Some(behaviour)),
        None => (Type::Any, None),
    };
    let ty = match step.or.as_ref().map(|or| or.ty(typing)) {
        Some(or) if !ty.accepts(&or) || or == Type::Any => Type::Any,
        _ => ty,
    };
    (ty, behaviour)
}

impl Typing<'_> {
    /// Types the inner steps of a loop, and adds their types to `names`.
    pub(crate) fn inner(&mut self, draft: &Draft, names: &mut IndexMap<String, Type>) -> Block {
        typed(draft, names, self.shared)
    }
}

impl Draft {
    /// The names of the steps, in plan order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }
}
