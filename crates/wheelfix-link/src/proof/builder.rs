//! The findings of a proof, gathered so that one cause is reported once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::{
    Event, FileKey, MinimumVersions, Object, Process, Stop, SymbolTables, Trace, normalize,
};

use crate::excuse::Record;
use crate::fault::Fault;
use crate::fault::evidence::Evidence;
use crate::fault::excuse_kind::ExcuseKind;
use crate::fault::file::{DamagedFile, KeptData};
use crate::fault::interpreter::UnstartedProgram;
use crate::fault::missing::Missing;
use crate::fault::object::DependentObject;
use crate::fault::soname_collision::SonameCollision;
use crate::proof::assumption::Assumed;
use crate::proof::dlopen_check::{Opened, SourceLibraries};
use crate::proof::library_table::LibraryTable;
use crate::proof::simulation::{LoadFailure, Simulation};
use crate::proof::{Proof, ProofOptions};
use crate::role::indispensable::keep;
use crate::role::module_of;
use crate::rules::Rules;
use crate::tree::Tree;
use crate::tree::imported::import_of;
use crate::tree::python_module::{makes_module, module_name};

mod allowance;
mod definers;
mod findings;
mod sibling;
mod tally;

use allowance::{Allowances, Failing};
use definers::Definers;
use findings::{Failed, Findings};
use sibling::Siblings;

/// The findings so far.
pub(crate) struct ProofBuilder<'a> {
    pub(crate) rules: &'a Rules,
    options: &'a ProofOptions,
    findings: Findings,
    /// The same of objects that need not load.
    allowed: Findings,
    siblings: Siblings,
    /// Libraries that objects open and work without.
    unopened: BTreeMap<String, Missing>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    unloadable: BTreeSet<PathBuf>,
    /// Objects of which nothing is proved, and why that is no fault.
    left_aside: BTreeMap<PathBuf, String>,
    /// Objects for another machine or system that nobody seems to load, with the machine of each.
    foreign: BTreeMap<PathBuf, String>,
    excused: Record,
    source_libraries: SourceLibraries,
    pub(crate) unnamed_loads: Vec<(PathBuf, usize)>,
    pub(crate) assumed: Assumed,
}

impl<'a> ProofBuilder<'a> {
    pub(crate) fn new(rules: &'a Rules, options: &'a ProofOptions) -> Self {
        Self {
            rules,
            options,
            findings: Findings::default(),
            allowed: Findings::default(),
            siblings: Siblings::default(),
            unopened: BTreeMap::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            unloadable: BTreeSet::new(),
            left_aside: BTreeMap::new(),
            foreign: BTreeMap::new(),
            excused: Record::default(),
            source_libraries: SourceLibraries::default(),
            unnamed_loads: Vec::new(),
            assumed: Assumed {
                python: options.program.is_none(),
                ..Assumed::default()
            },
        }
    }

