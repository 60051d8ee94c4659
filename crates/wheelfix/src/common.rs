//! Arguments that several commands share.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::builder::OsStringValueParser;
use serde::Serialize;
use serde::ser::SerializeMap as _;
use wheelfix_format::is_library_name;
use wheelfix_install::Libraries;
use wheelfix_link::{
    ExcuseKind, Excuses, LibPathError, LibraryIndex, LinkPlan, Pattern, PlanOptions, Proof, Rules,
    RulesError, RunPathStyle, count, told_once,
};
use wheelfix_loader::{absolute_path, real_path};
use wheelfix_unbundle::{BundledOverride, UnbundleOptions, UnbundlePlan};

use crate::document;
use crate::error::{Error, print};
use crate::message::BREAK;
use crate::next_step::{self, note_other, print_faults};
use crate::quoting::shell_word;
use crate::remedy::{Mendable, is_in_build};
use crate::target::is_refusal;

/// Where libraries come from, and what may be missing
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Libraries")]
pub(crate) struct LibraryArgs {
    /// Directory of libraries, or a prefix or store path that holds some; the first one wins. Several
    /// are separated by colons; those of `WHEELFIX_LIB_PATH` follow
    #[arg(long = "lib-path", value_name = "DIR", value_parser = OsStringValueParser::new())]
    lib_paths: Vec<OsString>,
    /// File with further rules, see docs/rules.md
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Directory of the graphics driver's libraries at run time
    #[arg(long, value_name = "DIR", default_value = "/run/opengl-driver/lib")]
    driver_path: PathBuf,
    /// Library that may be missing; one that matches nothing is an error
    #[arg(long, value_name = "GLOB", value_parser = |text: &str| ExcuseKind::Library.glob(text))]
    ignore_missing: Vec<Pattern>,
    /// Symbol that may be undefined; one that matches nothing is an error
    #[arg(long, value_name = "GLOB", value_parser = |text: &str| ExcuseKind::Symbol.glob(text))]
    ignore_symbol: Vec<Pattern>,
}

/// How libraries are relocated
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Relocation")]
pub(crate) struct RelocationArgs {
    /// Accelerator backend to keep, by its name or accelerator; others are left out
    #[arg(long = "backend", value_name = "NAME", value_parser = Pattern::new)]
    backends: Vec<Pattern>,
    /// Interpreter (dynamic loader) of programs
    #[arg(long, value_name = "PATH")]
    interpreter: Option<PathBuf>,
    /// Action for bundled libraries that match: keep, replace or drop; by name or path
    #[arg(long, value_name = "GLOB=ACTION")]
    bundled: Vec<BundledOverride>,
    /// Make one of several copies of a library where nothing outside stands in
    #[arg(long)]
    unify: bool,
    /// Write run paths inside the output relative ($ORIGIN) or absolute
    #[arg(long, value_name = "STYLE", default_value = "origin")]
    rpath: RunPathArg,
    /// Element to append to every run path that is written
    #[arg(long, value_name = "ELEMENT")]
    append_rpath: Vec<String>,
    /// Prefix or store path whose `lib` the run paths of programs begin with
    #[arg(long, value_name = "DIR")]
    runtime_dependency: Vec<PathBuf>,
}

/// The values of `--rpath`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RunPathArg {
    /// Relative to the file, with $ORIGIN
    Origin,
    /// Absolute, in the order of nixpkgs' auto-patchelf
    Absolute,
}

impl RelocationArgs {
    /// The choices of the user for bundled libraries.
    pub(crate) fn unbundle(&self) -> UnbundleOptions {
        UnbundleOptions {
            overrides: self.bundled.clone(),
            unify: self.unify,
        }
    }

    /// Whether the user has made a choice for bundled libraries.
    pub(crate) fn wants_unbundling(&self) -> bool {
        self.unify || !self.bundled.is_empty()
    }
}

impl LibraryArgs {
    /// The libraries and symbols that may be missing.
    pub(crate) fn excuses(&self) -> Excuses {
        Excuses {
            libraries: self.ignore_missing.clone(),
            symbols: self.ignore_symbol.clone(),
            ..Excuses::default()
        }
    }

    /// The directories of libraries, absolute and without links.
    pub(crate) fn lib_paths(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> = self.lib_paths.iter().flat_map(|it| named(it)).collect();
        let more = std::env::var_os(LIB_PATH);
        paths.extend(more.iter().flat_map(|value| split(value)));
        real_paths(&paths)
    }

