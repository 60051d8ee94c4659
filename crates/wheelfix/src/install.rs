//! `wheelfix install`

use std::path::{Path, PathBuf};

use wheelfix_format::PythonVersion;
use wheelfix_install::{Bytecode, InstallRequest, Invalidation, Python, PythonError};
use wheelfix_loader::{STORE, real_path};

use crate::common::{JobsArgs, LibraryArgs, MakingArgs, OutputArgs, RelocationArgs};
use crate::error::{Error, print_report, printed};
use crate::inputs::{self, not_a_wheel};
use crate::limits::LimitArgs;
use crate::message::BREAK;
use crate::progress::Progress;
use crate::quoting::shell_word;
use crate::target::{SystemArgs, probe};
use crate::wheel_options::WheelArgs;
use crate::{install_error, install_report, message};

/// Install wheels into a prefix: unpack, relocate, compile, prove, publish
#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    /// The wheels
    #[arg(required = true, value_name = "WHEEL")]
    wheels: Vec<PathBuf>,
    /// Directory to create; it must be empty if it exists
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Install into a prefix that holds files already; a file that exists is an error
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    python: PythonArgs,
    #[command(flatten)]
    bytecode: BytecodeArgs,
    #[command(flatten)]
    wheel_options: WheelArgs,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    relocation: RelocationArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Add a table in which Python code finds the libraries of library paths that it opens by name
    #[arg(long, help_heading = "Libraries")]
    library_table: bool,
    #[command(flatten)]
    making: MakingArgs,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The Python to install for
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Python")]
struct PythonArgs {
    /// Interpreter to install for [default: python3]; with `--target` one of this machine that compiles
    #[arg(long, value_name = "EXE", conflicts_with = "python_version")]
    python: Option<PathBuf>,
    /// Version to install for; no program of the target is run
    #[arg(long, value_name = "X.Y", conflicts_with = "target")]
    python_version: Option<PythonVersion>,
    #[command(flatten)]
    system: SystemArgs,
}

/// Options of byte-compilation
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Bytecode")]
pub(crate) struct BytecodeArgs {
    /// Optimisation levels to compile for [default: 0,1 if an interpreter is there]
    #[arg(long, value_name = "LEVELS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..=2))]
    bytecode: Vec<u8>,
    /// Compile nothing
    #[arg(long, conflicts_with = "bytecode")]
    no_bytecode: bool,
    /// How Python sees that bytecode is stale [default: unchecked-hash in the Nix store, else
    /// checked-hash]
    #[arg(long, value_name = "MODE", conflicts_with = "no_bytecode")]
    invalidation_mode: Option<InvalidationArg>,
}

/// The values of `--invalidation-mode`, named as those of `compileall`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum InvalidationArg {
    /// The hash of the source is compared at every import
    CheckedHash,
    /// Never
    UncheckedHash,
    /// The time of the source is compared; sources get the time of the Nix store
    Timestamp,
}

impl PythonArgs {
    fn resolve(&self) -> Result<Python, Error> {
        if let Some(python) = self.system.python(self.python.as_deref())? {
            return Ok(python);
        }
        match (&self.python, self.python_version) {
            (Some(python), _) => probe(python),
            (None, Some(version)) => Ok(Python::of_version(version)),
            (None, None) => default_python(),
        }
    }
}

/// The Python that is taken where none is named.
pub(crate) fn default_python() -> Result<Python, Error> {
    Python::probe(Path::new("python3")).map_err(|error| match error {
        error @ PythonError::Start { .. } => Error::environment(NoInterpreter(error)),
        error => Error::refused(NoInterpreter(error)),
    })
}

