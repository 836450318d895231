//! A plan run by the contract of `Step` alone, for tests of the language.

use elenchus::{
    dialogue::ScriptedReplies,
    exchange::Reply,
    plan::{Ask, Block, Heard, PlannedStep, Turn},
    prompt::Scope,
    value::Value,
};
use indexmap::IndexMap;

/// Runs a block by the contract of `Step`, one exchange after the other, with a test's scripted replies.
pub struct Runner {
    /// What is answered.
    pub replies: ScriptedReplies,
    /// How often each role was asked.
    pub asked: IndexMap<String, usize>,
}

impl Runner {
    /// The values of a block's steps.
    pub fn block(&mut self, block: &Block, scope: &Scope) -> Result<IndexMap<String, Value>, String> {
        let mut values: IndexMap<String, Value> = IndexMap::new();
        for step in &block.steps {
            let mut seen = scope.clone();
            values.iter().for_each(|(name, value)| seen.bind(name, value.clone()));
            let value = match &step.each {
                None => self.step(step, &seen),
                Some(each) => match each.eval(&seen).map_err(|e| e.to_string())? {
                    Value::Nothing => Ok(Value::List(Vec::new())),
                    Value::List(items) => {
                        let item = |(i, item)| {
                            self.step(step, &seen.with("item", item).with("index", Value::Number(i as f64)))
                        };
                        items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::List)
                    }
                    other => Err(format!("each: {other:?}")),
                },
            };
            values.insert(step.name.clone(), value.map_err(|error| format!("{}: {error}", step.name))?);
        }
        Ok(values)
    }

    fn step(&mut self, step: &PlannedStep, scope: &Scope) -> Result<Value, String> {
        if let Some(when) = &step.when {
            match when.eval(scope).map_err(|error| error.to_string())? {
                Value::Nothing | Value::Truth(false) => return Ok(Value::Nothing),
                Value::List(items) if items.is_empty() => return Ok(Value::Nothing),
                _ => {}
            }
        }
        let mut heard = Vec::new();
        loop {
            match step.step.turn(scope, &heard).map_err(|error| error.0)? {
                Turn::Done(value) | Turn::Noted { value, .. } => return Ok(value),
                Turn::Inner { block, scope } => heard.push(Heard::Inner(self.block(&block, &scope)?)),
                Turn::Ask(asks) => {
                    heard.push(Heard::Replies(asks.iter().map(|ask| self.ask(ask)).collect::<Result<_, _>>()?))
                }
            }
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<Reply, String> {
        let ordinal = self.asked.entry(ask.role.clone()).or_default();
        *ordinal += 1;
        self.replies.reply(&ask.role, &ask.request, *ordinal - 1).map_err(|none| none.to_string())
    }
}
