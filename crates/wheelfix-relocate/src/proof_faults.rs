//! What a proof finds, gathered so that one cause is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::assumed::Assumed;
use crate::fault::{Fault, Missing};
use crate::floors::Floors;
use crate::object::{Object, VersionNeed};
use crate::opened::{Edge, edges};
use crate::process::{Loaded, Outcome, Process};
use crate::proof::{Proof, ProofOptions};
use crate::rules::{Pattern, Rules, any_matches};
use crate::run_path::{PathKind, Tokens, normalize};
use crate::symbols::{SymbolTables, Undefined, provider};
use crate::target::{LoaderKind, Target};
use crate::trace::{Event, Trace};
use crate::tree::Tree;
use crate::world::FileKey;

/// A version that a library does not define: the library, the version, and the library that was
/// found; the last is `None` if the object that needs the version needs no such library.
type VersionKey = (String, String, Option<PathBuf>);

/// What was found so far.
pub(crate) struct Findings<'a> {
    rules: &'a Rules,
    target: &'a Target,
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
    assumed: Assumed,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(rules: &'a Rules, target: &'a Target, options: &'a ProofOptions) -> Self {
        Self {
            rules,
            target,
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
        self.assumed.python = false;
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

    /// What became of the needs of an object and of all that it brought along.
    pub(crate) fn needs(&mut self, object: &Object, process: &Process<'_>) {
        for loaded in &process.loaded {
            for (name, outcome) in loaded.object.needed.iter().zip(&loaded.needed) {
                let needer = normalize(Path::new(&loaded.path));
                match outcome {
                    Outcome::Loaded(index) => {
                        if let Some(found) = process.loaded.get(*index) {
                            self.driver_from_elsewhere(object, name, found, needer);
                        }
                    }
                    Outcome::Libc(_) => {
                        self.assumed.libc.insert(name.clone());
                    }
                    Outcome::Driver(_) => {
                        self.assumed.driver.insert(name.clone());
                    }
                    Outcome::Missing => self.missing(object, name, needer, process),
                    Outcome::Fatal(reason) => {
                        self.unloadable.insert(object.path.clone());
                        self.blocked
                            .entry(reason.clone())
                            .or_default()
                            .insert(needer);
                    }
                }
            }
        }
    }

    /// A library of the driver must come from the driver path: a copy elsewhere is a stub, or of
    /// another version than the kernel's part.
    fn driver_from_elsewhere(
        &mut self,
        object: &Object,
        name: &str,
        found: &Loaded,
        needer: PathBuf,
    ) {
        let is_driver = self
            .rules
            .driver
            .iter()
            .any(|rule| any_matches(&rule.body.soname, name));
        let path = normalize(Path::new(&found.path));
        let stub = path.components().any(|part| part.as_os_str() == "stubs");
        if is_driver && (stub || self.target.nix && !path.starts_with(&self.target.driver_path)) {
            self.unloadable.insert(object.path.clone());
            self.drivers
                .entry((name.to_owned(), path))
                .or_default()
                .insert(needer);
        }
    }

    fn missing(&mut self, object: &Object, name: &str, needer: PathBuf, process: &Process<'_>) {
        if self.is_ignored(name) {
            return;
        }
        self.unloadable.insert(object.path.clone());
        let rules = self.rules;
        let missing = self
            .missing
            .entry(name.to_owned())
            .or_insert_with(|| Missing {
                soname: name.to_owned(),
                needed_by: BTreeSet::new(),
                searched: searched(process, object, name),
                near: Vec::new(),
                fixes: rules.fixes(name),
                rule: None,
            });
        missing.needed_by.insert(needer);
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

    /// Whether each version that is needed is defined by what its library led to.
    ///
    /// As `_dl_check_map_versions` of glibc's `elf/dl-version.c`: a library without any version is
    /// good for all. musl looks at no versions.
    pub(crate) fn versions(&mut self, object: &Object, process: &Process<'_>) {
        if self.target.loader == LoaderKind::Musl {
            return;
        }
        for loaded in &process.loaded {
            for need in loaded.object.version_needs.iter().filter(|need| !need.weak) {
                if let Some(key) = self.lacking_version(need, loaded, process) {
                    self.unloadable.insert(object.path.clone());
                    let needer = normalize(Path::new(&loaded.path));
                    self.versions.entry(key).or_default().insert(needer);
                }
            }
        }
    }

    /// A version that is not where it should be. `None` if all is well, or the library is missing,
    /// which is a fault of its own.
    fn lacking_version(
        &self,
        need: &VersionNeed,
        loaded: &Loaded,
        process: &Process<'_>,
    ) -> Option<VersionKey> {
        let named = loaded.object.needed.contains(&need.file);
        let found = if named {
            provider(loaded, &need.file).and_then(|index| process.loaded.get(index))
        } else {
            process
                .loaded
                .iter()
                .find(|other| other.object.answers_to(&need.file))
        };
        let Some(found) = found else {
            let of_libc = self
                .rules
                .libc
                .iter()
                .any(|rule| any_matches(&rule.body.soname, &need.file));
            return (!named && !of_libc).then(|| (need.file.clone(), need.version.clone(), None));
        };
        let defined = &found.object.version_definitions;
        let lacks = !defined.is_empty() && !defined.contains(&need.version);
        let found = normalize(Path::new(&found.path));
        lacks.then(|| (need.file.clone(), need.version.clone(), Some(found)))
    }

    /// What rules and notes say that an object opens: each must be there, or be optional.
    pub(crate) fn edges(&mut self, object: &Object, process: &Process<'_>) {
        let root = process
            .loaded
            .iter()
            .position(|loaded| Path::new(&loaded.path) == object.path);
        for edge in edges(self.rules, object) {
            let mut process = process.clone();
            let names = edge
                .alternatives
                .iter()
                .flat_map(|name| names(object, &process, name));
            let names: Vec<String> = names.collect();
            let opened = names.iter().any(|name| match process.open(root, name) {
                Outcome::Loaded(_) | Outcome::Libc(_) => true,
                Outcome::Driver(_) => {
                    self.assumed.driver.insert(name.clone());
                    true
                }
                Outcome::Missing | Outcome::Fatal(_) => false,
            });
            if !opened {
                self.unopened(object, &edge);
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
            needed_by: BTreeSet::from([object.path.clone()]),
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
        let known = known.entry(name).or_insert(fault);
        known.needed_by.insert(object.path.clone());
    }

    /// The symbols that an object and what it brought along lack.
    pub(crate) fn symbols(&mut self, object: &Object, lacking: Vec<(PathBuf, Vec<Undefined>)>) {
        for (path, symbols) in lacking {
            self.unloadable.insert(object.path.clone());
            let (roots, known) = self.symbols.entry(normalize(&path)).or_default();
            roots.insert(object.path.clone());
            known.extend(symbols);
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
fn searched(process: &Process<'_>, object: &Object, name: &str) -> Vec<PathBuf> {
    let mut again = process.emptied();
    again.trace = Trace::kept();
    again.reopen(process, &object.path.to_string_lossy());
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
fn names(object: &Object, process: &Process<'_>, pattern: &Pattern) -> Vec<String> {
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
