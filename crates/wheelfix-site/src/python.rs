//! The Python that an installation is for.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use wheelfix_format::{Libc, PythonVersion, PythonVersionError, Target};

use crate::launcher::Interpreter;

/// The Python that an installation is for.
#[derive(Clone, Debug)]
pub struct Python {
    target: Target,
    /// `None` in a cross build: nothing of the target can be run.
    executable: Option<PathBuf>,
    /// What is known of it if it can be run.
    base: Option<BasePython>,
    /// What scripts name instead of it.
    runs_scripts: Option<PathBuf>,
}

/// The Python that an interpreter belongs to; that of a virtual environment is another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BasePython {
    /// The program, absolute.
    pub executable: PathBuf,
    /// The whole version, as `3.11.9`.
    pub full_version: String,
}

/// Why an interpreter is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// The program cannot be started.
    #[error("failed to run `{}`", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program started and failed, or is no Python.
    #[error("`{}` is not a working Python: {status}: {stderr}", path.display())]
    Failed {
        /// The program.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last line that it printed on standard error.
        stderr: String,
    },
    /// It is another implementation than CPython.
    #[error("`{}` is {implementation}, only CPython is supported", path.display())]
    Implementation {
        /// The program.
        path: PathBuf,
        /// `sys.implementation.name`.
        implementation: String,
    },
    /// Its answer is not understood.
    #[error("`{}` names no version", path.display())]
    Version {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        source: PythonVersionError,
    },
}

/// Prints what [`Python::probe`] reads, a line each. A value that does not exist is an empty line.
const PROBE: &str = "
import os, platform, sys, sysconfig
print(sys.implementation.name)
print('%d.%d' % sys.version_info[:2])
print(sys.executable)
print(platform.machine())
print(sysconfig.get_config_var('Py_GIL_DISABLED') or '')
print(sysconfig.get_config_var('Py_DEBUG') or '')
try:
    print(os.confstr('CS_GNU_LIBC_VERSION') or '')
except (AttributeError, OSError, ValueError):
    print('')
print(getattr(sys, '_base_executable', '') or sys.executable)
print('%d.%d.%d' % sys.version_info[:3])
level, serial = sys.version_info[3:]
print('%d.%d.%d' % sys.version_info[:3] + ('' if level == 'final' else level[0] + str(serial)))
";

/// The C library that is assumed where nothing of the target can be asked.
///
/// It accepts every `manylinux` tag: a Nix package set has a newer glibc than published wheels
/// need, and the proof looks at the symbol versions themselves.
const ASSUMED_LIBC: Libc = Libc::Glibc {
    major: 2,
    minor: 99,
};

/// The musl that is assumed of an interpreter that is not linked with glibc.
const ASSUMED_MUSL: Libc = Libc::Musl { major: 1, minor: 2 };

impl Python {
    /// A Python of which only the version is known: nothing of it is ever run.
    ///
    /// The machine is the one that wheelfix itself is built for.
    pub fn of_version(version: PythonVersion) -> Self {
        let arch = match std::env::consts::ARCH {
            "x86" => "i686",
            "arm" => "armv7l",
            "powerpc64" => "ppc64le",
            arch => arch,
        };
        Self {
            target: Target::linux(version, arch, ASSUMED_LIBC),
            executable: None,
            base: None,
            runs_scripts: None,
        }
    }

