//! The proof: every object, opened as the loader would open it from its final place, works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use crate::assumed::{Assumed, Assumer};
use crate::fault::{Fault, NearMiss};
use crate::floors::Floors;
use crate::index::LibraryIndex;
use crate::lint::Lint;
use crate::object::Object;
use crate::process::{Loaded, Outcome, Process};
use crate::proof_faults::Findings;
use crate::rules::{Pattern, Rules};
use crate::symbols::{Scope, SymbolTables, Undefined};
use crate::target::Target;
use crate::trace::Trace;
use crate::tree::Tree;
use crate::world::{FileKey, World};

/// What a proof is about.
#[derive(Clone, Debug)]
pub struct ProofOptions {
    /// The program that opens the objects: the Python interpreter. `None` if it is not known: then
    /// the names of its C API are taken to be there.
    pub program: Option<PathBuf>,
    /// Sonames that may be missing.
    pub ignore_missing: Vec<Pattern>,
    /// Directories, besides the output, that run paths may name: the store. Empty allows all.
    pub stores: Vec<PathBuf>,
    /// Directories and prefixes that the user names: run paths may lead there, wherever they are.
    pub lib_paths: Vec<PathBuf>,
}

/// The result of a proof.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// What keeps objects from working. Proved if it is empty.
    pub faults: Vec<Fault>,
    /// What does no harm but should not be.
    pub warnings: Vec<Fault>,
    /// Final paths of the objects that can be opened.
    pub loadable: Vec<PathBuf>,
    /// Final paths of those that cannot.
    pub unloadable: Vec<PathBuf>,
    /// What was taken for granted, because it is not on this machine.
    pub assumed: Assumed,
    /// What the objects ask of the target.
    pub floors: Floors,
    /// How many objects were loaded, those outside of the output included.
    pub objects: usize,
    /// How many symbols were looked up.
    pub symbols: usize,
}

impl Proof {
    /// Adds to each missing library where the index has it: there it is found once the run paths
    /// say so.
    pub fn look_into(&mut self, index: &LibraryIndex) {
        for fault in &mut self.faults {
            let Fault::Missing(missing) = fault else {
                continue;
            };
            let named = index
                .libraries()
                .iter()
                .filter(|library| library.object.answers_to(&missing.soname));
            missing.near.extend(named.map(|library| {
                NearMiss {
                    path: library.directory.join(&library.name),
                    reason:
                        "it is in a `--lib-path`, but no run path leads there: use `wheelfix patch`"
                            .to_owned(),
                }
            }));
            missing.searched.extend(index.entries().iter().cloned());
        }
    }
}

/// One object opened in a process of its own.
struct Opened<'a> {
    object: &'a Object,
    process: Process<'a>,
    /// Index of the object; `None` if it cannot be opened at all.
    root: Option<usize>,
}

impl Opened<'_> {
    /// The object itself among what was loaded.
    fn itself(&self) -> Option<&Loaded> {
        self.process.loaded.get(self.root?)
    }
}

/// Proves that every object of a tree works.
///
/// Each is opened by its final path in a fresh process of the target, as Python opens an extension
/// module: every need, every version and every strong symbol of all that it brings along must be
/// found.
pub fn prove(
    tree: &Tree,
    world: &World,
    target: &Target,
    rules: &Rules,
    options: &ProofOptions,
) -> Proof {
    let mut base = Process::new(world, target, rules, Trace::default());
    let mut findings = Findings::new(rules, target, options);
    if let Some(program) = &options.program {
        base.start_program(program);
        findings.program(program, &base);
    }
    let objects: Vec<&Object> = tree.objects().collect();
    let opened: Vec<Opened<'_>> = objects
        .par_iter()
        .map(|object| open(object, &base))
        .collect();
    for Opened {
        object, process, ..
    } in &opened
    {
        findings.needs(object, process);
        findings.versions(object, process);
        findings.edges(object, process);
    }
    let files = files(&opened, &base);
    let tables = SymbolTables::read(world, files.clone());
    findings.unreadable(&tables, &files);
    let prover = Prover {
        base: &base,
        tables: &tables,
        assumer: Assumer::new(rules, target, options),
    };
    let alone = prover.undefined_alone(&opened);
    let lacking: Vec<_> = opened
        .par_iter()
        .map(|opened| prover.undefined(opened, &alone))
        .collect();
    let companions = companions(&opened, &lacking, &alone);
    for (opened, mut lacking) in opened.iter().zip(lacking) {
        if let Some(own) = opened.itself().filter(|own| companions.contains(&own.key)) {
            lacking.retain(|(path, _)| path != Path::new(&own.path));
        }
        findings.symbols(opened.object, lacking);
    }
    let lint = Lint {
        tree,
        world,
        target,
        rules,
        options,
    };
    for object in objects {
        findings.lints(lint.object(object));
    }
    findings.into_proof(tree, &tables, files.len())
}

