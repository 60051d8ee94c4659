//! Programs of a wheel: none may replace a Python interpreter, and no two different files may go to one
//! place.

use std::collections::BTreeMap;
use std::fmt;

use wheelfix_archive::{Member, MemberPath, ZipArchive};
use wheelfix_format::RecordHash;

use super::dist_info::DistInfo;
use super::fault::{WheelFault, WheelFaults};
use super::oddity::{Oddities, Oddity};
use super::placement::{Placement, Scheme};
use super::record;

/// The files of a wheel, and where they go.
pub(crate) struct Places<'a> {
    pub(crate) archive: &'a ZipArchive,
    pub(crate) dist_info: &'a DistInfo,
    /// For each member.
    pub(crate) placements: &'a [Placement],
    /// For each member, the index of its row in `RECORD`.
    pub(crate) rows: &'a [Option<usize>],
}

/// The member that goes to a place, with the hash in `RECORD`.
#[derive(Clone, Copy)]
struct Claim<'a>(&'a Member, Option<&'a RecordHash>);

impl<'a> Places<'a> {
    /// Compares the places of all files and scripts with each other and with the names of interpreters.
    pub(crate) fn check(&self, oddities: &mut Oddities, faults: &mut WheelFaults) {
        let mut taken: BTreeMap<(Scheme, &str), Claim<'a>> = BTreeMap::new();
        for script in self.dist_info.entry_points.scripts() {
            if let Err(source) = MemberPath::new(script.name) {
                let name = script.name.to_owned();
                faults.push(WheelFault::ScriptName { name, source });
            }
            if is_interpreter(script.name) {
                let name = format!("the entry point `{}`", script.name);
                faults.push(WheelFault::ReservedScript(name));
            }
        }
        let members = self.archive.members().iter().zip(self.placements);
        for ((member, placement), row) in members.zip(self.rows) {
            let Placement::File { scheme, path } = placement else {
                continue;
            };
            let claim = Claim(member, record::hash_in(self.dist_info, *row));
            if script_name(*scheme, path).is_some_and(is_interpreter) {
                faults.push(WheelFault::ReservedScript(claim.to_string()));
            }
            // Nearly everywhere the two are one directory.
            let scheme = if scheme.is_site() {
                Scheme::Purelib
            } else {
                *scheme
            };
            match taken.insert((scheme, path.as_str()), claim) {
                None => {}
                Some(first) if first.is_equal(claim) => {
                    oddities.note(Oddity::SamePlace, member.path.as_str());
                }
                Some(first) => faults.push(WheelFault::SamePlace {
                    first: first.to_string(),
                    second: claim.to_string(),
                }),
            }
        }
    }
}

impl Claim<'_> {
    /// Whether both are files of which `RECORD` says that they are equal.
    fn is_equal(self, other: Self) -> bool {
        let (Self(one, hash), Self(other, others)) = (self, other);
        one.len == other.len && hash.is_some() && hash == others
    }
}

impl fmt::Display for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.path)
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
