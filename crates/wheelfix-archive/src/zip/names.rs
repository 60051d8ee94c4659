//! The names of the members: each becomes a path, and no two contradict each other.

use crate::fault::printable;
use crate::member_path::{MemberPath, collision_key};
use crate::zip::Member;
use crate::zip::central::{Entry, FLAG_UTF8};
use crate::zip::fault::{Faults, ZipProblem};

/// Makes the name of every entry a path; those that cannot be one are left out and are faults.
pub(crate) fn check(entries: &[Entry<'_>], faults: &mut Faults) -> Vec<MemberPath> {
    let mut paths = Vec::with_capacity(entries.len());
    let mut named = Vec::with_capacity(entries.len());
    for entry in entries {
        match path(entry) {
            Ok(path) => {
                named.push(entry);
                paths.push(path);
            }
            Err(problem) => faults.push(entry.fault(problem)),
        }
    }
    let mut ordered: Vec<_> = paths.iter().zip(named).collect();
    // A stable sort, so that of two equal names the later one is the fault.
    ordered.sort_by_key(|(path, _)| *path);
    for pair in ordered.windows(2) {
        if let [before, after] = pair {
            check_pair(*before, *after, faults);
        }
    }
    paths
}

fn path(entry: &Entry<'_>) -> Result<MemberPath, ZipProblem> {
    // ASCII is the same in the old encoding, so it needs no mark.
    if !entry.name.is_ascii() && entry.flags & FLAG_UTF8 == 0 {
        return Err(ZipProblem::NameUnmarked);
    }
    let name = str::from_utf8(entry.name).map_err(|_| ZipProblem::NameNotUtf8)?;
    let name = name.strip_suffix('/').unwrap_or(name);
    Ok(MemberPath::new(name)?)
}

/// Checks two paths of which nothing is between in the order of paths.
fn check_pair(
    (before_path, before): (&MemberPath, &Entry<'_>),
    (path, entry): (&MemberPath, &Entry<'_>),
    faults: &mut Faults,
) {
    let is_same = before_path == path;
    if is_same && before.is_dir() == entry.is_dir() {
        faults.push(entry.fault(ZipProblem::Duplicate));
        return;
    }
    let is_below = path.is_below(before_path);
    let (file, other) = if before.is_dir() {
        (entry, before)
    } else {
        (before, entry)
    };
    if is_same || (is_below && !before.is_dir()) {
        let below = printable(other.name);
        faults.push(file.fault(ZipProblem::FileIsDirectory { below }));
    }
}

/// Groups of files and of directories that some file systems hold to be the same.
///
/// Of paths in directories that are the same, only the outermost directories are told.
pub(crate) fn collisions<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<Vec<MemberPath>> {
    let mut keyed: Vec<(String, &str)> = Vec::new();
    let mut last_dir = "";
    for member in members {
        let path = member.path.as_str();
        keyed.push((member.path.collision_key(), path));
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        if dir != last_dir {
            let parents = parents(dir).map(|parent| (collision_key(parent), parent));
            keyed.extend(parents);
            last_dir = dir;
        }
    }
    keyed.sort_unstable();
    keyed.dedup();
    let mut groups: Vec<Vec<MemberPath>> = Vec::new();
    let mut told: Option<&str> = None;
    for group in keyed.chunk_by(|(left, _), (right, _)| left == right) {
        let [(key, _), _, ..] = group else { continue };
        let is_below = |told: &str| {
            let rest = key.strip_prefix(told);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        if told.is_some_and(is_below) {
            continue;
        }
        told = Some(key);
        let paths = group
            .iter()
            .filter_map(|(_, path)| MemberPath::new(path).ok());
        groups.push(paths.collect());
    }
    groups
}

/// A directory and all directories that it is in.
fn parents(dir: &str) -> impl Iterator<Item = &str> {
    let whole = (!dir.is_empty()).then_some(dir);
    std::iter::successors(whole, |dir| dir.rsplit_once('/').map(|(parent, _)| parent))
}