    /// Asks an interpreter for its version.
    ///
    /// A name without `/` is looked up on the `PATH`.
    #[expect(clippy::disallowed_methods, reason = "the interpreter is the input")]
    pub fn probe(executable: &Path) -> Result<Self, PythonError> {
        let path = executable.to_owned();
        let output = Command::new(executable)
            .args(["-I", "-S", "-c", PROBE])
            .output();
        let output = match output {
            Ok(output) => output,
            Err(source) => return Err(PythonError::Start { path, source }),
        };
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(PythonError::Failed {
                path,
                status: output.status,
                stderr: stderr.lines().last().unwrap_or_default().to_owned(),
            });
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let mut lines = stdout.lines();
        let mut line = || lines.next().unwrap_or_default().to_owned();
        let (implementation, version, resolved) = (line(), line(), line());
        let (arch, free_threaded, debug, libc) = (line(), line(), line(), line());
        let (base, full_version, marker_version) = (line(), line(), line());
        if implementation != "cpython" {
            return Err(PythonError::Implementation {
                path,
                implementation,
            });
        }
        let version = match version.parse() {
            Ok(version) => version,
            Err(source) => return Err(PythonError::Version { path, source }),
        };
        let mut target = Target::linux(version, &arch, parse_libc(&libc));
        target.free_threaded = free_threaded == "1";
        target.debug = debug == "1";
        target.full_version = Some(marker_version).filter(|text| !text.is_empty());
        Ok(Self {
            target,
            executable: Some(choose_path(executable, &resolved)),
            base: Some(BasePython {
                executable: PathBuf::from(base),
                full_version,
            }),
            runs_scripts: None,
        })
    }

    /// Major and minor version.
    pub fn version(&self) -> PythonVersion {
        self.target.python
    }

    /// What wheels must fit.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The interpreter, absolute; `None` if nothing of the target can be run.
    pub fn executable(&self) -> Option<&Path> {
        self.executable.as_deref()
    }

    /// The Python that the interpreter belongs to; `None` if nothing of the target can be run.
    pub fn base(&self) -> Option<&BasePython> {
        self.base.as_ref()
    }

    /// The same Python, with scripts that are run by another program: that of an environment.
    #[must_use]
    pub(crate) fn with_scripts_run_by(mut self, program: PathBuf) -> Self {
        self.runs_scripts = Some(program);
        self
    }

    /// What scripts name in their first line.
    ///
    /// Without a known interpreter that is a program to look up, which nixpkgs' `patchShebangs`
    /// resolves.
    pub fn interpreter(&self) -> Interpreter {
        match self.runs_scripts.as_ref().or(self.executable.as_ref()) {
            Some(path) => Interpreter::Path(path.clone()),
            None => Interpreter::Search(format!("python{}", self.version())),
        }
    }
}

/// Parses `glibc 2.36`; anything else is taken for musl.
fn parse_libc(text: &str) -> Libc {
    let glibc = || {
        let (major, minor) = text.strip_prefix("glibc ")?.split_once('.')?;
        Some(Libc::Glibc {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    };
    glibc().unwrap_or(ASSUMED_MUSL)
}

/// An absolute path is kept as given, as a link into a store profile should be.
fn choose_path(given: &Path, resolved: &str) -> PathBuf {
    if given.is_absolute() || resolved.is_empty() {
        given.to_owned()
    } else {
        PathBuf::from(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the interpreter is the input")]
    fn a_python_tells_its_version() {
        let python = Python::probe(Path::new("python3")).unwrap();
        assert_eq!(python.version().major, 3);
        assert!(python.executable().unwrap().is_absolute());
        let environment = python.target().marker_environment();
        let full = &environment.python_full_version;
        assert!(
            full.starts_with(&python.base().unwrap().full_version),
            "{full}"
        );
        let question = "import platform; print(platform.python_version().rstrip('+'), end='')";
        let output = Command::new("python3").args(["-c", question]).output();
        assert_eq!(full.as_bytes(), output.unwrap().stdout);
    }

    #[test]
    fn the_c_library_is_understood() {
        let glibc = Libc::Glibc {
            major: 2,
            minor: 36,
        };
        assert_eq!(parse_libc("glibc 2.36"), glibc);
        assert_eq!(parse_libc(""), ASSUMED_MUSL);
    }

    #[test]
    fn what_is_no_python_is_named() {
        for (path, want) in [
            ("/no/such/python", "failed to run `/no/such/python`"),
            ("false", "`false` is not a working Python: exit status: 1: "),
        ] {
            let error = Python::probe(Path::new(path)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
