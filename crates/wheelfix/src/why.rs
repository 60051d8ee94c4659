//! `wheelfix why`

use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::path::PathBuf;

use fs_err as fs;
use serde::Serialize;
use wheelfix_relocate::{
    Lookup, LookupResult, Object, ReadOutcome, Rules, World, explain, read_object,
};

use crate::common::{LibraryArgs, OutputArgs};
use crate::error::{Error, print_report};
use crate::message::BREAK;
use crate::target::TargetArgs;

/// Explain what satisfies each need of a library or program, and what was tried
#[derive(Debug, clap::Args)]
pub(crate) struct WhyArgs {
    /// Library or program
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Library to explain in full, wherever it is needed; one that nothing needs is opened from FILE
    #[arg(value_name = "SONAME")]
    soname: Option<String>,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    object: &'a Object,
    lookups: &'a [Lookup],
}

/// Why a file cannot be explained.
#[derive(Debug, thiserror::Error)]
enum WhyError {
    #[error("`{}` is no ELF file", .0.display())]
    NoElf(PathBuf),
    #[error("`{}` {reason}", path.display())]
    Skipped { path: PathBuf, reason: &'static str },
    #[error("`{}` is a damaged ELF file: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

pub(crate) fn run(args: &WhyArgs) -> Result<(), Error> {
    let rules = Rules::with_files(&args.libraries.rules).map_err(Error::refused)?;
    let resolved = args.target.resolve(&args.libraries.driver_path)?;
    let path = fs::canonicalize(&args.file)?;
    let object = match read_object(path.clone(), &path)? {
        ReadOutcome::Object(object) => object,
        ReadOutcome::NoElf => return Err(Error::refused(WhyError::NoElf(path))),
        ReadOutcome::Skipped(reason) => {
            return Err(Error::refused(WhyError::Skipped { path, reason }));
        }
        ReadOutcome::Malformed(reason) => {
            return Err(Error::refused(WhyError::Malformed { path, reason }));
        }
    };
    let world = World::new(Vec::new());
    let program = resolved
        .program
        .as_ref()
        .filter(|_| object.interpreter.is_none() || object.soname.is_some());
    let text = path.to_string_lossy();
    let search = |opened| explain(&world, &resolved.target, &rules, program, (&text, opened));
    let mut lookups = search(None);
    match &args.soname {
        None => lookups.retain(|lookup| lookup.asked_by == *text),
        Some(soname) => {
            if lookups.iter().all(|lookup| lookup.name != *soname) {
                lookups = search(Some(soname));
            }
            lookups.retain(|lookup| lookup.name == *soname);
        }
    }
    if args.output.json {
        let mut stdout = io::stdout().lock();
        let document = Document {
            version: 1,
            object: &object,
            lookups: &lookups,
        };
        serde_json::to_writer_pretty(&mut stdout, &document).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else {
        print_report(report(&object, &lookups, args.soname.is_some()))?;
    }
    let lost = |lookup: &Lookup| {
        matches!(
            lookup.result,
            LookupResult::Missing | LookupResult::Blocked { .. }
        )
    };
    if lookups.iter().any(lost) {
        Err(Error::Reported)
    } else {
        Ok(())
    }
}

/// One block per need; with all files that were tried if it is a single one.
fn report(object: &Object, lookups: &[Lookup], in_full: bool) -> impl Display {
    fmt::from_fn(move |f| {
        match &object.run_path {
            Some(path) => write!(f, "{}: {path}{BREAK}", object.path.display())?,
            None => write!(f, "{}: no run path{BREAK}", object.path.display())?,
        }
        for lookup in lookups {
            write!(f, "{}", lookup.name)?;
            if in_full {
                write!(f, ", needed by {}", lookup.asked_by)?;
            }
            for search in lookup.searches.iter().filter(|_| in_full) {
                write!(f, "{BREAK}  search {}", search.whose)?;
                for file in &search.tried {
                    write!(f, "{BREAK}    try {file}")?;
                }
            }
            write!(f, "{BREAK}  {}{BREAK}", describe(lookup))?;
        }
        Ok(())
    })
}

fn describe(lookup: &Lookup) -> String {
    let last = lookup
        .searches
        .last()
        .map_or("", |search| search.whose.as_str());
    match &lookup.result {
        LookupResult::Found { path, before: true } => format!("{path}, loaded before"),
        LookupResult::Found { path, .. } if last.is_empty() => path.clone(),
        LookupResult::Found { path, .. } => format!("{path}, by {last}"),
        LookupResult::Libc { rule } => {
            format!("left to the C library of the target (rule `{rule}`)")
        }
        LookupResult::Driver { rule } => format!("left to the driver (rule `{rule}`)"),
        LookupResult::Blocked { reason } => format!("the loader gives up: {reason}"),
        LookupResult::Missing => "not found".to_owned(),
        _ => String::new(),
    }
}
