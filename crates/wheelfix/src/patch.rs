//! `wheelfix patch`

pub(crate) mod environment;

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_format::{MetadataEdit, is_wheel_name};
use wheelfix_install::{
    EditedRequirements, Libraries, PatchReport, PatchRequest, PatchWheelReport, PatchWheelRequest,
    PipelineError, Python, Scope, VirtualEnvironment,
};
use wheelfix_link::{LinkPlan, Pattern, Proof, count};
use wheelfix_unbundle::{UnbundleOptions, UnbundlePlan};
use wheelfix_wheel::OpenOptions;

use crate::common::{JobsArgs, LibraryArgs, OutputArgs, RelocationArgs};
use crate::error::{Error, print_line, print_named_report, print_report};
use crate::install_report::{ChangeDocument, change_document};
use crate::message::BREAK;
use crate::next_step::{free_name, note_instead, note_option};
use crate::progress::Progress;
use crate::remedy::ask_plain;
use crate::target::SystemArgs;
use crate::wheel_options::{MetadataArgs, accepted};
use crate::{
    document, inputs, install_error, message, proof_report, table, unbundle_table, warnings,
};

/// Relocate libraries and programs that are on disk already, in place, or a wheel into a new wheel
#[derive(Debug, clap::Args)]
pub(crate) struct PatchArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Repair what older versions of patchelf left behind, which `strip` would turn into a broken file
    #[arg(long, help_heading = None::<&str>)]
    heal: bool,
    /// Write a table of the libraries that Python code opens by a bare name to the site-packages of the virtual environment, where ctypes and cffi look first; a run without it takes the table away
    #[arg(long, help_heading = "Libraries")]
    library_table: bool,
    #[command(flatten)]
    metadata: MetadataArgs,
}

/// Files on disk, and how they are edited
#[derive(Debug, clap::Args)]
pub(crate) struct FileArgs {
    /// Files and directories, as a virtual environment; or one wheel
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Wheel to make from the one that is named, or directory to make it in
    #[arg(long = "output", short, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Files of the wheel to accept although RECORD does not vouch for them
    #[arg(long, value_name = "GLOB", value_parser = accepted, requires = "out")]
    accept_mismatch: Vec<Pattern>,
    /// Python that will load the files [default: that of a virtual environment; else, without `--interpreter`, nothing is proved]
    #[arg(long, value_name = "EXE", conflicts_with = "target")]
    python: Option<PathBuf>,
    #[command(flatten)]
    system: SystemArgs,
    #[command(flatten)]
    pub(crate) libraries: LibraryArgs,
    #[command(flatten)]
    pub(crate) relocation: RelocationArgs,
    /// Print what would be done
    #[arg(long, help_heading = None::<&str>)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    /// Whether nothing was written.
    dry_run: bool,
    elf_edited: usize,
    elf_bytes_written: u64,
    records_updated: usize,
    /// The length of all files that went.
    bytes_saved: u64,
    unbundling: &'a UnbundlePlan,
    /// `null` if nothing had changed.
    relocation: Option<&'a LinkPlan>,
    /// Distributions with edited requirements.
    metadata: Vec<MetadataDocument<'a>>,
    /// Warnings about the request.
    warnings: Vec<String>,
    /// The `.dist-info` directories of a virtual environment that have not changed and were not looked at.
    unchanged: &'a [String],
    /// `null` in a dry run, if nothing is known of the target, or if nothing had changed.
    proof: Option<&'a Proof>,
}

/// The content of the JSON document for a wheel, version 1.
#[derive(Serialize)]
struct WheelDocument<'a> {
    /// Whether nothing was written.
    dry_run: bool,
    output: &'a Path,
    elf_edited: usize,
    copied: usize,
    unbundling: &'a UnbundlePlan,
    relocation: &'a LinkPlan,
    /// Distributions with edited requirements.
    metadata: Vec<MetadataDocument<'a>>,
    /// Warnings about the request.
    warnings: Vec<String>,
    /// `null` in a dry run, or if nothing is known of the target.
    proof: Option<&'a Proof>,
}

#[derive(Serialize)]
struct MetadataDocument<'a> {
    name: &'a str,
    path: &'a Path,
    changes: Vec<ChangeDocument<'a>>,
}

/// The edits to make to files on disk.
pub(crate) struct Task {
    /// The scope of the edits.
    pub(crate) scope: Scope,
    /// The options for bundled libraries; `None` leaves all of them alone.
    pub(crate) unbundle: Option<UnbundleOptions>,
    /// Whether segments without a section are retired.
    pub(crate) heal: bool,
    /// Whether the virtual environment gets a table of libraries.
    pub(crate) library_table: bool,
    /// Edits of requirements.
    pub(crate) metadata: Vec<MetadataEdit>,
}

