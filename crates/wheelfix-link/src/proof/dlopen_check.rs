//! Libraries that objects and Python sources open at run time, tried as the loader would.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Serialize;
use wheelfix_format::{AskedLibrary, PythonLoad, is_library_name};
use wheelfix_loader::{Outcome, PathKind, Process, ReadOutcome, Target};

use crate::excuse::Excuses;
use crate::fault::evidence::Evidence;
use crate::plan::replace::NamedPaths;
use crate::proof::library_table::{LibraryTable, is_of_libc};
use crate::proof::simulation::{LoadFailure, Simulation, driver_from_elsewhere};
use crate::rules::dlopen_dependency::{DlopenDependency, dependencies, rule_of_source};
use crate::rules::{Dlopen, Pattern, Rule, Rules};
use crate::tree::imported::{Imports, is_for_other_system, is_test};
use crate::tree::site::package_of;
use crate::tree::{PythonSource, Tree};

/// The results for the libraries that one file opens at run time.
#[derive(Default)]
pub(crate) struct Opened<'a> {
    /// Libraries of the driver, which are taken for granted.
    pub(crate) drivers: BTreeSet<String>,
    /// Libraries that cannot be opened.
    pub(crate) lost: Vec<Unopened>,
    /// Copies of libraries of the driver: the name, the copy, and the file that opens it.
    pub(crate) stubs: Vec<(String, PathBuf, PathBuf)>,
    /// Libraries that are there and lack something themselves: a process with the library, and what
    /// it lacks.
    pub(crate) lacking: Vec<(Simulation<'a>, Vec<LoadFailure>)>,
    /// The calls of a source.
    pub(crate) source_libraries: SourceLibraries,
}

/// How many calls of Python sources open libraries by names, or look for them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct SourceLibraries {
    /// Those that find one, or leave that to the driver.
    pub found: usize,
    /// Those that find none where the loader and a table look; the source may look elsewhere first.
    pub missing: usize,
}

/// A library that cannot be opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// Its name, or the alternatives.
    pub(crate) names: Vec<String>,
    /// Final path of the file that would open it.
    pub(crate) by: PathBuf,
    /// The evidence that it is opened.
    pub(crate) evidence: Evidence,
    /// Whether the file works without.
    pub(crate) optional: bool,
    /// The directories of its own run path.
    pub(crate) searched: Vec<PathBuf>,
}

/// Tries the libraries that are opened at run time.
pub(crate) struct DlopenCheck<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) target: &'a Target,
    /// The libraries and symbols that may be missing.
    pub(crate) excuses: &'a Excuses,
}

impl DlopenCheck<'_> {
    /// Opens what an object opens at run time, each in a copy of its process.
    ///
    /// Symbols are not looked up: a library of the output has a simulation of its own, and others may take
    /// theirs from whoever opens them.
    pub(crate) fn opened_by_object<'a>(&self, simulation: &Simulation<'a>) -> Vec<Opened<'a>> {
        let dependencies = dependencies(self.rules, simulation.object).into_iter();
        dependencies
            .map(|dependency| self.opened_by_dependency(simulation, dependency))
            .collect()
    }

    /// Opens the alternatives of a dependency: the first one that lacks nothing counts, else the first
    /// that is there.
    fn opened_by_dependency<'a>(
        &self,
        simulation: &Simulation<'a>,
        dependency: DlopenDependency,
    ) -> Opened<'a> {
        let mut there = None;
        for pattern in &dependency.alternatives {
            let Some(opened) = self.opened_by_pattern(simulation, pattern) else {
                continue;
            };
            if self.is_whole(&opened) {
                return opened;
            }
            there.get_or_insert(opened);
        }
        let optional = dependency.optional;
        let mut opened = there.unwrap_or_else(|| Opened {
            lost: vec![Unopened {
                names: dependency.names().into_iter().map(str::to_owned).collect(),
                by: simulation.object.path.clone(),
                evidence: dependency.evidence,
                optional,
                searched: simulation.object.directories(),
            }],
            ..Opened::default()
        });
        if optional {
            opened.lacking.clear();
        }
        opened
    }

    /// All libraries that a pattern stands for; `None` if there is none.
    fn opened_by_pattern<'a>(
        &self,
        simulation: &Simulation<'a>,
        pattern: &Pattern,
    ) -> Option<Opened<'a>> {
        let mut opened = None;
        for name in names(simulation, pattern) {
            let (outcome, process, failures) = simulation.open(&name, self.rules, self.target);
            if matches!(outcome, Outcome::Missing | Outcome::Fatal(_)) {
                continue;
            }
            let opened = opened.get_or_insert_with(Opened::default);
            match outcome {
                Outcome::Loaded(index) => {
                    let loaded = process.process.loaded.get(index);
                    let stub = loaded.and_then(|found| {
                        driver_from_elsewhere(&name, found, self.rules, self.target)
                    });
                    let stub = stub.map(|path| (name, path, simulation.object.path.clone()));
                    opened.stubs.extend(stub);
                }
                Outcome::Driver(_) => drop(opened.drivers.insert(name)),
                Outcome::Libc(_) | Outcome::Missing | Outcome::Fatal(_) => {}
            }
            if !failures.is_empty() {
                opened.lacking.push((process, failures));
            }
        }
        opened
    }

    fn is_whole(&self, opened: &Opened<'_>) -> bool {
        let mut failures = opened.lacking.iter().flat_map(|(_, failures)| failures);
        failures.all(
            |failure| matches!(failure, LoadFailure::Library { name, .. } if self.excuses.of_library(&[name]).is_some()),
        )
    }
}

