//! `wheelfix patch`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_relocate::{Proof, RelocationPlan};
use wheelfix_site::{PatchReport, PatchRequest, Python};

use crate::common::{JobsArgs, LibraryArgs, OutputArgs, RelocationArgs};
use crate::error::Error;
use crate::progress::Progress;
use crate::{install_error, table};

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
    relocation: RelocationArgs,
    /// Retire segments that earlier tools left without a section, so that `strip` does no harm
    #[arg(long)]
    heal: bool,
    /// Print what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
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
    relocation: &'a RelocationPlan,
    /// `null` in a dry run, or if nothing is known of the target.
    proof: Option<&'a Proof>,
}

pub(crate) fn run(args: &PatchArgs) -> Result<(), Error> {
    let request = PatchRequest {
        paths: args.paths.clone(),
        python: python(args)?,
        libraries: args.libraries.resolve(&args.relocation)?,
        heal: args.heal,
        dry_run: args.dry_run,
        jobs: args.jobs.count(),
    };
    let progress = Progress::bytes(args.output.quiet);
    let result = wheelfix_site::patch(&request, &|event| progress.show(event));
    progress.finish();
    let report = result.map_err(|error| install_error::explain_patch(error, &args.output))?;
    print(&report, args)
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
        let document = Document {
            version: 1,
            dry_run: args.dry_run,
            elf_edited: report.elf_edited,
            elf_bytes_written: report.elf_bytes_written,
            records_updated: report.records_updated,
            relocation: &report.relocation,
            proof: report.proof.as_ref(),
        };
        serde_json::to_writer_pretty(&mut stdout, &document).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else if args.dry_run {
        write!(stdout, "{}", report.relocation)?;
    } else if !args.output.quiet {
        let (edited, dropped) = (report.elf_edited, report.relocation.drops.len());
        let written = table::bytes(report.elf_bytes_written);
        let records = report.records_updated;
        writeln!(
            stdout,
            "{edited} ELF files edited ({written} written), {dropped} removed, {records} RECORD files updated"
        )?;
    }
    Ok(())
}
