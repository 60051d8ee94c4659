//! The Python that an installation is for.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use wheelfix_format::{PythonVersion, PythonVersionError};

use crate::launcher::Interpreter;

/// The Python that an installation is for.
#[derive(Clone, Debug)]
pub struct Python {
    version: PythonVersion,
    /// `None` in a cross build: nothing of the target can be run.
    executable: Option<PathBuf>,
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

/// Prints implementation, version and the absolute path of the interpreter, a line each.
const PROBE: &str = "import sys; print(sys.implementation.name); \
    print('%d.%d' % sys.version_info[:2]); print(sys.executable)";

impl Python {
    /// A Python of which only the version is known: nothing of it is ever run.
    pub fn of_version(version: PythonVersion) -> Self {
        Self {
            version,
            executable: None,
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
        if implementation != "cpython" {
            return Err(PythonError::Implementation {
                path,
                implementation,
            });
        }
        match version.parse() {
            Ok(version) => Ok(Self {
                version,
                executable: Some(choose_path(executable, &resolved)),
            }),
            Err(source) => Err(PythonError::Version { path, source }),
        }
    }

    /// Major and minor version.
    pub fn version(&self) -> PythonVersion {
        self.version
    }

    /// The interpreter, absolute; `None` if nothing of the target can be run.
    pub fn executable(&self) -> Option<&Path> {
        self.executable.as_deref()
    }

    /// What scripts name in their first line.
    ///
    /// Without a known interpreter that is a program to look up, which nixpkgs' `patchShebangs`
    /// resolves.
    pub fn interpreter(&self) -> Interpreter {
        match &self.executable {
            Some(path) => Interpreter::Path(path.clone()),
            None => Interpreter::Search(format!("python{}", self.version)),
        }
    }
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
    fn a_python_tells_its_version() {
        let python = Python::probe(Path::new("python3")).unwrap();
        assert_eq!(python.version().major, 3);
        assert!(python.executable().unwrap().is_absolute());
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