/// Opens what a Python source opens: from the interpreter, which has no run path of ours. What such a
/// library needs itself is looked at only if it is of the output. One for another system opens nothing here.
pub(crate) fn opened_by_source<'a, 't>(
    source: &PythonSource,
    tree: &'t Tree,
    imports: &OnceLock<Imports<'t>>,
    base: &Process<'_>,
    (rules, table): (&Rules, &LibraryTable),
) -> Opened<'a> {
    let mut opened = Opened::default();
    opened.lost.extend(lost_by_rules(source, tree, base, rules));
    if is_for_other_system(source) {
        return opened;
    }
    let is_test = is_test(&source.path);
    let is_needed = LazyCell::new(|| imports.get_or_init(|| Imports::of(tree)).needs(source));
    // Tests are run by those who know what they need.
    for load in source
        .loads
        .iter()
        .filter(|load| load.is_needed || !is_test)
    {
        let mut names = load.names.iter();
        if let Some(driver) = names.find_map(|library| of_driver(library, base, table)) {
            opened.drivers.insert(driver.to_owned());
            opened.source_libraries.found += 1;
            continue;
        }
        let is_found =
            |library| table.file(library).is_some() || is_there(library, tree, base, rules);
        if load.names.iter().any(is_found) || is_beside(load, source, tree) {
            opened.source_libraries.found += 1;
            continue;
        }
        opened.source_libraries.missing += 1;
        let mut names = load.names.iter();
        let rule = names.find_map(|library| rule_of_source(rules, &source.path, &library.name));
        let file = source.path.file_name().unwrap_or_default();
        let place = format!("{}:{}", file.display(), load.line);
        opened.lost.push(Unopened {
            names: names_of(load),
            by: source.path.clone(),
            optional: !load.is_needed
                || is_test
                || rule.is_some_and(|rule| rule.body.optional)
                || is_carried(load, tree)
                || !*is_needed,
            evidence: match rule {
                Some(rule) => Evidence::Rule(rule.name.clone()),
                None => Evidence::Source(BTreeSet::from([place])),
            },
            searched: Vec::new(),
        });
    }
    opened
}

/// The names of the libraries of which one has to be there, each once: a source may have several paths for one.
fn names_of(load: &PythonLoad) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for library in &load.names {
        if !names.contains(&library.name) {
            names.push(library.name.clone());
        }
    }
    names
}

/// The name of a library that leads to the driver path, by itself or by a table.
fn of_driver<'l>(
    library: &'l AskedLibrary,
    base: &Process<'_>,
    table: &LibraryTable,
) -> Option<&'l str> {
    let path = library.path.as_deref().map(Path::new);
    let path = path.or_else(|| table.file(library))?;
    path.starts_with(&base.target.driver_path)
        .then_some(&library.name)
}

/// Whether the output has one of the libraries: a source looks for it beside itself first, as parasail does.
fn is_carried(load: &PythonLoad, tree: &Tree) -> bool {
    let mut names = load.names.iter().filter(|library| library.path.is_none());
    names.any(|library| tree.holders(&library.name).next().is_some())
}

