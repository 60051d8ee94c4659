//! Failures of the prefix of another wheel: its install allowed them, and is the place to mend them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::simulation::LoadFailure;
use crate::site;
use crate::tree::Tree;

/// Libraries and objects by the prefix that lacks the one for the other.
#[derive(Debug, Default)]
pub(super) struct Siblings(BTreeMap<(PathBuf, String), BTreeSet<PathBuf>>);

impl Siblings {
    /// Notes a failure of another prefix; gives back one that is none.
    pub(super) fn take(&mut self, failure: LoadFailure, tree: &Tree) -> Option<LoadFailure> {
        let (path, lacking): (&Path, Vec<String>) = match &failure {
            LoadFailure::Library { name, dependent } => (dependent, vec![name.clone()]),
            LoadFailure::Symbols { path, symbols } => {
                (path, symbols.iter().map(ToString::to_string).collect())
            }
            _ => return Some(failure),
        };
        let is_own = tree.get(path).is_some();
        let Some(prefix) = site::prefix_of(path).filter(|_| !is_own) else {
            return Some(failure);
        };
        for name in lacking {
            let known = self.0.entry((prefix.clone(), name)).or_default();
            known.insert(path.to_path_buf());
        }
        None
    }

    pub(super) fn into_faults(self) -> impl Iterator<Item = Fault> {
        self.0
            .into_iter()
            .map(|((prefix, lacking), needed_by)| Fault::Sibling {
                prefix,
                lacking,
                needed_by,
            })
    }
}