pub(crate) fn run(args: &PatchArgs) -> Result<(), Error> {
    args.files.libraries.warn(&args.files.output);
    if !args.files.is_for_wheel()? {
        return run_tree(args);
    }
    if args.heal || args.library_table {
        let option = if args.heal {
            "--heal"
        } else {
            "--library-table"
        };
        let text =
            format!("`{option}` is for files on disk: `patch` what is installed or unpacked");
        return Err(Error::Usage(text));
    }
    let relocation = &args.files.relocation;
    let task = Task {
        scope: Scope::Everything,
        unbundle: relocation.wants_unbundling().then(|| relocation.unbundle()),
        heal: false,
        library_table: false,
        metadata: args.metadata.resolve()?,
    };
    print_wheel(&execute_wheel(&args.files, task)?, &args.files)
}

impl FileArgs {
    /// The virtual environments among the paths.
    fn environments(&self) -> Result<Vec<VirtualEnvironment>, Error> {
        let found = self.paths.iter().map(|path| VirtualEnvironment::at(path));
        let found: io::Result<Vec<_>> = found.collect();
        let found: Vec<_> = found?.into_iter().flatten().collect();
        match &found[..] {
            [one, other, ..] if self.python.is_none() => {
                let (one, other) = (one.root.display(), other.root.display());
                let option = ask_plain("--python");
                let text = format!(
                    "`{one}` and `{other}` may be for different Pythons: patch one after the other, or name one with {option}"
                );
                Err(Error::Usage(text))
            }
            _ => Ok(found),
        }
    }

    /// Whether one wheel is to become another.
    pub(crate) fn is_for_wheel(&self) -> Result<bool, Error> {
        let is_wheel = |path: &&PathBuf| is_wheel_name(path);
        // Where one is made, all that is wrong is told with it.
        if let (None, Some(wheel)) = (&self.out, self.paths.iter().find(is_wheel)) {
            inputs::existing(wheel)?;
        }
        match (
            &self.out,
            self.paths.as_slice(),
            self.paths.iter().find(is_wheel),
        ) {
            (Some(_), [_], Some(_)) => Ok(true),
            (Some(_), paths, _) => {
                let one = paths.first().filter(|_| paths.len() == 1);
                let wrong = one.and_then(|path| inputs::not_a_wheel(path));
                if wrong.is_none() {
                    return Err(Error::Usage("`--output` is for one wheel".to_owned()));
                }
                inputs::all(
                    self.system.python_or(self.python.as_deref()),
                    self.libraries.resolve(&self.relocation),
                    wrong.into_iter(),
                )?;
                Ok(true)
            }
            (None, paths, Some(wheel)) => {
                if paths.len() == 1 {
                    note_option("--output=patched");
                }
                let wheel = wheel.display();
                let option = ask_plain("--output");
                let text = format!("`{wheel}` is a wheel: name the one to make with {option}");
                Err(Error::Usage(text))
            }
            (None, _, None) => Ok(false),
        }
    }
}

/// Makes a wheel from the one that is named.
pub(crate) fn execute_wheel(files: &FileArgs, task: Task) -> Result<PatchWheelReport, Error> {
    let wheel = files.paths.first().cloned().unwrap_or_default();
    let (python, libraries) = inputs::all(
        files.system.python_or(files.python.as_deref()),
        files.libraries.resolve(&files.relocation),
        inputs::absent(&wheel).into_iter(),
    )?;
    let system = python.as_ref().and_then(Python::system);
    message::say_as(wheelfix_install::names_in_wheel(&wheel, python.as_ref()));
    let request = PatchWheelRequest {
        output: files.out.clone().unwrap_or_default(),
        options: OpenOptions {
            accept_mismatch: files.accept_mismatch.clone(),
            ..OpenOptions::default()
        },
        libraries: Libraries {
            unbundle: task.unbundle,
            system,
            ..libraries
        },
        scope: task.scope,
        metadata: task.metadata,
        wheel,
        python,
        dry_run: files.dry_run,
        jobs: files.jobs.count(),
    };
    let progress = Progress::bytes(files.output.quiet);
    let result = wheelfix_install::patch_wheel(&request, &|event| progress.show(event));
    progress.finish();
    let _wheel = &request.wheel;
    result.map_err(|error| {
        if matches!(error, PipelineError::Output(_)) {
            note_instead(&request.output, &free_name("patched", ""));
        }
        install_error::explain(error, &files.output)
    })
}

