//! Targets by name: `x86_64-linux-cp313`.
//!
//! Three parts: the machine, the system, which may have a version of its C library, and the Python,
//! which may have a micro version: `aarch64-glibc2.36-cp312`, `x86_64-musl-cp314t`,
//! `arm64-macos14.0-cp313.2`. The first two are the system of Nix, too: `x86_64-linux`, `aarch64-darwin`.

use std::fmt;
use std::str::FromStr;

use crate::target::MANYLINUX_ARCHS;
use crate::{Implementation, Libc, PythonVersion, Target};

/// Why a text does not name a [`Target`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{fault}{}", did_you_mean(near.as_deref()))]
pub struct TargetNameError {
    /// The fault.
    fault: TargetNameFault,
    /// A target that may have been meant.
    near: Option<String>,
}

/// The fault of the name of a target.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum TargetNameFault {
    /// Other parts than machine, system and Python.
    #[error("expected machine-system-python as `x86_64-linux-cp313`, got `{0}`")]
    Parts(String),
    /// A machine for which nobody publishes wheels.
    #[error("expected a machine, one of {}, got `{name}`", known_machines())]
    Machine {
        /// As it is written.
        name: String,
    },
    /// A system that nobody knows.
    #[error("expected `linux`, `glibc2.36`, `musl`, `musl1.2`, `macos` or `macos14.0`, got `{0}`")]
    System(String),
    /// No Python.
    #[error("expected a Python as `cp313`, `cp314t`, `pp311` or `cp313.2`, got `{0}`")]
    Python(String),
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Machines that have no `manylinux` tags, or another name there.
const MORE_MACHINES: [&str; 3] = ["arm64", "armv6l", "powerpc64le"];

fn is_machine(name: &str) -> bool {
    MANYLINUX_ARCHS.contains(&name) || MORE_MACHINES.contains(&name)
}

fn known_machines() -> String {
    let names = MANYLINUX_ARCHS.iter().chain(&MORE_MACHINES);
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

impl FromStr for Target {
    type Err = TargetNameError;

    fn from_str(text: &str) -> Result<Self, TargetNameError> {
        read(text).map_err(|fault| TargetNameError {
            fault,
            near: near_name(text),
        })
    }
}

fn read(text: &str) -> Result<Target, TargetNameFault> {
    let parts: Vec<&str> = text.split('-').collect();
    let (machine, system, python) = match *parts.as_slice() {
        [machine, system, python] => (machine, system, python),
        // As in the names of Nix and of LLVM.
        [machine, "linux", "gnu", python] => (machine, "linux", python),
        [machine, "linux", "musl", python] => (machine, "musl", python),
        _ => return Err(TargetNameFault::Parts(text.to_owned())),
    };
    let libc = libc(system).ok_or_else(|| TargetNameFault::System(system.to_owned()))?;
    if !is_machine(machine) {
        return Err(TargetNameFault::Machine {
            name: machine.to_owned(),
        });
    }
    let arch = match (machine, libc) {
        ("aarch64", Libc::MacOs { .. }) => "arm64",
        ("arm64", Libc::Glibc { .. } | Libc::Musl { .. }) => "aarch64",
        ("powerpc64le", _) => "ppc64le",
        (machine, _) => machine,
    };
    let of_python =
        read_python(python).ok_or_else(|| TargetNameFault::Python(python.to_owned()))?;
    Ok(Target {
        arch: arch.to_owned(),
        libc,
        ..of_python
    })
}

/// Names of machines in other places.
const ALIASES: [(&str, &str); 9] = [
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("x86", "i686"),
    ("i386", "i686"),
    ("i586", "i686"),
    ("arm", "armv7l"),
    ("powerpc64", "ppc64"),
    ("riscv", "riscv64"),
    ("riscv64gc", "riscv64"),
];

/// The target that a text may mean which is not the name of one: what is known of its parts, and the
/// usual of what is missing. `None` if nothing of it is known.
fn near_name(text: &str) -> Option<String> {
    let text = text.to_lowercase().replace("x86-64", "x86_64");
    let words = || text.split(['-', ' ', '/', ':']);
    let machine = words().find_map(near_machine);
    let python = words().find_map(near_python);
    if machine.is_none() && python.is_none() {
        return None;
    }
    // `linux-musl` is musl.
    let system = words()
        .rev()
        .find(|word| *word != "linux" && libc(word).is_some());
    let system = system.unwrap_or(match () {
        () if text.contains("musl") || text.contains("alpine") => "musl",
        () if text.contains("darwin") || text.contains("mac") => "macos",
        () => "linux",
    });
    let python = python.unwrap_or_else(|| "cp313".to_owned());
    let near = format!("{}-{system}-{python}", machine.unwrap_or("x86_64"));
    Some(read(&near).ok()?.to_string())
}

/// The machine that a word names, with one letter more, less or another one; also at the end of a
/// platform tag.
fn near_machine(word: &str) -> Option<&'static str> {
    let known = || MANYLINUX_ARCHS.iter().chain(&MORE_MACHINES).copied();
    let alias = || ALIASES.iter().find(|(alias, _)| *alias == word);
    let exact = known().find(|name| *name == word);
    let exact = exact.or_else(|| Some(alias()?.1));
    let in_tag = || known().find(|name| word.ends_with(&format!("_{name}")));
    exact
        .or_else(in_tag)
        .or_else(|| known().find(|name| strsim::osa_distance(name, word) <= 1))
}