/// Whether the package of a source has one of the libraries, and the source opens libraries by paths that it makes from its
/// place: the name is another way to the same, as in anoncreds and finufft.
fn is_beside(load: &PythonLoad, source: &PythonSource, tree: &Tree) -> bool {
    let opens_own = source.unnamed_loads.iter().any(|load| load.is_own);
    if load.is_needed || !opens_own {
        return false;
    }
    let package = package_of(&source.path);
    let is_near = |directory: &Path| {
        source.path.parent() == Some(directory)
            || package.is_some_and(|package| directory.starts_with(package))
    };
    let is_of = |file: &str, name: &str| {
        let rest = file.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let near = tree.directories().iter().filter(|(path, _)| is_near(path));
    let mut files = near.flat_map(|(_, files)| files.keys());
    let names = || load.names.iter().filter(|library| library.path.is_none());
    files.any(|file| names().any(|library| is_of(file, &library.name)))
}

/// Libraries that rules say a source opens, and that are nowhere, neither in the output nor where
/// the interpreter finds them. What a call in the source names is left to that.
fn lost_by_rules(
    source: &PythonSource,
    tree: &Tree,
    base: &Process<'_>,
    rules: &Rules,
) -> Vec<Unopened> {
    let mut lost = Vec::new();
    for rule in rules
        .dlopen
        .iter()
        .filter(|rule| is_of_source(rule, source))
    {
        for opens in &rule.body.opens {
            if source.asked().any(|library| opens.covers(&library.name))
                || is_anywhere(opens, tree, base)
            {
                continue;
            }
            lost.push(Unopened {
                names: vec![opens.text().to_owned()],
                by: source.path.clone(),
                evidence: Evidence::Rule(rule.name.clone()),
                optional: false,
                searched: Vec::new(),
            });
        }
    }
    lost
}

/// Libraries that rules would name in sources if a library path had them, and that are nowhere. What a source asks for
/// by such a name is left to that.
pub(crate) fn lost_by_replacements(
    matched: &[(&PythonSource, String)],
    tree: &Tree,
    base: &Process<'_>,
    rules: &Rules,
    paths: NamedPaths<'_>,
) -> Opened<'static> {
    let mut opened = Opened::default();
    for (source, text) in matched {
        for (rule, file) in rules.unfilled(&source.path, text, paths) {
            let is_asked = source
                .asked()
                .any(|library| file.starts_with(&library.name));
            let is_there = Pattern::new(file).is_ok_and(|name| is_anywhere(&name, tree, base));
            if !is_asked && !is_there {
                opened.lost.push(Unopened {
                    names: vec![file.to_owned()],
                    by: source.path.clone(),
                    evidence: Evidence::Rule(rule.to_owned()),
                    optional: true,
                    searched: Vec::new(),
                });
            }
        }
    }
    opened
}

/// Whether a rule says what a source needs to open.
fn is_of_source(rule: &Rule<Dlopen>, source: &PythonSource) -> bool {
    // Nearly all rules are about libraries.
    let may_be = |from: &&Pattern| !is_library_name(from.text());
    let mut from = rule.body.from.iter().filter(may_be);
    !rule.body.optional && from.any(|from| from.matches_end(&source.path))
}

/// Whether the output has a library that a pattern stands for, or the interpreter finds one.
fn is_anywhere(pattern: &Pattern, tree: &Tree, base: &Process<'_>) -> bool {
    let mut ours = tree.directories().values().flat_map(|names| names.keys());
    if ours.any(|name| pattern.matches(name)) {
        return true;
    }
    if pattern.is_literal() {
        let mut process = base.clone();
        let caller = (!process.loaded.is_empty()).then_some(0);
        let outcome = process.open(caller, pattern.text());
        return matches!(outcome, Outcome::Loaded(_) | Outcome::Libc(_));
    }
    let directories = base.target.library_path.iter();
    let mut directories = directories.chain(&base.target.system_directories);
    directories.any(|directory| {
        let names = base.view.names(directory);
        names.iter().any(|name| pattern.matches(name))
    })
}

/// Whether a call in a Python source finds its library, whatever else is loaded.
fn is_there(asked: &AskedLibrary, tree: &Tree, base: &Process<'_>, rules: &Rules) -> bool {
    if is_of_libc(rules, &asked.name) {
        return true;
    }
    if let Some(path) = &asked.path {
        let Some(system) = base.target.system else {
            return base.view.file(path).is_some();
        };
        let object = base
            .view
            .file(path)
            .map(|file| base.view.outcome(&file, path));
        return matches!(object.as_deref(), Some(ReadOutcome::Object(it)) if it.abi == system.abi);
    }
    if asked.any_version {
        let pattern = Pattern::new(&format!("{}*", asked.name));
        return pattern.is_ok_and(|pattern| is_anywhere(&pattern, tree, base));
    }
    let mut process = base.clone();
    let caller = (!process.loaded.is_empty()).then_some(0);
    matches!(
        process.open(caller, &asked.name),
        Outcome::Loaded(_) | Outcome::Libc(_)
    )
}

/// The names that an alternative of a dependency stands for: itself, or those of files in the run path.
fn names(simulation: &Simulation<'_>, pattern: &Pattern) -> Vec<String> {
    let (object, process) = (simulation.object, &simulation.process);
    if pattern.is_literal() {
        return vec![pattern.text().to_owned()];
    }
    let mut found = Vec::new();
    let inherited = process.loaded.iter().filter_map(|loaded| {
        let path = loaded.object.run_path.as_ref()?;
        (path.kind == PathKind::Rpath).then(|| loaded.object.directories())
    });
    let directories = object.directories().into_iter().chain(inherited.flatten());
    for directory in directories {
        let names = process.view.names(&directory.to_string_lossy());
        found.extend(names.into_iter().filter(|name| pattern.matches(name)));
    }
    found.dedup();
    found
}
