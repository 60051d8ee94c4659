//! `wheelfix inspect`
//!
//! The report of `wheelfix-inspect` is printed as JSON, as text or as a page for a browser.

mod elf_text;
mod html;
mod sdist_text;
pub(crate) mod text;
mod wheel_text;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use wheelfix_elf::ReadError;
use wheelfix_inspect::{InspectError, InspectOptions, Report};

use crate::common::{JobsArgs, OutputArgs};
use crate::document;
use crate::error::{Error, print};
use crate::inputs;

/// Print what a wheel, a source distribution, an ELF file or a directory holds
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// Wheel, source distribution, ELF file or directory
    path: PathBuf,
    /// Check contents as well: hashes in RECORD, rules that ELF files keep
    #[arg(long)]
    verify: bool,
    /// Search contents of a wheel for what is looked for at run time, and which GPUs there is code for
    #[arg(long)]
    deep: bool,
    /// Draw who needs whom into a .svg file, with Graphviz, or a .dot file
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// Write a page for a browser into this file, with all that is known and who needs whom; `-` prints it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["graph", "json"])]
    html: Option<PathBuf>,
    /// Print long lists whole
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &InspectArgs) -> Result<(), Error> {
    let options = InspectOptions {
        verify: args.verify,
        deep: args.deep,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs.count().get())
        .build();
    let pool = pool.map_err(|error| Error::Environment(Box::new(error)))?;
    if let Some(picture) = &args.graph {
        return pool.install(|| crate::graph::draw(&args.path, picture, args.jobs.count()));
    }
    if let Some(page) = &args.html {
        html::check(page)?;
    }
    let report = pool.install(|| read(&args.path, options))?;
    if let Some(page) = &args.html {
        let drawing = pool.install(|| html::drawing_of(&args.path, &report, args.jobs.count()))?;
        write_page(page, &html::render(&report, drawing.as_ref()))?;
    } else if args.output.json {
        document::print(&report)?;
    } else if !args.output.quiet {
        let text = match &report {
            Report::Wheel(report) => wheel_text::print(report, args.all),
            Report::Sdist(report) => sdist_text::print(report, args.all),
            Report::Elf(report) => elf_text::print_file(report),
            Report::Directory(report) => elf_text::print_tree(report, args.all),
        };
        anstream::stdout().lock().write_all(text.as_bytes())?;
    }
    if !args.output.quiet {
        print("note", inputs::wheels_beside(&args.path));
    }
    if report.is_sound() {
        Ok(())
    } else {
        Err(Error::Reported)
    }
}

/// Writes a page into a file, or prints it.
fn write_page(file: &Path, page: &str) -> io::Result<()> {
    if file != Path::new("-") {
        return fs_err::write(file, page);
    }
    let mut out = io::stdout().lock();
    out.write_all(page.as_bytes())?;
    out.flush()
}

fn read(path: &Path, options: InspectOptions) -> Result<Report, Error> {
    inputs::existing(path)?;
    wheelfix_inspect::inspect(path, options).map_err(|error| match error {
        InspectError::Io(error) => Error::from(error),
        InspectError::Walk(_)
        | InspectError::Elf {
            source: ReadError::Io { .. },
            ..
        } => Error::environment(error),
        InspectError::Unknown(_)
        | InspectError::Wheel { .. }
        | InspectError::Sdist { .. }
        | InspectError::Elf { .. } => Error::refused(error),
    })
}