/// The Python that a word names: `python3.13`, `py313`, `3.13t`.
fn near_python(word: &str) -> Option<String> {
    let rest = word.strip_prefix("cpython").or(word.strip_prefix("python"));
    let rest = rest.or(word.strip_prefix("cp")).or(word.strip_prefix("py"));
    let rest = rest.unwrap_or(word);
    let mut numbers = rest
        .strip_prefix('3')?
        .trim_start_matches('.')
        .splitn(2, '.');
    let name = format!("cp3{}", numbers.next()?);
    let micro = numbers.next().map(|micro| format!("{name}.{micro}"));
    let candidates = [micro, Some(name)].into_iter().flatten();
    candidates
        .into_iter()
        .find(|name| name != "cp3" && read_python(name).is_some())
}

fn libc(system: &str) -> Option<Libc> {
    let version = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?))
    };
    match system {
        "linux" | "glibc" => return Some(Libc::ASSUMED_GLIBC),
        "musl" => return Some(Libc::ASSUMED_MUSL),
        "macos" | "darwin" => return Some(Libc::ASSUMED_MACOS),
        _ => {}
    }
    if let Some((major, minor)) = system.strip_prefix("glibc").and_then(version) {
        // Tags are made for each version up to it.
        return (major == 2 && minor < 1000).then_some(Libc::Glibc { major, minor });
    }
    if let Some((major, minor)) = system.strip_prefix("musl").and_then(version) {
        return (major == 1 && minor < 1000).then_some(Libc::Musl { major, minor });
    }
    let (major, minor) = system.strip_prefix("macos").and_then(version)?;
    (10..1000)
        .contains(&major)
        .then_some(Libc::MacOs { major, minor })
}

/// The parts of a target that its Python decides; the others are of no meaning.
fn read_python(text: &str) -> Option<Target> {
    let (tag, micro) = match text.split_once('.') {
        Some((tag, micro)) => (tag, Some(micro)),
        None => (text, None),
    };
    let implementation = match tag.get(..2)? {
        "cp" => Implementation::CPython,
        "pp" => Implementation::PyPy,
        _ => return None,
    };
    let rest = tag.get(2..)?;
    let digits = rest.trim_end_matches(['t', 'd']);
    let flags = rest.strip_prefix(digits)?;
    let (major, minor) = (digits.get(..1)?, digits.get(1..)?);
    if major != "3" || !minor.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let minor = minor.parse().ok().filter(|minor: &u16| *minor < 1000)?;
    let python = PythonVersion { major: 3, minor };
    let (free_threaded, debug) = match (flags, implementation) {
        ("", _) => (false, false),
        ("t", Implementation::CPython) => (true, false),
        ("d", Implementation::CPython) => (false, true),
        ("td", Implementation::CPython) => (true, true),
        _ => return None,
    };
    let full_version = match micro {
        None => None,
        Some(micro) => {
            let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let is_micro = micro.starts_with(|c: char| c.is_ascii_digit());
            let is_micro = is_micro && micro.bytes().all(is_legal);
            let version = format!("{python}.{micro}");
            version.parse::<pep440_rs::Version>().ok()?;
            Some(is_micro.then_some(version)?)
        }
    };
    Some(Target {
        implementation,
        full_version,
        free_threaded,
        debug,
        ..Target::linux(python, "", Libc::ASSUMED_GLIBC)
    })
}