/// There is no Python to ask.
#[derive(Debug, thiserror::Error)]
#[error(
    "no interpreter: name one with `--python EXE`, or the version to install for with `--python-version X.Y`"
)]
struct NoInterpreter(#[source] PythonError);

impl BytecodeArgs {
    /// The options of byte-compilation; `None` to compile nothing.
    pub(crate) fn resolve(
        &self,
        python: &Python,
        prefix: &Path,
    ) -> Result<Option<Bytecode>, Error> {
        if self.no_bytecode {
            return Ok(None);
        }
        // What a target that is named lacks to be compiled for is told, and is no error.
        if python.compiler().is_none() && python.system().is_none() {
            return if self.bytecode.is_empty() {
                Ok(None)
            } else {
                let text = "`--bytecode` needs an interpreter: use `--python EXE`";
                Err(Error::Usage(text.to_owned()))
            };
        }
        let mut levels = self.bytecode.clone();
        if levels.is_empty() {
            levels = vec![0, 1];
        }
        levels.sort_unstable();
        levels.dedup();
        Ok(Some(Bytecode {
            levels,
            invalidation: match self.invalidation_mode {
                Some(InvalidationArg::CheckedHash) => Invalidation::CheckedHash,
                Some(InvalidationArg::UncheckedHash) => Invalidation::UncheckedHash,
                Some(InvalidationArg::Timestamp) => Invalidation::Timestamp,
                None => invalidation(prefix),
            },
        }))
    }
}

/// The mode for a prefix. Files in the Nix store never change, so nothing is gained there by
/// looking at the source.
fn invalidation(prefix: &Path) -> Invalidation {
    if prefix.starts_with(STORE) {
        Invalidation::UncheckedHash
    } else {
        Invalidation::CheckedHash
    }
}

impl InstallArgs {
    /// Says how what was installed is started; nothing where no program of the target is known.
    fn print_start(&self, request: &InstallRequest) -> Result<(), Error> {
        let is_for_here = self.python.system.target.is_none();
        let command = is_for_here.then(|| with_python_path(request)).flatten();
        print_start(&self.output, command)
    }
}

/// The command that starts a Python with the modules of a prefix; `None` where no program is known, and where
/// a colon is in the path, which would end it in the variable.
pub(crate) fn with_python_path(request: &InstallRequest) -> Option<String> {
    let python = path_word(request.python.executable()?);
    let modules = wheelfix_install::site_packages(&request.prefix, &request.python);
    let modules = path_word(&modules);
    (!modules.contains(':')).then(|| format!("PYTHONPATH={modules} {python}"))
}

/// Says how what was made is started, if that is known.
pub(crate) fn print_start(output: &OutputArgs, command: Option<String>) -> Result<(), Error> {
    match command {
        Some(command) if !output.quiet && !output.json => {
            Ok(print_report(format_args!("start it: {command}{BREAK}"))?)
        }
        _ => Ok(()),
    }
}

/// A path as one word of a shell.
pub(crate) fn path_word(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

pub(crate) fn run(args: &InstallArgs) -> Result<(), Error> {
    args.libraries.warn(&args.output);
    let (python, mut libraries) = inputs::both(
        args.python.resolve(),
        args.libraries.resolve(&args.relocation),
        args.wheels.iter().filter_map(|path| not_a_wheel(path)),
    )?;
    inputs::for_python(&python);
    let prefix = real_path(&args.prefix)?;
    message::say_as(wheelfix_install::names_in_prefix(&prefix, &python));
    libraries.unbundle = Some(args.relocation.unbundle());
    libraries.system = python.system();
    let request = InstallRequest {
        wheels: args.wheels.clone(),
        merge: args.merge,
        bytecode: args.bytecode.resolve(&python, &prefix)?,
        prefix,
        python,
        wheel_options: args
            .wheel_options
            .resolve(args.wheels.len(), &args.limits)?,
        libraries: Some(libraries),
        library_table: args.library_table,
        check_twice: args.making.check_twice,
        jobs: args.jobs.count(),
    };
    let progress = Progress::bytes(args.output.quiet);
    let listener = |event| progress.show(event);
    let explain = |error| install_error::explain(error, &args.output);
    if args.making.dry_run {
        let result = wheelfix_install::dry_run(&request, &listener);
        progress.finish();
        return install_report::print(&result.map_err(explain)?, true, &args.output);
    }
    let result = wheelfix_install::prepare_install(&request, &listener);
    progress.finish();
    let made = result.map_err(explain)?;
    // Where the report cannot be written, there is no prefix either.
    printed(install_report::print(&made.report, false, &args.output))?;
    printed(args.print_start(&request))?;
    made.publish().map_err(|error| explain(error.into()))?;
    Ok(())
}