    /// Adds the faults of the program that opens the objects.
    pub(crate) fn program(&mut self, program: &Path, process: &Process<'_>) {
        let fault = |reason: String| {
            Fault::Program(UnstartedProgram {
                path: program.to_path_buf(),
                reason,
            })
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
            self.findings.block(stop, paths());
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
                Fault::SonameCollision(SonameCollision {
                    soname,
                    failing: Some(pair),
                    ..
                }) => self.is_excused(&[soname], &pair.second),
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
        tree: &Tree,
        simulations: &[Simulation<'_>],
        failures: Vec<Vec<LoadFailure>>,
        tables: &SymbolTables,
    ) {
        let openers = openers(simulations, &failures);
        let all = failures.clone();
        let mut unloaded = Vec::new();
        let mut loaded = 0;
        for (simulation, failures) in simulations.iter().zip(failures) {
            if simulation.is_foreign() {
                self.foreign(simulation);
                continue;
            }
            let failures = self.own_failures(simulation, failures, tree);
            if failures.is_empty() {
                loaded += 1;
                continue;
            }
            let openers = simulation.key().and_then(|key| openers.get(&key));
            let openers = openers.into_iter().flatten();
            let openers = openers.filter_map(|at| Some((simulations.get(*at)?, all.get(*at)?)));
            match shared(failures, openers) {
                Ok(with) => self.dependent(simulation, with),
                Err(failures) => {
                    let others = simulations.iter().zip(&all);
                    match imported_before(tree, (simulation.object, &failures), others) {
                        Some(with) => self.dependent(simulation, with),
                        None => unloaded.push((simulation, failures)),
                    }
                }
            }
        }
        self.unloaded(
            tree,
            unloaded,
            loaded,
            &Definers::new(simulations, tables, &self.options.lib_paths),
        );
    }

    /// The failures of a process without excuse, and not only in the prefix of another wheel. An object that
    /// lacks nothing else is left aside.
    fn own_failures(
        &mut self,
        simulation: &Simulation<'_>,
        failures: Vec<LoadFailure>,
        tree: &Tree,
    ) -> Vec<LoadFailure> {
        let path = &simulation.object.path;
        let (failures, excused) = self.without_excused(failures);
        let count = failures.len();
        let own = failures.into_iter();
        let own: Vec<LoadFailure> = own
            .filter_map(|failure| self.siblings.take(failure, tree))
            .collect();
        let reason = if !own.is_empty() {
            None
        } else if !excused.is_empty() {
            let names: Vec<String> = excused.iter().map(|it| format!("`{it}`")).collect();
            Some(format!("lacks {}, which is excused", names.join(", ")))
        } else if own.len() < count {
            Some("lacks what the prefix of another wheel lacks".to_owned())
        } else {
            let rule = self.rules.preload(path);
            rule.map(|rule| format!("is for `LD_PRELOAD` (rule `{}`)", rule.name))
        };
        let aside = reason.map(|reason| (path.clone(), reason));
        self.left_aside.extend(aside);
        own
    }

    /// Adds an object that only loads with one that brings it along.
    fn dependent(&mut self, simulation: &Simulation<'_>, with: &Object) {
        let path = &simulation.object.path;
        let reason = format!("loads only together with `{}`", with.path.display());
        self.left_aside.insert(path.clone(), reason);
        self.warnings.push(Fault::Dependent(DependentObject {
            path: path.clone(),
            with: with.path.clone(),
        }));
    }

    /// Adds the objects that do not load, as faults unless they need not.
    fn unloaded(
        &mut self,
        tree: &Tree,
        unloaded: Vec<(&Simulation<'_>, Vec<LoadFailure>)>,
        loaded: usize,
        definers: &Definers<'_>,
    ) {
        let failing = unloaded.iter();
        let failing: Failing<'_> = failing
            .map(|(simulation, failures)| (simulation.object.path.as_path(), failures.as_slice()))
            .collect();
        let allowances = Allowances {
            tree,
            rules: self.rules,
            backends: &self.options.backends,
            definers,
        };
        let allowed = allowances.of(&failing, 0 < loaded);
        for (simulation, failures) in unloaded {
            let path = &simulation.object.path;
            let findings = if let Some(reason) = allowed.get(path) {
                self.left_aside.insert(path.clone(), reason.clone());
                &mut self.allowed
            } else {
                self.unloadable.insert(path.clone());
                &mut self.findings
            };
            let failed = Failed {
                root: path,
                binds_now: is_module(simulation, definers.tables),
            };
            for failure in failures {
                let searched = match &failure {
                    LoadFailure::Library { name, .. } => searched(simulation, name),
                    _ => Vec::new(),
                };
                findings.define(&failure, definers);
                findings.add(self.rules, failed, failure, searched);
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

    /// Adds the libraries that a file opens at run time and that are not there, or lack something.
    pub(crate) fn opened(&mut self, opened: Opened<'_>) {
        self.assumed.driver.extend(opened.drivers);
        self.source_libraries.found += opened.source_libraries.found;
        self.source_libraries.missing += opened.source_libraries.missing;
        for (simulation, failures) in opened.lacking {
            let (failures, _) = self.without_excused(failures);
            for failure in failures {
                let searched = match &failure {
                    LoadFailure::Library { dependent, .. } => simulation.directories_of(dependent),
                    _ => Vec::new(),
                };
                let failed = Failed {
                    root: &simulation.object.path,
                    binds_now: true,
                };
                self.findings.add(self.rules, failed, failure, searched);
            }
        }
        for (name, path, by) in opened.stubs {
            self.findings.stub(name, path, by);
        }
        for unopened in opened.lost {
            let names: Vec<&str> = unopened.names.iter().map(String::as_str).collect();
            if self.is_excused(&names, &unopened.by) {
                continue;
            }
            let known = if unopened.optional {
                &mut self.unopened
            } else {
                &mut self.findings.missing
            };
            let rules = self.rules;
            let missing = known
                .entry(names.join(" or "))
                .or_insert_with_key(|name| Missing {
                    opened: Some(unopened.evidence.clone()),
                    ..rules.missing(name, unopened.searched)
                });
            missing.is_answered |= self.options.library_table.is_some()
                || rules.replaces_library(&unopened.by, &unopened.names);
            missing.needed_by.insert(unopened.by);
            if let (Some(Evidence::Source(lines)), Evidence::Source(more)) =
                (&mut missing.opened, unopened.evidence)
            {
                lines.extend(more);
            }
        }
    }

    /// Adds what the libraries of a table lack: faults where a source cannot do without, else warnings.
    pub(crate) fn table<'s>(
        &mut self,
        tree: &Tree,
        table: &LibraryTable,
        opened: impl Iterator<Item = (&'s Simulation<'s>, Vec<LoadFailure>)>,
    ) {
        let loads = tree.sources.iter().flat_map(|source| &source.loads);
        let needed = loads.filter(|load| load.is_needed);
        let needed = needed.filter_map(|load| load.names.iter().find_map(|name| table.file(name)));
        let needed: BTreeSet<&Path> = needed.collect();
        for (simulation, failures) in opened {
            let (failures, _) = self.without_excused(failures);
            let path = simulation.object.path.as_path();
            let findings = if needed.contains(path) {
                &mut self.findings
            } else {
                &mut self.allowed
            };
            let failed = Failed {
                root: path,
                binds_now: true,
            };
            for failure in failures {
                let searched = match &failure {
                    LoadFailure::Library { name, .. } => searched(simulation, name),
                    _ => Vec::new(),
                };
                findings.add(self.rules, failed, failure, searched);
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
        let unreadable = tree.unreadable.iter().map(|file| {
            Fault::Unreadable(DamagedFile {
                path: file.path.clone(),
                reason: file.reason.clone(),
                is_kept: false,
            })
        });
        let mut faults: Vec<Fault> = unreadable.collect();
        faults.append(&mut self.faults);
        let unloaded = &self.findings.missing;
        self.allowed
            .missing
            .retain(|name, _| !unloaded.contains_key(name));
        faults.extend(self.findings.into_faults(self.rules));
        keep(&mut faults, tree);
        self.warnings.extend(self.allowed.into_faults(self.rules));
        self.warnings.extend(self.siblings.into_faults());
        self.warnings.extend(tree.data.iter().map(|file| {
            Fault::Data(KeptData {
                path: file.path.clone(),
                reason: file.reason.clone(),
            })
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
            source_libraries: self.source_libraries,
            unnamed_loads: self.unnamed_loads,
            assumed: self.assumed,
            minimum_versions: MinimumVersions::of(tree.objects()),
            objects,
            symbols: tables.symbol_count(),
        }
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

/// The failures of an object in the processes of all that bring it along, too; if there are none, the last
/// of these.
///
/// Where such a process lacks a library, symbols were not looked up: they follow from it.
fn shared<'s>(
    mut failures: Vec<LoadFailure>,
    openers: impl Iterator<Item = (&'s Simulation<'s>, &'s Vec<LoadFailure>)>,
) -> Result<&'s Object, Vec<LoadFailure>> {
    let mut with = None;
    for (other, theirs) in openers {
        with = Some(other.object);
        if other.process.is_complete() {
            let shared = failures.into_iter();
            failures = shared
                .filter_map(|failure| failure.shared_with(theirs))
                .collect();
        } else {
            failures.retain(|failure| !matches!(failure, LoadFailure::Symbols { .. }));
        }
    }
    with.filter(|_| failures.is_empty()).ok_or(failures)
}

/// A module beside an object, or in a package above, in whose process the libraries are whole that the object lacks symbols of: a source imports it,
/// and a library keeps the symbols that it was loaded with first. `None` if there is none.
fn imported_before<'s>(
    tree: &Tree,
    (object, failures): (&Object, &[LoadFailure]),
    mut others: impl Iterator<Item = (&'s Simulation<'s>, &'s Vec<LoadFailure>)>,
) -> Option<&'s Object> {
    let lacking = failures.iter().map(|failure| match failure {
        LoadFailure::Symbols { path, .. } if *path != object.path => Some(path),
        _ => None,
    });
    let lacking: BTreeSet<&PathBuf> = lacking.collect::<Option<_>>()?;
    let (other, _) = others.find(|(other, theirs)| {
        let loaded = other.process.loaded.iter();
        let loaded: BTreeSet<PathBuf> = loaded.map(|it| normalize(Path::new(&it.path))).collect();
        theirs.is_empty()
            && lacking.iter().all(|path| loaded.contains(*path))
            && object.path.starts_with(other.object.directory())
            && module_of(other.object).is_some_and(|name| import_of(tree, name).is_some())
    })?;
    Some(other.object)
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
