//! The ranges of number keys. They check numbers in a file and inputs that are used as numbers, and appear in the
//! editor's schema.

use super::Planning;
pub use crate::exchange::Range;
use crate::{
    dialogue::{Data, Expr, NumberExpr, SPAN_PATTERN},
    value::Value,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// An input that is used as the number of a key: `n: "{{ n }}"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The input's name.
    pub input: String,
    /// The key.
    pub key: String,
    /// The allowed range.
    pub range: Range,
}

impl Rule {
    /// The problem with a value of the input, if any: the finding and the expectation.
    pub fn broken(&self, value: &Value) -> Option<String> {
        let Value::Number(number) = value else { return None };
        let expected =
            || format!("found {number}, expected {} (it is the `{}` of a step)", self.range.expected(), self.key);
        (!self.range.holds(*number)).then(expected)
    }
}

impl Range {
    /// Reports a number outside the range. For an input, records a rule that is checked when a run gives the value.
    pub fn check(self, written: Option<&NumberExpr>, key: &str, planning: &mut Planning<'_>) {
        let Some(NumberExpr(Expr(node))) = written else { return };
        match &node.data {
            Data::Number(number) if !self.holds(*number) => {
                let message = format!("found {number} for `{key}`, expected {}", self.expected());
                planning.problem("wrong-value", node.pos, message, None);
            }
            Data::Text(text, _) => {
                let inner = text.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).map(str::trim);
                if let Some(input) = inner.filter(|inner| inner.chars().all(|c| c.is_alphanumeric() || c == '_')) {
                    planning.rule(Rule { input: input.to_owned(), key: key.to_owned(), range: self });
                }
            }
            _ => {}
        }
    }
}

/// Declares types that exist only for their schemas. They stand in for field types of written verbs.
macro_rules! schemas {
    ($($(#[$doc:meta])* $Name:ident => $schema:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $Name;

            impl JsonSchema for $Name {
                fn inline_schema() -> bool {
                    true
                }
                fn schema_name() -> Cow<'static, str> {
                    stringify!($Name).into()
                }
                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        )*
    };
}

/// The schema of a number within bounds, or of a template.
pub(crate) fn or_template(bounds: Schema) -> Schema {
    json_schema!({ "anyOf": [bounds, { "type": "string", "pattern": "\\{\\{" }] })
}

schemas! {
    /// [`Range::NotNegative`]
    NotNegative => or_template(Range::NotNegative.schema());
    /// [`Range::Share`]
    Share => or_template(Range::Share.schema());
    /// [`Range::PositiveShare`]
    PositiveShare => or_template(Range::PositiveShare.schema());
    /// [`Range::WholeFrom`] 0
    WholeFrom0 => or_template(Range::WholeFrom(0).schema());
    /// [`Range::WholeFrom`] 1
    WholeFrom1 => or_template(Range::WholeFrom(1).schema());
    /// `every` of `frames`: a duration, or a template that gives seconds.
    Every => json_schema!({
        "type": "string",
        "anyOf": [{ "pattern": SPAN_PATTERN }, { "pattern": "\\{\\{" }],
        "examples": ["2s", "500ms"],
    });
    /// `at` of `frames`.
    When => json_schema!({
        "anyOf": [
            { "enum": ["keyframes", "scenes"] },
            { "type": "array" },
            { "type": "string", "pattern": "\\{\\{" },
        ]
    });
}
