//! Warnings: of many of a kind the first lines are printed, unless all is asked for.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::mem::discriminant;

use wheelfix_install::{InstallWarning, InstalledWheel};
use wheelfix_link::{Candidate, Fault, Remedy};
use wheelfix_wheel::WheelWarning;

use crate::error;
use crate::message::{BREAK, escaped};
use crate::next_step::{self, is_evaluated};
use crate::remedy::{self, Mendable, advised};

/// So many warnings of a kind are printed whole, whoever reads them.
const FEW: usize = 2;

/// So many warnings of a kind are printed by their first lines.
const MANY: usize = 10;

/// The beginning of the line that names files which are left out.
const LEFT_OUT: &str = "  left out: ";

/// Prints warnings, those of a kind together.
pub(crate) fn print<T: Mendable, K: PartialEq>(
    warnings: impl IntoIterator<Item = T>,
    kind: impl Fn(&T) -> K,
    all: bool,
) {
    let mut kinds: Vec<(K, Vec<T>)> = Vec::new();
    for warning in warnings {
        let kind = kind(&warning);
        match kinds.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, same)) => same.push(warning),
            None => kinds.push((kind, vec![warning])),
        }
    }
    for (_, same) in kinds {
        if all || same.len() <= FEW {
            error::print("warning", same.into_iter().map(advised));
        } else {
            error::print("warning", [first_lines(&same)]);
        }
    }
}

/// Prints warnings of a plan or a proof.
pub(crate) fn print_faults(warnings: &[Fault], all: bool) {
    print(warnings, |warning| warning.kind(), all);
}

/// Prints warnings about a request and its files.
pub(crate) fn print_of_request(warnings: &[InstallWarning], all: bool) {
    let kind = |warning: &&InstallWarning| {
        let of_elf = match warning {
            InstallWarning::Elf { warning, .. } => Some(discriminant(warning)),
            _ => None,
        };
        let of_wheel = match warning {
            InstallWarning::Wheel(warning) => Some(kind_of_wheel(warning)),
            _ => None,
        };
        (discriminant(*warning), of_elf, of_wheel)
    };
    print(warnings, kind, all);
}

/// Prints the warnings of wheels, each with the wheel's file name.
pub(crate) fn print_of_wheels(wheels: &[InstalledWheel], all: bool) {
    let warnings = wheels.iter().flat_map(|wheel| {
        let of_wheel = move |warning| OfWheel(&wheel.filename, warning);
        wheel.warnings.iter().map(of_wheel)
    });
    print(warnings, |OfWheel(_, warning)| kind_of_wheel(warning), all);
}

fn kind_of_wheel(warning: &WheelWarning) -> impl PartialEq + use<> {
    let oddity = match warning {
        WheelWarning::Odd { oddity, .. } => Some(*oddity),
        _ => None,
    };
    (discriminant(warning), oddity)
}

/// A warning of a wheel, behind its file name.
struct OfWheel<'w>(&'w str, &'w WheelWarning);

impl Display for OfWheel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.0, self.1)
    }
}

impl Mendable for OfWheel<'_> {
    fn remedies(&self) -> Vec<Remedy> {
        self.1.remedies()
    }
}

/// The first lines of warnings of a kind.
fn first_lines<T: Mendable>(warnings: &[T]) -> impl Display {
    fmt::from_fn(|f| {
        let len = warnings.len();
        write!(f, "{len} warnings of a kind, whole with --verbose")?;
        for warning in warnings.iter().take(MANY) {
            let text = escaped(warning);
            let mut lines = text.lines();
            write!(f, "{BREAK}  {}", lines.next().unwrap_or_default())?;
            // That line counts the files, the next one names them.
            if let Some(paths) = lines.next().and_then(|it| it.strip_prefix(LEFT_OUT)) {
                write!(f, ": {paths}")?;
            }
        }
        match len.saturating_sub(MANY) {
            0 => {}
            more => write!(f, "{BREAK}  and {more} more")?,
        }
        match packages(warnings) {
            Some(fix) => write!(f, "{BREAK}  fix: {fix}"),
            None => Ok(()),
        }
    })
}

/// The line that brings what warnings lack and nixpkgs has, all of it at once.
fn packages<T: Mendable>(warnings: &[T]) -> Option<String> {
    let remedies = warnings.iter().flat_map(Mendable::remedies);
    let attributes = remedies.filter_map(|remedy| match remedy {
        Remedy::AddLibPath { candidates, .. } => candidates.into_iter().find_map(attribute),
        _ => None,
    });
    let attributes: BTreeSet<String> = attributes.collect();
    let is_any = !attributes.is_empty() && remedy::edits();
    is_any.then(|| next_step::add_packages(&attributes))
}

/// The attribute of nixpkgs that a candidate is.
fn attribute(candidate: Candidate) -> Option<String> {
    match candidate {
        Candidate::Nixpkgs(attribute) if is_evaluated(&attribute) => Some(attribute),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wheelfix_link::{ExcuseKind, UnusedIgnore};

    use super::*;

    #[test]
    fn many_warnings_of_a_kind_are_told_by_their_first_lines() {
        let warnings: Vec<Fault> = (0..12)
            .map(|number| {
                Fault::UnusedIgnore(UnusedIgnore {
                    kind: ExcuseKind::Library,
                    glob: format!("lib{number}\n.so"),
                })
            })
            .collect();
        let text = escaped(first_lines(&warnings.iter().collect::<Vec<_>>()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 12);
        assert_eq!(lines[0], "12 warnings of a kind, whole with --verbose");
        assert!(lines[1].contains("lib0\\n.so"), "{text}");
        assert_eq!(lines[11], "  and 2 more");
    }
}
