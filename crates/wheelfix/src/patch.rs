//! `wheelfix patch`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_relocate::{Proof, RelocationPlan};
use wheelfix_site::{PatchReport, PatchRequest, Python, Scope};
use wheelfix_unbundle::{UnbundleOptions, UnbundlePlan};

use crate::common::{JobsArgs, LibraryArgs, OutputArgs, RelocationArgs};
use crate::error::Error;
use crate::progress::Progress;
use crate::{install_error, table, unbundle_table};

/// Relocate libraries and programs that are on disk already, in place
#[derive(Debug, clap::Args)]
pub(crate) struct PatchArgs {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
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

pub(crate) fn run(args: &PatchArgs) -> Result<(), Error> {
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
