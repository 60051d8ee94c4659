//! Libraries of which one process can get two.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_link::{Bundled, Rule, any_matches};

use crate::bundled::Decision;
use crate::decide::Decider;
use crate::duplicate::{Copy, Duplicate};

/// By group and path: the real soname, and the objects that load the library.
type Groups<'a> = BTreeMap<&'a str, BTreeMap<PathBuf, (String, BTreeSet<PathBuf>)>>;

/// Finds the groups of which more than one library is left.
pub(crate) fn find(decider: &Decider<'_>) -> Vec<Duplicate> {
    let mut groups = Groups::new();
    let removed = decider.removed();
    for (copy, decision) in decider.candidates.iter().zip(&decider.decisions) {
        let Some(group) = copy.rule.and_then(|rule| rule.body.group.as_deref()) else {
            continue;
        };
        let path = match decision {
            Decision::Replace { by, .. } => by.path.clone(),
            Decision::Keep { .. } => copy.object.path.clone(),
            Decision::Drop { .. } => continue,
        };
        let roots = roots(decider, &copy.object.path, &removed);
        add(&mut groups, group, (path, &copy.soname), roots);
    }
    for (library, users) in decider.prover.graph.outside() {
        for (user, soname) in users.iter().filter(|(user, _)| !removed.contains(*user)) {
            let mut rules = decider.request().rules.bundled.iter();
            let of_name = |rule: &&Rule<Bundled>| any_matches(&rule.body.soname, soname);
            let Some(group) = rules
                .find(of_name)
                .and_then(|rule| rule.body.group.as_deref())
            else {
                continue;
            };
            let mut loaders = roots(decider, user, &removed);
            if loaders.is_empty() {
                loaders.insert(user.clone());
            }
            add(&mut groups, group, (library.to_path_buf(), soname), loaders);
        }
    }
    groups
        .into_iter()
        .filter(|(_, libraries)| 1 < libraries.len())
        .map(|(group, libraries)| duplicates(group, libraries))
        .collect()
}

fn add<'a>(
    groups: &mut Groups<'a>,
    group: &'a str,
    (path, soname): (PathBuf, &str),
    roots: BTreeSet<PathBuf>,
) {
    let libraries = groups.entry(group).or_default();
    let new = || (soname.to_owned(), BTreeSet::new());
    let (_, loaders) = libraries.entry(path).or_insert_with(new);
    loaders.extend(roots);
}

/// The objects that load a library, directly or not, and are needed by nothing themselves.
fn roots(decider: &Decider<'_>, library: &Path, removed: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let graph = decider.prover.graph;
    let is_root = |path: &PathBuf| !removed.contains(path) && graph.users(path).next().is_none();
    graph.loaders(library).into_iter().filter(is_root).collect()
}

fn duplicates(group: &str, libraries: BTreeMap<PathBuf, (String, BTreeSet<PathBuf>)>) -> Duplicate {
    let mut counts: BTreeMap<&PathBuf, usize> = BTreeMap::new();
    for (_, loaders) in libraries.values() {
        for loader in loaders {
            *counts.entry(loader).or_default() += 1;
        }
    }
    let both = counts.into_iter().filter(|(_, count)| 1 < *count);
    Duplicate {
        group: group.to_owned(),
        both: both.map(|(path, _)| path.clone()).collect(),
        copies: libraries
            .into_iter()
            .map(|(path, (soname, loaders))| Copy {
                path,
                soname,
                loaders: loaders.into_iter().collect(),
            })
            .collect(),
    }
}
