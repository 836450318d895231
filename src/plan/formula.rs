//! A written value with its templates parsed. It is typed by the check and evaluated by the run.

use super::{Planning, StepError, Typing};
use crate::{
    dialogue::{Data, Expr, Node, TextStyle},
    prompt::{Scope, Template},
    value::size::Room,
    value::{Type, Value},
};
use std::sync::Arc;

/// A value with templates inside.
#[derive(Debug, Clone)]
pub struct Formula {
    /// The node in the file, for problems.
    pub node: Node,
    /// The file, for problems.
    pub file: Arc<str>,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    Literal(Value),
    Template(Template),
    List(Vec<Formula>),
    Record(Vec<(String, Formula)>),
}

impl Formula {
    /// Parses every template in `node`. Reports names and problems to `planning`.
    pub(super) fn of(node: &Node, planning: &mut Planning<'_>) -> Option<Formula> {
        let shape = match &node.data {
            Data::Null => Shape::Literal(Value::Nothing),
            Data::Bool(truth) => Shape::Literal(Value::Truth(*truth)),
            Data::Number(number) => Shape::Literal(Value::Number(*number)),
            Data::Text(text, _) => Shape::Template(planning.template(text, node)?),
            Data::List(items) => {
                // all items are read before a bad one ends the reading, so that all problems are reported
                let items: Vec<Option<Formula>> = items.iter().map(|item| Formula::of(item, planning)).collect();
                Shape::List(items.into_iter().collect::<Option<_>>()?)
            }
            Data::Map(entries) => {
                let field = |(key, value): &(crate::dialogue::YamlKey, Node)| {
                    Some((key.name.clone(), Formula::of(value, planning)?))
                };
                let fields: Vec<Option<_>> = entries.iter().map(field).collect();
                Shape::Record(fields.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(Formula { node: node.clone(), file: planning.file.clone(), shape })
    }

    /// A constant value.
    pub fn fixed(value: Value) -> Formula {
        let node = Node { pos: Default::default(), data: Data::Null };
        Formula { node, file: "".into(), shape: Shape::Literal(value) }
    }

    /// The value, if it contains no template.
    pub fn literal(&self) -> Option<Value> {
        match &self.shape {
            Shape::Literal(value) => Some(value.clone()),
            Shape::Template(template) => template.is_plain().then(|| Value::Text(template.source.clone())),
            Shape::List(items) => items.iter().map(Formula::literal).collect::<Option<_>>().map(Value::List),
            Shape::Record(fields) => {
                let field = |(name, value): &(String, Formula)| Some((name.clone(), value.literal()?));
                fields.iter().map(field).collect::<Option<_>>().map(Value::Record)
            }
        }
    }

    /// The template, if the whole value is one.
    pub fn template(&self) -> Option<&Template> {
        match &self.shape {
            Shape::Template(template) => Some(template),
            _ => None,
        }
    }

    /// Evaluates the value in a scope. Fails if a template fails or the value is too large.
    pub fn eval(&self, scope: &Scope) -> Result<Value, StepError> {
        self.eval_in(scope, &mut Room::new())
    }

    /// Evaluates a part of a value within its remaining room. Steps that name each other in lists and records grow
    /// exponentially.
    fn eval_in(&self, scope: &Scope, room: &mut Room) -> Result<Value, StepError> {
        let value = match &self.shape {
            Shape::Literal(value) => value.clone(),
            Shape::Template(template) => {
                let value = template.eval(scope)?;
                room.take_whole(&value).map_err(StepError)?;
                return Ok(value);
            }
            Shape::List(items) => {
                let items = room.inside(|room| items.iter().map(|item| item.eval_in(scope, room)).collect())?;
                Value::List(items)
            }
            Shape::Record(fields) => {
                let field = |(name, value): &(String, Formula), room: &mut Room| {
                    Ok::<_, StepError>((name.clone(), value.eval_in(scope, room)?))
                };
                Value::Record(room.inside(|room| fields.iter().map(|named| field(named, room)).collect())?)
            }
        };
        room.take(&value).map_err(StepError)?;
        Ok(value)
    }

    /// The names that it takes from the scope.
    pub fn names(&self) -> Vec<&str> {
        match &self.shape {
            Shape::Literal(_) => Vec::new(),
            Shape::Template(template) => template.names(),
            Shape::List(items) => items.iter().flat_map(Formula::names).collect(),
            Shape::Record(fields) => fields.iter().flat_map(|(_, value)| value.names()).collect(),
        }
    }

    /// Evaluates the value in a scope, as text.
    pub fn text(&self, scope: &Scope) -> Result<String, StepError> {
        Ok(crate::prompt::show(&self.eval(scope)?))
    }

    /// The type. Reports attributes that cannot exist.
    pub fn ty(&self, typing: &mut Typing<'_>) -> Type {
        match &self.shape {
            Shape::Literal(value) => value.ty(),
            Shape::Template(template) => typing.template(template, &self.node, &self.file),
            Shape::List(items) => {
                let types: Vec<Type> = items.iter().map(|item| item.ty(typing)).collect();
                types.into_iter().reduce(|a, b| if a == b { a } else { Type::Any }).unwrap_or(Type::Any).list()
            }
            Shape::Record(fields) => {
                Type::record(fields.iter().map(|(name, value)| (name.clone(), value.ty(typing)))).bounded()
            }
        }
    }
}

impl Planning<'_> {
    /// Parses a value with templates inside.
    pub fn expr(&mut self, expr: &Expr) -> Option<Formula> {
        Formula::of(&expr.0, self)
    }

    /// Parses a name or a template: `moments` means `{{ moments }}`.
    pub fn name_or_template(&mut self, expr: &Expr) -> Option<Formula> {
        let Data::Text(text, _) = &expr.0.data else { return self.expr(expr) };
        let bare = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
        if !bare {
            return self.expr(expr);
        }
        // folded, so that positions inside point to the start of the name
        let node = Node { pos: expr.0.pos, data: Data::Text(format!("{{{{{text}}}}}"), TextStyle::Folded) };
        Formula::of(&node, self)
    }
}
