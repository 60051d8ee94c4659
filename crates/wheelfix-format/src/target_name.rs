//! Targets by name: `x86_64-linux-cp313`.
//!
//! Three parts: the machine, the system, which may have a version of its C library, and the Python,
//! which may have a micro version: `aarch64-glibc2.36-cp312`, `x86_64-musl-cp314t`,
//! `arm64-macos14.0-cp313.2`. The first two are the system of Nix, too: `x86_64-linux`, `aarch64-darwin`.

use std::fmt;
use std::str::FromStr;

use crate::{Implementation, Libc, PythonVersion, Target};

/// Why a text does not name a [`Target`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetNameError {
    /// Other parts than machine, system and Python.
    #[error("expected machine-system-python as `x86_64-linux-cp313`, got `{0}`")]
    Parts(String),
    /// A machine with other characters than tags have.
    #[error("expected a machine as `x86_64` or `aarch64`, got `{0}`")]
    Machine(String),
    /// A system that nobody knows.
    #[error("expected `linux`, `glibc2.36`, `musl`, `musl1.2`, `macos` or `macos14.0`, got `{0}`")]
    System(String),
    /// No Python.
    #[error("expected a Python as `cp313`, `cp314t`, `pp311` or `cp313.2`, got `{0}`")]
    Python(String),
}

impl FromStr for Target {
    type Err = TargetNameError;

    fn from_str(text: &str) -> Result<Self, TargetNameError> {
        let parts: Vec<&str> = text.split('-').collect();
        let (machine, system, python) = match *parts.as_slice() {
            [machine, system, python] => (machine, system, python),
            // As in the names of Nix and of LLVM.
            [machine, "linux", "gnu", python] => (machine, "linux", python),
            [machine, "linux", "musl", python] => (machine, "musl", python),
            _ => return Err(TargetNameError::Parts(text.to_owned())),
        };
        let libc = libc(system).ok_or_else(|| TargetNameError::System(system.to_owned()))?;
        let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if machine.is_empty() || !machine.chars().all(is_legal) {
            return Err(TargetNameError::Machine(machine.to_owned()));
        }
        let arch = match (machine, libc) {
            ("aarch64", Libc::MacOs { .. }) => "arm64",
            ("arm64", Libc::Glibc { .. } | Libc::Musl { .. }) => "aarch64",
            ("powerpc64le", _) => "ppc64le",
            (machine, _) => machine,
        };
        let of_python =
            read_python(python).ok_or_else(|| TargetNameError::Python(python.to_owned()))?;
        Ok(Self {
            arch: arch.to_owned(),
            libc,
            ..of_python
        })
    }
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
        check(
            "cp313",
            "error: expected machine-system-python as `x86_64-linux-cp313`, got `cp313`",
        );
        check(
            "X86-linux-cp313",
            "error: expected a machine as `x86_64` or `aarch64`, got `X86`",
        );
        for system in ["win32", "glibc3.1", "glibc2", "musl1.99999", ""] {
            check(
                &format!("x86_64-{system}-cp313"),
                &format!(
                    "error: expected `linux`, `glibc2.36`, `musl`, `musl1.2`, `macos` or `macos14.0`, got `{system}`"
                ),
            );
        }
        for python in [
            "3.13", "cp", "cp3", "cp27", "pp311t", "cp313x", "cp313.x", "cp3é",
        ] {
            check(
                &format!("x86_64-linux-{python}"),
                &format!(
                    "error: expected a Python as `cp313`, `cp314t`, `pp311` or `cp313.2`, got `{python}`"
                ),
            );
        }
    }
}
