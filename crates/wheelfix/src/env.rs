//! `wheelfix env`

use std::collections::BTreeSet;
use std::path::PathBuf;

use wheelfix_format::{PythonVersion, is_wheel_name};
use wheelfix_install::{
    Activation, CollisionRule, EnvRequest, InstallRequest, LinkMode, ProofScope, Python, pythons_of,
};
use wheelfix_link::Pattern;
use wheelfix_loader::real_path;

use crate::common::{JobsArgs, LibraryArgs, MakingArgs, OutputArgs, RelocationArgs};
use crate::env_lock::LockedArgs;
use crate::error::{Error, printed};
use crate::inputs::{self, not_an_input};
use crate::install::{BytecodeArgs, default_python, path_word, print_start, with_python_path};
use crate::limits::LimitArgs;
use crate::progress::Progress;
use crate::target::{SystemArgs, probe};
use crate::wheel_options::WheelArgs;
use crate::{env_error, env_report, message};

/// Make one site-packages from wheels, prefixes and store paths
#[derive(Debug, clap::Args)]
pub(crate) struct EnvArgs {
    /// Prefixes, store paths and wheels; what store paths propagate comes along
    #[arg(required_unless_present = "lock", value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    locked: LockedArgs,
    /// Directory to create; it must be empty if it exists
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    prefix: PathBuf,
    #[command(flatten)]
    python: EnvPythonArgs,
    #[command(flatten)]
    assembly: AssemblyArgs,
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
    /// Make no table in which Python code finds libraries that it opens by name
    #[arg(long, help_heading = "Libraries")]
    no_library_table: bool,
    #[command(flatten)]
    making: MakingArgs,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The Python of the environment
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Python")]
struct EnvPythonArgs {
    /// Interpreter that gets a name in `bin` by which it sees the environment; with `--target` one of this
    /// machine that compiles
    #[arg(long, value_name = "EXE", conflicts_with = "python_version")]
    python: Option<PathBuf>,
    /// Version of Python; no program of the target is run [default: the one that all prefixes are for,
    /// else that of `python3`]
    #[arg(long, value_name = "X.Y", conflicts_with = "target")]
    python_version: Option<PythonVersion>,
    #[command(flatten)]
    system: SystemArgs,
}

/// How an environment is assembled
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Assembly")]
pub(crate) struct AssemblyArgs {
    /// How files of prefixes come into the environment
    #[arg(long, value_name = "MODE", default_value = "auto")]
    link: LinkArg,
    /// Rule for inputs that collide, as `GLOB=first`, `GLOB=last` or `GLOB=error`; the first rule
    /// that matches counts
    #[arg(long, value_name = "GLOB=ACTION")]
    on_collision: Vec<CollisionRule>,
    /// Distribution that may be required and missing, or there in another version
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new)]
    allow_unmet: Vec<Pattern>,
    /// By which paths libraries are proved to load
    #[arg(long, value_name = "PATHS", default_value = "both")]
    prove: ProofArg,
    /// How the interpreter learns where the modules are
    #[arg(
        long,
        value_name = "HOW",
        default_value = "venv",
        help_heading = "Python"
    )]
    activate: ActivationArg,
}

/// The values of `--activate`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ActivationArg {
    /// From a pyvenv.cfg
    Venv,
    /// From the variables that nixpkgs' sitecustomize reads
    Variables,
    /// Not at all: the environment gets no interpreter
    None,
}

/// The values of `--link`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LinkArg {
    /// One link for a directory of one input, links to files where directories merge
    Auto,
    /// A link for each file
    Symlink,
    /// A copy of each file
    Copy,
    /// A second name for each file
    Hardlink,
    /// A copy that shares its blocks with the file
    Reflink,
}

/// The values of `--prove`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ProofArg {
    /// By those in the environment and by those in the inputs
    Both,
    /// By those in the environment
    Environment,
    /// Nothing is proved
    None,
}

impl AssemblyArgs {
    /// The activation of an interpreter that can be run.
    pub(crate) fn activation(&self) -> Option<Activation> {
        match self.activate {
            ActivationArg::Venv => Some(Activation::Venv),
            ActivationArg::Variables => Some(Activation::Variables),
            ActivationArg::None => None,
        }
    }

    /// The scope of the proof.
    pub(crate) fn scope(&self) -> ProofScope {
        self.prove.scope()
    }

    /// The environment of inputs and wheels, assembled so.
    pub(crate) fn request(&self, inputs: Vec<PathBuf>, installation: InstallRequest) -> EnvRequest {
        EnvRequest {
            inputs,
            installation,
            activation: self.activation(),
            link: self.link.mode(),
            on_collision: self.on_collision.clone(),
            allow_unmet: self.allow_unmet.clone(),
            proof: self.scope(),
            dry_run: false,
        }
    }
}

