//! The names that a template can use. Copies are cheap: they share the values, and each value is converted for
//! templates once.

use super::convert;
use crate::value::Value;
use indexmap::IndexMap;
use minijinja::value::{Object, Value as Shown};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// The names that a template can use: inputs, steps, and `item`, `index`, `round` inside repetition. A clone shares the
/// values.
#[derive(Clone, Default)]
pub struct Scope {
    names: IndexMap<String, Arc<Bound>>,
}

struct Bound {
    value: Value,
    shown: OnceLock<Shown>,
}

impl Scope {
    /// The value of `name`, if bound.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.names.get(name).map(|bound| &bound.value)
    }
    /// Binds `name`. It hides an earlier value.
    pub fn bind(&mut self, name: &str, value: Value) {
        self.names.insert(name.to_owned(), Arc::new(Bound { value, shown: OnceLock::new() }));
    }
    /// A copy with one more name. It hides an earlier value.
    pub fn with(&self, name: &str, value: Value) -> Scope {
        let mut scope = self.clone();
        scope.bind(name, value);
        scope
    }
    /// A copy with all names of `other`. They hide names of this scope.
    pub fn over(&self, other: &Scope) -> Scope {
        let mut scope = self.clone();
        scope.names.extend(other.names.iter().map(|(name, bound)| (name.clone(), bound.clone())));
        scope
    }
    /// Names and values, in the order of binding.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(|(name, bound)| (name.as_str(), &bound.value))
    }
    /// The scope as a template's context.
    pub(super) fn shown(&self) -> Shown {
        Shown::from_object(Context(self.clone()))
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Scope {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(names: I) -> Scope {
        let mut scope = Scope::default();
        for (name, value) in names {
            scope.bind(&name.into(), value);
        }
        scope
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[derive(Debug)]
struct Context(Scope);

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        let bound = self.0.names.get(key.as_str()?)?;
        Some(bound.shown.get_or_init(|| convert::shown(&bound.value)).clone())
    }
}
