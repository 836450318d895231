//! `compute`: a value from other values, by a template or a list or record of templates.

use crate::{
    dialogue::{Expr, Node, Reading, Written},
    plan::{Answered, Formula, Planned, Planning, Step, StepError, Turn, Typing, Verb},
    prompt::Scope,
    value::Type,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, sync::Arc};

/// A template, or a list or record of templates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compute(Expr);

impl Written for Compute {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        Expr::read(node, reading).map(Compute)
    }
}

impl JsonSchema for Compute {
    fn schema_name() -> Cow<'static, str> {
        "Compute".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A value from other values: a template, or a list or record of templates." })
    }
}

impl Verb for Compute {
    fn plan(&self, planning: &mut Planning<'_>) -> Option<Arc<dyn Planned>> {
        Some(Arc::new(ComputeStep { value: planning.expr(&self.0)? }))
    }
}

#[derive(Debug)]
struct ComputeStep {
    value: Formula,
}

impl Planned for ComputeStep {
    fn typed(self: Arc<Self>, typing: &mut Typing<'_>) -> (Type, Arc<dyn Step>) {
        (self.ty(typing), self)
    }
}

impl ComputeStep {
    /// The type of its value.
    fn ty(&self, typing: &mut Typing<'_>) -> Type {
        self.value.ty(typing)
    }
}

impl Step for ComputeStep {
    fn turn(&self, scope: &Scope, _answered: &[Answered]) -> Result<Turn, StepError> {
        Ok(Turn::Done(self.value.eval(scope)?))
    }
}
