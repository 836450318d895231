//! The inputs of a run, checked against the dialogue's declarations. Every run starts here.

use super::{DeclaredInput, Plan, closest};
use crate::{
    error::Fault,
    prompt::Scope,
    value::{Type, Value},
};
use indexmap::IndexMap;
use std::fmt;

/// A value of the right type for every declared input. Only [`Plan::bind`] makes one, so that a run need not check
/// again.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs(IndexMap<String, Value>);

impl Inputs {
    /// The values by name, in the order of the declaration.
    pub fn values(&self) -> &IndexMap<String, Value> {
        &self.0
    }

    /// The scope at the start of a run.
    pub fn scope(&self) -> Scope {
        let mut scope = Scope::default();
        self.0.iter().for_each(|(name, value)| scope.bind(name, value.clone()));
        scope
    }
}

/// One mistake in the given inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Misfit {
    /// An input without a default and without a given value.
    Missing {
        /// The input.
        name: String,
        /// Its type.
        expected: Type,
    },
    /// A name that the dialogue does not declare.
    Unknown {
        /// The given name.
        name: String,
        /// The dialogue's name.
        dialogue: String,
        /// The most likely intended name, or all names.
        hint: String,
    },
    /// A value of another type.
    WrongType {
        /// The input.
        name: String,
        /// The type of the given value.
        found: Type,
        /// The input's type.
        expected: Type,
    },
    /// A value that a step cannot use.
    Broken {
        /// The input.
        name: String,
        /// The finding and the expectation.
        why: String,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Missing { name, .. } => write!(f, "the input `{name}` is missing"),
            Misfit::Unknown { name, dialogue, .. } => write!(f, "{dialogue} does not declare an input `{name}`"),
            Misfit::WrongType { name, found, expected } => {
                write!(f, "the input `{name}`: found {found}, expected {expected}")
            }
            Misfit::Broken { name, why } => write!(f, "the input `{name}`: {why}"),
        }
    }
}

/// All mistakes in one line. Missing inputs are listed together.
impl From<Vec<Misfit>> for Fault {
    fn from(all: Vec<Misfit>) -> Fault {
        let missing = |misfit: &Misfit| match misfit {
            Misfit::Missing { name, .. } => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = all.iter().filter_map(missing).collect();
        let mut lines: Vec<String> =
            all.iter().filter(|misfit| missing(misfit).is_none()).map(Misfit::to_string).collect();
        match names.as_slice() {
            [] => {}
            [name] => lines.push(format!("the input `{name}` is missing")),
            names => lines.push(format!("the inputs {} are missing", names.join(", "))),
        }
        let fault = Fault::refused(lines.join("; "));
        let unknown = all.iter().find_map(|misfit| match misfit {
            Misfit::Unknown { hint, .. } => Some(hint.clone()),
            _ => None,
        });
        let give = || names.iter().map(|name| format!("-i {name}=…")).collect::<Vec<_>>().join(" ");
        match unknown.or_else(|| (!names.is_empty()).then(give)) {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

impl Plan {
    /// The inputs of a run with defaults filled in. Fails with every mistake.
    pub fn bind(&self, given: IndexMap<String, Value>) -> Result<Inputs, Vec<Misfit>> {
        bind(&self.name, &self.inputs, given)
    }
}

/// Like [`Plan::bind`], for a dialogue that is called.
pub(crate) fn bind(
    dialogue: &str,
    declared: &IndexMap<String, DeclaredInput>,
    mut given: IndexMap<String, Value>,
) -> Result<Inputs, Vec<Misfit>> {
    let (mut values, mut misfits) = (IndexMap::new(), Vec::new());
    for (name, input) in declared {
        let (name, expected) = (name.clone(), input.ty.clone());
        match given.shift_remove(&name).or_else(|| input.default.clone()) {
            None => misfits.push(Misfit::Missing { name, expected }),
            Some(value) if !expected.accepts(&value.ty()) => {
                misfits.push(Misfit::WrongType { name, found: value.ty(), expected });
            }
            Some(value) => match input.rules.iter().find_map(|rule| rule.broken(&value)) {
                Some(why) => misfits.push(Misfit::Broken { name, why }),
                None => drop(values.insert(name, value)),
            },
        }
    }
    for name in given.into_keys() {
        misfits.push(unknown(dialogue, declared, name));
    }
    if misfits.is_empty() { Ok(Inputs(values)) } else { Err(misfits) }
}

/// The mistake for a name that the dialogue does not declare.
pub(crate) fn unknown(dialogue: &str, declared: &IndexMap<String, DeclaredInput>, name: String) -> Misfit {
    let hint = closest(&name, declared.keys().map(String::as_str)).unwrap_or_else(|| {
        let names = declared.keys().cloned().collect::<Vec<_>>().join(", ");
        format!("the inputs of {dialogue}: {names}")
    });
    Misfit::Unknown { name, dialogue: dialogue.to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{Range, Rule},
        value::{Media, Time, TimeBase},
    };
    use std::sync::Arc;

    fn declared() -> IndexMap<String, DeclaredInput> {
        let input = |ty: &str, default: Option<Value>, rules: Vec<Rule>| DeclaredInput {
            ty: ty.parse().expect("a type"),
            default,
            about: None,
            rules,
        };
        let whole = Rule { input: "n".into(), key: "n".into(), range: Range::WholeFrom(1) };
        IndexMap::from([
            ("video".to_owned(), input("video", None, vec![])),
            ("question".to_owned(), input("text", None, vec![])),
            ("n".to_owned(), input("number", Some(Value::Number(2.0)), vec![whole])),
        ])
    }

    fn check(given: &[(&str, Value)], expected: Result<&[&str], &str>) {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        match bind("demo", &declared(), given) {
            Ok(inputs) => {
                let names: Vec<&str> = inputs.values().keys().map(String::as_str).collect();
                assert_eq!(Ok(names.as_slice()), expected);
            }
            Err(misfits) => {
                let fault = Fault::from(misfits);
                let line = format!("{fault} | {}", fault.hint.as_deref().unwrap_or_default());
                assert_eq!(Err(line.as_str()), expected);
            }
        }
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let text = |text: &str| Value::Text(text.into());
        check(&[], Err("the inputs video, question are missing | -i video=… -i question=…"));
        check(
            &[("video", text("day.mp4")), ("quesion", text("why?")), ("n", Value::Number(0.5))],
            Err(
                "the input `video`: found text, expected video; the input `n`: found 0.5, expected a whole number, 1 or more \
                 (it is the `n` of a step); demo does not declare an input `quesion`; the input `question` is missing | did you mean `question`?",
            ),
        );
        check(&[("question", text("why?")), ("video", video())], Ok(&["video", "question", "n"]));
        check(
            &[("zzz", text("x"))],
            Err(
                "demo does not declare an input `zzz`; the inputs video, question are missing | the inputs of demo: video, question, n",
            ),
        );
    }

    fn video() -> Value {
        let time = |ticks| Time { ticks, base: TimeBase { num: 1, den: 10 } };
        Value::Video(Arc::new(Media { has_audio: false, ..Media::new("day.mp4", "0", time(0), time(10)) }))
    }
}
