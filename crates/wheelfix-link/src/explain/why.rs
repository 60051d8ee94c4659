//! Why a need leads where it leads: the search of the loader as data.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_loader::{Event, FileView, Outcome, Process, ReadOutcome, Target, Trace};

use crate::rules::Rules;

/// One search of the loader.
#[derive(Clone, Debug, Serialize)]
pub struct Lookup {
    /// The name that was looked for.
    pub name: String,
    /// Path of the object that asked for it, as the loader knows it.
    pub asked_by: String,
    /// The lists that were searched, in order. Empty if the name was loaded already, or is a path.
    pub searches: Vec<Search>,
    /// The result of the search.
    pub result: LookupResult,
}

/// One list of directories that was searched.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Search {
    /// Whose list it is: `RPATH of /p/x.so`, `LD_LIBRARY_PATH`, `cache`, `default directories`.
    pub whose: String,
    /// The files that were tried. A directory that was found missing before is not tried again.
    pub tried: Vec<String>,
}

/// The result of a search.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "lowercase")]
#[non_exhaustive]
pub enum LookupResult {
    /// At a file.
    Found {
        /// The path by which it is known to the loader.
        path: String,
        /// Whether it was loaded before, by another name or need.
        before: bool,
    },
    /// The C library of the target has it.
    Libc {
        /// The rule that says so.
        rule: String,
    },
    /// The driver of the machine has it.
    Driver {
        /// The rule that says so.
        rule: String,
    },
    /// Nowhere.
    Missing,
    /// At a file over which the loader gives up.
    Blocked {
        /// The file, and what is wrong with it.
        reason: String,
    },
}

/// All searches of the loader when an object is opened.
///
/// `program` is what opens it: the Python interpreter. Without it the object is the program.
/// `opened` is a further name that the object then opens itself.
pub fn explain(
    view: &FileView,
    target: &Target,
    rules: &Rules,
    program: Option<&PathBuf>,
    (file, opened): (&str, Option<&str>),
) -> Vec<Lookup> {
    let mut process = Process::new(view, target, rules, Trace::default());
    if let Some(program) = program {
        process.start_program(program);
    }
    process.trace = Trace::kept();
    let outcome = if program.is_none() && is_program(view, file) {
        process.start_program(Path::new(file))
    } else {
        process.start_or_open(file)
    };
    if let (Outcome::Loaded(index), Some(opened)) = (outcome, opened) {
        process.open(Some(index), opened);
    }
    lookups(&process)
}

fn is_program(view: &FileView, path: &str) -> bool {
    let Some(file) = view.file(path) else {
        return false;
    };
    matches!(&*view.outcome(&file, path), ReadOutcome::Object(object) if object.is_program())
}

/// Folds the events of a trace.
fn lookups(process: &Process<'_>) -> Vec<Lookup> {
    let path = |index: Option<usize>| {
        let loaded = index.and_then(|index| process.loaded.get(index));
        loaded.map_or_else(String::new, |loaded| loaded.path.clone())
    };
    let mut lookups: Vec<Lookup> = Vec::new();
    for event in process.trace.events() {
        if let Event::Find { name, loader } = event {
            lookups.push(Lookup {
                name: name.clone(),
                asked_by: path(*loader),
                searches: Vec::new(),
                result: LookupResult::Missing,
            });
        }
        let Some(lookup) = lookups.last_mut() else {
            continue;
        };
        match event {
            Event::Find { .. } => {}
            Event::Search { whose, .. } => lookup.searches.push(Search {
                whose: whose.clone(),
                tried: Vec::new(),
            }),
            Event::Cache => lookup.searches.push(Search {
                whose: "cache".to_owned(),
                tried: Vec::new(),
            }),
            Event::Try(file) => {
                if let Some(search) = lookup.searches.last_mut() {
                    search.tried.push(file.clone());
                }
            }
            Event::Outcome(outcome) => lookup.result = result(process, lookup, outcome),
        }
    }
    lookups
}

fn result(process: &Process<'_>, lookup: &Lookup, outcome: &Outcome) -> LookupResult {
    match outcome {
        Outcome::Loaded(index) => {
            let path = process.loaded.get(*index).map_or("", |loaded| &loaded.path);
            let last = lookup
                .searches
                .iter()
                .rev()
                .find_map(|search| search.tried.last());
            LookupResult::Found {
                path: path.to_owned(),
                before: last.is_none_or(|last| last != path),
            }
        }
        Outcome::Libc(rule) => LookupResult::Libc { rule: rule.clone() },
        Outcome::Driver(rule) => LookupResult::Driver { rule: rule.clone() },
        Outcome::Missing => LookupResult::Missing,
        Outcome::Fatal(stop) => LookupResult::Blocked {
            reason: stop.to_string(),
        },
    }
}
