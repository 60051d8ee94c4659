//! The findings of a proof, gathered so that one cause is reported once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::assumption::Assumed;
use crate::dlopen_check::Opened;
use crate::dlopen_dependency::Evidence;
use crate::excuse::{ExcuseKind, Record};
use crate::fault::Fault;
use crate::file_view::FileKey;
use crate::minimum_versions::MinimumVersions;
use crate::missing::Missing;
use crate::object::Object;
use crate::process::Process;
use crate::proof::{Proof, ProofOptions};
use crate::python_module::{makes_module, module_name};
use crate::remedy::Candidate;
use crate::rules::Rules;
use crate::run_path::normalize;
use crate::simulation::{LoadFailure, Simulation, VersionKey};
use crate::stop::Stop;
use crate::symbols::{SymbolTables, Undefined};
use crate::trace::{Event, Trace};
use crate::tree::Tree;

mod tally;

/// The findings so far.
pub(crate) struct ProofBuilder<'a> {
    rules: &'a Rules,
    options: &'a ProofOptions,
    missing: BTreeMap<String, Missing>,
    /// Libraries that objects open and work without.
    unopened: BTreeMap<String, Missing>,
    versions: BTreeMap<VersionKey, BTreeSet<PathBuf>>,
    symbols: BTreeMap<PathBuf, UndefinedIn>,
    /// Functions that are looked up when they are called, where nobody binds them before.
    lazy: BTreeMap<PathBuf, UndefinedIn>,
    blocked: BTreeMap<Stop, BTreeSet<PathBuf>>,
    drivers: BTreeMap<(String, PathBuf), BTreeSet<PathBuf>>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    unloadable: BTreeSet<PathBuf>,
    /// Objects of which nothing is proved, and why that is no fault.
    left_aside: BTreeMap<PathBuf, String>,
    /// Objects for another machine or system that nobody seems to load, with the machine of each.
    foreign: BTreeMap<PathBuf, String>,
    excused: Record,
    pub(crate) assumed: Assumed,
}

/// The objects that were opened, and the symbols that an object refers to and nothing defines.
type UndefinedIn = (BTreeSet<PathBuf>, BTreeSet<Undefined>);

impl<'a> ProofBuilder<'a> {
    pub(crate) fn new(rules: &'a Rules, options: &'a ProofOptions) -> Self {
        Self {
            rules,
            options,
            missing: BTreeMap::new(),
            unopened: BTreeMap::new(),
            versions: BTreeMap::new(),
            symbols: BTreeMap::new(),
            lazy: BTreeMap::new(),
            blocked: BTreeMap::new(),
            drivers: BTreeMap::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            unloadable: BTreeSet::new(),
            left_aside: BTreeMap::new(),
            foreign: BTreeMap::new(),
            excused: Record::default(),
            assumed: Assumed {
                python: options.program.is_none(),
                ..Assumed::default()
            },
        }
    }

    /// Adds the faults of the program that opens the objects.
    pub(crate) fn program(&mut self, program: &Path, process: &Process<'_>) {
        let fault = |reason: String| Fault::Program {
            path: program.to_path_buf(),
            reason,
        };
        if process.loaded.is_empty() {
            self.faults
                .push(fault("it is not an ELF program".to_owned()));
        }
        for (loaded, name) in process.lacking() {
            self.faults
                .push(fault(format!("`{}` needs `{name}`", loaded.path)));
        }
    }

    /// Adds objects that were not tried, because those before them load so many others.
    pub(crate) fn beyond_bounds(&mut self, objects: &[&Object]) {
        let paths = || objects.iter().map(|object| object.path.clone());
        if !objects.is_empty() {
            let reason = "those before load so many libraries that this proof ends";
            let stop = Stop::new(reason);
            self.blocked.entry(stop).or_default().extend(paths());
        }
        self.unloadable.extend(paths());
    }

    /// Adds the faults and warnings about the run path of an object.
    pub(crate) fn lints(&mut self, (faults, warnings): (Vec<Fault>, Vec<Fault>)) {
        self.faults.extend(faults);
        self.warnings.extend(warnings);
    }

    /// Adds different files of one name, faults and warnings; a fault with an excuse is a warning.
    pub(crate) fn collisions(&mut self, (faults, warnings): (Vec<Fault>, Vec<Fault>)) {
        for fault in faults {
            let excused = match &fault {
                Fault::SonameCollision {
                    soname,
                    failing: Some(pair),
                    ..
                } => self.is_excused(&[soname], &pair.second),
                _ => false,
            };
            let list = if excused {
                &mut self.warnings
            } else {
                &mut self.faults
            };
            list.push(fault);
        }
        self.warnings.extend(warnings);
    }

