//! The report of a proof, the same for every command that proves: the counts, the warnings, the
//! files that were left aside and the excuses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wheelfix_link::{Excused, LeftAside, LinkPlan, Proof, count, first_of, some_of};

use crate::nixpkgs::is_for_target;
use crate::remedy::named;
use crate::{error, warnings};

/// So many places of calls are told of a package.
const PLACES: usize = 3;

/// The number of objects proved of those found, with those left aside and those not proved.
pub(crate) fn counts(proof: &Proof) -> String {
    let libraries = proof.source_libraries;
    let asked = libraries.found + libraries.missing;
    if proof.found == 0 && asked != 0 {
        let (asked, found) = (count(asked, "call"), libraries.found);
        return format!(
            "no ELF file; {found} of {asked} by which Python code opens libraries find one"
        );
    }
    if proof.found == 0 && !proof.unnamed_loads.is_empty() {
        return "no ELF file; Python code opens libraries that it does not name".to_owned();
    }
    if proof.found == 0 {
        return "no ELF file".to_owned();
    }
    let (proved, found) = (proof.loadable.len(), count(proof.found, "object"));
    let some = |number: usize, what| {
        let text = (number != 0).then(|| format!(", {number} {what}"));
        text.unwrap_or_default()
    };
    let aside = some(proof.left_aside.len(), "left aside");
    let not = some(proof.unloadable.len(), "not");
    format!("{proved} of {found} proved to load{aside}{not}")
}

/// The same for a command that proves if it knows the target.
pub(crate) fn counts_if_proved(proof: Option<&Proof>) -> String {
    proof.map_or_else(|| "not proved: no target is named".to_owned(), counts)
}

/// A line with all that the proof takes for granted; `None` if that is nothing.
pub(crate) fn granted(proof: &Proof) -> Option<String> {
    let assumed = &proof.assumed;
    let mut granted = Vec::new();
    if !assumed.libc.is_empty() {
        let option = named("--interpreter");
        granted.push(format!("the C library (name its loader with {option})"));
    }
    if assumed.python {
        let option = named(if is_for_target() {
            "--target-python"
        } else {
            "--python"
        });
        granted.push(format!("the C API of Python (name it with {option})"));
    }
    if !assumed.driver.is_empty() {
        let names: Vec<&str> = assumed.driver.iter().map(String::as_str).collect();
        granted.push(format!("the driver: {}", names.join(", ")));
    }
    (!granted.is_empty()).then(|| format!("taken for granted: {}", granted.join("; ")))
}

/// How many files that are left aside for one reason are named.
const ASIDE: usize = 5;

/// Prints the files that were left aside, and the excuses.
pub(crate) fn print_notes(proof: &Proof) {
    error::print("note", left_aside(&proof.left_aside));
    error::print("note", proof.excused.iter().map(excused));
}

/// A text for each file that was left aside; one for many with the same reason.
fn left_aside(files: &[LeftAside]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for LeftAside { path, reason } in files {
        let paths = by_reason.entry(reason).or_default();
        paths.push(format!("`{}`", path.display()));
    }
    let mut texts: Vec<String> = by_reason
        .into_iter()
        .flat_map(|(reason, paths)| {
            if ASIDE < paths.len() {
                let some = first_of(&paths, ASIDE);
                return vec![format!("{some} are left aside: each {reason}")];
            }
            let text = |path: String| format!("{path} is left aside: it {reason}");
            paths.into_iter().map(text).collect()
        })
        .collect();
    texts.sort();
    texts
}

/// A text for each package of the calls that open libraries of which nothing is known, with the first places.
fn unnamed(loads: &[(PathBuf, usize)]) -> impl Iterator<Item = String> {
    let mut packages: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    for (path, line) in loads {
        let place = format!("`{}:{line}`", path.display());
        packages.entry(top_of(path)).or_default().push(place);
    }
    packages.into_values().map(|places| {
        let (first, more) = places.split_at(places.len().min(PLACES));
        let first = first.join(", ");
        let more = match more.len() {
            0 => String::new(),
            more => format!(" and {more} more calls"),
        };
        let (open, them) = match places.len() {
            1 => ("opens a library by a name that is", "it"),
            _ => ("open libraries by names that are", "them"),
        };
        format!("{first}{more} {open} not in the source: nothing is known of {them}")
    })
}

/// The package or module of `site-packages` that a source is of; else its directory.
fn top_of(path: &Path) -> &Path {
    let is_site = |directory: &Path| directory.ends_with("site-packages");
    let mut ancestors = path.ancestors();
    let top = ancestors.find(|path| path.parent().is_some_and(is_site));
    top.or_else(|| path.parent()).unwrap_or(path)
}

fn excused(excused: &Excused) -> String {
    let globs: Vec<&str> = excused.globs.iter().map(String::as_str).collect();
    let (kind, name, globs) = (excused.kind, &excused.name, globs.join("`, `"));
    let needed_by = some_of(&excused.needed_by);
    format!("the {kind} `{name}` is missing and excused by `{globs}`; needed by {needed_by}")
}

/// Prints the files that a plan leaves out with what they lack, and the warnings and notes of a proof, or the
/// excuses of the plan without one.
///
/// Of several warnings of a kind only the first lines are printed, unless all is asked for.
pub(crate) fn print(proof: Option<&Proof>, plan: &LinkPlan, all: bool) {
    warnings::print_faults(&plan.warnings, all);
    match proof {
        Some(proof) => {
            warnings::print_faults(&proof.warnings, all);
            error::print("warning", unnamed(&proof.unnamed_loads));
            print_notes(proof);
            if !proof.assumed.libc.is_empty() {
                error::print("note", granted(proof));
            }
        }
        None => error::print("note", plan.excused.iter().map(excused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_that_are_left_aside_for_one_reason_are_one_note() {
        let aside = |count: usize| -> Vec<LeftAside> {
            let files = (0..count).map(|number| LeftAside {
                path: PathBuf::from(format!("x{number}.so")),
                reason: "is old".to_owned(),
            });
            files.collect()
        };
        assert_eq!(left_aside(&aside(1)), ["`x0.so` is left aside: it is old"]);
        assert_eq!(left_aside(&aside(5)).len(), 5);
        let many =
            "`x0.so`, `x1.so`, `x2.so`, `x3.so`, `x4.so` and 2 more are left aside: each is old";
        assert_eq!(left_aside(&aside(7)), [many]);
    }
}
