//! How sure an answer is: the share of right answers among those of a measurement that rest on the same and are supported as well.
//!
//! `elenchus eval … --calibrate` measures a cast and writes `calibrations/CAST.json`. An answer that is a record with a `basis` then gets a `confidence`.

use crate::{dialogue::Resource, error::Fault, hub::Catalogue, value::Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The maximum number of bases and of steps in a file.
const MOST: usize = 1000;

/// The beginning of the name of a calibration among the texts of a plan. It changes no answer, so no digest of a plan holds it.
pub const SOURCE: &str = "calibration/";

/// A measurement of how often answers are right.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What was measured, for people.
    #[serde(default)]
    pub about: String,
    /// For each basis (`computed`, `read`, …), its steps by growing support.
    pub bases: BTreeMap<String, Vec<ConfidenceStep>>,
}

/// Answers with at least this support, and less than that of the next step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceStep {
    /// The least support, 0 to 1; 0 for answers that state none.
    pub from: f64,
    /// The share of right answers, 0 to 1.
    pub confidence: f64,
    /// The number of answers in the measurement.
    pub answers: usize,
}

impl Calibration {
    /// The calibration of a cast, if there is one. Fails if its file cannot be used.
    pub fn find(catalogue: &Catalogue, cast: &str) -> Result<Option<Calibration>, Fault> {
        let found = catalogue.find(Resource::Calibration, cast).map_err(Fault::refused)?;
        found
            .map(|found| Calibration::read(&found.text).map_err(|why| Fault::refused(format!("{}: {why}", found.file))))
            .transpose()
    }

    /// The calibration that a transcript carries.
    pub fn recorded(sources: &indexmap::IndexMap<String, String>) -> Option<Calibration> {
        let (_, text) = sources.iter().find(|(name, _)| name.starts_with(SOURCE))?;
        Calibration::read(text).ok()
    }

    /// Its text, as a file has it.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The calibration in a file's text. Fails for other JSON, and for shares outside of 0 to 1.
    pub fn read(text: &str) -> Result<Calibration, String> {
        let read: Calibration = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let steps = || read.bases.values().flatten();
        if read.bases.len() > MOST || steps().count() > MOST {
            return Err(format!("found more than {MOST} steps"));
        }
        let is_share = |number: f64| (0.0..=1.0).contains(&number);
        match steps().find(|step| !is_share(step.from) || !is_share(step.confidence)) {
            Some(step) => Err(format!("found {} and {}, expected shares from 0 to 1", step.from, step.confidence)),
            None => Ok(read),
        }
    }

    /// The confidence of an answer with this basis and support.
    pub fn confidence(&self, basis: &str, support: f64) -> Option<f64> {
        let steps = self.bases.get(basis)?;
        let fits = steps.iter().rfind(|step| step.from <= support).or(steps.first())?;
        Some(fits.confidence)
    }

    /// The answer with its confidence, if it is a record with a `basis` that was measured.
    pub fn applied(&self, answer: Value) -> Value {
        let Value::Record(mut fields) = answer else { return answer };
        let (basis, support) = of(&fields);
        if let Some(confidence) = basis.and_then(|basis| self.confidence(&basis, support)) {
            fields.insert("confidence".to_owned(), Value::Number(confidence));
        }
        Value::Record(fields)
    }
}

/// What an answer rests on, and how well it is supported; 0 without a statement.
pub fn of(fields: &indexmap::IndexMap<String, Value>) -> (Option<String>, f64) {
    let basis = match fields.get("basis") {
        Some(Value::Text(basis)) => Some(basis.clone()),
        _ => None,
    };
    let support = match fields.get("support") {
        Some(Value::Number(support)) if support.is_finite() => *support,
        _ => 0.0,
    };
    (basis, support)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_gets_the_share_of_its_step() {
        let text = r#"{"bases": {"read": [{"from": 0, "confidence": 0.6, "answers": 10}, {"from": 0.8, "confidence": 0.9, "answers": 20}]}}"#;
        let read = Calibration::read(text).expect("a calibration");
        assert_eq!(read.confidence("read", 0.5), Some(0.6));
        assert_eq!(read.confidence("read", 0.8), Some(0.9));
        assert_eq!(read.confidence("computed", 1.0), None);
        let answer = |basis: &str| {
            Value::Record(
                [("basis".to_owned(), Value::Text(basis.into())), ("support".to_owned(), Value::Number(0.85))].into(),
            )
        };
        let Value::Record(fields) = read.applied(answer("read")) else { panic!("a record") };
        assert_eq!(fields.get("confidence"), Some(&Value::Number(0.9)));
        assert_eq!(read.applied(answer("computed")), answer("computed"));
        assert_eq!(read.applied(Value::Text("x".into())), Value::Text("x".into()));
    }

    #[test]
    fn a_file_that_is_no_calibration_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"bases": {"read": [{"from": 0, "confidence": 7, "answers": 1}]}}"#,
            r#"{"bases": {}, "more": 1}"#,
        ] {
            assert!(Calibration::read(text).is_err(), "{text}");
        }
    }
}