/// Objects that lack something by themselves but nothing in the process of an object that needs
/// them, as `libtorch_nvshmem.so` beside `libtorch_cuda.so`: they are made to be loaded that way.
fn companions(
    opened: &[Opened<'_>],
    lacking: &[Vec<(PathBuf, Vec<Undefined>)>],
    alone: &Alone,
) -> BTreeSet<FileKey> {
    let mut companions = BTreeSet::new();
    for (opened, lacking) in opened.iter().zip(lacking) {
        let Some(root) = opened.root.filter(|_| opened.process.is_complete()) else {
            continue;
        };
        for (index, loaded) in opened.process.loaded.iter().enumerate() {
            let lacks = |(path, _): &(PathBuf, Vec<Undefined>)| path == Path::new(&loaded.path);
            if index != root && alone.contains_key(&loaded.key) && !lacking.iter().any(lacks) {
                companions.insert(loaded.key);
            }
        }
    }
    companions
}

fn open<'a>(object: &'a Object, base: &Process<'a>) -> Opened<'a> {
    let path = object.path.to_string_lossy();
    let is_program = object.interpreter.is_some() && object.soname.is_none();
    let mut process = if is_program {
        base.emptied()
    } else {
        base.clone()
    };
    let outcome = if process.loaded.is_empty() {
        process.start(&path)
    } else {
        process.open(Some(0), &path)
    };
    let root = match outcome {
        Outcome::Loaded(index) => Some(index),
        _ => None,
    };
    Opened {
        object,
        process,
        root,
    }
}

/// All files that were loaded, each with a path that leads to it.
fn files(opened: &[Opened<'_>], base: &Process<'_>) -> BTreeMap<FileKey, String> {
    let processes = opened.iter().map(|opened| &opened.process).chain([base]);
    let loaded = processes.flat_map(|process| &process.loaded);
    loaded
        .map(|loaded| (loaded.key, loaded.path.clone()))
        .collect()
}

/// What an object lacks when it is opened by itself.
type Alone = BTreeMap<FileKey, Vec<Undefined>>;

/// Looks up symbols.
struct Prover<'a> {
    base: &'a Process<'a>,
    tables: &'a SymbolTables,
    assumer: Assumer<'a>,
}

impl Prover<'_> {
    /// For each file, what it lacks when it is opened by itself. Nearly always nothing; then it
    /// lacks nothing in a larger process either, and is not looked at again.
    fn undefined_alone(&self, opened: &[Opened<'_>]) -> Alone {
        let mut paths: BTreeMap<FileKey, &str> = BTreeMap::new();
        for loaded in opened.iter().flat_map(|opened| &opened.process.loaded) {
            paths.entry(loaded.key).or_insert(&loaded.path);
        }
        let ours: BTreeMap<FileKey, &Opened<'_>> = opened
            .iter()
            .filter_map(|opened| Some((opened.process.loaded.get(opened.root?)?.key, opened)))
            .collect();
        let alone = |(key, path): (FileKey, &str)| {
            let lacking = match ours.get(&key) {
                Some(Opened {
                    process,
                    root: Some(root),
                    ..
                }) => self.lacking(process, *root),
                _ => self.lacking_outside(path),
            };
            (key, lacking)
        };
        let all = paths.into_par_iter().map(alone);
        all.filter(|(_, lacking)| !lacking.is_empty()).collect()
    }

    /// What an object that is not of the output lacks, in a process of its own.
    fn lacking_outside(&self, path: &str) -> Vec<Undefined> {
        let mut process = self.base.clone();
        let outcome = if process.loaded.is_empty() {
            process.start(path)
        } else {
            process.open(Some(0), path)
        };
        match outcome {
            Outcome::Loaded(root) => self.lacking(&process, root),
            _ => Vec::new(),
        }
    }

    fn lacking(&self, process: &Process<'_>, root: usize) -> Vec<Undefined> {
        let mut lacking = Scope::of(process, self.tables, root).undefined(root);
        lacking.retain(|symbol| !self.assumer.has(symbol, process));
        lacking
    }

    /// What an object and all it brings along lack, by the path of what lacks it. Nothing if a
    /// library is missing: that is the fault then, and the symbols follow from it.
    fn undefined(&self, opened: &Opened<'_>, alone: &Alone) -> Vec<(PathBuf, Vec<Undefined>)> {
        let process = &opened.process;
        let (Some(root), true) = (opened.root, process.is_complete()) else {
            return Vec::new();
        };
        let mut suspects = Vec::new();
        for (index, loaded) in process.loaded.iter().enumerate() {
            if let Some(lacking) = alone.get(&loaded.key) {
                suspects.push((index, loaded, lacking));
            }
        }
        if suspects.is_empty() {
            return Vec::new();
        }
        let scope = Scope::of(process, self.tables, root);
        let still = suspects.into_iter().map(|(index, loaded, lacking)| {
            let mut still = scope.still_undefined(index, lacking);
            still.retain(|symbol| !self.assumer.has(symbol, process));
            (PathBuf::from(&loaded.path), still)
        });
        still.filter(|(_, still)| !still.is_empty()).collect()
    }
}
