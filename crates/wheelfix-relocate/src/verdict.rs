//! What a proof finds, gathered so that one cause is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::assumed::Assumed;
use crate::edges::Origin;
use crate::fault::{Fault, Fix, Missing};
use crate::floors::Floors;
use crate::opened::Opened;
use crate::process::Process;
use crate::proof::{Proof, ProofOptions};
use crate::rules::Rules;
use crate::run_path::normalize;
use crate::symbols::{SymbolTables, Undefined};
use crate::trace::{Event, Trace};
use crate::tree::Tree;
use crate::trial::{Lack, Trial, VersionKey};
use crate::world::FileKey;

/// What was found so far.
pub(crate) struct Verdict<'a> {
    rules: &'a Rules,
    options: &'a ProofOptions,
    missing: BTreeMap<String, Missing>,
    /// Those that objects open and work without.
    unopened: BTreeMap<String, Missing>,
    versions: BTreeMap<VersionKey, BTreeSet<PathBuf>>,
    symbols: BTreeMap<PathBuf, (BTreeSet<PathBuf>, BTreeSet<Undefined>)>,
    blocked: BTreeMap<String, BTreeSet<PathBuf>>,
    drivers: BTreeMap<(String, PathBuf), BTreeSet<PathBuf>>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    unloadable: BTreeSet<PathBuf>,
    ignored: BTreeSet<String>,
    pub(crate) assumed: Assumed,
}

impl<'a> Verdict<'a> {
    pub(crate) fn new(rules: &'a Rules, options: &'a ProofOptions) -> Self {
        Self {
            rules,
            options,
            missing: BTreeMap::new(),
            unopened: BTreeMap::new(),
            versions: BTreeMap::new(),
            symbols: BTreeMap::new(),
            blocked: BTreeMap::new(),
            drivers: BTreeMap::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            unloadable: BTreeSet::new(),
            ignored: BTreeSet::new(),
            assumed: Assumed {
                python: options.program.is_none(),
                ..Assumed::default()
            },
        }
    }

    /// What became of the program that opens the objects.
    pub(crate) fn program(&mut self, program: &Path, process: &Process<'_>) {
        let fault = |reason: String| Fault::Program {
            path: program.to_path_buf(),
            reason,
        };
        if process.loaded.is_empty() {
            self.faults.push(fault("it is no ELF program".to_owned()));
        }
        for (loaded, name) in process.lacking() {
            self.faults
                .push(fault(format!("`{}` needs `{name}`", loaded.path)));
        }
    }

    /// Files whose symbols cannot be read.
    pub(crate) fn unreadable(&mut self, tables: &SymbolTables, files: &BTreeMap<FileKey, String>) {
        for (key, reason) in tables.failures() {
            let path = files.get(&key).map(|path| normalize(Path::new(path)));
            self.faults.push(Fault::Unreadable {
                path: path.unwrap_or_default(),
                reason: reason.to_owned(),
            });
        }
    }

    /// What is wrong with the run path of an object.
    pub(crate) fn lints(&mut self, (faults, warnings): (Vec<Fault>, Vec<Fault>)) {
        self.faults.extend(faults);
        self.warnings.extend(warnings);
    }

    /// What all processes lack.
    ///
    /// An object that lacks symbols when it is opened alone, and not in the process of another one
    /// that brings it along, is only ever opened with that one: `libtorch_nvshmem.so`, for one,
    /// refers to symbols of `libtorch_cuda.so`, which needs it.
    pub(crate) fn trials(&mut self, trials: &[Trial<'_>], lacks: Vec<Vec<Lack>>) {
        let carriers = carriers(trials, &lacks);
        let all = lacks.clone();
        for (trial, lacks) in trials.iter().zip(lacks) {
            let mut lacks: Vec<Lack> = lacks
                .into_iter()
                .filter(|lack| !self.is_allowed(lack))
                .collect();
            if trial.root.is_none() {
                self.unloadable.insert(trial.object.path.clone());
            }
            if trial.is_foreign() {
                self.warnings.push(Fault::Foreign {
                    path: trial.object.path.clone(),
                    machine: trial.object.abi.to_string(),
                });
            }
            if lacks.is_empty() {
                continue;
            }
            self.unloadable.insert(trial.object.path.clone());
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
                Some(with) if lacks.is_empty() => self.warnings.push(Fault::Dependent {
                    path: trial.object.path.clone(),
                    with: with.path.clone(),
                }),
                _ => lacks.into_iter().for_each(|lack| {
                    let searched = match &lack {
                        Lack::Library { name, .. } => searched(trial, name),
                        _ => Vec::new(),
                    };
                    self.lack(trial, lack, searched);
                }),
            }
        }
    }

    /// Whether the user allows that it is missing.
    fn is_allowed(&mut self, lack: &Lack) -> bool {
        match lack {
            Lack::Library { name, .. } => self.is_ignored(name),
            _ => false,
        }
    }

