//! Programs of a wheel: none may replace a Python interpreter, and no two files may go to one place.

use std::collections::BTreeMap;

use wheelfix_archive::{MemberPath, ZipArchive};
use wheelfix_format::EntryPoints;

use super::fault::{WheelFault, WheelFaults};
use super::placement::{Placement, Scheme};

/// Compares the places of all files and scripts with each other and with the names of interpreters.
pub(crate) fn check(
    archive: &ZipArchive,
    placements: &[Placement],
    entry_points: &EntryPoints,
    faults: &mut WheelFaults,
) {
    let mut taken: BTreeMap<(Scheme, String), String> = BTreeMap::new();
    for script in entry_points.scripts() {
        let what = format!("the entry point `{}`", script.name);
        if let Err(source) = MemberPath::new(script.name) {
            let name = script.name.to_owned();
            faults.push(WheelFault::ScriptName { name, source });
        }
        if is_interpreter(script.name) {
            faults.push(WheelFault::ReservedScript(what.clone()));
        }
        taken.insert((Scheme::Scripts, script.name.to_owned()), what);
    }
    for (member, placement) in archive.members().iter().zip(placements) {
        let Placement::File { scheme, path } = placement else {
            continue;
        };
        let what = || format!("`{}`", member.path);
        if script_name(*scheme, path).is_some_and(is_interpreter) {
            faults.push(WheelFault::ReservedScript(what()));
        }
        // Nearly everywhere the two are one directory.
        let scheme = if scheme.is_site() {
            Scheme::Purelib
        } else {
            *scheme
        };
        if let Some(first) = taken.insert((scheme, path.to_string()), what()) {
            faults.push(WheelFault::SamePlace {
                first,
                second: what(),
            });
        }
    }
}

/// The name of the program that a file becomes, if it becomes one.
fn script_name(scheme: Scheme, path: &MemberPath) -> Option<&str> {
    match scheme {
        Scheme::Scripts => Some(path.as_str()),
        Scheme::Data => {
            let (dir, name) = path.as_str().split_once('/')?;
            matches!(dir, "bin" | "Scripts").then_some(name)
        }
        Scheme::Purelib | Scheme::Platlib | Scheme::Headers => None,
    }
}

/// Whether a program would hide a Python interpreter: `python`, `python3`, `python3.11`, `pythonw`,
/// `pypy3.10` and the like, whatever the case, with or without `.exe`.
fn is_interpreter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let rest = ["pythonw", "python", "pypyw", "pypy", "graalpy"]
        .iter()
        .find_map(|base| name.strip_prefix(base));
    rest.is_some_and(|rest| {
        let version = rest.trim_end_matches(['t', 'd', 'm', 'u', 'w']);
        version.chars().all(|c| c.is_ascii_digit() || c == '.')
            && (rest.is_empty() || !version.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_known_by_name() {
        for name in [
            "python",
            "Python",
            "python3",
            "python3.11",
            "python3.13t",
            "python3.11d",
            "pythonw",
            "python.exe",
            "pypy3",
            "pypy3.10",
            "graalpy",
        ] {
            assert!(is_interpreter(name), "{name}");
        }
        for name in [
            "pythonfoo",
            "python-config",
            "ipython",
            "pythont",
            "py.test",
            "pypyx",
            "python3-config",
        ] {
            assert!(!is_interpreter(name), "{name}");
        }
    }
}
