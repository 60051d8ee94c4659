//! Arguments that say what will load an output, for the commands that simulate it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use wheelfix_install::{Python, PythonError};
use wheelfix_link::LibPathError;
use wheelfix_loader::{LoaderError, NamedTarget, Target, absolute_path, has_token};

use crate::error::Error;
use crate::message::BREAK;
use crate::next_step::{note_input, note_other};
use crate::nixpkgs;
use crate::pip::directory_of;
use crate::quoting::shell_word;
use crate::remedy::{self, ask_plain};

/// The target that is named, nothing of which is run
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct SystemArgs {
    /// Machine, system and Python that the files are for, as aarch64-linux-cp312, x86_64-musl-cp314t or
    /// x86_64-glibc2.36-cp313.2 [default: those of this machine]
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<NamedPython>,
    /// Python of the target, as scripts name it; it is not run, and looked into if it is here
    #[arg(long, value_name = "EXE", requires = "target")]
    target_python: Option<PathBuf>,
}

/// Machine, system and Python, by name.
type NamedPython = wheelfix_format::Target;

impl SystemArgs {
    /// The Python of the target, or else the one of this machine that is named; `None` if neither is.
    pub(crate) fn python_or(&self, own: Option<&Path>) -> Result<Option<Python>, Error> {
        match self.python(None)? {
            Some(python) => Ok(Some(python)),
            None => own.map(probe).transpose(),
        }
    }

    /// The Python of the target; `None` if no target is named. `build` compiles for it.
    pub(crate) fn python(&self, build: Option<&Path>) -> Result<Option<Python>, Error> {
        let Some(target) = &self.target else {
            return Ok(None);
        };
        nixpkgs::for_target(target);
        let program = self.target_python.as_deref();
        let python = Python::of_target(target.clone(), program).map_err(python_error)?;
        Ok(Some(match build {
            Some(build) => python.compiled_by(&probe(build)?),
            None => python,
        }))
    }
}

/// Python and loader that will load the files
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// Python that will import the files; without it its C API and the libraries that every CPython needs are taken to be there
    #[arg(long, value_name = "EXE", conflicts_with = "target")]
    python: Option<PathBuf>,
    #[command(flatten)]
    system: SystemArgs,
    /// Dynamic loader of the target [default: the one of the Python; without either, the C library is taken to be there]
    #[arg(long, value_name = "PATH")]
    interpreter: Option<PathBuf>,
    /// Directory of `LD_LIBRARY_PATH` where the files are loaded
    #[arg(long, value_name = "DIR")]
    ld_library_path: Vec<String>,
    /// The name that this option had, too near to `--lib-path`
    #[arg(long = "library-path", value_name = "DIR", hide = true)]
    renamed: Vec<String>,
    /// Subdirectory that the processor makes the loader prefer, as `glibc-hwcaps/x86-64-v3`
    #[arg(long, value_name = "DIR")]
    hwcaps: Vec<String>,
}

/// The target that will load the files.
#[derive(Debug)]
pub(crate) struct ResolvedTarget {
    /// The facts of its loader.
    pub(crate) target: Target,
    /// The Python that is named.
    pub(crate) python: Option<Python>,
    /// Its program, which opens the files.
    pub(crate) program: Option<PathBuf>,
    /// The loader that is named, absolute.
    pub(crate) interpreter: Option<PathBuf>,
}

impl TargetArgs {
    /// Looks at the interpreters that are named.
    pub(crate) fn resolve(&self, driver_path: &Path) -> Result<ResolvedTarget, Error> {
        if !self.renamed.is_empty() {
            return Err(Error::Usage(
                "`--library-path` is called `--ld-library-path`: it stands for `LD_LIBRARY_PATH`; \
                `--lib-path` names libraries that the output may use"
                    .to_owned(),
            ));
        }
        let python = self.system.python_or(self.python.as_deref())?;
        let program = python.as_ref().and_then(Python::program);
        let program = program.map(Path::to_path_buf);
        let interpreter = self.interpreter.as_deref().map(absolute_path).transpose()?;
        let named = NamedTarget {
            system: python.as_ref().and_then(Python::system),
            interpreter: interpreter.as_deref(),
            program: program.as_deref(),
        };
        let target = named.resolve(driver_path).map_err(loader_error)?;
        let mut target = target.unwrap_or_else(|| Target::unknown(driver_path.to_path_buf()));
        let elements = self.ld_library_path.iter();
        let elements = elements.map(|element| library_path(element));
        target.library_path = elements.collect::<Result<_, _>>()?;
        let with_slash = |directory: &String| format!("{}/", directory.trim_end_matches('/'));
        target.subdirectories = self.hwcaps.iter().map(with_slash).collect();
        Ok(ResolvedTarget {
            target,
            python,
            program,
            interpreter,
        })
    }
}

