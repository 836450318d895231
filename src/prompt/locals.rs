//! The names that a template binds itself (loops, `set`, `with`, macros). A later one hides an earlier one.

use std::collections::HashMap;

/// Names with one value each. A look-up takes constant time, because a template can bind thousands.
#[derive(Debug)]
pub(super) struct Locals<T> {
    /// The names, in the order of binding.
    order: Vec<String>,
    bound: HashMap<String, Vec<T>>,
}

impl<T> Locals<T> {
    /// Without names.
    pub(super) fn new() -> Locals<T> {
        Locals { order: Vec::new(), bound: HashMap::new() }
    }

    /// Binds a name. It hides an earlier one.
    pub(super) fn push(&mut self, name: &str, about: T) {
        self.order.push(name.to_owned());
        self.bound.entry(name.to_owned()).or_default().push(about);
    }

    /// The latest value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.bound.get(name)?.last()
    }

    /// The number of bound names.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Removes all but the first `len` names.
    pub(super) fn truncate(&mut self, len: usize) {
        for name in self.order.split_off(len.min(self.order.len())) {
            if let Some(hidden) = self.bound.get_mut(&name) {
                hidden.pop();
            }
        }
    }
}