    /// Adds what all processes lack.
    ///
    /// An object that lacks symbols when it is opened alone, and not in the process of another one
    /// that brings it along, is only ever opened with that one: `libtorch_nvshmem.so`, for one,
    /// refers to symbols of `libtorch_cuda.so`, which needs it.
    pub(crate) fn simulations(
        &mut self,
        simulations: &[Simulation<'_>],
        failures: Vec<Vec<LoadFailure>>,
        tables: &SymbolTables,
    ) {
        let openers = openers(simulations, &failures);
        let all = failures.clone();
        for (simulation, failures) in simulations.iter().zip(failures) {
            let path = &simulation.object.path;
            if simulation.is_foreign() {
                self.foreign(simulation);
                continue;
            }
            let (mut failures, excused) = self.without_excused(failures);
            if failures.is_empty() {
                if !excused.is_empty() {
                    let names: Vec<String> = excused.iter().map(|it| format!("`{it}`")).collect();
                    let reason = format!("lacks {}, which is excused", names.join(", "));
                    self.left_aside.insert(path.clone(), reason);
                }
                continue;
            }
            let openers = simulation.key().and_then(|key| openers.get(&key));
            let mut with = None;
            for opener in openers.into_iter().flatten() {
                let (Some(other), Some(theirs)) = (simulations.get(*opener), all.get(*opener))
                else {
                    continue;
                };
                with = Some(other.object);
                // Where a library is missing, symbols were not looked up: they follow from it.
                if other.process.is_complete() {
                    failures = failures
                        .into_iter()
                        .filter_map(|failure| failure.shared_with(theirs))
                        .collect();
                } else {
                    failures.retain(|failure| !matches!(failure, LoadFailure::Symbols { .. }));
                }
            }
            match with {
                Some(with) if failures.is_empty() => {
                    let reason = format!("loads only together with `{}`", with.path.display());
                    self.left_aside.insert(path.clone(), reason);
                    self.warnings.push(Fault::Dependent {
                        path: path.clone(),
                        with: with.path.clone(),
                    });
                }
                _ => {
                    self.unloadable.insert(path.clone());
                    let is_module = is_module(simulation, tables);
                    for failure in failures {
                        let searched = match &failure {
                            LoadFailure::Library { name, .. } => searched(simulation, name),
                            _ => Vec::new(),
                        };
                        self.failure(simulation, failure, searched, is_module);
                    }
                }
            }
        }
    }

    /// Separates what a file lacks without excuse from the names of what is excused.
    fn without_excused(
        &mut self,
        failures: Vec<LoadFailure>,
    ) -> (Vec<LoadFailure>, BTreeSet<String>) {
        let mut excused = BTreeSet::new();
        let mut left = Vec::with_capacity(failures.len());
        for failure in failures {
            match failure {
                LoadFailure::Library { name, dependent } => {
                    if self.is_excused(&[&name], &dependent) {
                        excused.insert(name);
                    } else {
                        left.push(LoadFailure::Library { name, dependent });
                    }
                }
                LoadFailure::Symbols { path, mut symbols } => {
                    symbols.retain(|symbol| {
                        let name = String::from_utf8_lossy(&symbol.name).into_owned();
                        let globs = self.options.excuses.of_symbol(&name);
                        let is_left = globs.is_none();
                        if let Some(globs) = globs {
                            self.excused.note((ExcuseKind::Symbol, &name), globs, &path);
                            excused.insert(name);
                        }
                        is_left
                    });
                    if !symbols.is_empty() {
                        left.push(LoadFailure::Symbols { path, symbols });
                    }
                }
                other => left.push(other),
            }
        }
        (left, excused)
    }

    /// Whether the user excuses a library, or all of several alternatives.
    fn is_excused(&mut self, alternatives: &[&str], by: &Path) -> bool {
        let globs = self.options.excuses.of_library(alternatives);
        let is_excused = globs.is_some();
        if let Some(globs) = globs {
            let name = alternatives.join(" or ");
            self.excused.note((ExcuseKind::Library, &name), globs, by);
        }
        is_excused
    }

    /// Notes what a process lacks; a library that is missing was searched in these directories.
    fn failure(
        &mut self,
        simulation: &Simulation<'_>,
        failure: LoadFailure,
        searched: Vec<PathBuf>,
        is_module: bool,
    ) {
        match failure {
            LoadFailure::Library { name, dependent } => {
                let rules = self.rules;
                let new = |name: &String| rules.missing(name, searched);
                let missing = self.missing.entry(name).or_insert_with_key(new);
                missing.needed_by.insert(dependent);
            }
            LoadFailure::Blocked { stop, dependent } => {
                self.blocked.entry(stop).or_default().insert(dependent);
            }
            LoadFailure::Driver {
                name,
                path,
                dependent,
            } => {
                self.drivers
                    .entry((name, path))
                    .or_default()
                    .insert(dependent);
            }
            LoadFailure::Interpreter {
                interpreter,
                reason,
            } => self.faults.push(Fault::NoInterpreter {
                path: simulation.object.path.clone(),
                interpreter,
                reason,
            }),
            LoadFailure::Version { key, dependent } => {
                self.versions.entry(key).or_default().insert(dependent);
            }
            LoadFailure::Symbols { path, symbols } => {
                let (lazy, eager): (Vec<_>, Vec<_>) = symbols
                    .into_iter()
                    .partition(|symbol| symbol.is_lazy && !is_module);
                for (all, symbols) in [(&mut self.symbols, eager), (&mut self.lazy, lazy)] {
                    if !symbols.is_empty() {
                        let (roots, known) = all.entry(path.clone()).or_default();
                        roots.insert(simulation.object.path.clone());
                        known.extend(symbols);
                    }
                }
            }
        }
    }

    /// Adds the libraries that a file opens at run time and that are not there, or lack something.
    pub(crate) fn opened(&mut self, opened: Opened<'_>) {
        self.assumed.driver.extend(opened.drivers);
        for (simulation, failures) in opened.lacking {
            let (failures, _) = self.without_excused(failures);
            for failure in failures {
                let searched = match &failure {
                    LoadFailure::Library { dependent, .. } => simulation.directories_of(dependent),
                    _ => Vec::new(),
                };
                self.failure(&simulation, failure, searched, true);
            }
        }
        for (name, path, by) in opened.stubs {
            self.drivers.entry((name, path)).or_default().insert(by);
        }
        for unopened in opened.lost {
            let names: Vec<&str> = unopened.names.iter().map(String::as_str).collect();
            if self.is_excused(&names, &unopened.by) {
                continue;
            }
            let known = if unopened.optional {
                &mut self.unopened
            } else {
                &mut self.missing
            };
            let rules = self.rules;
            let missing = known
                .entry(names.join(" or "))
                .or_insert_with_key(|name| Missing {
                    opened: Some(unopened.evidence.clone()),
                    ..rules.missing(name, unopened.searched)
                });
            missing.needed_by.insert(unopened.by);
            if let (Some(Evidence::Source(lines)), Evidence::Source(more)) =
                (&mut missing.opened, unopened.evidence)
            {
                lines.extend(more);
            }
        }
    }

    /// All faults, in a stable order.
    pub(crate) fn into_proof(
        mut self,
        tree: &Tree,
        tables: &SymbolTables,
        base: &Process<'_>,
        objects: usize,
    ) -> Proof {
        self.unloadable
            .extend(tree.unreadable.iter().map(|file| file.path.clone()));
        let (loadable, left_aside) = self.count(tree, base.abi());
        let unreadable = tree.unreadable.iter().map(|file| Fault::Unreadable {
            path: file.path.clone(),
            reason: file.reason.clone(),
        });
        let mut faults: Vec<Fault> = unreadable.collect();
        faults.append(&mut self.faults);
        let missing = std::mem::take(&mut self.missing);
        faults.extend(missing.into_values().map(Fault::Missing));
        self.count_versions_once();
        faults.extend(self.library_faults());
        faults.extend(self.symbol_faults());
        self.warnings
            .extend(tree.data.iter().map(|file| Fault::Data {
                path: file.path.clone(),
                reason: file.reason.clone(),
            }));
        let unopened = self.unopened.into_values().map(Fault::Missing);
        Proof {
            faults,
            warnings: unopened.chain(self.warnings).collect(),
            found: loadable.len() + left_aside.len() + self.unloadable.len(),
            loadable,
            left_aside,
            unloadable: self.unloadable.into_iter().collect(),
            excused: self.excused.into_list(),
            assumed: self.assumed,
            minimum_versions: MinimumVersions::of(tree.objects()),
            objects,
            symbols: tables.symbol_count(),
        }
    }

    /// Takes out the symbols that an object lacks with the whole version that they are of: that is one
    /// fault.
    fn count_versions_once(&mut self) {
        let versions = self.versions.iter().flat_map(|((soname, version, _), by)| {
            by.iter()
                .map(move |path| (path.as_path(), soname.as_str(), version.as_str()))
        });
        let versions: BTreeSet<(&Path, &str, &str)> = versions.collect();
        let is_told = |path: &Path, symbol: &Undefined| {
            let (file, version) = (symbol.file.as_deref(), symbol.version.as_deref());
            let key = file.zip(version);
            key.is_some_and(|(file, version)| versions.contains(&(path, file, version)))
        };
        for all in [&mut self.symbols, &mut self.lazy] {
            for (path, (_, symbols)) in all.iter_mut() {
                symbols.retain(|symbol| !is_told(path, symbol));
            }
            all.retain(|_, (_, symbols)| !symbols.is_empty());
        }
    }

    /// The faults of libraries that are found.
    fn library_faults(&mut self) -> Vec<Fault> {
        let blocked = std::mem::take(&mut self.blocked).into_iter();
        let blocked = blocked.map(|(stop, needed_by)| Fault::Blocked {
            remedy: stop.remedy(),
            reason: stop.reason,
            needed_by,
        });
        let drivers = std::mem::take(&mut self.drivers).into_iter();
        let drivers = drivers.map(|((soname, path), needed_by)| Fault::Stub {
            soname,
            path,
            needed_by,
        });
        let versions = std::mem::take(&mut self.versions).into_iter();
        let versions = versions.map(|((soname, version, found), needed_by)| Fault::Version {
            candidates: self.rules.candidates(&soname),
            later: BTreeSet::new(),
            soname,
            version,
            found,
            needed_by,
        });
        blocked.chain(drivers).chain(versions).collect()
    }

    /// Faults of symbols that nothing defines. One that keeps an object from loading is not
    /// reported again as one that fails when it is called.
    fn symbol_faults(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (path, (_, symbols)) in &mut self.lazy {
            if let Some((_, eager)) = self.symbols.get(path) {
                symbols.retain(|symbol| !eager.contains(symbol));
            }
        }
        for (path, (opened_by, symbols)) in std::mem::take(&mut self.symbols) {
            faults.push(Fault::Symbols {
                path,
                opened_by,
                providers: providers(self.rules, &symbols),
                symbols: symbols.iter().map(ToString::to_string).collect(),
            });
        }
        for (path, (opened_by, symbols)) in std::mem::take(&mut self.lazy) {
            if !symbols.is_empty() {
                faults.push(Fault::LazySymbols {
                    path,
                    opened_by,
                    providers: providers(self.rules, &symbols),
                    symbols: symbols.iter().map(ToString::to_string).collect(),
                });
            }
        }
        faults
    }
}

/// Whether Python opens an object as an extension module, which binds everything at once.
pub(crate) fn is_module(simulation: &Simulation<'_>, tables: &SymbolTables) -> bool {
    let name = module_name(&simulation.object.path, Some(simulation.object.abi));
    let table = simulation.key().and_then(|key| tables.get(key));
    name.zip(table)
        .is_some_and(|(name, table)| makes_module(table, name))
}

/// For each object that lacks symbols, the simulations of others that bring it along: their
/// positions.
fn openers(
    simulations: &[Simulation<'_>],
    failures: &[Vec<LoadFailure>],
) -> BTreeMap<FileKey, Vec<usize>> {
    let mut openers: BTreeMap<FileKey, Vec<usize>> = BTreeMap::new();
    for (simulation, failures) in simulations.iter().zip(failures) {
        let mut failures = failures.iter();
        if failures.any(|failure| matches!(failure, LoadFailure::Symbols { .. })) {
            openers.extend(simulation.key().map(|key| (key, Vec::new())));
        }
    }
    for (position, simulation) in simulations.iter().enumerate() {
        let root = simulation.key();
        let others = simulation.process.loaded.iter().map(|loaded| loaded.key);
        for key in others.filter(|key| Some(*key) != root) {
            if let Some(positions) = openers.get_mut(&key) {
                positions.push(position);
            }
        }
    }
    openers
}

/// The libraries that symbols should come from, with what is known to have newer ones.
fn providers(rules: &Rules, symbols: &BTreeSet<Undefined>) -> BTreeMap<String, Vec<Candidate>> {
    let sonames = symbols.iter().filter_map(|symbol| symbol.file.as_ref());
    let known = sonames.map(|file| (file.clone(), rules.candidates(file)));
    known
        .filter(|(_, candidates)| !candidates.is_empty())
        .collect()
}

/// The directories that the loader searched for a name, from a second run that keeps its trace.
fn searched(simulation: &Simulation<'_>, name: &str) -> Vec<PathBuf> {
    let mut again = simulation.process.emptied();
    again.trace = Trace::kept();
    again.reopen(
        &simulation.process,
        &simulation.object.path.to_string_lossy(),
    );
    let mut directories = Vec::new();
    let mut wanted = false;
    for event in again.trace.events() {
        match event {
            Event::Find { name: other, .. } => wanted = other == name,
            Event::Search {
                directories: these, ..
            } if wanted => {
                let these = these
                    .iter()
                    .map(|directory| normalize(Path::new(directory)));
                directories.extend(these);
            }
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    directories.retain(|directory| seen.insert(directory.clone()));
    directories
}
