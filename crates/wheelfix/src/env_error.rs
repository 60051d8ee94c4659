//! Which exit code the errors of `wheelfix env` have, and what is printed of their lists.

use wheelfix_site::{EnvError, EnvFault};

use crate::common::OutputArgs;
use crate::error::{Error, chain, print};
use crate::install_error;

/// Prints what an error lists, and decides the exit code.
pub(crate) fn explain(error: EnvError, output: &OutputArgs) -> Error {
    match error {
        EnvError::Install(error) => install_error::explain(error, output),
        EnvError::Faults(faults) => report(&faults),
    }
}

fn report(faults: &[EnvFault]) -> Error {
    print("error", faults.iter().map(|fault| chain(fault)));
    if faults.iter().any(is_duplicate) {
        print("error", [NIXPKGS_DUPLICATES]);
    }
    if 1 < faults.len() {
        print("error", [format!("{} faults in all", faults.len())]);
    }
    if let Some(hint) = hint(faults) {
        print("hint", [hint]);
    }
    if faults.iter().any(EnvFault::is_environment) {
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

/// What to do about the first kind of fault for which there is an option.
pub(crate) fn hint(faults: &[EnvFault]) -> Option<&'static str> {
    faults.iter().find_map(|fault| match fault {
        EnvFault::Conflict(_) => Some(
            "decide with `--on-collision GLOB=first` or `GLOB=last`, in the order of the inputs",
        ),
        EnvFault::Wheels { .. } => Some("name the wheels themselves, as `DIR/*.whl`"),
        EnvFault::Unmet(_) => {
            Some("add what is missing, or leave it unmet with `--allow-unmet NAME`")
        }
        EnvFault::OtherPython { .. } => {
            Some("name the Python of the environment with `--python EXE` or `--python-version X.Y`")
        }
        _ => None,
    })
}
