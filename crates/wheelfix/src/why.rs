//! `wheelfix why`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use wheelfix_format::is_wheel_name;
use wheelfix_link::{Candidate, LibraryIndex, Lookup, LookupResult, Remedy, explain};
use wheelfix_loader::{
    FileView, Object, ReadOutcome, existing_path, interpreter_fault, read_object,
};

use crate::check::place;
use crate::common::{LibraryArgs, OutputArgs};
use crate::error::{Error, print_report};
use crate::message::BREAK;
use crate::target::{TargetArgs, lib_path_error};
use crate::{document, inputs, next_step, remedy};

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

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    object: &'a Object,
    /// Why the interpreter of a program does not start it; `null` if it does, or is not known to not.
    interpreter_fault: Option<&'a str>,
    /// Whether the name that was asked for is one that nothing needs.
    unneeded: bool,
    lookups: &'a [Lookup],
    /// Libraries on `--lib-path` to which no run path leads, for what was not found.
    near: &'a BTreeMap<String, Vec<PathBuf>>,
}

/// The answer about a file.
struct Answer {
    object: Arc<Object>,
    interpreter_fault: Option<String>,
    unneeded: bool,
    lookups: Vec<Lookup>,
    near: BTreeMap<String, Vec<PathBuf>>,
}

/// Why a file cannot be explained.
#[derive(Debug, thiserror::Error)]
enum WhyError {
    #[error("`{}` is not an ELF file", .0.display())]
    NoElf(PathBuf),
    #[error("`{}` is a directory, not a library or program", .0.display())]
    Directory(PathBuf),
    #[error("`{}` is a wheel, not a library or program", .0.display())]
    Wheel(PathBuf),
    #[error("`{}` {reason}", path.display())]
    Skipped { path: PathBuf, reason: &'static str },
    #[error("`{}` is linked statically: it needs nothing", .0.display())]
    Static(PathBuf),
    #[error("`{}` is a damaged ELF file: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

pub(crate) fn run(args: &WhyArgs) -> Result<(), Error> {
    args.libraries.warn(&args.output);
    let answer = answer(args)?;
    if args.output.json {
        let document = Document {
            object: &answer.object,
            interpreter_fault: answer.interpreter_fault.as_deref(),
            unneeded: answer.unneeded,
            lookups: &answer.lookups,
            near: &answer.near,
        };
        document::print(&document)?;
    } else if !args.output.quiet {
        print_report(report(&answer, args.soname.is_some()))?;
    }
    if answer.interpreter_fault.is_some() || answer.lookups.iter().any(is_lost) {
        Err(Error::Reported)
    } else {
        Ok(())
    }
}

/// Whether the loader would give up there.
fn is_lost(lookup: &Lookup) -> bool {
    matches!(
        lookup.result,
        LookupResult::Missing | LookupResult::Blocked { .. }
    )
}

/// Searches as the loader does.
fn answer(args: &WhyArgs) -> Result<Answer, Error> {
    let (resolved, rules) = inputs::all(
        args.target.resolve(&args.libraries.driver_path()?),
        args.libraries.rules(),
        inputs::absent(&args.file).into_iter(),
    )?;
    let path = place(&args.file)?;
    wheelfix_install::clean_up_above([&path])?;
    let object = read(path.clone(), args)?;
    let view = FileView::new(Vec::new());
    let program = resolved.program.as_ref().filter(|_| !object.is_program());
    let text = path.to_string_lossy();
    let search = |opened| explain(&view, &resolved.target, &rules, program, (&text, opened));
    let mut lookups = search(None);
    let mut unneeded = false;
    match &args.soname {
        None => {
            // `$ORIGIN` of a program is where its file lies.
            let loaded = if object.is_program() {
                existing_path(&path)?
            } else {
                path.clone()
            };
            lookups.retain(|lookup| Path::new(&lookup.asked_by) == loaded);
        }
        Some(soname) => {
            unneeded = lookups.iter().all(|lookup| lookup.name != *soname);
            if unneeded {
                lookups = search(Some(soname));
            }
            lookups.retain(|lookup| lookup.name == *soname);
        }
    }
    let mut near = BTreeMap::new();
    let lib_paths = args.libraries.lib_paths()?;
    if !lib_paths.is_empty() {
        let driver_path = &resolved.target.driver_path;
        let index = LibraryIndex::read(&lib_paths, &rules, driver_path).map_err(lib_path_error)?;
        for lookup in lookups.iter().filter(|lookup| is_lost(lookup)) {
            let libraries = index.libraries().iter();
            let named = libraries.filter(|library| library.object.answers_to(&lookup.name));
            let paths: Vec<PathBuf> = named
                .map(|library| library.directory.join(&library.name))
                .collect();
            if !paths.is_empty() {
                near.insert(lookup.name.clone(), paths);
            }
        }
    }
    Ok(Answer {
        interpreter_fault: interpreter_fault(&view, &resolved.target, &object),
        object,
        unneeded,
        lookups,
        near,
    })
}

fn read(path: PathBuf, args: &WhyArgs) -> Result<Arc<Object>, Error> {
    if path.is_dir() {
        return Err(of_many(WhyError::Directory(args.file.clone()), args));
    }
    match read_object(path.clone(), &path)? {
        ReadOutcome::Object(object) => Ok(object),
        ReadOutcome::NoElf if is_wheel_name(&path) => {
            Err(of_many(WhyError::Wheel(args.file.clone()), args))
        }
        ReadOutcome::NoElf => Err(Error::refused(WhyError::NoElf(path))),
        ReadOutcome::Skipped(reason) => Err(Error::refused(WhyError::Skipped { path, reason })),
        ReadOutcome::Static { .. } => Err(Error::refused(WhyError::Static(path))),
        ReadOutcome::Malformed(reason) => Err(Error::refused(WhyError::Malformed { path, reason })),
    }
}

/// The error for a path that holds many files, and so is for another command.
fn of_many(error: WhyError, args: &WhyArgs) -> Error {
    next_step::note_command("check", args.soname.as_deref());
    let hint = "`wheelfix check` looks at all files of it, `wheelfix why` explains one";
    Error::Refused {
        error: Box::new(error),
        hint: Some(hint.to_owned()),
    }
}

/// One block per need; with all files that were tried if it is a single one.
fn report(answer: &Answer, in_full: bool) -> impl Display {
    fmt::from_fn(move |f| {
        let object = &answer.object;
        match &object.run_path {
            Some(path) => write!(f, "{}: {path}{BREAK}", object.path.display())?,
            None => write!(f, "{}: no run path{BREAK}", object.path.display())?,
        }
        if let Some(interpreter) = object.interpreter.as_ref().filter(|_| object.is_program()) {
            write!(f, "interpreter {interpreter}{BREAK}")?;
        }
        if let Some(reason) = &answer.interpreter_fault {
            write!(f, "  which {reason}{BREAK}")?;
            let paths = BTreeSet::from([object.path.clone()]);
            write_fixes(f, &Remedy::SetInterpreter { paths })?;
        }
        let mut lookups = answer.lookups.iter();
        lookups.try_for_each(|lookup| write_lookup(f, lookup, answer, in_full))
    })
}

fn write_lookup(
    f: &mut fmt::Formatter<'_>,
    lookup: &Lookup,
    answer: &Answer,
    in_full: bool,
) -> fmt::Result {
    write!(f, "{}", lookup.name)?;
    if answer.unneeded {
        write!(f, ", which nothing needs, if {} opens it", lookup.asked_by)?;
    } else if in_full {
        write!(f, ", needed by {}", lookup.asked_by)?;
    }
    for search in lookup.searches.iter().filter(|_| in_full) {
        write!(f, "{BREAK}  search {}", search.whose)?;
        for file in &search.tried {
            write!(f, "{BREAK}    try {file}")?;
        }
    }
    write!(f, "{BREAK}  {}{BREAK}", describe(lookup))?;
    for path in answer.near.get(&lookup.name).into_iter().flatten() {
        let path = path.display();
        write!(
            f,
            "  near miss: {path}: it is in a library path, but no run path leads there{BREAK}"
        )?;
    }
    let directory = |path: &PathBuf| path.parent().map(Path::to_path_buf);
    let directories = answer.near.get(&lookup.name).into_iter().flatten();
    let candidates: BTreeSet<PathBuf> = directories.filter_map(directory).collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let remedy = Remedy::AddLibPath {
        library: lookup.name.clone(),
        newer: false,
        needed_by: BTreeSet::from([PathBuf::from(&lookup.asked_by)]),
        candidates: candidates.into_iter().map(Candidate::Directory).collect(),
    };
    write_fixes(f, &remedy)
}

fn write_fixes(f: &mut fmt::Formatter<'_>, remedy: &Remedy) -> fmt::Result {
    let mut fixes = remedy::lines(remedy).into_iter();
    fixes.try_for_each(|line| write!(f, "  fix: {line}{BREAK}"))
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
