//! The second half of checking a step, with helpers for verbs: the types of the names that a step uses.

use super::{AskedRole, Formula, shared::Shared};
use crate::{
    dialogue::{Node, Pos},
    exchange::{Modalities, Modality},
    prompt::{NameTypes, Template},
    value::Type,
};
use indexmap::IndexMap;
use std::sync::Arc;

/// The second half of checking a step: the types of all names are known.
pub struct Typing<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) names: &'a IndexMap<String, Type>,
}

/// The types as text for a message: `image or audio`.
fn one_of(wanted: &[Type]) -> String {
    wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

impl NameTypes for IndexMap<String, Type> {
    fn ty(&self, name: &str) -> Option<Type> {
        self.get(name).cloned()
    }
}

impl Typing<'_> {
    /// Reports a problem.
    pub fn problem(&mut self, code: &str, file: &Arc<str>, pos: Pos, message: String, hint: Option<String>) {
        self.shared.problem(code, file, pos, message, hint);
    }

    /// The type of a template at `node`. Reports attributes that cannot exist.
    pub(super) fn template(&mut self, template: &Template, node: &Node, file: &Arc<str>) -> Type {
        let mut findings = Vec::new();
        let ty = template.ty(self.names, &mut findings);
        let mut places = node.places();
        for finding in findings {
            self.shared.problem(finding.code, file, places.at(finding.offset), finding.message, finding.hint);
        }
        ty
    }

    /// Types a value without reporting its problems. They are reported when it is typed again.
    pub fn quietly(&mut self, then: impl FnOnce(&mut Typing<'_>)) {
        let noted = self.shared.problems.len();
        then(self);
        self.shared.problems.truncate(noted);
    }

    /// The type of a prompt. Reports attributes that cannot exist.
    pub fn prompt(&mut self, template: &Template, node: &Node, file: &Arc<str>) -> Type {
        self.template(template, node, file)
    }

    /// The types of the names that can be used here.
    pub fn names(&self) -> &IndexMap<String, Type> {
        self.names
    }

    /// Types with other names.
    pub fn with<T>(&mut self, names: &IndexMap<String, Type>, then: impl FnOnce(&mut Typing<'_>) -> T) -> T {
        then(&mut Typing { shared: self.shared, names })
    }

    /// The type of `formula`. Reports a type that fits none of `wanted`, and a value that is nothing in the first round
    /// of a loop; `what` names the value in the message.
    pub fn expect(&mut self, formula: &Formula, wanted: &[Type], what: &str) -> Type {
        let found = formula.ty(self);
        let accepts = |found: &Type| wanted.iter().any(|wanted| wanted.accepts(found));
        if accepts(found.required()) && !accepts(&found) {
            let message = format!("found {found} for {what}, expected {}", one_of(wanted));
            let hint = if formula.names().contains(&"previous") {
                "`previous` is nothing in round 1: name another value (`{{ previous.x or y }}`), or skip the step in that round \
                 (`when: \"{{ round > 1 }}\"`)"
            } else {
                "the schema does not require this value: name another one (`{{ step.x or y }}`), or add it to `required`"
            };
            self.problem("may-be-nothing", &formula.file, formula.node.pos, message, Some(hint.to_owned()));
        }
        self.fits(found.required(), formula, wanted, what)
    }

    /// Like [`Typing::expect`], but nothing is permitted.
    pub fn expect_or_nothing(&mut self, formula: &Formula, wanted: &[Type], what: &str) -> Type {
        let found = formula.ty(self);
        self.fits(found.required(), formula, wanted, what);
        found
    }

    /// Reports `found`, the type of `formula`, if it fits none of `wanted`.
    fn fits(&mut self, found: &Type, formula: &Formula, wanted: &[Type], what: &str) -> Type {
        let found = found.clone();
        if wanted.iter().any(|wanted| wanted.accepts(&found)) {
            return found;
        }
        let expected = one_of(wanted);
        let message = format!("found {found} for {what}, expected {expected}");
        let hint = match &found {
            Type::List(item) if wanted.iter().any(|wanted| wanted.accepts(item)) => {
                Some("do the step once for each item: add `each: …` and use `{{ item }}` here".to_owned())
            }
            Type::Scored => Some("use its `.text`, `.score` or `.probability`".to_owned()),
            Type::Record(fields) if !fields.is_empty() => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                Some(format!("use one of its fields: {}", names.join(", ")))
            }
            _ if wanted.iter().any(|wanted| matches!(wanted, Type::List(item) if item.accepts(&found))) => {
                Some("put it in a list: `[ … ]`".to_owned())
            }
            _ => None,
        };
        let (code, file) = if matches!(found, Type::List(_)) {
            ("list-for-one", &formula.file)
        } else {
            ("wrong-type", &formula.file)
        };
        self.shared.problem(code, file, formula.node.pos, message, hint);
        found
    }

    /// Reports content of the type `found` that the role's agent does not accept. A list counts by its items.
    pub fn content(&mut self, role: &AskedRole, formula: &Formula, found: &Type) {
        let Some(takes) = role.content else { return };
        let item = match found {
            Type::List(item) => item.as_ref(),
            item => item,
        };
        let any_of = match item {
            Type::Text | Type::Number | Type::Truth | Type::Scored => Modalities::of(&[Modality::Text]),
            Type::Image => Modalities::of(&[Modality::Image]),
            Type::Audio => Modalities::of(&[Modality::Sound]),
            // a moment is a frame for an agent that sees, and a stretch of sound for one that only hears
            Type::Moment => Modalities::of(&[Modality::Image, Modality::Sound]),
            Type::Video => Modalities::of(&[Modality::Video]),
            _ => return,
        };
        if !takes.is_empty() && any_of.without(takes) == any_of {
            let message = format!("found {item} for `{}`, whose agent takes only {takes}", role.name);
            let hint = format!("give the role an agent that takes {any_of}");
            self.problem("agent-cannot", &formula.file, formula.node.pos, message, Some(hint));
        }
    }
}
