//! What a proof finds, gathered so that one cause is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::assumed::Assumed;
use crate::edges::{Edge, edges};
use crate::fault::{Fault, Missing};
use crate::floors::Floors;
use crate::object::Object;
use crate::process::{Outcome, Process};
use crate::proof::{Proof, ProofOptions};
use crate::rules::{Pattern, Rules};
use crate::run_path::{PathKind, Tokens, normalize};
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
    /// An object that lacks something when it is opened alone, and nothing in the process of
    /// another one that brings it along, is only ever opened with that one:
    /// `libtorch_nvshmem.so`, for one, refers to symbols of `libtorch_cuda.so`, which needs it.
    pub(crate) fn trials(&mut self, trials: &[Trial<'_>], lacks: Vec<Vec<Lack>>) {
        let mut carried: BTreeMap<FileKey, &Object> = BTreeMap::new();
        for (trial, lacks) in trials.iter().zip(&lacks) {
            if lacks.is_empty() {
                let others = trial
                    .process
                    .loaded
                    .iter()
                    .map(|loaded| (loaded.key, trial.object));
                carried.extend(others);
            }
        }
        for (trial, lacks) in trials.iter().zip(lacks) {
            let lacks: Vec<Lack> = lacks
                .into_iter()
                .filter(|lack| !self.is_allowed(lack))
                .collect();
            if trial.root.is_none() {
                self.unloadable.insert(trial.object.path.clone());
            }
            if lacks.is_empty() {
                continue;
            }
            self.unloadable.insert(trial.object.path.clone());
            let key = trial
                .root
                .and_then(|root| trial.process.loaded.get(root))
                .map(|loaded| loaded.key);
            match key.and_then(|key| carried.get(&key)) {
                Some(with) => self.warnings.push(Fault::Dependent {
                    path: trial.object.path.clone(),
                    with: with.path.clone(),
                }),
                None => lacks.into_iter().for_each(|lack| self.lack(trial, lack)),
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

    fn lack(&mut self, trial: &Trial<'_>, lack: Lack) {
        match lack {
            Lack::Library { name, needer } => {
                let rules = self.rules;
                let missing = self.missing.entry(name).or_insert_with_key(|name| Missing {
                    soname: name.clone(),
                    needed_by: BTreeSet::new(),
                    searched: searched(trial, name),
                    near: Vec::new(),
                    fixes: rules.fixes(name),
                    rule: None,
                });
                missing.needed_by.insert(needer);
            }
            Lack::Blocked { reason, needer } => {
                self.blocked.entry(reason).or_default().insert(needer);
            }
            Lack::Driver { name, path, needer } => {
                self.drivers.entry((name, path)).or_default().insert(needer);
            }
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

    /// What rules and notes say that an object opens: each must be there, or be optional.
    pub(crate) fn edges(&mut self, trial: &Trial<'_>) {
        for edge in edges(self.rules, trial.object) {
            let mut process = trial.process.clone();
            let alternatives = edge.alternatives.iter();
            let names: Vec<String> = alternatives.flat_map(|name| names(trial, name)).collect();
            let opened = names
                .iter()
                .any(|name| match process.open(trial.root, name) {
                    Outcome::Loaded(_) | Outcome::Libc(_) => true,
                    Outcome::Driver(_) => {
                        self.assumed.driver.insert(name.clone());
                        true
                    }
                    Outcome::Missing | Outcome::Fatal(_) => false,
                });
            if !opened {
                self.unopened(trial.object, &edge);
            }
        }
    }

    fn unopened(&mut self, object: &Object, edge: &Edge) {
        let name = edge.name();
        if self.is_ignored(&name) {
            return;
        }
        let fault = Missing {
            soname: name.clone(),
            needed_by: BTreeSet::new(),
            searched: own_directories(object),
            near: Vec::new(),
            fixes: self.rules.fixes(&name),
            rule: Some(edge.rule.clone()),
        };
        let known = if edge.optional {
            &mut self.unopened
        } else {
            &mut self.missing
        };
        known
            .entry(name)
            .or_insert(fault)
            .needed_by
            .insert(object.path.clone());
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
fn own_directories(object: &Object) -> Vec<PathBuf> {
    let origin = object.directory().to_string_lossy();
    let tokens = Tokens::new(&origin, object.abi, true);
    let elements = object.run_path.iter().flat_map(|path| &path.elements);
    let expanded = elements.map(|element| PathBuf::from(tokens.expand(element)));
    expanded
        .filter(|path| path.is_absolute())
        .map(|path| normalize(&path))
        .collect()
}