impl LinkArg {
    fn mode(self) -> LinkMode {
        match self {
            Self::Auto => LinkMode::Auto,
            Self::Symlink => LinkMode::Symlink,
            Self::Copy => LinkMode::Copy,
            Self::Hardlink => LinkMode::Hardlink,
            Self::Reflink => LinkMode::Reflink,
        }
    }
}

impl ProofArg {
    fn scope(self) -> ProofScope {
        match self {
            Self::Both => ProofScope::Both,
            Self::Environment => ProofScope::Environment,
            Self::None => ProofScope::None,
        }
    }
}

impl EnvPythonArgs {
    fn resolve(&self, inputs: &[PathBuf]) -> Result<Python, Error> {
        if let Some(python) = self.system.python(self.python.as_deref())? {
            return Ok(python);
        }
        match (&self.python, self.python_version) {
            (Some(python), _) => probe(python),
            (None, Some(version)) => Ok(Python::of_version(version)),
            (None, None) => {
                let found: BTreeSet<String> =
                    inputs.iter().flat_map(|input| pythons_of(input)).collect();
                let mut versions = found.iter().map(String::as_str);
                match (versions.next().map(str::parse), versions.next()) {
                    (Some(Ok(version)), None) => Ok(Python::of_version(version)),
                    (None, _) => default_python(),
                    _ => {
                        let list = found.into_iter().collect::<Vec<_>>().join(", ");
                        Err(Error::Usage(format!(
                            "the inputs are for Python {list}: choose with `--python EXE` or `--python-version X.Y`"
                        )))
                    }
                }
            }
        }
    }

    /// Whether the environment may get an interpreter: not of the Python of prefixes, of which nothing but the
    /// version is known.
    fn runs(&self, python: &Python) -> bool {
        python.base().is_some() && (self.system.target.is_some() || self.python.is_some())
    }
}

impl EnvArgs {
    /// Says how the environment is started; nothing where no program of the target is known.
    fn print_start(&self, request: &EnvRequest) -> Result<(), Error> {
        let installation = &request.installation;
        let command = match request.activation {
            Some(_) => Some(path_word(&installation.prefix.join("bin/python"))),
            None if self.python.system.target.is_none() => with_python_path(installation),
            None => None,
        };
        print_start(&self.output, command)
    }
}

pub(crate) fn run(args: &EnvArgs) -> Result<(), Error> {
    args.wheel_options.refuse_check_deps()?;
    args.libraries.warn(&args.output);
    let (python, mut libraries) = inputs::both(
        args.python.resolve(&args.inputs),
        args.libraries.resolve(&args.relocation),
        args.inputs.iter().filter_map(|path| not_an_input(path)),
    )?;
    inputs::for_python(&python);
    let runs = args.python.runs(&python);
    let is_wheel = |path: &&PathBuf| is_wheel_name(path);
    let mut inputs = args.inputs.clone();
    inputs.extend(args.locked.wheels(&python, &args.inputs)?);
    let wheels: Vec<PathBuf> = inputs.iter().filter(is_wheel).cloned().collect();
    if wheels.is_empty() && args.relocation.wants_unbundling() {
        let text = "`--bundled` and `--unify` are for wheels: an environment leaves prefixes as they are; \
                    `wheelfix unbundle` changes them";
        return Err(Error::Usage(text.to_owned()));
    }
    let prefix = real_path(&args.prefix)?;
    message::say_as(wheelfix_install::names_in_prefix(&prefix, &python));
    libraries.unbundle = Some(args.relocation.unbundle());
    libraries.system = python.system();
    let installation = InstallRequest {
        merge: false,
        bytecode: args.bytecode.resolve(&python, &prefix)?,
        prefix,
        wheel_options: args.wheel_options.resolve(wheels.len(), &args.limits)?,
        libraries: Some(libraries),
        library_table: !args.no_library_table,
        check_twice: args.making.check_twice,
        jobs: args.jobs.count(),
        python,
        wheels,
    };
    let assembly = &args.assembly;
    let request = EnvRequest {
        activation: assembly.activation().filter(|_| runs),
        dry_run: args.making.dry_run,
        ..assembly.request(inputs, installation)
    };
    let progress = Progress::bytes(args.output.quiet);
    let result = wheelfix_install::prepare_environment(&request, &|event| progress.show(event));
    progress.finish();
    let explain = |error| env_error::explain(error, &args.output);
    let made = result.map_err(explain)?;
    // Where the report cannot be written, there is no prefix either.
    printed(env_report::print(
        &made.report,
        args.making.dry_run,
        &args.output,
    ))?;
    if !args.making.dry_run {
        printed(args.print_start(&request))?;
    }
    made.publish().map_err(|error| explain(error.into()))?;
    Ok(())
}
