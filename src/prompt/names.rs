//! Namespaces of templates (`{% set ns = namespace(x=1) %}`). Later statements can change them.
//!
//! A namespace can contain itself, and namespaces can refer to each other in a chain of any length. A list therefore
//! records all namespaces of one evaluation, and each is emptied at its end. No memory leaks, and no recursion destroys
//! a chain.

use super::work;
use indexmap::IndexMap;
use minijinja::{
    Error, State,
    value::{Enumerator, Kwargs, Object, Value as Shown},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One namespace.
#[derive(Debug, Default)]
struct Names(Mutex<IndexMap<String, Shown>>);

impl Names {
    fn all(&self) -> MutexGuard<'_, IndexMap<String, Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Shown) -> Option<Shown> {
        self.all().get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.all().keys().map(|name| Shown::from(name.as_str())).collect())
    }
}

/// The namespaces of one evaluation.
#[derive(Default)]
struct Kept(Vec<Arc<Names>>);

impl Drop for Kept {
    fn drop(&mut self) {
        for names in &self.0 {
            let emptied = std::mem::take(&mut *names.all());
            drop(emptied);
        }
    }
}

/// `namespace()`, `namespace(x=1)`, `namespace({'x': 1})`.
pub(super) fn namespace(state: &mut State, first: Option<Shown>, named: Kwargs) -> Result<Shown, Error> {
    let mut names = IndexMap::new();
    if let Some(first) = first {
        for key in first.try_iter()? {
            let value = first.get_item(&key)?;
            work::made(state, &value)?;
            let name =
                key.as_str().ok_or_else(|| work::wrong("a namespace's attribute must have a text as its name"))?;
            names.insert(name.to_owned(), value);
        }
    }
    for name in named.args() {
        let value: Shown = named.peek(name)?;
        work::made(state, &value)?;
        names.insert(name.to_owned(), value);
    }
    named.assert_all_used().ok();
    let names = Arc::new(Names(Mutex::new(names)));
    state.get_or_insert_extension_with(Kept::default).0.push(names.clone());
    Ok(Shown::from_dyn_object(names))
}

/// `{% set ns.name = value %}`.
pub(super) fn assign(state: &mut State, target: &Shown, name: &str, value: Shown) -> Result<(), Error> {
    work::made(state, &value)?;
    let Some(names) = target.downcast_object_ref::<Names>() else {
        return Err(work::wrong(format!("`{name}` is set on {}, expected a namespace", target.kind())));
    };
    let before = names.all().insert(name.to_owned(), value);
    drop(before);
    Ok(())
}
