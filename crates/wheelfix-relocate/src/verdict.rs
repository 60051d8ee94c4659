//! The findings of a proof, gathered so that one cause is reported once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::assumed::Assumed;
use crate::edges::Origin;
use crate::excuse::{ExcuseKind, Record};
use crate::fault::Fault;
use crate::floors::Floors;
use crate::missing::Missing;
use crate::object::Object;
use crate::opened::Opened;
use crate::process::Process;
use crate::proof::{Proof, ProofOptions};
use crate::python_module::{makes_module, module_name};
use crate::remedy::Candidate;
use crate::rules::Rules;
use crate::run_path::normalize;
use crate::stop::Stop;
use crate::symbols::{SymbolTables, Undefined};
use crate::trace::{Event, Trace};
use crate::tree::Tree;
use crate::trial::{Lack, Trial, VersionKey};
use crate::world::FileKey;

mod tally;

/// The findings so far.
pub(crate) struct Verdict<'a> {
    rules: &'a Rules,
    options: &'a ProofOptions,
    missing: BTreeMap<String, Missing>,
    /// Libraries that objects open and work without.
    unopened: BTreeMap<String, Missing>,
    versions: BTreeMap<VersionKey, BTreeSet<PathBuf>>,
    symbols: BTreeMap<PathBuf, Lacking>,
    /// Functions that are looked up when they are called, where nobody binds them before.
    lazy: BTreeMap<PathBuf, Lacking>,
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
type Lacking = (BTreeSet<PathBuf>, BTreeSet<Undefined>);

impl<'a> Verdict<'a> {
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

