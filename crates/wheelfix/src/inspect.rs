//! `wheelfix inspect`
//!
//! Each kind of subject has a report, plain data that is printed either as JSON or as text, so both
//! say the same.

mod elf;
mod elf_text;
mod html;
mod sdist;
mod sdist_text;
pub(crate) mod text;
mod tree;
mod wheel;
mod wheel_text;

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::common::{JobsArgs, OutputArgs};
use crate::document;
use crate::error::Error;
use crate::file_names::{has_sdist_name, is_wheel_name};
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

/// The version of the JSON documents below.
const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    #[serde(flatten)]
    report: &'a Report,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
enum Report {
    Wheel(Box<wheel::WheelReport>),
    Sdist(Box<sdist::SdistReport>),
    Elf(Box<elf::ElfReport>),
    Directory(tree::TreeReport),
}

/// The options of a report.
#[derive(Clone, Copy, Debug)]
struct InspectOptions {
    /// Whether contents are checked as well.
    verify: bool,
    /// Whether contents are searched for what is loaded at run time.
    deep: bool,
    /// Whether long lists are printed whole.
    all: bool,
}

/// Why a path cannot be inspected.
#[derive(Debug, thiserror::Error)]
enum InspectError {
    #[error("`{0}` is not a wheel, source distribution, ELF file or directory")]
    Unknown(PathBuf),
}

pub(crate) fn run(args: &InspectArgs) -> Result<(), Error> {
    let options = InspectOptions {
        verify: args.verify,
        deep: args.deep,
        all: args.all,
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
        let document = Document {
            version: VERSION,
            report: &report,
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        document::begun();
        serde_json::to_writer_pretty(&mut out, &document).map_err(io::Error::from)?;
        writeln!(out)?;
        out.flush()?;
    } else if !args.output.quiet {
        let text = match &report {
            Report::Wheel(report) => wheel_text::print(report, options.all),
            Report::Sdist(report) => sdist_text::print(report, options.all),
            Report::Elf(report) => elf_text::print_file(report),
            Report::Directory(report) => elf_text::print_tree(report, options.all),
        };
        anstream::stdout().lock().write_all(text.as_bytes())?;
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

impl Report {
    /// Whether nothing was found that contradicts the subject's own claims.
    fn is_sound(&self) -> bool {
        match self {
            Self::Wheel(report) => report.record.mismatches.is_empty(),
            Self::Sdist(_) => true,
            Self::Elf(report) => report.violations.as_ref().is_none_or(Vec::is_empty),
            Self::Directory(report) => {
                let violations = report
                    .elf_files
                    .iter()
                    .filter_map(|file| file.violations.as_ref());
                violations.map(Vec::len).sum::<usize>() == 0
            }
        }
    }
}

fn read(path: &Path, options: InspectOptions) -> Result<Report, Error> {
    inputs::existing(path)?;
    if fs_err::metadata(path)?.is_dir() {
        return tree::read(path, options).map(Report::Directory);
    }
    if is_wheel_name(path) {
        return wheel::read(path, options).map(|report| Report::Wheel(Box::new(report)));
    }
    if has_sdist_name(path) {
        return sdist::read(path).map(|report| Report::Sdist(Box::new(report)));
    }
    if is_elf(path)? {
        return elf::read(path, options).map(|report| Report::Elf(Box::new(report)));
    }
    Err(Error::refused(InspectError::Unknown(path.to_owned())))
}

/// Whether a file begins as ELF files do.
fn is_elf(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::new();
    fs_err::File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == b"\x7fELF")
}
