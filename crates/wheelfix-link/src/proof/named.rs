//! Faults of what the user named and that holds nothing to try.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use wheelfix_loader::STATIC;

use crate::fault::untried::{NothingToProve, Untried};
use crate::fault::{Fault, Purpose};
use crate::tree::Tree;

/// The faults of files that were named and cannot be tried, and of directories if there is no ELF file
/// in any.
///
/// `named` are final paths.
pub fn nothing_in(tree: &Tree, named: &[PathBuf]) -> Vec<Fault> {
    let skipped: BTreeMap<&PathBuf, &str> = tree
        .skipped
        .iter()
        .map(|skipped| (&skipped.path, skipped.reason))
        .collect();
    let is_source = |path: &PathBuf| {
        let mut sources = tree.sources.iter();
        sources.any(|source| source.path == *path && !source.loads.is_empty())
    };
    let is_unreadable = |path: &PathBuf| tree.unreadable.iter().any(|file| file.path == *path);
    let (mut faults, mut none) = (Vec::new(), BTreeSet::new());
    for path in named {
        if tree.get(path).is_some() || is_source(path) || is_unreadable(path) {
            continue;
        }
        let untried = |reason: &str| {
            Fault::Untried(Untried {
                path: path.clone(),
                reason: reason.to_owned(),
                purpose: Purpose::Named,
                is_kept: false,
            })
        };
        match skipped.get(path) {
            // It needs nothing, so it lacks nothing.
            Some(&STATIC) => {}
            Some(reason) => faults.push(untried(reason)),
            None if path.is_file() => faults.push(untried("is not an ELF file")),
            None => drop(none.insert(path.clone())),
        }
    }
    let is_empty = tree.is_empty() && skipped.is_empty() && tree.unreadable.is_empty();
    if is_empty && !tree.has_outside() && !none.is_empty() {
        faults.push(Fault::Nothing(NothingToProve { paths: none }));
    }
    faults
}
