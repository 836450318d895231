//! Decoding settings of a generative verb: as written, as checked, and as evaluated by a run. The table of settings
//! ([`SETTINGS`]) gives the keys.

use crate::{
    dialogue::{self, Keys, Node, NumberExpr, Reading, settings_schema},
    exchange::{Decoding, SETTINGS, Setting, SettingForm, SettingValue},
    plan::{Formula, Planning, Range, StepError, Typing, range},
    prompt::Scope,
    value::{Type, Value},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

/// The keys of the decoding settings: those that were written, in the order of the table.
#[derive(Debug, Clone, PartialEq)]
#[allow(unreachable_pub, reason = "keys that verbs share are private to steps/")]
pub struct DecodingKeys {
    numbers: Vec<(&'static Setting, NumberExpr)>,
    /// The settings that are no numbers, which have no templates.
    fixed: Decoding,
}

impl Keys for DecodingKeys {
    fn keys(_: &'static str) -> Vec<&'static str> {
        SETTINGS.iter().map(|setting| setting.name).collect()
    }

    fn read_from(mapping: &Node, _: &str, what: &str, reading: &mut Reading) -> Option<Self> {
        let mut keys = DecodingKeys { numbers: Vec::new(), fixed: Decoding::default() };
        for setting in SETTINGS {
            let value = match setting.form {
                SettingForm::Number(_) => {
                    let number = reading.field::<Option<NumberExpr>>(mapping, setting.name, what).flatten();
                    keys.numbers.extend(number.map(|number| (setting, number)));
                    continue;
                }
                SettingForm::Texts => dialogue::texts(setting.name, mapping, what, reading),
                SettingForm::Truth => {
                    reading.field::<Option<_>>(mapping, setting.name, what).flatten().map(SettingValue::Truth)
                }
            };
            if let Some(value) = value {
                (setting.set)(&mut keys.fixed, value);
            }
        }
        Some(keys)
    }
}

impl JsonSchema for DecodingKeys {
    fn schema_name() -> Cow<'static, str> {
        "DecodingKeys".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        settings_schema(|setting| match setting.form {
            SettingForm::Number(range) => range::or_template(range.schema()),
            _ => setting.schema(),
        })
    }
}

/// The settings with their templates parsed.
#[derive(Debug)]
pub(super) struct DecodingFormulas {
    numbers: Vec<(&'static Setting, Formula)>,
    fixed: Decoding,
}

impl DecodingKeys {
    /// True if `stop` was written.
    pub(super) fn stops(&self) -> bool {
        !self.fixed.stop.is_empty()
    }

    /// Reads all settings. Reports problems, and returns `None` if a setting cannot be read.
    pub(super) fn plan(&self, planning: &mut Planning<'_>) -> Option<DecodingFormulas> {
        let mut numbers = Vec::new();
        let mut is_whole = true;
        // all settings are read before a bad one ends the reading, so that all problems are reported
        for (setting, written) in &self.numbers {
            if let SettingForm::Number(range) = setting.form {
                range.check(Some(written), setting.name, planning);
            }
            match planning.expr(&written.0) {
                Some(formula) => numbers.push((*setting, formula)),
                None => is_whole = false,
            }
        }
        is_whole.then(|| DecodingFormulas { numbers, fixed: self.fixed.clone() })
    }
}

/// Reads a number that may be absent. Reports problems, and returns `None` if it is present and cannot be read.
pub(super) fn number(
    written: &Option<NumberExpr>,
    what: &str,
    range: Range,
    planning: &mut Planning<'_>,
) -> Option<Option<Formula>> {
    range.check(written.as_ref(), what, planning);
    match written {
        Some(expr) => planning.expr(&expr.0).map(Some),
        None => Some(None),
    }
}

impl DecodingFormulas {
    /// Reports settings that are not numbers.
    pub(super) fn check(&self, typing: &mut Typing<'_>) {
        for (setting, formula) in &self.numbers {
            typing.expect_or_nothing(formula, &[Type::Number], &format!("`{}`", setting.name));
        }
    }

    /// Evaluates the settings in a scope.
    pub(super) fn eval(&self, scope: &Scope) -> Result<Decoding, StepError> {
        let mut decoding = self.fixed.clone();
        for (setting, formula) in &self.numbers {
            let SettingForm::Number(range) = setting.form else { continue };
            match formula.eval(scope)? {
                Value::Nothing => {}
                Value::Number(number) if range.holds(number) => {
                    (setting.set)(&mut decoding, SettingValue::Number(number));
                }
                other => {
                    let (found, name, expected) = (crate::prompt::show(&other), setting.name, range.expected());
                    return Err(StepError(format!("found {found} for `{name}`, expected {expected}")));
                }
            }
        }
        Ok(decoding)
    }
}
