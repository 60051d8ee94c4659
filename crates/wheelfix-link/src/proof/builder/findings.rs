//! The failures of processes, each cause once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::{Stop, Undefined};

use crate::fault::Fault;
use crate::fault::choice::UndefinedVersion;
use crate::fault::file::{Blocked, Stub};
use crate::fault::interpreter::NoInterpreter;
use crate::fault::missing::Missing;
use crate::fault::remedy::{Candidate, Remedy};
use crate::fault::symbols::UndefinedSymbols;
use crate::proof::builder::definers::Definers;
use crate::proof::simulation::{LoadFailure, VersionKey};
use crate::rules::Rules;

/// The objects that were opened, and the symbols that an object refers to and nothing defines.
type UndefinedIn = (BTreeSet<PathBuf>, BTreeSet<Undefined>);

/// The causes so far, each with the files that it keeps from loading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) missing: BTreeMap<String, Missing>,
    versions: BTreeMap<VersionKey, BTreeSet<PathBuf>>,
    symbols: BTreeMap<PathBuf, UndefinedIn>,
    /// Functions that are looked up when they are called, where nobody binds them before.
    lazy: BTreeMap<PathBuf, UndefinedIn>,
    blocked: BTreeMap<Stop, BTreeSet<PathBuf>>,
    drivers: BTreeMap<(String, PathBuf), BTreeSet<PathBuf>>,
    faults: Vec<Fault>,
    /// For objects that lack symbols, those of the output that have some of these.
    defined_by: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// One simulation that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed<'a> {
    /// Final path of the object that was opened.
    pub(super) root: &'a Path,
    /// Whether all functions are bound at once.
    pub(super) binds_now: bool,
}

impl Findings {
    /// Adds a file over which the loader gives up, and what it keeps from loading.
    pub(super) fn block(&mut self, stop: Stop, paths: impl Iterator<Item = PathBuf>) {
        self.blocked.entry(stop).or_default().extend(paths);
    }

    /// Adds a copy of a library of the driver that would be loaded.
    pub(super) fn stub(&mut self, name: String, path: PathBuf, dependent: PathBuf) {
        let known = self.drivers.entry((name, path)).or_default();
        known.insert(dependent);
    }

    /// Adds the objects of the output that define what another one lacks.
    pub(super) fn define(&mut self, failure: &LoadFailure, definers: &Definers<'_>) {
        if let LoadFailure::Symbols { path, symbols } = failure {
            let found = symbols
                .iter()
                .filter_map(|symbol| definers.of(symbol).next());
            let known = self.defined_by.entry(path.clone()).or_default();
            known.extend(found.map(Path::to_path_buf));
        }
    }

    /// Adds what a process lacks; a library that is missing was searched in these directories.
    pub(super) fn add(
        &mut self,
        rules: &Rules,
        failed: Failed<'_>,
        failure: LoadFailure,
        searched: Vec<PathBuf>,
    ) {
        match failure {
            LoadFailure::Library { name, dependent } => {
                let new = |name: &String| rules.missing(name, searched);
                let missing = self.missing.entry(name).or_insert_with_key(new);
                missing.needed_by.insert(dependent);
            }
            LoadFailure::Blocked { stop, dependent } => {
                self.block(stop, std::iter::once(dependent));
            }
            LoadFailure::Driver {
                name,
                path,
                dependent,
            } => self.stub(name, path, dependent),
            LoadFailure::Interpreter {
                interpreter,
                reason,
            } => self.faults.push(Fault::NoInterpreter(NoInterpreter {
                path: failed.root.to_path_buf(),
                interpreter,
                reason,
            })),
            LoadFailure::Version { key, dependent } => {
                self.versions.entry(key).or_default().insert(dependent);
            }
            LoadFailure::Symbols { path, symbols } => self.add_symbols(failed, &path, symbols),
        }
    }

    fn add_symbols(&mut self, failed: Failed<'_>, path: &Path, symbols: Vec<Undefined>) {
        let (lazy, eager): (Vec<_>, Vec<_>) = symbols
            .into_iter()
            .partition(|symbol| symbol.is_lazy && !failed.binds_now);
        for (all, symbols) in [(&mut self.symbols, eager), (&mut self.lazy, lazy)] {
            if !symbols.is_empty() {
                let (roots, known) = all.entry(path.to_path_buf()).or_default();
                roots.insert(failed.root.to_path_buf());
                known.extend(symbols);
            }
        }
    }

    /// A fault for each cause, in a stable order.
    pub(super) fn into_faults(mut self, rules: &Rules) -> Vec<Fault> {
        self.count_versions_once();
        let mut faults = std::mem::take(&mut self.faults);
        let missing = std::mem::take(&mut self.missing);
        faults.extend(missing.into_values().map(Fault::Missing));
        faults.extend(self.library_faults(rules));
        faults.extend(self.symbol_faults(rules));
        faults
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
    fn library_faults(&mut self, rules: &Rules) -> Vec<Fault> {
        let blocked = std::mem::take(&mut self.blocked).into_iter();
        let blocked = blocked.map(|(stop, needed_by)| {
            Fault::Blocked(Blocked {
                remedy: Remedy::for_stop(&stop),
                reason: stop.reason,
                needed_by,
                is_kept: false,
            })
        });
        let drivers = std::mem::take(&mut self.drivers).into_iter();
        let drivers = drivers.map(|((soname, path), needed_by)| {
            Fault::Stub(Stub {
                soname,
                path,
                needed_by,
            })
        });
        let versions = std::mem::take(&mut self.versions).into_iter();
        let versions = versions.map(|((soname, version, found), needed_by)| {
            Fault::Version(UndefinedVersion {
                candidates: rules.candidates(&soname),
                later: BTreeSet::new(),
                soname,
                version,
                found,
                needed_by,
                is_kept: false,
            })
        });
        blocked.chain(drivers).chain(versions).collect()
    }

    /// Faults of symbols that nothing defines. One that keeps an object from loading is not
    /// reported again as one that fails when it is called.
    fn symbol_faults(&mut self, rules: &Rules) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (path, (_, symbols)) in &mut self.lazy {
            if let Some((_, eager)) = self.symbols.get(path) {
                symbols.retain(|symbol| !eager.contains(symbol));
            }
        }
        let defined_by = |path: &PathBuf| self.defined_by.get(path).cloned().unwrap_or_default();
        for (path, (opened_by, symbols)) in std::mem::take(&mut self.symbols) {
            faults.push(Fault::Symbols(UndefinedSymbols {
                defined_by: defined_by(&path),
                path,
                opened_by,
                providers: providers(rules, &symbols),
                symbols: symbols.iter().map(ToString::to_string).collect(),
                is_kept: false,
            }));
        }
        for (path, (opened_by, symbols)) in std::mem::take(&mut self.lazy) {
            if !symbols.is_empty() {
                faults.push(Fault::LazySymbols(UndefinedSymbols {
                    defined_by: defined_by(&path),
                    path,
                    opened_by,
                    providers: providers(rules, &symbols),
                    symbols: symbols.iter().map(ToString::to_string).collect(),
                    is_kept: false,
                }));
            }
        }
        faults
    }
}

/// The libraries that symbols should come from, with what is known to have newer ones.
fn providers(rules: &Rules, symbols: &BTreeSet<Undefined>) -> BTreeMap<String, Vec<Candidate>> {
    let sonames = symbols.iter().filter_map(|symbol| symbol.file.as_ref());
    let known = sonames.map(|file| (file.clone(), rules.candidates(file)));
    known
        .filter(|(_, candidates)| !candidates.is_empty())
        .collect()
}
