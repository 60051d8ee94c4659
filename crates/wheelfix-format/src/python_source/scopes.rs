//! Facts about variables, by scopes.

use std::collections::BTreeMap;

/// A map from names for the module and for each function around the code that is read: the last one is that of the
/// innermost function.
#[derive(Debug)]
pub(super) struct Scopes<T> {
    module: BTreeMap<String, T>,
    functions: Vec<BTreeMap<String, T>>,
}

impl<T> Default for Scopes<T> {
    fn default() -> Self {
        Self {
            module: BTreeMap::new(),
            functions: Vec::new(),
        }
    }
}

impl<T> Scopes<T> {
    /// Begins the scope of a function.
    pub(super) fn enter(&mut self) {
        self.functions.push(BTreeMap::new());
    }

    /// Ends it.
    pub(super) fn leave(&mut self) {
        self.functions.pop();
    }

    /// The scope that an assignment is for.
    pub(super) fn innermost(&mut self) -> &mut BTreeMap<String, T> {
        self.functions.last_mut().unwrap_or(&mut self.module)
    }

    /// The value of a name in the innermost scope that has it. A class or function inside sees those around.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let mut scopes = self.functions.iter().rev().chain([&self.module]);
        scopes.find_map(|scope| scope.get(name))
    }
}