impl fmt::Display for Target {
    /// The shortest name of the target.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.arch)?;
        match self.libc {
            Libc::ASSUMED_GLIBC => f.write_str("linux")?,
            Libc::Glibc { major, minor } => write!(f, "glibc{major}.{minor}")?,
            Libc::ASSUMED_MUSL => f.write_str("musl")?,
            Libc::Musl { major, minor } => write!(f, "musl{major}.{minor}")?,
            Libc::ASSUMED_MACOS => f.write_str("macos")?,
            Libc::MacOs { major, minor } => write!(f, "macos{major}.{minor}")?,
        }
        write!(f, "-{}", self.own_python())?;
        f.write_str(if self.free_threaded { "t" } else { "" })?;
        f.write_str(if self.debug { "d" } else { "" })?;
        let full = self.full_version.as_deref().unwrap_or_default();
        let micro = full.strip_prefix(&format!("{}.", self.python));
        micro.map_or(Ok(()), |micro| write!(f, ".{micro}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<Target>() {
            Ok(target) => {
                let printed = target.to_string();
                assert_eq!(printed.parse::<Target>(), Ok(target.clone()));
                let environment = target.marker_environment();
                let full = environment.python_full_version;
                let tags = target.supported_tags();
                let best = tags.get(1).or(tags.first()).unwrap();
                format!("{printed}: {full}, {best}")
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn a_name_is_machine_system_and_python() {
        check(
            "x86_64-linux-cp313",
            "x86_64-linux-cp313: 3.13.0, cp313-cp313-manylinux_2_99_x86_64",
        );
        check(
            "aarch64-glibc2.36-cp312.4",
            "aarch64-glibc2.36-cp312.4: 3.12.4, cp312-cp312-manylinux_2_36_aarch64",
        );
        check(
            "x86_64-musl-cp314t",
            "x86_64-musl-cp314t: 3.14.0, cp314-cp314t-musllinux_1_2_x86_64",
        );
        check(
            "riscv64-linux-gnu-cp313.0rc1",
            "riscv64-linux-cp313.0rc1: 3.13.0rc1, cp313-cp313-manylinux_2_99_riscv64",
        );
        check(
            "x86_64-linux-musl-pp311",
            "x86_64-musl-pp311: 3.11.0, pp311-pypy311_pp73-musllinux_1_2_x86_64",
        );
        check(
            "aarch64-darwin-cp313",
            "arm64-macos-cp313: 3.13.0, cp313-cp313-macosx_14_0_universal2",
        );
        check(
            "x86_64-macos10.15-cp312d",
            "x86_64-macos10.15-cp312d: 3.12.0, cp312-cp312d-macosx_10_15_intel",
        );
    }

    #[test]
    fn other_names_are_refused() {
        for system in ["win32", "glibc3.1", "glibc2", "musl1.99999", ""] {
            check_fault(
                &format!("x86_64-{system}-cp313"),
                &format!(
                    "expected `linux`, `glibc2.36`, `musl`, `musl1.2`, `macos` or `macos14.0`, got `{system}`"
                ),
            );
        }
        for python in [
            "3.13", "cp", "cp3", "cp27", "pp311t", "cp313x", "cp313.x", "cp3é",
        ] {
            check_fault(
                &format!("x86_64-linux-{python}"),
                &format!(
                    "expected a Python as `cp313`, `cp314t`, `pp311` or `cp313.2`, got `{python}`"
                ),
            );
        }
        check_fault(
            "sparc-linux-cp313",
            "expected a machine, one of `x86_64`, `aarch64`, `ppc64`, `ppc64le`, `s390x`, \
            `loongarch64`, `riscv64`, `armv7l`, `armv8l`, `i686`, `arm64`, `armv6l`, `powerpc64le`, \
            got `sparc`",
        );
        check_fault(
            "cp313",
            "expected machine-system-python as `x86_64-linux-cp313`, got `cp313`",
        );
    }

    #[track_caller]
    fn check_fault(text: &str, want: &str) {
        let error = text.parse::<Target>().unwrap_err();
        assert_eq!(error.fault.to_string(), want, "for {text:?}");
    }

    #[test]
    fn what_may_be_meant_is_named() {
        for (text, want) in [
            ("cp313", "x86_64-linux-cp313"),
            ("aarch64-python3.12", "aarch64-linux-cp312"),
            ("aarch46-linux-cp312", "aarch64-linux-cp312"),
            ("arch64-linux-cp312.4", "aarch64-linux-cp312.4"),
            ("X86_64-linux-3.14t", "x86_64-linux-cp314t"),
            ("x86-64-linux-3.13.2", "x86_64-linux-cp313.2"),
            ("x86_64-unknown-linux-musl-cp312", "x86_64-musl-cp312"),
            ("riscv64gc-linux-gnu-py313", "riscv64-linux-cp313"),
            ("cp312-cp312-musllinux_1_2_aarch64", "aarch64-musl-cp312"),
            ("aarch64-linux", "aarch64-linux-cp313"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert_eq!(error.near.as_deref(), Some(want), "for {text:?}");
            assert!(
                error
                    .to_string()
                    .ends_with(&format!("; did you mean `{want}`?"))
            );
        }
        for text in ["", "windows", "linux", "cp", "é-é-é"] {
            assert_eq!(
                text.parse::<Target>().unwrap_err().near,
                None,
                "for {text:?}"
            );
        }
    }
}
