//! `wheelfix diff`

mod side;
mod text;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use wheelfix_diff::{Comparison, compare};

use crate::common::{JobsArgs, OutputArgs};
use crate::diff::side::{Kind, Side};
use crate::document;
use crate::error::Error;
use crate::limits::LimitArgs;
use crate::progress::Progress;

/// Compare two wheels, two outputs, or a wheel with what was installed of it
///
/// Files, permissions, targets of links, facts and sections of ELF files, rows of RECORD, lines of texts.
/// Times, owners and permissions of directories are not compared. Ends with 1 if there is a difference, or
/// nothing to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// A wheel, a source distribution, a directory or a file
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other one. A prefix with the distribution of a wheel is compared with what the wheel would install
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Print all: every value and line that differs, and files of bytecode
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    a: SideDocument<'a>,
    b: SideDocument<'a>,
    /// Whether there is no difference.
    is_equal: bool,
    /// Whether the files themselves are the same, byte for byte; `null` where one is a directory.
    same_bytes: Option<bool>,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

#[derive(Serialize)]
struct SideDocument<'a> {
    path: &'a Path,
    kind: Kind,
    /// How many entries were compared.
    entries: usize,
    /// How many entries belong to other distributions, and were left out.
    left_out: usize,
}

pub(crate) fn run(args: &DiffArgs) -> Result<ExitCode, Error> {
    let progress = Progress::bytes(args.output.quiet);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.count().get());
    let pool = pool.build().map_err(Error::environment)?;
    let compared = pool.install(|| -> Result<_, Error> {
        let (mut a, mut b) = (
            Side::open(&args.a, args, &progress)?,
            Side::open(&args.b, args, &progress)?,
        );
        side::align(&mut a, &mut b)?;
        let comparison = compare(&a.listing, &b.listing)?;
        let same_bytes = side::same_bytes(&a, &b)?;
        Ok((a, b, comparison, same_bytes))
    });
    progress.finish();
    let (a, b, comparison, same_bytes) = compared?;
    let is_equal = comparison.is_equal() && same_bytes != Some(false);
    if args.output.json {
        let document = Document {
            a: document_of(&a),
            b: document_of(&b),
            is_equal,
            same_bytes,
            comparison: &comparison,
        };
        document::print(&document)?;
    } else if !args.output.quiet {
        let text = text::print(&a, &b, &comparison, same_bytes, args.all);
        anstream::stdout().lock().write_all(text.as_bytes())?;
    }
    // That nothing was found to compare is no sign that all is well.
    let is_fine = is_equal && !comparison.is_empty();
    Ok(ExitCode::from(u8::from(!is_fine)))
}

fn document_of(side: &Side) -> SideDocument<'_> {
    SideDocument {
        path: &side.path,
        kind: side.kind,
        entries: side.listing.len(),
        left_out: side.left_out,
    }
}
