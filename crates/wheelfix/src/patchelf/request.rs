//! From the options of a command line to one request of the editor.

use std::collections::{BTreeMap, BTreeSet};

use wheelfix_elf::{Elf, NeededEdit, Request, RunPathEdit, RunPathKind, RunPathRequest};

use super::arguments::{Edits, RpathEdit, directories};
use super::shrink::{self, ShrinkError};

/// The request for a file.
pub(super) fn request(elf: &Elf, edits: &Edits) -> Result<Request, ShrinkError> {
    Ok(Request {
        run_path: run_path(elf, edits)?,
        needed: needed(edits),
        soname: edits.soname.clone(),
        interpreter: edits.interpreter.clone(),
        no_default_lib: edits.no_default_libraries,
        executable_stack: edits.executable_stack,
        debug_tag: edits.add_debug_tag,
        rename_symbols: edits.rename_symbols.clone(),
        clear_symbol_versions: edits.clear_versions.clone(),
        os_abi: edits.os_abi.map(|abi| abi.0),
        heal: edits.heal,
    })
}

fn run_path(elf: &Elf, edits: &Edits) -> Result<Option<RunPathRequest>, ShrinkError> {
    let old = elf
        .dynamic
        .as_ref()
        .and_then(|dynamic| dynamic.run_path.effective());
    let edit = match &edits.rpath {
        // Without a change of the path, patchelf does nothing about its kind either.
        RpathEdit::Keep => return Ok(None),
        RpathEdit::Remove => RunPathEdit::Remove,
        RpathEdit::Set(path) => RunPathEdit::Set(path.clone()),
        RpathEdit::Add(path) => match added(old.unwrap_or_default(), path) {
            Some(path) => RunPathEdit::Append(path),
            None => RunPathEdit::Keep,
        },
        RpathEdit::Shrink { prefixes } => match shrink::shrink(elf, prefixes)? {
            Some(path) => RunPathEdit::Set(path),
            None => return Ok(None),
        },
    };
    let kind = edits.force_rpath.then_some(RunPathKind::Rpath);
    Ok(Some(RunPathRequest { edit, kind }))
}

/// Those of the directories to add that are not there already.
fn added(old: &str, path: &str) -> Option<String> {
    let old = directories(old);
    let mut new: Vec<String> = Vec::new();
    for dir in directories(path) {
        if !old.contains(&dir) && !new.contains(&dir) {
            new.push(dir);
        }
    }
    (!new.is_empty()).then(|| new.join(":"))
}

/// patchelf removes, then replaces, then adds in front of the others, in alphabetical order.
fn needed(edits: &Edits) -> Vec<NeededEdit> {
    let remove = edits.remove_needed.iter().cloned().map(NeededEdit::Remove);
    let replace = in_sequence(edits.replace_needed.clone());
    // Each is put in front of the one before.
    let add = edits
        .add_needed
        .iter()
        .rev()
        .cloned()
        .map(NeededEdit::Prepend);
    remove.chain(replace).chain(add).collect()
}

/// Replacements one after the other that do what these do at the same time.
fn in_sequence(names: BTreeMap<String, String>) -> Vec<NeededEdit> {
    let mut sequence = Vec::new();
    let mut set_aside = Vec::new();
    let olds: BTreeSet<String> = names.keys().cloned().collect();
    for (from, to) in names.into_iter().filter(|(from, to)| from != to) {
        if olds.contains(&to) {
            // Another replacement looks for the new name: it must not find this one.
            let aside = format!("{from}\u{1}");
            sequence.push(NeededEdit::Replace {
                from,
                to: aside.clone(),
            });
            set_aside.push(NeededEdit::Replace { from: aside, to });
        } else {
            sequence.push(NeededEdit::Replace { from, to });
        }
    }
    sequence.extend(set_aside);
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], want: &str) {
        let names = pairs
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        let sequence = in_sequence(names.collect());
        let texts: Vec<String> = sequence
            .iter()
            .map(|edit| match edit {
                NeededEdit::Replace { from, to } => format!("{from}>{to}"),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(texts.join(" ").replace('\u{1}', "-"), want);
    }

    #[test]
    fn replacements_at_once_become_a_sequence() {
        check(&[("a", "b"), ("c", "d")], "a>b c>d");
        check(&[("a", "a")], "");
        check(&[("a", "b"), ("b", "c")], "a>a- b>c a->b");
        check(&[("a", "b"), ("b", "a")], "a>a- b>b- a->b b->a");
    }
}
