//! Arguments that say what will load an output, for the commands that simulate it.

use std::path::{Path, PathBuf};

use wheelfix_relocate::{LibPathError, Target};
use wheelfix_site::Python;

use crate::error::Error;

/// What will load the files
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// Python that will import the files; without it the names of its C API are taken to be there
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
    /// Dynamic loader of the target [default: the one of the Python; without either, the C library is taken to be there]
    #[arg(long, value_name = "PATH")]
    interpreter: Option<PathBuf>,
    /// Directory of the environment's library path
    #[arg(long, value_name = "DIR")]
    library_path: Vec<String>,
    /// Subdirectory that the processor makes the loader prefer, as `glibc-hwcaps/x86-64-v3`
    #[arg(long, value_name = "DIR")]
    hwcaps: Vec<String>,
}

/// What will load the files.
#[derive(Debug)]
pub(crate) struct ResolvedTarget {
    /// How it searches.
    pub(crate) target: Target,
    /// The program that opens the files.
    pub(crate) program: Option<PathBuf>,
}

impl TargetArgs {
    /// Looks at the interpreters that are named.
    pub(crate) fn resolve(&self, driver_path: &Path) -> Result<ResolvedTarget, Error> {
        let program = match &self.python {
            // What is named may be a script or a link; Python knows its own program.
            Some(python) => Python::probe(python)
                .map_err(Error::refused)?
                .executable()
                .map(Path::to_path_buf),
            None => None,
        };
        let driver = || driver_path.to_path_buf();
        let mut target = match (&self.interpreter, &program) {
            (Some(interpreter), _) => {
                Target::of_interpreter(interpreter, driver()).map_err(Error::from)?
            }
            (None, Some(program)) => {
                let found = Target::of_program(program, driver()).map_err(Error::from)?;
                found.unwrap_or_else(|| Target::unknown(driver()))
            }
            (None, None) => Target::unknown(driver()),
        };
        target.library_path.clone_from(&self.library_path);
        let with_slash = |directory: &String| format!("{}/", directory.trim_end_matches('/'));
        target.subdirectories = self.hwcaps.iter().map(with_slash).collect();
        Ok(ResolvedTarget { target, program })
    }
}

/// Whether the input is at fault, or the machine.
pub(crate) fn lib_path_error(error: LibPathError) -> Error {
    match error {
        LibPathError::Relative(_)
        | LibPathError::NoDirectory(_)
        | LibPathError::Unwritable { .. } => Error::refused(error),
        _ => Error::environment(error),
    }
}
