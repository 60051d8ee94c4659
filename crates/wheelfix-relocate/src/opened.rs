//! What objects and Python sources open at run time, tried as the loader would.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::edges::{Edge, Origin, edges, rule_of_source};
use crate::object::Object;
use crate::process::{Outcome, Process};
use crate::python_source::PythonLoad;
use crate::rules::{Pattern, Rules};
use crate::run_path::{PathKind, Tokens, normalize};
use crate::target::Target;
use crate::tree::PythonSource;
use crate::trial::{Lack, Trial, driver_from_elsewhere};

/// What became of the libraries that one file opens at run time.
#[derive(Default)]
pub(crate) struct Opened<'a> {
    /// Libraries of the driver, which are taken for granted.
    pub(crate) drivers: BTreeSet<String>,
    /// What cannot be opened.
    pub(crate) lost: Vec<Unopened>,
    /// Copies of libraries of the driver: the name, the copy, and the file that opens it.
    pub(crate) stubs: Vec<(String, PathBuf, PathBuf)>,
    /// What is there and lacks something itself: the process with it, and what it lacks.
    pub(crate) lacking: Option<(Trial<'a>, Vec<Lack>)>,
}

/// A library that cannot be opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// Its name, or the alternatives.
    pub(crate) name: String,
    /// Final path of the file that would open it.
    pub(crate) by: PathBuf,
    /// What says so.
    pub(crate) origin: Origin,
    /// Whether the file works without.
    pub(crate) optional: bool,
    /// The directories of its own run path.
    pub(crate) searched: Vec<PathBuf>,
}

/// Opens what an object opens at run time, each in a copy of its process.
///
/// Of alternatives the first one counts that can be opened. Symbols are not looked up: a library of the
/// output has a trial of its own, and others may take theirs from whoever opens them.
pub(crate) fn opened_by_object<'a>(
    trial: &Trial<'a>,
    rules: &Rules,
    target: &Target,
) -> Vec<Opened<'a>> {
    let edges = edges(rules, trial.object).into_iter();
    edges
        .map(|edge| opened_by_edge(trial, edge, rules, target))
        .collect()
}

fn opened_by_edge<'a>(trial: &Trial<'a>, edge: Edge, rules: &Rules, target: &Target) -> Opened<'a> {
    let mut opened = Opened::default();
    let alternatives = edge.alternatives.iter();
    let names: Vec<String> = alternatives.flat_map(|name| names(trial, name)).collect();
    for name in names {
        let (outcome, process, lacks) = trial.open(&name, rules, target);
        match outcome {
            Outcome::Loaded(_) if !lacks.is_empty() => {
                opened.lacking.get_or_insert((process, lacks));
                continue;
            }
            Outcome::Loaded(index) => {
                let loaded = process.process.loaded.get(index);
                let stub =
                    loaded.and_then(|found| driver_from_elsewhere(&name, found, rules, target));
                let stub = stub.map(|path| (name, path, trial.object.path.clone()));
                opened.stubs.extend(stub);
            }
            Outcome::Libc(_) => {}
            Outcome::Driver(_) => drop(opened.drivers.insert(name)),
            Outcome::Missing | Outcome::Fatal(_) => continue,
        }
        opened.lacking = None;
        return opened;
    }
    if edge.optional || opened.lacking.is_none() {
        opened.lacking = None;
        opened.lost.push(Unopened {
            name: edge.name(),
            by: trial.object.path.clone(),
            origin: edge.origin,
            optional: edge.optional,
            searched: own_directories(trial.object),
        });
    }
    opened
}

/// Opens what a Python source opens: from the interpreter, which has no run path of ours.
pub(crate) fn opened_by_source<'a>(
    source: &PythonSource,
    base: &Process<'_>,
    rules: &Rules,
) -> Opened<'a> {
    let mut opened = Opened::default();
    let is_test = source
        .path
        .components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "test");
    for load in &source.loads {
        if is_there(load, base, rules) {
            continue;
        }
        let rule = rule_of_source(rules, &source.path, &load.name);
        let file = source.path.file_name().unwrap_or_default();
        let place = format!("{}:{}", file.display(), load.line);
        opened.lost.push(Unopened {
            name: load.name.clone(),
            by: source.path.clone(),
            optional: load.guarded || is_test || rule.is_some_and(|rule| rule.body.optional),
            origin: match rule {
                Some(rule) => Origin::Rule(rule.name.clone()),
                None => Origin::Source(BTreeSet::from([place])),
            },
            searched: Vec::new(),
        });
    }
    opened
}

/// Whether a call in a Python source finds its library, whatever else is loaded.
fn is_there(load: &PythonLoad, base: &Process<'_>, rules: &Rules) -> bool {
    let mut libc = rules.libc.iter().flat_map(|rule| &rule.body.soname);
    if libc.any(|soname| soname.covers(&load.name)) {
        return true;
    }
    if let Some(path) = &load.path {
        return base.world.file(path).is_some();
    }
    let mut process = base.clone();
    let caller = (!process.loaded.is_empty()).then_some(0);
    matches!(
        process.open(caller, &load.name),
        Outcome::Loaded(_) | Outcome::Libc(_)
    )
}

/// The names that an alternative of an edge stands for: itself, or those of files in the run path.
fn names(trial: &Trial<'_>, pattern: &Pattern) -> Vec<String> {
    let (object, process) = (trial.object, &trial.process);
    if pattern.is_literal() {
        return vec![pattern.text().to_owned()];
    }
    let mut found = Vec::new();
    let inherited = process.loaded.iter().filter_map(|loaded| {
        let path = loaded.object.run_path.as_ref()?;
        (path.kind == PathKind::Rpath).then(|| own_directories(&loaded.object))
    });
    let directories = own_directories(object)
        .into_iter()
        .chain(inherited.flatten());
    for directory in directories {
        let names = process.world.names(&directory.to_string_lossy());
        found.extend(names.into_iter().filter(|name| pattern.matches(name)));
    }
    found.dedup();
    found
}

/// The directories of an object's own run path.
pub(crate) fn own_directories(object: &Object) -> Vec<PathBuf> {
    let origin = object.directory().to_string_lossy();
    let tokens = Tokens::new(&origin, object.abi, true);
    let elements = object.run_path.iter().flat_map(|path| &path.elements);
    let expanded = elements.map(|element| PathBuf::from(tokens.expand(element)));
    expanded
        .filter(|path| path.is_absolute())
        .map(|path| normalize(&path))
        .collect()
}
