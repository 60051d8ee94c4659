//! `wheelfix patch`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_relocate::{Proof, RelocationPlan};
use wheelfix_site::{
    PatchReport, PatchRequest, PatchWheelReport, PatchWheelRequest, Python, Scope,
};
use wheelfix_unbundle::{UnbundleOptions, UnbundlePlan};
use wheelfix_wheel::OpenOptions;

use crate::common::{JobsArgs, LibraryArgs, OutputArgs, RelocationArgs};
use crate::error::Error;
use crate::progress::Progress;
use crate::{install_error, table, unbundle_table};

/// Relocate libraries and programs that are on disk already, in place, or a wheel into a new wheel
#[derive(Debug, clap::Args)]
pub(crate) struct PatchArgs {
    /// Files and directories; or one wheel
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Wheel to make, or directory to make it in
    #[arg(long = "output", short, value_name = "PATH")]
    out: Option<PathBuf>,
    /// File of the wheel to accept although it differs from RECORD
    #[arg(long, value_name = "PATH", requires = "out")]
    accept_mismatch: Vec<String>,
    /// Python that will load the files; without it or `--interpreter` nothing is proved
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    pub(crate) relocation: RelocationArgs,
    /// Retire segments that earlier tools left without a section, so that `strip` does no harm
    #[arg(long)]
    heal: bool,
    /// Print what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// Whether nothing was written.
    dry_run: bool,
    elf_edited: usize,
    elf_bytes_written: u64,
    records_updated: usize,
    /// The length of all files that went.
    bytes_saved: u64,
    unbundling: &'a UnbundlePlan,
    relocation: &'a RelocationPlan,
    /// `null` in a dry run, or if nothing is known of the target.
    proof: Option<&'a Proof>,
}

/// The JSON document for a wheel, version 1.
#[derive(Serialize)]
struct WheelDocument<'a> {
    version: u32,
    /// Whether nothing was written.
    dry_run: bool,
    output: &'a Path,
    elf_edited: usize,
    copied: usize,
    relocation: &'a RelocationPlan,
    /// `null` in a dry run, or if nothing is known of the target.
    proof: Option<&'a Proof>,
}

pub(crate) fn run(args: &PatchArgs) -> Result<(), Error> {
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    match (&args.out, args.paths.as_slice()) {
        (Some(out), [wheel]) if is_wheel(wheel) => run_wheel(args, wheel, out),
        (Some(_), _) => Err(Error::Usage("`--output` is for one wheel".to_owned())),
        (None, paths) => match paths.iter().find(|path| is_wheel(path)) {
            Some(wheel) => {
                let wheel = wheel.display();
                let text = format!("`{wheel}` is a wheel: name the one to make with `--output`");
                Err(Error::Usage(text))
            }
            None => run_tree(args),
        },
    }
}

fn run_wheel(args: &PatchArgs, wheel: &Path, out: &Path) -> Result<(), Error> {
    if args.relocation.wants_unbundling() {
        let text = "a wheel keeps its libraries: unbundle what is installed";
        return Err(Error::Usage(text.to_owned()));
    }
    let python = args.python.as_deref().map(Python::probe).transpose();
    let request = PatchWheelRequest {
        wheel: wheel.to_owned(),
        output: out.to_owned(),
        options: OpenOptions {
            accept_mismatch: args.accept_mismatch.iter().cloned().collect(),
            ..OpenOptions::default()
        },
        libraries: args.libraries.resolve(&args.relocation)?,
        python: python.map_err(Error::refused)?,
        dry_run: args.dry_run,
        jobs: args.jobs.count(),
    };
    let progress = Progress::bytes(args.output.quiet);
    let result = wheelfix_site::patch_wheel(&request, &|event| progress.show(event));
    progress.finish();
    let explain = |error| install_error::explain_patch_wheel(error, wheel, &args.output);
    print_wheel(&result.map_err(explain)?, args)
}

fn run_tree(args: &PatchArgs) -> Result<(), Error> {
    let unbundle = args
        .relocation
        .wants_unbundling()
        .then(|| args.relocation.unbundle());
    let report = execute(args, Scope::Everything, unbundle)?;
    print(&report, args)
}

/// Does what is asked for, and gives what was done.
pub(crate) fn execute(
    args: &PatchArgs,
    scope: Scope,
    unbundle: Option<UnbundleOptions>,
) -> Result<PatchReport, Error> {
    let mut libraries = args.libraries.resolve(&args.relocation)?;
    libraries.unbundle = unbundle;
    let request = PatchRequest {
        paths: args.paths.clone(),
        python: python(args)?,
        libraries,
        scope,
        heal: args.heal,
        dry_run: args.dry_run,
        jobs: args.jobs.count(),
    };
    let progress = Progress::bytes(args.output.quiet);
    let result = wheelfix_site::patch(&request, &|event| progress.show(event));
    progress.finish();
    result.map_err(|error| install_error::explain_patch(error, &args.output))
}

/// What is named may be a script or a link; Python knows its own program.
fn python(args: &PatchArgs) -> Result<Option<PathBuf>, Error> {
    let Some(python) = &args.python else {
        return Ok(None);
    };
    let python = Python::probe(python).map_err(Error::refused)?;
    Ok(python.executable().map(Path::to_owned))
}

fn print_wheel(report: &PatchWheelReport, args: &PatchArgs) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    if args.output.json {
        let document = WheelDocument {
            version: 1,
            dry_run: args.dry_run,
            output: &report.output,
            elf_edited: report.elf_edited,
            copied: report.copied,
            relocation: &report.relocation,
            proof: report.proof.as_ref(),
        };
        serde_json::to_writer_pretty(&mut stdout, &document).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else if args.dry_run {
        write!(stdout, "{}", report.relocation)?;
    } else if !args.output.quiet {
        let (edited, dropped) = (report.elf_edited, report.relocation.drops.len());
        let (path, copied) = (report.output.display(), report.copied);
        writeln!(
            stdout,
            "wrote {path}: {edited} ELF files edited, {dropped} removed, {copied} files copied"
        )?;
    }
    Ok(())
}

fn print(report: &PatchReport, args: &PatchArgs) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    if args.output.json {
        print_json(report, args)?;
    } else if args.dry_run {
        write!(stdout, "{}{}", report.unbundling, report.relocation)?;
    } else if !args.output.quiet {
        write!(stdout, "{}", unbundle_table::render(&report.unbundling))?;
        writeln!(stdout, "{}", summary(report))?;
    }
    Ok(())
}

/// What was done to the files, in one line.
pub(crate) fn summary(report: &PatchReport) -> String {
    let (edited, records) = (report.elf_edited, report.records_updated);
    let removed = report.relocation.drops.len() + report.unbundling.removed.len();
    let written = table::bytes(report.elf_bytes_written);
    format!(
        "{edited} ELF files edited ({written} written), {removed} removed, {records} RECORD files updated"
    )
}

/// Prints the document.
pub(crate) fn print_json(report: &PatchReport, args: &PatchArgs) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let document = Document {
        version: 1,
        dry_run: args.dry_run,
        elf_edited: report.elf_edited,
        elf_bytes_written: report.elf_bytes_written,
        records_updated: report.records_updated,
        bytes_saved: unbundle_table::bytes_saved(&report.unbundling, &report.relocation),
        unbundling: &report.unbundling,
        relocation: &report.relocation,
        proof: report.proof.as_ref(),
    };
    serde_json::to_writer_pretty(&mut stdout, &document).map_err(io::Error::from)?;
    writeln!(stdout)?;
    Ok(())
}