    /// Adds what all processes lack.
    ///
    /// An object that lacks symbols when it is opened alone, and not in the process of another one
    /// that brings it along, is only ever opened with that one: `libtorch_nvshmem.so`, for one,
    /// refers to symbols of `libtorch_cuda.so`, which needs it.
    pub(crate) fn trials(
        &mut self,
        trials: &[Trial<'_>],
        lacks: Vec<Vec<Lack>>,
        tables: &SymbolTables,
    ) {
        let carriers = carriers(trials, &lacks);
        let all = lacks.clone();
        for (trial, lacks) in trials.iter().zip(lacks) {
            let path = &trial.object.path;
            if trial.is_foreign() {
                self.foreign(trial);
                continue;
            }
            let (mut lacks, excused) = self.without_excused(lacks);
            if lacks.is_empty() {
                if !excused.is_empty() {
                    let names: Vec<String> = excused.iter().map(|it| format!("`{it}`")).collect();
                    let reason = format!("lacks {}, which is excused", names.join(", "));
                    self.left_aside.insert(path.clone(), reason);
                }
                continue;
            }
            let carriers = trial.key().and_then(|key| carriers.get(&key));
            let mut with = None;
            for carrier in carriers.into_iter().flatten() {
                let (Some(other), Some(theirs)) = (trials.get(*carrier), all.get(*carrier)) else {
                    continue;
                };
                with = Some(other.object);
                // Where a library is missing, symbols were not looked up: they follow from it.
                if other.process.is_complete() {
                    lacks = lacks
                        .into_iter()
                        .filter_map(|lack| lack.shared_with(theirs))
                        .collect();
                } else {
                    lacks.retain(|lack| !matches!(lack, Lack::Symbols { .. }));
                }
            }
            match with {
                Some(with) if lacks.is_empty() => {
                    let reason = format!("loads only together with `{}`", with.path.display());
                    self.left_aside.insert(path.clone(), reason);
                    self.warnings.push(Fault::Dependent {
                        path: path.clone(),
                        with: with.path.clone(),
                    });
                }
                _ => {
                    self.unloadable.insert(path.clone());
                    let is_module = is_module(trial, tables);
                    for lack in lacks {
                        let searched = match &lack {
                            Lack::Library { name, .. } => searched(trial, name),
                            _ => Vec::new(),
                        };
                        self.lack(trial, lack, searched, is_module);
                    }
                }
            }
        }
    }

    /// Separates what a file lacks without excuse from the names of what is excused.
    fn without_excused(&mut self, lacks: Vec<Lack>) -> (Vec<Lack>, BTreeSet<String>) {
        let mut excused = BTreeSet::new();
        let mut left = Vec::with_capacity(lacks.len());
        for lack in lacks {
            match lack {
                Lack::Library { name, needer } => {
                    if self.is_excused(&[&name], &needer) {
                        excused.insert(name);
                    } else {
                        left.push(Lack::Library { name, needer });
                    }
                }
                Lack::Symbols { path, mut symbols } => {
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
                        left.push(Lack::Symbols { path, symbols });
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
    fn lack(&mut self, trial: &Trial<'_>, lack: Lack, searched: Vec<PathBuf>, is_module: bool) {
        match lack {
            Lack::Library { name, needer } => {
                let rules = self.rules;
                let new = |name: &String| rules.missing(name, searched);
                let missing = self.missing.entry(name).or_insert_with_key(new);
                missing.needed_by.insert(needer);
            }
            Lack::Blocked { stop, needer } => {
                self.blocked.entry(stop).or_default().insert(needer);
            }
            Lack::Driver { name, path, needer } => {
                self.drivers.entry((name, path)).or_default().insert(needer);
            }
            Lack::Interpreter {
                interpreter,
                reason,
            } => self.faults.push(Fault::NoInterpreter {
                path: trial.object.path.clone(),
                interpreter,
                reason,
            }),
            Lack::Version { key, needer } => {
                self.versions.entry(key).or_default().insert(needer);
            }
            Lack::Symbols { path, symbols } => {
                let (lazy, eager): (Vec<_>, Vec<_>) = symbols
                    .into_iter()
                    .partition(|symbol| symbol.is_lazy && !is_module);
                for (all, symbols) in [(&mut self.symbols, eager), (&mut self.lazy, lazy)] {
                    if !symbols.is_empty() {
                        let (roots, known) = all.entry(path.clone()).or_default();
                        roots.insert(trial.object.path.clone());
                        known.extend(symbols);
                    }
                }
            }
        }
    }

    /// Adds the libraries that a file opens at run time and that are not there, or lack something.
    pub(crate) fn opened(&mut self, opened: Opened<'_>) {
        self.assumed.driver.extend(opened.drivers);
        for (trial, lacks) in opened.lacking {
            let (lacks, _) = self.without_excused(lacks);
            for lack in lacks {
                let searched = match &lack {
                    Lack::Library { needer, .. } => trial.directories_of(needer),
                    _ => Vec::new(),
                };
                self.lack(&trial, lack, searched, true);
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
                    opened: Some(unopened.origin.clone()),
                    ..rules.missing(name, unopened.searched)
                });
            missing.needed_by.insert(unopened.by);
            if let (Some(Origin::Source(lines)), Origin::Source(more)) =
                (&mut missing.opened, unopened.origin)
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
            floors: Floors::of(tree.objects()),
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
pub(crate) fn is_module(trial: &Trial<'_>, tables: &SymbolTables) -> bool {
    let name = module_name(&trial.object.path, Some(trial.object.abi));
    let table = trial.key().and_then(|key| tables.get(key));
    name.zip(table)
        .is_some_and(|(name, table)| makes_module(table, name))
}

/// For each object that lacks symbols, the trials of others that bring it along: their
/// positions.
fn carriers(trials: &[Trial<'_>], lacks: &[Vec<Lack>]) -> BTreeMap<FileKey, Vec<usize>> {
    let mut carriers: BTreeMap<FileKey, Vec<usize>> = BTreeMap::new();
    for (trial, lacks) in trials.iter().zip(lacks) {
        let mut lacks = lacks.iter();
        if lacks.any(|lack| matches!(lack, Lack::Symbols { .. })) {
            carriers.extend(trial.key().map(|key| (key, Vec::new())));
        }
    }
    for (position, trial) in trials.iter().enumerate() {
        let root = trial.key();
        let others = trial.process.loaded.iter().map(|loaded| loaded.key);
        for key in others.filter(|key| Some(*key) != root) {
            if let Some(positions) = carriers.get_mut(&key) {
                positions.push(position);
            }
        }
    }
    carriers
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
fn searched(trial: &Trial<'_>, name: &str) -> Vec<PathBuf> {
    let mut again = trial.process.emptied();
    again.trace = Trace::kept();
    again.reopen(&trial.process, &trial.object.path.to_string_lossy());
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