/// An element of the library path, absolute; one with a token depends on the object.
fn library_path(element: &str) -> Result<String, Error> {
    if element.is_empty() || has_token(element) {
        return Ok(element.to_owned());
    }
    let absolute = absolute_path(Path::new(element))?;
    Ok(absolute.to_string_lossy().into_owned())
}

/// Asks a Python what it is.
pub(crate) fn probe(python: &Path) -> Result<Python, Error> {
    Python::probe(python).map_err(python_error)
}

/// Whether the Python is at fault, or the machine.
pub(crate) fn python_error(error: PythonError) -> Error {
    match error {
        PythonError::Start { path, .. } if !is_there(&path) => {
            Error::environment(NoPython::of(path))
        }
        PythonError::Start { .. } | PythonError::Read(_) => Error::environment(error),
        error => Error::refused(error),
    }
}

/// Whether there is a program of this name: one that is there, and cannot be started for want of its loader, is not
/// found either as the system says it.
fn is_there(program: &Path) -> bool {
    if program.components().nth(1).is_some() {
        return program.is_file();
    }
    directory_of(program).is_some()
}

/// A Python that is not there.
#[derive(Debug, thiserror::Error)]
struct NoPython {
    path: PathBuf,
    /// Those that are on `PATH`.
    others: Vec<PathBuf>,
}

impl NoPython {
    /// Notes the one that is there, if there is one alone.
    fn of(path: PathBuf) -> Self {
        let others = pythons_on_path();
        match &others[..] {
            [other] => note_input(&path.to_string_lossy(), &word(other), None),
            _ => note_other(),
        }
        Self { path, others }
    }
}

impl Display for NoPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, option) = (self.path.display(), ask_plain("--python"));
        write!(
            f,
            "there is no program `{path}`: name a Python that is there with {option}"
        )?;
        if remedy::has("--python-version") {
            let version = ask_plain("--python-version");
            write!(f, ", or only its version with {version}")?;
        }
        let others = self.others.iter().filter(|_| !remedy::is_in_build());
        others.into_iter().try_for_each(|other| {
            let other = word(other);
            write!(f, "{BREAK}  fix: --python {other}")
        })
    }
}

fn word(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// The Pythons of a minor version that a shell finds, one for each name.
fn pythons_on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BTreeMap::new();
    for directory in std::env::split_paths(&path) {
        for entry in fs_err::read_dir(&directory).into_iter().flatten().flatten() {
            let minor = entry.file_name().to_str().and_then(minor_version);
            if let Some(minor) = minor.filter(|_| entry.path().is_file()) {
                found.entry(minor).or_insert_with(|| entry.path());
            }
        }
    }
    found.into_values().collect()
}

/// The minor version in the name of a program, as `python3.11`.
fn minor_version(name: &str) -> Option<u32> {
    name.strip_prefix("python3.")?.parse().ok()
}

/// Whether the interpreter that is named is at fault, or the machine.
pub(crate) fn loader_error(error: LoaderError) -> Error {
    match error {
        LoaderError::Read(error) if error.kind() != ErrorKind::IsADirectory => error.into(),
        error => Error::refused(error),
    }
}

/// Whether the input is at fault, or the machine.
pub(crate) fn lib_path_error(error: LibPathError) -> Error {
    if is_refusal(&error) {
        Error::refused(error)
    } else {
        Error::environment(error)
    }
}

/// Whether the input is at fault.
pub(crate) fn is_refusal(error: &LibPathError) -> bool {
    matches!(
        error,
        LibPathError::Relative(_) | LibPathError::NoDirectory(_) | LibPathError::Unwritable { .. }
    )
}