    /// Warns of each `--lib-path` that brings nothing; the line to type next is without it.
    pub(crate) fn warn(&self, output: &OutputArgs) {
        let barren = self.lib_paths.iter().filter_map(|given| {
            let paths = named(given);
            let is_of_use = |path: &PathBuf| match fs_err::metadata(path) {
                Ok(metadata) if metadata.is_dir() => brings(path),
                Err(error) => error.kind() != io::ErrorKind::NotFound,
                // Of a library the directory is meant.
                Ok(_) => path
                    .file_name()
                    .and_then(OsStr::to_str)
                    .is_some_and(is_library_name),
            };
            if paths.iter().any(is_of_use) {
                return None;
            }
            next_step::leave_out_lib_path(&given.to_string_lossy());
            // One that is not there is an error.
            let is_there = paths.iter().all(|path| path.is_dir());
            is_there.then(|| barren(given, &paths))
        });
        let warnings: Vec<String> = barren.collect();
        if !output.quiet {
            print("warning", warnings);
        }
    }

    /// The choices that are made here, files and directories left out that decide by their contents.
    pub(crate) fn words(&self) -> String {
        let words = (&self.driver_path, &self.ignore_missing, &self.ignore_symbol);
        format!("{words:?}")
    }

    /// The files with further rules.
    pub(crate) fn rules_files(&self) -> &[PathBuf] {
        &self.rules
    }

    /// The directory of the driver, absolute; a link is kept, as the driver of another day is behind it.
    pub(crate) fn driver_path(&self) -> io::Result<PathBuf> {
        absolute_path(&self.driver_path)
    }

    /// The rules of the files that are named, and those that come with the program; all that is wrong
    /// with what is named is told at once.
    pub(crate) fn rules(&self) -> Result<Rules, Error> {
        read_rules(&self.rules, &self.lib_paths()?)
    }

    /// The settings of the pipeline where nothing else is decided; reads the files with rules.
    pub(crate) fn plain(&self) -> Result<Libraries, Error> {
        let mut options = PlanOptions::new(self.driver_path()?);
        options.excuses = self.excuses();
        Ok(Libraries {
            rules: self.rules()?,
            lib_paths: self.lib_paths()?,
            options,
            unbundle: Some(UnbundleOptions::default()),
            system: None,
        })
    }

    /// The same, with the choices of the user for relocation; bundled libraries stay.
    pub(crate) fn resolve(&self, relocation: &RelocationArgs) -> Result<Libraries, Error> {
        Ok(Libraries {
            options: self.options(relocation)?,
            unbundle: None,
            ..self.plain()?
        })
    }

    /// The options of the plan.
    pub(crate) fn options(&self, relocation: &RelocationArgs) -> io::Result<PlanOptions> {
        let mut options = PlanOptions::new(self.driver_path()?);
        options.excuses = self.excuses();
        options.backends.clone_from(&relocation.backends);
        let interpreter = relocation.interpreter.as_deref();
        options.interpreter = interpreter.map(absolute_path).transpose()?;
        options.style = match relocation.rpath {
            RunPathArg::Origin => RunPathStyle::Origin,
            RunPathArg::Absolute => RunPathStyle::Absolute,
        };
        options.append.clone_from(&relocation.append_rpath);
        let prefixes = relocation.runtime_dependency.iter();
        let libraries_of = |prefix: &PathBuf| Ok(absolute_path(prefix)?.join("lib"));
        options.runtime_dependencies = prefixes.map(libraries_of).collect::<io::Result<_>>()?;
        Ok(options)
    }
}

/// The variable with further directories of libraries, separated by colons.
const LIB_PATH: &str = "WHEELFIX_LIB_PATH";

/// The paths of a `--lib-path`; a directory with a colon in its name is told what is wrong with that.
fn named(given: &OsStr) -> Vec<PathBuf> {
    if Path::new(given).is_dir() {
        return vec![PathBuf::from(given)];
    }
    split(given).collect()
}

/// Whether a library path has what some file may need: libraries, or programs for the first lines of scripts. What cannot
/// be read is told by those who need it.
fn brings(path: &Path) -> bool {
    let has_libraries = || LibraryIndex::has_libraries(&absolute_path(path).ok()?).ok();
    path.join("bin").is_dir() || has_libraries().unwrap_or(true)
}

/// The warning of a `--lib-path` that brings nothing.
fn barren(given: &OsStr, paths: &[PathBuf]) -> String {
    let given = given.to_string_lossy();
    match paths {
        [] => format!(
            "`--lib-path '{given}'` names no directory: a command that was to print one has failed"
        ),
        [_] => format!("`--lib-path {given}` has no library, and no directory `lib` with one"),
        _ => format!("no directory of `--lib-path {given}` has a library"),
    }
}

/// The paths of a list; an empty one names nothing.
fn split(list: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty())
}