impl PatchArgs {
    pub(crate) fn files(&self) -> &FileArgs {
        &self.files
    }
}

/// The edits that are asked for, of everything.
pub(crate) fn whole(args: &PatchArgs) -> Result<Task, Error> {
    let relocation = &args.files.relocation;
    Ok(Task {
        scope: Scope::Everything,
        unbundle: relocation.wants_unbundling().then(|| relocation.unbundle()),
        heal: args.heal,
        library_table: args.library_table,
        metadata: args.metadata.resolve()?,
    })
}

fn run_tree(args: &PatchArgs) -> Result<(), Error> {
    let (files, task) = (&args.files, whole(args)?);
    if let [path] = &files.paths[..]
        && task.metadata.is_empty()
        // What is kept of an environment is about its own Python.
        && files.system.target.is_none()
        && let Some(environment) = VirtualEnvironment::at(path)?
    {
        return environment::print(&environment::execute(environment, files, task)?, files);
    }
    show(&execute(files, task)?, &[], files)
}

/// Edits the files, and returns the report.
pub(crate) fn execute(args: &FileArgs, task: Task) -> Result<PatchReport, Error> {
    let environments = args.environments()?;
    if task.library_table && environments.len() != 1 {
        let text = "`--library-table` is for one virtual environment: `wheelfix install --library-table` and `wheelfix env` make tables for others";
        return Err(Error::Usage(text.to_owned()));
    }
    let request = request(args, task, environments, None)?;
    let progress = Progress::bytes(args.output.quiet);
    let result = wheelfix_install::patch(&request, &|event| progress.show(event));
    progress.finish();
    result.map_err(|error| install_error::explain(error, &args.output))
}

/// The request for these edits; the environments are among the paths. `program` is that of the Python, if it is known.
fn request(
    args: &FileArgs,
    task: Task,
    environments: Vec<VirtualEnvironment>,
    program: Option<PathBuf>,
) -> Result<PatchRequest, Error> {
    let asked = match program {
        Some(_) => Ok(None),
        None => python(args, &environments),
    };
    let (asked, mut libraries) = inputs::all(
        asked,
        args.libraries.resolve(&args.relocation),
        args.paths.iter().filter_map(|path| inputs::absent(path)),
    )?;
    libraries.unbundle = task.unbundle;
    libraries.system = asked.as_ref().and_then(Python::system);
    let of_asked = asked.and_then(|python| python.program().map(Path::to_owned));
    let python = program.or(of_asked);
    Ok(PatchRequest {
        paths: args.paths.clone(),
        python,
        libraries,
        metadata: task.metadata,
        scope: task.scope,
        wants_some: environments.is_empty(),
        environments,
        heal: task.heal,
        library_table: task.library_table,
        dry_run: args.dry_run,
        jobs: args.jobs.count(),
    })
}

/// The Python that is named, or that of the virtual environment.
fn python(args: &FileArgs, environments: &[VirtualEnvironment]) -> Result<Option<Python>, Error> {
    let of_environment = environments.first().map(|it| &it.python);
    let own = args.python.as_ref().or(of_environment);
    args.system.python_or(own.map(PathBuf::as_path))
}

pub(crate) fn print_wheel(report: &PatchWheelReport, args: &FileArgs) -> Result<(), Error> {
    if args.output.json {
        let document = WheelDocument {
            dry_run: args.dry_run,
            output: &report.output,
            elf_edited: report.elf_edited,
            copied: report.copied,
            unbundling: &report.unbundling,
            relocation: &report.link_plan,
            metadata: report.metadata.iter().map(metadata_document).collect(),
            warnings: report.warnings.iter().map(ToString::to_string).collect(),
            proof: report.proof.as_ref(),
        };
        document::print(&document)?;
    } else if args.dry_run && !args.output.quiet {
        print_named_report(&report.unbundling)?;
        print_named_report(&report.link_plan)?;
        print_report(changes(report.metadata.as_slice()))?;
    } else if !args.output.quiet {
        print_report(changes(report.metadata.as_slice()))?;
        print_report(unbundle_table::render(
            &report.unbundling,
            args.output.verbose,
        ))?;
        let edited = report.elf_edited;
        let removed = report.link_plan.drops.len() + report.unbundling.removed.len();
        let (path, copied) = (report.output.display(), report.copied);
        let sources = match report.link_plan.sources.len() {
            0 => String::new(),
            sources => format!(" and {}", count(sources, "source")),
        };
        let (elf, copied) = (count(edited, "ELF file"), count(copied, "file"));
        let proved = proof_report::counts_if_proved(report.proof.as_ref());
        print_line(format_args!(
            "wrote {path}: {elf}{sources} edited, {removed} removed, {copied} copied; {proved}"
        ))?;
    }
    if !args.output.quiet {
        warnings::print_of_request(&report.warnings, args.output.verbose);
    }
    tell(report.proof.as_ref(), &report.link_plan, args);
    Ok(())
}