    fn is_ignored(&mut self, name: &str) -> bool {
        let glob = self
            .options
            .ignore_missing
            .iter()
            .find(|glob| glob.matches(name));
        if let Some(glob) = glob {
            self.ignored.insert(glob.text().to_owned());
        }
        glob.is_some()
    }

    /// Notes what a process lacks; a library that is missing was searched in these directories.
    fn lack(&mut self, trial: &Trial<'_>, lack: Lack, searched: Vec<PathBuf>) {
        match lack {
            Lack::Library { name, needer } => {
                let rules = self.rules;
                let missing = self.missing.entry(name).or_insert_with_key(|name| Missing {
                    soname: name.clone(),
                    needed_by: BTreeSet::new(),
                    searched,
                    near: Vec::new(),
                    fixes: rules.fixes(name),
                    opened: None,
                });
                missing.needed_by.insert(needer);
            }
            Lack::Blocked { reason, needer } => {
                self.blocked.entry(reason).or_default().insert(needer);
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
                let (roots, known) = self.symbols.entry(path).or_default();
                roots.insert(trial.object.path.clone());
                known.extend(symbols);
            }
        }
    }

    /// What a file opens at run time and is not there, or is not whole.
    pub(crate) fn opened(&mut self, opened: Opened<'_>) {
        self.assumed.driver.extend(opened.drivers);
        for (trial, lacks) in opened.lacking {
            for lack in lacks {
                if self.is_allowed(&lack) {
                    continue;
                }
                let searched = match &lack {
                    Lack::Library { needer, .. } => trial.directories_of(needer),
                    _ => Vec::new(),
                };
                self.lack(&trial, lack, searched);
            }
        }
        for (name, path, by) in opened.stubs {
            self.drivers.entry((name, path)).or_default().insert(by);
        }
        for unopened in opened.lost {
            if self.is_ignored(&unopened.name) {
                continue;
            }
            let known = if unopened.optional {
                &mut self.unopened
            } else {
                &mut self.missing
            };
            let rules = self.rules;
            let missing = known
                .entry(unopened.name)
                .or_insert_with_key(|name| Missing {
                    soname: name.clone(),
                    needed_by: BTreeSet::new(),
                    searched: unopened.searched,
                    near: Vec::new(),
                    fixes: rules.fixes(name),
                    opened: Some(unopened.origin.clone()),
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
        objects: usize,
    ) -> Proof {
        self.unloadable
            .extend(tree.unreadable.iter().map(|file| file.path.clone()));
        let mut faults = self.unused_ignores();
        let unreadable = tree.unreadable.iter().map(|file| Fault::Unreadable {
            path: file.path.clone(),
            reason: file.reason.clone(),
        });
        faults.extend(unreadable);
        faults.append(&mut self.faults);
        faults.extend(self.missing.into_values().map(Fault::Missing));
        let blocked = self.blocked.into_iter();
        faults.extend(blocked.map(|(reason, needed_by)| Fault::Blocked { reason, needed_by }));
        faults.extend(
            self.drivers
                .into_iter()
                .map(|((soname, path), needed_by)| Fault::Stub {
                    soname,
                    path,
                    needed_by,
                }),
        );
        faults.extend(
            self.versions
                .into_iter()
                .map(|((soname, version, found), needed_by)| Fault::Version {
                    fixes: self.rules.fixes(&soname),
                    soname,
                    version,
                    found,
                    needed_by,
                }),
        );
        faults.extend(
            self.symbols
                .into_iter()
                .map(|(path, (opened_by, symbols))| Fault::Symbols {
                    path,
                    opened_by,
                    providers: providers(self.rules, &symbols),
                    symbols: symbols.iter().map(ToString::to_string).collect(),
                }),
        );
        let unopened = self.unopened.into_values().map(Fault::Missing);
        let paths = tree.objects().map(|object| object.path.clone());
        Proof {
            loadable: paths
                .filter(|path| !self.unloadable.contains(path))
                .collect(),
            unloadable: self.unloadable.into_iter().collect(),
            faults,
            warnings: unopened.chain(self.warnings).collect(),
            assumed: self.assumed,
            floors: Floors::of(tree.objects()),
            objects,
            symbols: tables.symbol_count(),
        }
    }

    fn unused_ignores(&self) -> Vec<Fault> {
        let globs = self.options.ignore_missing.iter();
        let unused = globs.filter(|glob| !self.ignored.contains(glob.text()));
        let faults = unused.map(|glob| Fault::UnusedIgnore {
            glob: glob.text().to_owned(),
        });
        faults.collect()
    }
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
fn providers(rules: &Rules, symbols: &BTreeSet<Undefined>) -> BTreeMap<String, Vec<Fix>> {
    let sonames = symbols.iter().filter_map(|symbol| symbol.file.as_ref());
    let with_fixes = sonames.map(|file| {
        let mut fixes = rules.fixes(file);
        fixes.retain(|fix| matches!(fix, Fix::Nixpkgs(_) | Fix::Wheel(_)));
        (file.clone(), fixes)
    });
    with_fixes.filter(|(_, fixes)| !fixes.is_empty()).collect()
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