/// Reads files with rules; prints which of them, and which directories of libraries, cannot be used.
///
/// That something is not there is another fault than that it is wrong; the first one decides.
pub(crate) fn read_rules(files: &[PathBuf], lib_paths: &[PathBuf]) -> Result<Rules, Error> {
    let checked = lib_paths.iter().map(|path| LibraryIndex::check(path));
    let of_paths = checked.filter_map(Result::err).inspect(note_lib_path);
    let mut faults: Vec<Fault> = of_paths
        .map(|error| Fault {
            is_refusal: is_refusal(&error),
            fix: fix_of_lib_path(&error),
            text: error.to_string(),
        })
        .collect();
    let rules = Rules::with_files(files).unwrap_or_else(|errors| {
        faults.extend(errors.iter().map(|error| {
            note_other();
            Fault {
                is_refusal: !matches!(error, RulesError::Read(_)),
                fix: None,
                text: error.to_string(),
            }
        }));
        Rules::default()
    });
    let Some(Fault { is_refusal, .. }) = faults.first() else {
        return Ok(rules);
    };
    print("error", &faults);
    Err(if *is_refusal {
        Error::Reported
    } else {
        Error::ReportedEnvironment
    })
}

/// A library path or a file with rules that cannot be used.
struct Fault {
    is_refusal: bool,
    text: String,
    fix: Option<String>,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let mut fix = self.fix.iter();
        fix.try_for_each(|fix| write!(f, "{BREAK}  fix: {fix}"))
    }
}

/// The fix of a library path that cannot be used.
fn fix_of_lib_path(error: &LibPathError) -> Option<String> {
    match error {
        _ if is_in_build() => None,
        LibPathError::NoDirectory(path) if directory_of(path).is_some() => {
            Some(format!("--lib-path {}", directory_of(path)?))
        }
        LibPathError::Missing(_) | LibPathError::NoDirectory(_) => {
            Some("leave it out: what is missing then is told, with what has it".to_owned())
        }
        _ => None,
    }
}

/// The directory of a library, as one word of a shell; `None` of another file.
fn directory_of(library: &Path) -> Option<String> {
    let name = library.file_name()?.to_str()?;
    let directory = library.parent().filter(|_| is_library_name(name))?;
    Some(shell_word(&directory.to_string_lossy()))
}

/// Notes a library path that cannot be used.
fn note_lib_path(error: &LibPathError) {
    match error {
        LibPathError::NoDirectory(path) if let Some(directory) = directory_of(path) => {
            next_step::note_instead(path, &directory);
        }
        LibPathError::Missing(path) | LibPathError::NoDirectory(path) => {
            next_step::note_lib_path(path);
        }
        _ => note_other(),
    }
}

/// Where paths lead, absolute and without links; they need not exist.
pub(crate) fn real_paths(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    paths.iter().map(|path| real_path(path)).collect()
}

/// Prints the options for bundled libraries that cannot be met, and the plan as JSON if asked.
pub(crate) fn report_bundled(plan: &UnbundlePlan, output: &OutputArgs) -> Error {
    report_faults(&plan.faults, "unbundling", plan, output)
}

/// Prints why a plan is not sound: one block per fault and a count, and the plan as JSON if asked.
pub(crate) fn report_unsound(plan: &LinkPlan, output: &OutputArgs) -> Error {
    report_faults(&told_once(&plan.faults), "relocation", plan, output)
}

/// Prints why a proof fails: one block per fault and a count, and the proof as JSON if asked.
pub(crate) fn report_unproved(proof: &Proof, output: &OutputArgs) -> Error {
    report_faults(&told_once(&proof.faults), "proof", proof, output)
}

fn report_faults<'f, F>(
    faults: &'f [F],
    name: &'static str,
    whole: &impl Serialize,
    output: &OutputArgs,
) -> Error
where
    &'f F: Mendable,
{
    print_faults(faults);
    if 1 < faults.len() {
        let all = count(faults.len(), "fault");
        print("error", [format!("{all} in all")]);
    }
    if output.json
        && let Err(error) = print_json(name, whole)
    {
        return error.into();
    }
    Error::Reported
}

/// The JSON document of a failure that is a list of faults, version 1.
struct Named<'v, T> {
    name: &'static str,
    value: &'v T,
}

impl<T: Serialize> Serialize for Named<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &1)?;
        map.serialize_entry(self.name, self.value)?;
        map.serialize_entry("next", &next_step::line())?;
        map.end()
    }
}

/// Prints a document that holds one value under a name.
fn print_json(name: &'static str, value: &impl Serialize) -> io::Result<()> {
    // A map of ours would sort the keys of the value.
    document::print_whole(&Named { name, value })
}

/// How often all is made, if at all
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = None::<&str>)]
pub(crate) struct MakingArgs {
    /// Make all a second time, with other threads and in another place, and refuse it if it is not the same
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) check_twice: bool,
    /// Print all that would be made, and make nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How to run, and what to print
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Print errors only
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print all rows of tables, also of what stays as it is, and all warnings whole
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

/// How many threads to use
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = None::<&str>)]
pub(crate) struct JobsArgs {
    /// Number of threads [default: one per processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

impl JobsArgs {
    /// How many threads to use, at least one.
    pub(crate) fn count(&self) -> NonZeroUsize {
        let asked = self.jobs.and_then(|jobs| NonZeroUsize::new(jobs.into()));
        let available = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        asked.unwrap_or_else(available)
    }
}