/// Prints a report, and what was not looked at.
fn show(report: &PatchReport, unchanged: &[String], args: &FileArgs) -> Result<(), Error> {
    if args.output.json {
        Summary {
            report: Some(report),
            unchanged,
        }
        .print(args)?;
    } else if args.dry_run && !args.output.quiet {
        print_report(&report.unbundling)?;
        print_report(&report.link_plan)?;
        print_report(changes(&report.metadata))?;
    } else if !args.output.quiet {
        print_report(changes(&report.metadata))?;
        print_report(unbundle_table::render(
            &report.unbundling,
            args.output.verbose,
        ))?;
        let others = match unchanged.len() {
            0 => String::new(),
            len => format!("; {} unchanged", count(len, "distribution")),
        };
        print_line(format_args!("{}{others}", summary(report)))?;
    }
    if !args.output.quiet {
        warnings::print_of_request(&report.warnings, args.output.verbose);
    }
    tell(report.proof.as_ref(), &report.link_plan, args);
    Ok(())
}

/// Prints the warnings and notes of a proof, or the excuses of a plan without one, on standard
/// error.
pub(crate) fn tell(proof: Option<&Proof>, relocation: &LinkPlan, args: &FileArgs) {
    if !args.output.quiet {
        proof_report::print(proof, relocation, args.output.verbose);
    }
}

/// The edits of METADATA, a line each.
fn changes(edited: &[EditedRequirements]) -> impl Display {
    fmt::from_fn(|f| {
        edited.iter().try_for_each(|distribution| {
            let line = |change| write!(f, "{}: {change}{BREAK}", distribution.name);
            distribution.changes.iter().try_for_each(line)
        })
    })
}

fn metadata_document(edited: &EditedRequirements) -> MetadataDocument<'_> {
    MetadataDocument {
        name: &edited.name,
        path: &edited.path,
        changes: edited.changes.iter().map(change_document).collect(),
    }
}

/// The summary of a report, in one line.
pub(crate) fn summary(report: &PatchReport) -> String {
    let (edited, records) = (report.elf_edited, report.records_updated);
    let removed = report.link_plan.drops.len() + report.unbundling.removed.len();
    let written = table::bytes(report.elf_bytes_written);
    let (edited, records) = (count(edited, "ELF file"), count(records, "RECORD file"));
    let proved = proof_report::counts_if_proved(report.proof.as_ref());
    let table = report.table_names.map_or_else(String::new, |names| {
        format!(", {} in the library table", count(names, "name"))
    });
    format!(
        "{edited} edited ({written} written), {removed} removed, {records} updated{table}; {proved}"
    )
}

/// Prints the document.
pub(crate) fn print_json(report: &PatchReport, args: &FileArgs) -> Result<(), Error> {
    let unchanged = &[];
    Summary {
        report: Some(report),
        unchanged,
    }
    .print(args)
}

/// A run, for the document.
struct Summary<'a> {
    /// `None` if nothing had changed.
    report: Option<&'a PatchReport>,
    unchanged: &'a [String],
}

impl<'a> Summary<'a> {
    /// Of an environment that is as it was left.
    fn of_nothing(unchanged: &'a [String]) -> Self {
        Self {
            report: None,
            unchanged,
        }
    }

    fn print(&self, args: &FileArgs) -> Result<(), Error> {
        let report = self.report;
        let none = UnbundlePlan::default();
        let saved = |it: &PatchReport| unbundle_table::bytes_saved(&it.unbundling, &it.link_plan);
        let metadata = report.iter().flat_map(|report| &report.metadata);
        let warnings = report.iter().flat_map(|report| &report.warnings);
        let document = Document {
            dry_run: args.dry_run,
            elf_edited: report.map_or(0, |report| report.elf_edited),
            elf_bytes_written: report.map_or(0, |report| report.elf_bytes_written),
            records_updated: report.map_or(0, |report| report.records_updated),
            bytes_saved: report.map_or(0, saved),
            unbundling: report.map_or(&none, |report| &report.unbundling),
            relocation: report.map(|report| &report.link_plan),
            metadata: metadata.map(metadata_document).collect(),
            warnings: warnings.map(ToString::to_string).collect(),
            unchanged: self.unchanged,
            proof: report.and_then(|report| report.proof.as_ref()),
        };
        document::print(&document)?;
        Ok(())
    }
}
