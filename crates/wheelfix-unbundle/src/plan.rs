//! The plan of an unbundling: plain data. Printing it is the dry run, serialising it is `--json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_link::{LinkPlan, Object, Satisfied, Tree};

use crate::bundled::{Bundled, Decision, Provider};
use crate::duplicates::Duplicate;
use crate::fault::{BREAK, UnbundleFault};

/// The decisions about the bundled libraries of a tree, and their consequences.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UnbundlePlan {
    /// The libraries, by path.
    pub libraries: Vec<Bundled>,
    /// Libraries of which one process can get two, by group.
    #[serde(rename = "twice")]
    pub duplicates: Vec<Duplicate>,
    /// New names of needs, by the final path of who needs: old name, new name.
    pub renames: BTreeMap<PathBuf, Vec<(String, String)>>,
    /// Files that go: the libraries and the links to them.
    pub removed: Vec<Removed>,
    /// Options that cannot be met. Nothing may be written unless this is empty.
    pub faults: Vec<UnbundleFault>,
}

/// A file that goes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Removed {
    /// Its final path.
    pub path: PathBuf,
    /// Where it lies now.
    #[serde(skip)]
    pub file: PathBuf,
}

impl UnbundlePlan {
    /// Whether it can be carried out.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The length of all files that go, in bytes.
    pub fn bytes_saved(&self) -> u64 {
        let going = self.libraries.iter().filter(|library| library.goes());
        going.map(|library| library.len).sum()
    }

    /// The tree as it will be: without what goes, its users with their new needs.
    pub fn with_substitutions(&self, tree: &Tree) -> Tree {
        let removed: BTreeSet<PathBuf> =
            self.removed.iter().map(|file| file.path.clone()).collect();
        tree.revised(&removed, |object| self.rename(object))
    }

    fn rename(&self, object: &mut Object) {
        let Some(renames) = self.renames.get(&object.path) else {
            return;
        };
        for (old, new) in renames {
            for name in object.needed.iter_mut().filter(|name| *name == old) {
                name.clone_from(new);
            }
            for need in object
                .version_needs
                .iter_mut()
                .filter(|need| need.file == *old)
            {
                need.file.clone_from(new);
            }
        }
    }

    /// Puts the new needs into the plan that was made for the revised tree, and checks that each leads
    /// to the library that was proved.
    pub fn merge_into(&mut self, link_options: &mut LinkPlan) {
        for object in &mut link_options.objects {
            if let Some(renames) = self.renames.get(&object.path) {
                object.edit.rename_needed = compose(renames, &object.edit.rename_needed);
            }
        }
        let diverted = self.diverted(link_options);
        self.faults.extend(diverted);
    }

    fn diverted(&self, link_options: &LinkPlan) -> Vec<UnbundleFault> {
        let mut faults = Vec::new();
        for library in &self.libraries {
            let Decision::Replace { by, .. } = &library.decision else {
                continue;
            };
            for user in &library.users {
                faults.extend(link_options.object(user).and_then(|object| {
                    let need = object.needed.iter().find(|need| need.soname == by.name)?;
                    diversion(user, by, &need.by)
                }));
            }
        }
        faults
    }

    /// The libraries that stand in for others, each with the copies that it replaces.
    pub fn providers(&self) -> BTreeMap<&Path, (&Provider, Vec<&Bundled>)> {
        let mut providers: BTreeMap<&Path, (&Provider, Vec<&Bundled>)> = BTreeMap::new();
        for library in &self.libraries {
            if let Decision::Replace { by, .. } = &library.decision {
                let (_, copies) = providers
                    .entry(&by.path)
                    .or_insert_with(|| (by, Vec::new()));
                copies.push(library);
            }
        }
        providers
    }
}

fn diversion(user: &Path, by: &Provider, got: &Satisfied) -> Option<UnbundleFault> {
    let path = match got {
        Satisfied::Library { path, .. } | Satisfied::Output { path } => Some(path.clone()),
        // A library that is nowhere is a fault of the relocation.
        Satisfied::Missing => return None,
        _ => None,
    };
    (path.as_ref() != Some(&by.path)).then(|| UnbundleFault::Diverted {
        user: user.to_path_buf(),
        soname: by.name.clone(),
        expected: by.path.clone(),
        got: path,
    })
}

/// First `first`, then `second`, as one list of renames of the names that are in the file.
fn compose(first: &[(String, String)], second: &[(String, String)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (old, new) in first {
        let last = second
            .iter()
            .find(|(from, _)| from == new)
            .map_or(new, |(_, to)| to);
        all.push((old.clone(), last.clone()));
    }
    for (from, to) in second {
        if first.iter().all(|(_, new)| new != from) {
            all.push((from.clone(), to.clone()));
        }
    }
    all
}

impl fmt::Display for UnbundlePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for library in &self.libraries {
            write!(
                f,
                "{} {} ({}): {}{BREAK}",
                library.decision.word(),
                library.path.display(),
                library.soname,
                library.decision.reason()
            )?;
        }
        for duplicate in &self.duplicates {
            write!(f, "{duplicate}{BREAK}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_follow_each_other() {
        let list = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
                .collect()
        };
        let first = list(&[("a-1", "a"), ("b-1", "b")]);
        let second = list(&[("a", "a.2"), ("c", "c.2")]);
        assert_eq!(
            compose(&first, &second),
            list(&[("a-1", "a.2"), ("b-1", "b"), ("c", "c.2")])
        );
    }
}
