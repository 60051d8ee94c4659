//! The count: what was found was proved, is left aside with a reason, or is a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::abi::Abi;
use crate::fault::{Fault, Purpose};
use crate::object::Object;
use crate::proof::LeftAside;
use crate::python_module::{makes_module, module_name};
use crate::read::STATIC;
use crate::symbols::read_table;
use crate::tree::Tree;
use crate::trial::Trial;
use crate::verdict::Verdict;

impl Verdict<'_> {
    /// An object for another machine or system: a fault if it was named, or if Python would import it.
    pub(super) fn foreign(&mut self, trial: &Trial<'_>) {
        let object = trial.object;
        let (path, machine) = (object.path.clone(), object.abi.to_string());
        let ours = trial.process.abi().unwrap_or(object.abi);
        let purpose = if self.options.named.contains(&path) {
            Some(Purpose::Named)
        } else {
            imported_as(object, ours).map(Purpose::Imported)
        };
        match purpose {
            Some(purpose) => {
                self.unloadable.insert(path.clone());
                self.faults.push(Fault::Foreign {
                    path,
                    machine,
                    purpose,
                });
            }
            None => drop(self.foreign.insert(path, machine)),
        }
    }

    /// Lists what loads, and what is left aside: everything that was found and does not fail is
    /// either.
    ///
    /// `ours` is the ABI of the process that imports them; `None` if it is not known.
    pub(super) fn count(
        &mut self,
        tree: &Tree,
        ours: Option<Abi>,
    ) -> (Vec<PathBuf>, Vec<LeftAside>) {
        self.untried(tree);
        self.strays(tree, ours);
        let foreign = std::mem::take(&mut self.foreign);
        let is_aside = |path: &PathBuf| {
            self.unloadable.contains(path)
                || self.left_aside.contains_key(path)
                || foreign.contains_key(path)
        };
        let paths = tree.objects().map(|object| object.path.clone());
        let loadable: Vec<PathBuf> = paths.filter(|path| !is_aside(path)).collect();
        for (path, machine) in foreign {
            if loadable.is_empty() {
                self.unloadable.insert(path.clone());
                self.faults.push(Fault::Foreign {
                    path,
                    machine,
                    purpose: Purpose::Only,
                });
            } else {
                let reason = format!("is for another machine or system, {machine}");
                self.left_aside.insert(path, reason);
            }
        }
        let skipped = tree.skipped.iter();
        let skipped = skipped.filter(|skipped| !self.unloadable.contains(&skipped.path));
        let skipped = skipped.map(|skipped| (skipped.path.clone(), skipped.reason.to_owned()));
        let mut left_aside = self.left_aside.clone();
        left_aside.extend(skipped);
        let left_aside = left_aside.into_iter();
        let left_aside = left_aside.map(|(path, reason)| LeftAside { path, reason });
        (loadable, left_aside.collect())
    }

    /// Finds files that Python imports and that cannot be tried.
    fn strays(&mut self, tree: &Tree, ours: Option<Abi>) {
        for skipped in &tree.skipped {
            let name = module_name(&skipped.path, ours).filter(|_| skipped.is_imported);
            if let Some(name) = name
                && self.unloadable.insert(skipped.path.clone())
            {
                self.faults.push(Fault::Untried {
                    path: skipped.path.clone(),
                    reason: skipped.reason.to_owned(),
                    purpose: Purpose::Imported(name.to_owned()),
                });
            }
        }
    }

    /// Finds files that were named and cannot be tried.
    fn untried(&mut self, tree: &Tree) {
        let skipped: BTreeMap<&PathBuf, &str> = tree
            .skipped
            .iter()
            .map(|skipped| (&skipped.path, skipped.reason))
            .collect();
        let is_source = |path: &PathBuf| {
            let mut sources = tree.sources.iter();
            sources.any(|source| source.path == *path && !source.loads.is_empty())
        };
        let mut none = BTreeSet::new();
        for path in &self.options.named {
            if tree.get(path).is_some() || is_source(path) {
                continue;
            }
            if tree.unreadable.iter().any(|file| file.path == *path) {
                continue;
            }
            match skipped.get(path) {
                Some(&STATIC) => {}
                Some(reason) => {
                    self.unloadable.insert(path.clone());
                    self.faults.push(Fault::Untried {
                        path: path.clone(),
                        reason: (*reason).to_owned(),
                        purpose: Purpose::Named,
                    });
                }
                None if path.is_file() => self.faults.push(Fault::Untried {
                    path: path.clone(),
                    reason: "is not an ELF file".to_owned(),
                    purpose: Purpose::Named,
                }),
                None => drop(none.insert(path.clone())),
            }
        }
        let is_empty = tree.is_empty() && skipped.is_empty() && tree.unreadable.is_empty();
        if is_empty && !none.is_empty() {
            self.faults.push(Fault::Nothing { paths: none });
        }
    }
}

/// The name by which Python imports an object for another machine, where the file's name and what it
/// defines say so. An object whose symbols cannot be read counts by its name.
fn imported_as(object: &Object, ours: Abi) -> Option<String> {
    let name = module_name(&object.path, Some(ours))?;
    let makes = read_table(&object.file).map_or(true, |table| makes_module(&table, name));
    makes.then(|| name.to_owned())
}
