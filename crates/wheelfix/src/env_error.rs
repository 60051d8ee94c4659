//! The exit codes of the errors of `wheelfix env`, and the messages of those that are lists.

use std::fmt::{self, Display};

use wheelfix_install::{DuplicateDistribution, EnvError, EnvFault};
use wheelfix_link::{Remedy, count};

use crate::common::OutputArgs;
use crate::error::{Error, chain, print};
use crate::message::BREAK;
use crate::remedy::{Mendable, advised, ask_plain, is_in_build};
use crate::{inputs, install_error, next_step};

/// Prints the list of an error, and decides the exit code.
pub(crate) fn explain(error: EnvError, output: &OutputArgs) -> Error {
    match error {
        EnvError::Install(error) => install_error::explain(error, output),
        EnvError::Faults(faults) => report(&faults),
    }
}

/// A fault of an environment, with its causes.
struct OfEnvironment<'f>(&'f EnvFault);

impl Display for OfEnvironment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = match self.0 {
            EnvFault::Refused(wheel) => return install_error::refused_wheel(wheel).fmt(f),
            EnvFault::Duplicate(twice) if !is_in_build() => return plain(twice).fmt(f),
            EnvFault::Missing(path) => inputs::absent(path),
            EnvFault::SourceTree(path) => inputs::not_a_wheel(path),
            _ => None,
        };
        match input {
            Some(input) => input.fmt(f),
            None => chain(self.0).fmt(f),
        }
    }
}

/// A distribution that comes twice: outside of builds nobody looks for the words of nixpkgs.
fn plain(twice: &DuplicateDistribution) -> impl Display {
    fmt::from_fn(move |f| {
        let name = &twice.name;
        write!(f, "`{name}` comes from {} inputs", twice.copies.len())?;
        for copy in &twice.copies {
            let path = copy.path.display();
            write!(f, "{BREAK}  {name} {} in `{path}`", copy.version)?;
            let users = copy.chain.iter().rev().filter(|user| **user != copy.path);
            users
                .into_iter()
                .try_for_each(|user| write!(f, ", which `{}` propagates", user.display()))?;
            let needed_by = copy.needed_by.join(", which is needed by ");
            if !needed_by.is_empty() {
                write!(f, "{BREAK}    needed by: {needed_by}")?;
            }
        }
        if twice.collisions != 0 {
            let files = count(twice.collisions, "file");
            write!(f, "{BREAK}  they have {files} at the same place")?;
        }
        // One of several inputs is the fix where all are named.
        if !twice.remedies().is_empty() {
            return Ok(());
        }
        write!(
            f,
            "{BREAK}  fix: leave one input out, or build both users with the same one"
        )
    })
}

impl Mendable for OfEnvironment<'_> {
    fn remedies(&self) -> Vec<Remedy> {
        self.0.remedies()
    }
}

/// Notes what mends a fault.
fn note(fault: &EnvFault) {
    let input = match fault {
        EnvFault::Refused(wheel) => return install_error::note_refused(wheel),
        EnvFault::Missing(path) => inputs::absent(path),
        EnvFault::Wheels { path, .. } | EnvFault::SourceTree(path) => inputs::not_a_wheel(path),
        _ => None,
    };
    match (input, fault) {
        (Some(input), _) => input.note(),
        (None, EnvFault::Unmet(unmet)) if unmet.found.is_none() => {
            let text = unmet.requirement.split(';').next().unwrap_or_default();
            next_step::note_requirement(None, text.trim());
        }
        _ => next_step::note(&fault.remedies()),
    }
}

fn report(faults: &[EnvFault]) -> Error {
    let told = faults.iter().map(|fault| {
        note(fault);
        OfEnvironment(fault)
    });
    print("error", told.map(advised));
    if faults.iter().any(is_duplicate) && is_in_build() {
        print("error", [NIXPKGS_DUPLICATES]);
    }
    if 1 < faults.len() {
        print("error", [format!("{} faults in all", faults.len())]);
    }
    if let Some(hint) = hint(faults) {
        print("hint", [hint]);
    }
    let is_unread = |fault: &EnvFault| match fault {
        EnvFault::Refused(wheel) => install_error::is_unread(wheel),
        fault => fault.is_environment(),
    };
    if faults.iter().any(is_unread) {
        Error::ReportedEnvironment
    } else {
        Error::Reported
    }
}

/// How nixpkgs' `pythonCatchConflictsHook` ends.
const NIXPKGS_DUPLICATES: &str = "Package duplicates found in closure, see above. Usually this \
    happens if two packages depend on different version of the same dependency.";

fn is_duplicate(fault: &EnvFault) -> bool {
    matches!(fault, EnvFault::Duplicate(_))
}

/// The fix for the first kind of fault for which there is an option.
fn hint(faults: &[EnvFault]) -> Option<String> {
    faults.iter().find_map(|fault| match fault {
        EnvFault::EnvCollision(_) => Some(format!(
            "decide with {} or `GLOB=last`, in the order of the inputs",
            ask_plain("--on-collision")
        )),
        EnvFault::Wheels { .. } => Some("name the wheels themselves, as `DIR/*.whl`".to_owned()),
        EnvFault::Unpacked { .. } => Some("name the wheels themselves, not what was unpacked from them or installed by `pip --target`".to_owned()),
        EnvFault::Unmet(_) => Some(format!(
            "add what is missing, or leave it unmet with {}",
            ask_plain("--allow-unmet")
        )),
        EnvFault::OtherPython { .. } => Some(format!(
            "name the Python of the environment with {} or {}",
            ask_plain("--python"),
            ask_plain("--python-version")
        )),
        _ => None,
    })
}
