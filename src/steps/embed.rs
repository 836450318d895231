//! `embed`: turns a text, image or sound into a vector of unit length.

use super::{misfit, rank::item, replies};
use crate::{
    dialogue::{At, Expr, written},
    exchange::{EmbedRequest, Kind, Reply, Request},
    plan::{Answered, Ask, AskedRole, Formula, Inside, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::{Type, Value},
};
use std::sync::Arc;

written! { "`embed`",
    /// A text, image, moment or sound as a vector; a list gives a list of vectors.
    pub struct Embed {
        /// The role that embeds.
        pub agent: At<String>,
        /// A text, image, moment or sound, or a list of them.
        pub what: Expr,
    }
}

impl Verb for Embed {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Embed);
        let what = planning.expr(&self.what);
        Some(Arc::new(EmbedStep { role: role?, what: what? }))
    }
}

#[derive(Debug)]
struct EmbedStep {
    role: AskedRole,
    what: Formula,
}

impl Planned for EmbedStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl EmbedStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        let one = [Type::Image, Type::Audio, Type::Text];
        let wanted: Vec<Type> = one.iter().cloned().chain(one.iter().cloned().map(Type::list)).collect();
        let found = typing.expect(&self.what, &wanted, "`what`");
        let (item, many) = match found {
            Type::List(item) => (*item, true),
            item => (item, false),
        };
        typing.content(&self.role, &self.what, &item);
        match item {
            _ if many => Type::Vector.list(),
            Type::Any => Type::Any,
            _ => Type::Vector,
        }
    }
}

impl Step for EmbedStep {
    fn inside(&self) -> Inside {
        Inside::Asks(self.role.role.clone())
    }

    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let what = self.what.eval(scope)?;
        let many = matches!(what, Value::List(_));
        if let Some(replies) = replies(answered) {
            let vector = |reply: &Reply| match reply {
                Reply::Embed(vector) => Ok(Value::Vector(vector.clone())),
                _ => Err(misfit("embed")),
            };
            let vectors: Vec<Value> = replies.iter().map(vector).collect::<Result<_, _>>()?;
            let one = |vectors: Vec<Value>| vectors.into_iter().next().ok_or_else(|| misfit("embed"));
            return Ok(Turn::Done(if many { Value::List(vectors) } else { one(vectors)? }));
        }
        let items = match what {
            Value::List(items) => items,
            one => vec![one],
        };
        if items.is_empty() {
            return Ok(Turn::Done(Value::List(Vec::new())));
        }
        let ask = |value| {
            Ok(Ask {
                role: self.role.role.clone(),
                request: Request::Embed(EmbedRequest { what: item(value, "what", &self.role)? }),
                sample: 0,
            })
        };
        Ok(Turn::Ask(items.into_iter().map(ask).collect::<Result<_, StepError>>()?))
    }
}
