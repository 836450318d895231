//! Names that a template binds itself, the latest first: loops, `set`, `with`, macros.

use std::collections::HashMap;

/// Names with something about each; looked up in constant time, since a template may bind thousands.
#[derive(Debug)]
pub(super) struct Locals<T> {
    /// In the order they were bound.
    order: Vec<String>,
    bound: HashMap<String, Vec<T>>,
}

impl<T> Locals<T> {
    /// None.
    pub(super) fn new() -> Locals<T> {
        Locals { order: Vec::new(), bound: HashMap::new() }
    }

    /// Binds one more, which hides an earlier one of that name.
    pub(super) fn push(&mut self, name: &str, about: T) {
        self.order.push(name.to_owned());
        self.bound.entry(name.to_owned()).or_default().push(about);
    }

    /// The latest of this name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.bound.get(name)?.last()
    }

    /// The number of bound names.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Forgets all but the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        for name in self.order.split_off(len.min(self.order.len())) {
            if let Some(hidden) = self.bound.get_mut(&name) {
                hidden.pop();
            }
        }
    }
}
