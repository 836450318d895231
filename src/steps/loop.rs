//! `loop`: repeats inner steps until a value is stable, a condition is true, or `max_rounds` is reached.

use crate::{
    dialogue::{At, Data, Expr, Node, Reading, Required, StepWritten, TextExpr, Written, written},
    plan::{Answered, Block, Draft, Formula, Inside, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Type, Value},
};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, sync::Arc};

/// Maximum number of rounds. The values of every round are kept, and a typing error must not run for a day.
const MAX_ROUNDS: usize = 1000;

written! { "`loop`",
    /// Repeats inner steps until `until` is true or `max_rounds` is reached. The value is a record of the last round's
    /// values by name, `rounds` and `stopped` (`stable`, `until` or `max_rounds`). Inside, `round` counts from 1, and
    /// `previous` is a record of the values of the round before. In the first round `previous` and each of its fields
    /// are nothing: `{{ previous.draft or text }}`.
    pub struct Loop {
        /// The steps of one round.
        #[schemars(transform = crate::dialogue::name_steps)]
        pub steps: IndexMap<At<String>, StepWritten>,
        /// A condition over a round's values (a name or a template), or `{ stable: STEP }`.
        pub until: Option<UntilWritten>,
        /// Maximum number of rounds.
        #[schemars(range(min = 1, max = 1000))]
        pub max_rounds: Required<At<usize>>,
    }
}

/// The end condition of a loop.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum UntilWritten {
    /// The loop ends when this is true.
    Condition(TextExpr),
    /// The loop ends when this step's value equals that of the round before.
    Stable(At<String>),
}

written! { "`until`",
    /// The loop ends when this step's value equals that of the round before.
    pub struct StableWritten {
        /// An inner step.
        pub stable: At<String>,
    }
}

impl Written for UntilWritten {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match node.data {
            Data::Map(_) => StableWritten::read(node, reading).map(|until| UntilWritten::Stable(until.stable)),
            _ => TextExpr::read(node, reading).map(UntilWritten::Condition),
        }
    }
}

impl JsonSchema for UntilWritten {
    fn schema_name() -> Cow<'static, str> {
        "Until".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let stable = generator.subschema_for::<StableWritten>();
        json_schema!({ "anyOf": [{ "type": "string", "description": "A condition." }, stable] })
    }
}

impl Verb for Loop {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let bound = ["round", "previous"];
        let draft = planning.inner(&self.steps, &bound);
        if let Some(rounds) = self.max_rounds.0.filter(|rounds| !(1..=MAX_ROUNDS).contains(&rounds.value)) {
            let message = format!("found {} for `max_rounds`, expected 1 to {MAX_ROUNDS}", rounds.value);
            planning.problem("wrong-value", rounds.pos, message, None);
        }
        for taken in ["rounds", "stopped"] {
            if let Some((name, _)) = self.steps.get_key_value(taken) {
                let message = format!("found step `{taken}` in a loop, whose record has a field of that name");
                planning.problem("wrong-value", name.pos, message, None);
            }
        }
        let until = match &self.until {
            Some(UntilWritten::Condition(condition)) if matches!(&condition.0.0.data, Data::Text(text, _) if text == "stable") =>
            {
                let message =
                    "found `stable` for `until`, expected the name of the step whose value must stay the same";
                let hint = "write `until: { stable: STEP }`";
                planning.problem("wrong-value", condition.0.0.pos, message.to_owned(), Some(hint.to_owned()));
                return None;
            }
            Some(UntilWritten::Condition(condition)) => Until::Condition(self.condition(&condition.0, planning)?),
            Some(UntilWritten::Stable(name)) => {
                if !self.steps.contains_key(name.as_str()) {
                    let hint = crate::problem::closest(name, self.steps.keys().map(|name| name.as_str()));
                    let message = format!("found `{}`, expected a step of this loop", name.value);
                    planning.problem("unknown-name", name.pos, message, hint);
                }
                Until::Stable(name.value.clone())
            }
            None => Until::Never,
        };
        Some(Arc::new(LoopDraft { draft, until, max_rounds: self.max_rounds.0?.value }))
    }
}

impl Loop {
    /// Reads the condition. It can name inner steps, which are not mentions of the loop.
    fn condition(&self, condition: &Expr, planning: &mut Planning<'_>) -> Option<Formula> {
        let inner: Vec<&str> = self.steps.keys().map(|name| name.as_str()).chain(["round", "previous"]).collect();
        planning.bound_to(&inner, |planning| planning.name_or_template(condition))
    }
}

/// A loop whose inner steps have names but no types yet.
#[derive(Debug)]
struct LoopDraft {
    draft: Draft,
    until: Until,
    max_rounds: usize,
}

