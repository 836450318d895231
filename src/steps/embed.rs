//! `embed`: turns a text, image or sound into a vector of unit length.

use super::{misfit, rank::item, replies};
use crate::{
    dialogue::{At, Expr, written},
    exchange::{EmbedPurpose, EmbedRequest, Kind, Reply, Request},
    plan::{Answered, Ask, AskedRole, Formula, Inside, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    problem::closest,
    prompt::Scope,
    value::{Type, Value},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, sync::Arc};

written! { "`embed`",
    /// A text, image, moment or sound as a vector; a list gives a list of vectors.
    pub struct Embed {
        /// The role that embeds.
        pub agent: At<String>,
        /// A text, image, moment or sound, or a list of them.
        pub what: Expr,
        /// `query` or `document`: some models read a query in another way than what it is searched among.
        #[schemars(with = "Option<PurposeWord>")]
        pub purpose: Option<At<String>>,
    }
}

impl Verb for Embed {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        let role = planning.role(&self.agent, Kind::Embed);
        let what = planning.expr(&self.what);
        let purpose = self.purpose(planning);
        Some(Arc::new(EmbedStep { role: role?, what: what?, purpose: purpose? }))
    }
}

impl Embed {
    /// The value of `purpose`. Reports an unknown word.
    fn purpose(&self, planning: &mut Planning<'_>) -> Option<Option<EmbedPurpose>> {
        let Some(written) = &self.purpose else { return Some(None) };
        let known = EmbedPurpose::of(written.as_str());
        if known.is_none() {
            let words = EmbedPurpose::ALL.map(|(word, _)| word);
            let message = format!("found `{}` for `purpose`, expected {}", written.value, words.join(" or "));
            planning.problem("wrong-value", written.pos, message, closest(written, words.iter().copied()));
        }
        known.map(Some)
    }
}

/// The JSON Schema of `purpose`, for editors.
#[derive(Debug)]
struct PurposeWord;

impl JsonSchema for PurposeWord {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PurposeWord".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": EmbedPurpose::ALL.map(|(word, _)| word) })
    }
}

#[derive(Debug)]
struct EmbedStep {
    role: AskedRole,
    what: Formula,
    purpose: Option<EmbedPurpose>,
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
                request: Request::Embed(EmbedRequest {
                    purpose: self.purpose,
                    ..EmbedRequest::new(item(value, "what", &self.role)?)
                }),
                sample: 0,
            })
        };
        Ok(Turn::Ask(items.into_iter().map(ask).collect::<Result<_, StepError>>()?))
    }
}
