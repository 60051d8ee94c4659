//! Failures of the prefix of another wheel: its install allowed them, and is the place to mend them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::excuse::Excuses;
use crate::fault::Fault;
use crate::fault::left_out::IncompleteSibling;
use crate::proof::simulation::LoadFailure;
use crate::tree::{Tree, site};

/// Failures of other prefixes that their installs allowed.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    /// Objects by the prefix that lacks something for them, and by what it lacks.
    lacking: BTreeMap<(PathBuf, String), BTreeSet<PathBuf>>,
    /// The excuses of the installs, by prefix.
    excuses: BTreeMap<PathBuf, Excuses>,
}

impl Siblings {
    /// Notes a failure that the install of another prefix allowed; gives back every other.
    pub(super) fn take(&mut self, failure: LoadFailure, tree: &Tree) -> Option<LoadFailure> {
        let (LoadFailure::Library {
            dependent: path, ..
        }
        | LoadFailure::Symbols { path, .. }) = &failure
        else {
            return Some(failure);
        };
        let is_own = tree.get(path).is_some();
        let Some(prefix) = site::prefix_of(path).filter(|_| !is_own) else {
            return Some(failure);
        };
        let excuses = self.excuses.entry(prefix.clone());
        let excuses = excuses.or_insert_with_key(|prefix| site::excuses_of(prefix));
        let lacking: Option<Vec<String>> = match &failure {
            LoadFailure::Library { name, .. } => {
                excuses.of_library(&[name]).map(|_| vec![name.clone()])
            }
            LoadFailure::Symbols { symbols, .. } => {
                let each = symbols.iter().map(|symbol| {
                    let glob = excuses.of_symbol(&String::from_utf8_lossy(&symbol.name));
                    glob.map(|_| symbol.to_string())
                });
                each.collect()
            }
            _ => None,
        };
        let Some(lacking) = lacking else {
            return Some(failure);
        };
        for name in lacking {
            let known = self.lacking.entry((prefix.clone(), name)).or_default();
            known.insert(path.clone());
        }
        None
    }

    pub(super) fn into_faults(self) -> impl Iterator<Item = Fault> {
        self.lacking
            .into_iter()
            .map(|((prefix, lacking), needed_by)| {
                Fault::Sibling(IncompleteSibling {
                    prefix,
                    lacking,
                    needed_by,
                })
            })
    }
}