#[derive(Debug)]
struct LoopStep {
    block: Arc<Block>,
    until: Until,
    max_rounds: usize,
}

#[derive(Debug, Clone)]
enum Until {
    Condition(Formula),
    Stable(String),
    Never,
}

impl Planned for LoopDraft {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        let mut names = typing.names().clone();
        names.insert("round".into(), Type::Number);
        let previous = self.previous(typing, &names);
        names.insert("previous".into(), previous.or_nothing());
        let block = typing.inner(&self.draft, &mut names);
        if let Until::Condition(condition) = &self.until {
            typing.with(&names, |typing| drop(condition.ty(typing)));
        }
        let own = self.draft.names().map(|name| (name.to_owned(), of_round(&names, name)));
        let ty = Type::record(own.chain([("rounds".to_owned(), Type::Number), ("stopped".to_owned(), Type::Text)]));
        let looping = LoopStep { block: Arc::new(block), until: self.until.clone(), max_rounds: self.max_rounds };
        (ty, Arc::new(looping))
    }
}

/// The type of a round's value. A step that passes `previous` on gives nothing in the first round only.
fn of_round(names: &IndexMap<String, Type>, name: &str) -> Type {
    names.get(name).map_or(Type::Any, |ty| ty.required().clone())
}

impl LoopDraft {
    /// The type of `previous`: a record of a round's values. It depends on the types of the steps, so the steps are
    /// typed once without it. An inner loop gets `any` instead, because the work would double with each level.
    fn previous(&self, typing: &mut Typing<'_>, names: &IndexMap<String, Type>) -> Type {
        if names.contains_key("previous") {
            return Type::Any;
        }
        let mut names = names.clone();
        names.insert("previous".into(), Type::Any);
        typing.quietly(|typing| drop(typing.inner(&self.draft, &mut names)));
        Type::record(self.draft.names().map(|name| (name.to_owned(), of_round(&names, name)))).bounded()
    }
}

impl LoopStep {
    /// Why the loop ends after these rounds; `None` if it continues.
    fn stopped(&self, scope: &Scope, rounds: &[&IndexMap<String, Value>]) -> Result<Option<&'static str>, StepError> {
        let Some(last) = rounds.last() else { return Ok(None) };
        let before = rounds.len().checked_sub(2).map(|i| rounds[i]);
        match &self.until {
            Until::Stable(name) => {
                if before.is_some_and(|before| before.get(name) == last.get(name)) {
                    return Ok(Some("stable"));
                }
            }
            Until::Condition(condition) => {
                let mut scope = self.round(scope, rounds.len(), before);
                last.iter().for_each(|(name, value)| scope.bind(name, value.clone()));
                if condition.eval(&scope)?.is_truthy() {
                    return Ok(Some("until"));
                }
            }
            Until::Never => {}
        }
        Ok((rounds.len() >= self.max_rounds).then_some("max_rounds"))
    }

    /// The scope of a round, without its own steps.
    fn round(&self, scope: &Scope, round: usize, before: Option<&IndexMap<String, Value>>) -> Scope {
        let previous = before.cloned().map_or(Value::Nothing, Value::Record);
        scope.with("round", Value::Number(round as f64)).with("previous", previous)
    }
}

impl Step for LoopStep {
    fn inside(&self) -> Inside {
        let rounds = format!("at most {} rounds", self.max_rounds);
        let until = match &self.until {
            Until::Never => rounds,
            Until::Stable(name) => format!("{name} is stable, {rounds}"),
            Until::Condition(condition) => match condition.template() {
                Some(template) => format!("{}, {rounds}", crate::plan::draw::bare(&template.source)),
                None => rounds,
            },
        };
        Inside::Repeats { block: self.block.clone(), until }
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let mut rounds: Vec<&IndexMap<String, Value>> = Vec::new();
        for answered in answered {
            match answered {
                Answered::Inner(values) => rounds.push(values),
                Answered::Replies(_) => {
                    return Err(StepError("a loop got replies to requests that it did not make: this is a bug".into()));
                }
            }
        }
        match (self.stopped(scope, &rounds)?, rounds.last()) {
            (Some(stopped), Some(last)) => {
                let mut record: IndexMap<String, Value> = (*last).clone();
                record.insert("rounds".into(), Value::Number(rounds.len() as f64));
                record.insert("stopped".into(), Value::Text(stopped.into()));
                let note = format!("stopped after {} rounds: {stopped}", rounds.len());
                Ok(Turn::Noted { value: Value::Record(record), note })
            }
            (_, last) => {
                Ok(Turn::Inner { block: self.block.clone(), scope: self.round(scope, rounds.len() + 1, last.copied()) })
            }
        }
    }
}
