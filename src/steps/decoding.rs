//! Decoding settings of a generative verb: as written, as checked, and as evaluated by a run.

use super::whole;
use crate::{
    dialogue::{NumberExpr, written},
    exchange::Decoding,
    plan::{Formula, Planning, Range, StepError, Typing},
    prompt::Scope,
    value::{Type, Value},
};

written! { keys of
    /// The keys of the decoding settings.
    pub struct DecodingKeys {
        /// 0 is greedy.
        #[schemars(with = "Option<crate::plan::range::NotNegative>")]
        pub temperature: Option<NumberExpr>,
        /// Nucleus mass, 0 to 1.
        #[schemars(with = "Option<crate::plan::range::Share>")]
        pub top_p: Option<NumberExpr>,
        /// Keep the k most likely tokens.
        #[schemars(with = "Option<crate::plan::range::WholeFrom0>")]
        pub top_k: Option<NumberExpr>,
        /// Maximum number of generated tokens.
        #[schemars(with = "Option<crate::plan::range::WholeFrom1>")]
        pub max_tokens: Option<NumberExpr>,
        /// Generation stops before any of these.
        pub stop: Option<Vec<String>>,
    }
}

/// The settings with their templates parsed.
#[derive(Debug)]
pub(super) struct DecodingFormulas {
    temperature: Option<Formula>,
    top_p: Option<Formula>,
    top_k: Option<Formula>,
    max_tokens: Option<Formula>,
    stop: Vec<String>,
}

impl DecodingKeys {
    /// Reads all settings. Reports problems, and returns `None` if a setting cannot be read.
    pub(super) fn plan(&self, planning: &mut Planning<'_>) -> Option<DecodingFormulas> {
        // all settings are read before a bad one ends the reading, so that all problems are reported
        let temperature = number(&self.temperature, "temperature", Range::NotNegative, planning);
        let top_p = number(&self.top_p, "top_p", Range::Share, planning);
        let top_k = number(&self.top_k, "top_k", Range::WholeFrom(0), planning);
        let max_tokens = number(&self.max_tokens, "max_tokens", Range::WholeFrom(1), planning);
        let stop = self.stop.clone().unwrap_or_default();
        Some(DecodingFormulas {
            temperature: temperature?,
            top_p: top_p?,
            top_k: top_k?,
            max_tokens: max_tokens?,
            stop,
        })
    }
}

/// Reads a number that may be absent. Reports problems, and returns `None` if it is present and cannot be read.
pub(super) fn number(
    written: &Option<NumberExpr>,
    what: &str,
    range: Range,
    planning: &mut Planning<'_>,
) -> Option<Option<Formula>> {
    range.check(written, what, planning);
    match written {
        Some(expr) => planning.expr(&expr.0).map(Some),
        None => Some(None),
    }
}

impl DecodingFormulas {
    /// Reports settings that are not numbers.
    pub(super) fn check(&self, typing: &mut Typing<'_>) {
        let numbers = [
            ("`temperature`", &self.temperature),
            ("`top_p`", &self.top_p),
            ("`top_k`", &self.top_k),
            ("`max_tokens`", &self.max_tokens),
        ];
        for (what, formula) in numbers {
            if let Some(formula) = formula {
                typing.expect_or_nothing(formula, &[Type::Number], what);
            }
        }
    }

    /// Evaluates the settings in a scope.
    pub(super) fn eval(&self, scope: &Scope) -> Result<Decoding, StepError> {
        let number =
            |formula: &Option<Formula>, what: &str| match formula.as_ref().map(|f| f.eval(scope)).transpose()? {
                None | Some(Value::Nothing) => Ok(None),
                Some(Value::Number(number)) if number >= 0.0 => Ok(Some(number as f32)),
                Some(other) => {
                    Err(StepError(format!("found {} for `{what}`, expected a number", crate::prompt::show(&other))))
                }
            };
        let count = |formula: &Option<Formula>, what: &str| -> Result<Option<usize>, StepError> {
            match formula.as_ref().map(|formula| formula.eval(scope)).transpose()? {
                None | Some(Value::Nothing) => Ok(None),
                Some(value) => whole(&value, what).map(Some),
            }
        };
        Ok(Decoding {
            temperature: number(&self.temperature, "temperature")?,
            top_p: number(&self.top_p, "top_p")?,
            top_k: count(&self.top_k, "top_k")?,
            max_tokens: count(&self.max_tokens, "max_tokens")?,
            stop: self.stop.clone(),
        })
    }
}
