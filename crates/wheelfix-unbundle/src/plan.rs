//! The plan of an unbundling: plain data. Printing it is the dry run, serialising it is `--json`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_link::{LinkPlan, Satisfied, Substitutions};

use crate::bundled::{Bundled, Decision, Provider};
use crate::duplicate::Duplicate;
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

    /// The substitutions for the linking.
    pub fn substitutions(&self) -> Substitutions {
        let removed = self.removed.iter().map(|file| file.path.clone());
        Substitutions {
            removed: removed.collect(),
            renames: self.renames.clone(),
        }
    }

    /// The faults of needs that a plan does not lead to the library that was proved.
    pub fn diverted(&self, link_plan: &LinkPlan) -> Vec<UnbundleFault> {
        let mut faults = Vec::new();
        for library in &self.libraries {
            let Decision::Replace { by, .. } = &library.decision else {
                continue;
            };
            for user in &library.users {
                faults.extend(link_plan.object(user).and_then(|object| {
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
