//! The count: what was found was proved, is left aside with a reason, or is a fault.

use std::path::{Path, PathBuf};

use wheelfix_loader::{Abi, Object, read_table, runs_on};

use crate::fault::untried::{ForeignObject, Untried};
use crate::fault::{Fault, Purpose};
use crate::proof::LeftAside;
use crate::proof::builder::ProofBuilder;
use crate::proof::named::nothing_in;
use crate::proof::simulation::Simulation;
use crate::tree::Tree;
use crate::tree::python_module::{makes_module, module_name};

impl ProofBuilder<'_> {
    /// An object for another machine or system: a fault if it was named, or if Python would import it.
    pub(super) fn foreign(&mut self, simulation: &Simulation<'_>) {
        let object = simulation.object;
        let ours = simulation.process.abi().unwrap_or(object.abi);
        let purpose = if self.options.named.contains(&object.path) {
            Some(Purpose::Named)
        } else {
            imported_as(object, ours).map(Purpose::Imported)
        };
        self.set_apart(&object.path, object.machine(), purpose);
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
        let starts = self.set_static_apart(tree, ours);
        let foreign = std::mem::take(&mut self.foreign);
        let is_aside = |path: &PathBuf| {
            self.unloadable.contains(path)
                || self.left_aside.contains_key(path)
                || foreign.contains_key(path)
        };
        let paths = tree.objects().map(|object| object.path.clone());
        let loadable: Vec<PathBuf> = paths.filter(|path| !is_aside(path)).collect();
        // Where something for this machine fails, that is the fault.
        let are_all = loadable.is_empty() && !starts && self.unloadable.is_empty();
        for (path, machine) in foreign {
            if are_all {
                self.unloadable.insert(path.clone());
                self.faults.push(Fault::Foreign(ForeignObject {
                    path,
                    machine,
                    purpose: Purpose::Only,
                    is_kept: false,
                }));
            } else {
                let reason = format!("is for another machine or system, {machine}");
                self.left_aside.insert(path, reason);
            }
        }
        for skipped in &tree.skipped {
            if !self.unloadable.contains(&skipped.path) {
                let aside = self.left_aside.entry(skipped.path.clone());
                aside.or_insert_with(|| skipped.reason.to_owned());
            }
        }
        let left_aside = std::mem::take(&mut self.left_aside).into_iter();
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
                self.faults.push(Fault::Untried(Untried {
                    path: skipped.path.clone(),
                    reason: skipped.reason.to_owned(),
                    purpose: Purpose::Imported(name.to_owned()),
                    is_kept: false,
                }));
            }
        }
    }

    /// Finds files that were named and cannot be tried.
    fn untried(&mut self, tree: &Tree) {
        // Libraries that sources open are something to prove.
        let opens = tree.sources.iter().any(|source| !source.loads.is_empty());
        let faults = nothing_in(tree, &self.options.named).into_iter();
        for fault in faults.filter(|fault| !(opens && matches!(fault, Fault::Nothing(_)))) {
            if let Fault::Untried(Untried { path, .. }) = &fault
                && tree.skipped.iter().any(|skipped| skipped.path == *path)
            {
                self.unloadable.insert(path.clone());
            }
            self.faults.push(fault);
        }
    }

    /// Sets programs that are linked statically for another machine or system apart: a fault if they
    /// were named.
    ///
    /// Gives whether there are some that the kernel starts.
    fn set_static_apart(&mut self, tree: &Tree, ours: Option<Abi>) -> bool {
        let mut any_starts = false;
        for skipped in &tree.skipped {
            let Some((abi, os_abi)) = skipped.program else {
                continue;
            };
            if runs_on(ours, abi, os_abi) {
                any_starts = true;
            } else if !self.unloadable.contains(&skipped.path) {
                let purpose = self.options.named.contains(&skipped.path);
                let purpose = purpose.then_some(Purpose::Named);
                self.set_apart(&skipped.path, abi.to_string(), purpose);
            }
        }
        any_starts
    }

    /// Adds a file for another machine or system: a fault if somebody wants it.
    fn set_apart(&mut self, path: &Path, machine: String, purpose: Option<Purpose>) {
        match purpose {
            Some(purpose) => {
                self.unloadable.insert(path.to_owned());
                self.faults.push(Fault::Foreign(ForeignObject {
                    path: path.to_owned(),
                    machine,
                    purpose,
                    is_kept: false,
                }));
            }
            None => drop(self.foreign.insert(path.to_owned(), machine)),
        }
    }
}

/// The name by which Python imports an object for another machine, where the file's name and what it
/// defines say so. An object whose symbols cannot be read counts by its name.
pub(super) fn imported_as(object: &Object, ours: Abi) -> Option<String> {
    let name = module_name(&object.path, Some(ours))?;
    let makes = read_table(&object.file).map_or(true, |table| makes_module(&table, name));
    makes.then(|| name.to_owned())
}
