//! The comparison.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use rayon::prelude::*;

use crate::bytes::{same_bytes, sha256};
use crate::comparison::{Changed, Comparison, Difference};
use crate::listing::{Entry, EntryKind, Listing};
use crate::{elf, record, text};

/// The two forms of one entry.
enum Pair {
    OnlyInA(Entry),
    OnlyInB(Entry),
    Equal,
    Changed(Changed),
}

/// Compares two listings; files are read on the threads of the pool of the caller.
pub fn compare(a: &Listing, b: &Listing) -> io::Result<Comparison> {
    let paths: BTreeSet<&Path> = a.paths().chain(b.paths()).collect();
    let paths: Vec<&Path> = paths.into_iter().collect();
    let pairs = paths.into_par_iter().map(|path| pair(path, a, b));
    let pairs = pairs.collect::<io::Result<Vec<Pair>>>()?;
    let mut comparison = Comparison::default();
    for pair in pairs {
        match pair {
            Pair::OnlyInA(entry) => comparison.only_in_a.push(entry),
            Pair::OnlyInB(entry) => comparison.only_in_b.push(entry),
            Pair::Equal => comparison.equal += 1,
            Pair::Changed(changed) => comparison.changed.push(changed),
        }
    }
    Ok(comparison)
}

fn pair(path: &Path, a: &Listing, b: &Listing) -> io::Result<Pair> {
    let entry = |on_disk: &Path| -> io::Result<Entry> {
        let kind = EntryKind::read(on_disk)?;
        let path = path.to_owned();
        Ok(Entry { path, kind })
    };
    Ok(match (a.get(path), b.get(path)) {
        (Some(a), Some(b)) => {
            let differences = differences(path, a, b)?;
            let path = path.to_owned();
            if differences.is_empty() {
                Pair::Equal
            } else {
                Pair::Changed(Changed { path, differences })
            }
        }
        (Some(a), None) => Pair::OnlyInA(entry(a)?),
        (None, Some(b)) => Pair::OnlyInB(entry(b)?),
        (None, None) => Pair::Equal,
    })
}

fn differences(path: &Path, a: &Path, b: &Path) -> io::Result<Vec<Difference>> {
    let octal = |mode: u32| Some(format!("{mode:04o}"));
    let found = match (EntryKind::read(a)?, EntryKind::read(b)?) {
        (
            EntryKind::File { size, mode },
            EntryKind::File {
                size: other,
                mode: other_mode,
            },
        ) => {
            let mode = Difference::of_values("mode", octal(mode), octal(other_mode));
            let size_difference = Difference::of_values("size", Some(size), Some(other));
            let mut found: Vec<_> = mode.into_iter().chain(size_difference).collect();
            if !same_bytes(a, b)? {
                found.extend(of_contents(path, a, b)?);
            }
            found
        }
        (EntryKind::Symlink { target: a }, EntryKind::Symlink { target: b }) => {
            let text = |target: &Path| Some(target.to_string_lossy().into_owned());
            Difference::of_values("target", text(&a), text(&b))
                .into_iter()
                .collect()
        }
        (a, b) => {
            let kinds = (Some(a.to_string()), Some(b.to_string()));
            Difference::of_values("kind", kinds.0, kinds.1)
                .into_iter()
                .collect()
        }
    };
    Ok(found)
}

/// How two files differ that hold other bytes: by their format, if both are of one that is known, and by
/// their hashes.
fn of_contents(path: &Path, a: &Path, b: &Path) -> io::Result<Vec<Difference>> {
    let content = Difference::of_values("content", Some(sha256(a)?), Some(sha256(b)?));
    let mut found: Vec<Difference> = content.into_iter().collect();
    if let Some(facts) = elf::differences(a, b)? {
        found.extend(facts);
    } else if let Some((a, b)) = text::read(a)?.zip(text::read(b)?) {
        let is_record = path.ends_with("RECORD");
        let rows = if is_record {
            record::differences(&a, &b)
        } else {
            None
        };
        found.extend(rows.unwrap_or_else(|| text::differences(&a, &b)));
    }
    Ok(found)
}
