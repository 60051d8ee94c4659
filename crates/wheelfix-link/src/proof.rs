//! The proof: every object, opened as the loader would open it from its final place, works.

pub(crate) mod assumption;
pub(crate) mod builder;
pub(crate) mod dlopen_check;
pub(crate) mod library_table;
pub(crate) mod lint;
pub(crate) mod named;
pub(crate) mod simulation;
pub(crate) mod soname_collision;
pub(crate) mod sought;
pub(crate) mod standard_modules;
pub(crate) mod unnamed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde::Serialize;
use wheelfix_loader::{
    FileKey, FileView, Loaded, MinimumVersions, Object, Outcome, Process, ReadOutcome, Scope,
    SymbolTables, Target, Trace, Undefined, normalize, provider, read_object,
};

use crate::excuse::{Excused, Excuses};
use crate::fault::Fault;
use crate::fault::choice::UndefinedVersion;
use crate::fault::evidence::Evidence;
use crate::fault::missing::NearMiss;
use crate::fault::remedy::Candidate;
use crate::fault::source::StaleSource;
use crate::index::{Library, LibraryIndex};
use crate::plan::replace::NamedPaths;
use crate::proof::assumption::{Assumed, Assumptions};
use crate::proof::builder::{ProofBuilder, is_module};
use crate::proof::dlopen_check::{
    DlopenCheck, Opened, SourceLibraries, lost_by_replacements, opened_by_source,
};
use crate::proof::library_table::{LibraryTable, is_soname};
use crate::proof::lint::Lint;
use crate::proof::simulation::{LoadFailure, Simulation};
use crate::proof::soname_collision::SonameCollisions;
use crate::proof::sought::sought;
use crate::proof::standard_modules::standard_modules;
use crate::proof::unnamed::unnamed_loads;
use crate::rules::{Pattern, Rules};
use crate::tree::imported::Imports;
use crate::tree::{PythonSource, Tree};

/// The options of a proof.
#[derive(Clone, Debug)]
pub struct ProofOptions {
    /// The program that opens the objects: the Python interpreter. `None` if it is not known: then
    /// its C API and the libraries that every CPython needs are taken to be there.
    pub program: Option<PathBuf>,
    /// The libraries and symbols that may be missing.
    pub excuses: Excuses,
    /// Backends that must load, by their name or accelerator.
    pub backends: Vec<Pattern>,
    /// Directories that run paths may name: the store. If there is one, they may name nothing else
    /// but the output, the driver path and `lib_paths`.
    pub stores: Vec<PathBuf>,
    /// Directories of libraries that the user named: run paths may lead there, wherever they are.
    pub lib_paths: Vec<PathBuf>,
    /// Whether the modules are for one process, as those of an environment are.
    pub in_one_process: bool,
    /// Final paths of what the user asked to have proved: what of it cannot be tried is a fault.
    pub named: Vec<PathBuf>,
    /// The files that Python sources get for names of libraries, besides those of tables in the tree; `None` where
    /// no table is made.
    pub library_table: Option<LibraryTable>,
}

/// An ELF file of which nothing is proved, without that being a fault.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LeftAside {
    /// Its final path.
    pub path: PathBuf,
    /// Why, as the end of a sentence that begins with the path.
    pub reason: String,
}

/// The result of a proof.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// Faults that keep objects from working. Proved if it is empty.
    pub faults: Vec<Fault>,
    /// Faults that do no harm but should not be there.
    pub warnings: Vec<Fault>,
    /// How many ELF files and what Python takes for them there are: as many as `loadable`, `left_aside` and `unloadable` together.
    pub found: usize,
    /// Final paths of the objects that can be opened.
    pub loadable: Vec<PathBuf>,
    /// Files that were left aside, by path.
    pub left_aside: Vec<LeftAside>,
    /// Final paths of those that cannot be opened.
    pub unloadable: Vec<PathBuf>,
    /// Things that are missing and excused.
    pub excused: Vec<Excused>,
    /// The calls by which Python sources open libraries.
    pub source_libraries: SourceLibraries,
    /// Where sources open libraries, and say nothing of their names: path and line.
    pub unnamed_loads: Vec<(PathBuf, usize)>,
    /// The assumptions about what is not on this machine.
    pub assumed: Assumed,
    /// The minimum versions that the objects need of the target.
    #[serde(rename = "floors")]
    pub minimum_versions: MinimumVersions,
    /// How many objects were loaded, those outside of the output included.
    pub objects: usize,
    /// How many symbols were looked up.
    pub symbols: usize,
}

impl Proof {
    /// Adds to each missing version the directories of the index that have a library with it.
    pub fn look_for_versions(&mut self, index: &LibraryIndex) {
        let libraries = || index.libraries().iter();
        for fault in &mut self.faults {
            let Fault::Version(UndefinedVersion {
                soname,
                version,
                found: Some(found),
                later,
                candidates,
                ..
            }) = fault
            else {
                continue;
            };
            let path = |library: &Library| library.directory.join(&library.name);
            let newer = libraries().filter(|library| {
                library.object.answers_to(soname)
                    && library.object.version_definitions.contains(version)
                    && path(library) != *found
            });
            let newer: BTreeSet<PathBuf> = newer.map(|it| it.directory.clone()).collect();
            if libraries().any(|library| path(library) == *found) {
                *later = newer;
            } else if !newer.is_empty() {
                *candidates = newer.into_iter().map(Candidate::Directory).collect();
            }
        }
    }

    /// Adds to each missing library its places in the index: there it is found once the run paths
    /// say so.
    pub fn look_into(&mut self, index: &LibraryIndex) {
        self.look_for_versions(index);
        for fault in &mut self.faults {
            let Fault::Missing(missing) = fault else {
                continue;
            };
            let named = index
                .libraries()
                .iter()
                .filter(|library| library.object.answers_to(&missing.soname));
            // A source asks for a name, which no run path answers.
            let leads = !matches!(missing.opened, Some(Evidence::Source(_)));
            if leads {
                let directories = named.clone().map(|library| library.directory.clone());
                let known: BTreeSet<PathBuf> = directories.collect();
                let known: Vec<Candidate> = known.into_iter().map(Candidate::Directory).collect();
                if !known.is_empty() {
                    missing.candidates = known;
                }
            }
            missing.near.extend(named.map(|library| NearMiss {
                path: library.directory.join(&library.name),
                reason: "it is in a library path, but no run path leads there".to_owned(),
            }));
            missing.near.extend(index.unusable_for(&missing.soname));
            missing.searched.extend(index.entries().iter().cloned());
        }
        let missing = self.faults.iter().filter_map(|fault| match fault {
            Fault::Missing(missing) => Some(missing.soname.as_str()),
            _ => None,
        });
        let missing: BTreeSet<&str> = missing.collect();
        let unusable = index.unusable_besides(|name| missing.contains(name));
        self.warnings
            .extend(unusable.into_iter().map(Fault::Unusable));
    }
}

/// Proves that every object of a tree works.
///
/// Each is opened by its final path in a fresh process of the target, as Python opens an extension
/// module: every need, every version and every strong symbol of all that it brings along must be
/// found.
pub fn prove(
    tree: &Tree,
    view: &FileView,
    target: &Target,
    rules: &Rules,
    options: &ProofOptions,
) -> Proof {
    let mut base = Process::new(view, target, rules, Trace::default());
    let mut builder = ProofBuilder::new(rules, options);
    if let Some(program) = &options.program {
        base.start_program(program);
        builder.program(program, &base);
    }
    let (table, of_table) = table_of(tree, target, options);
    let opened_by_table: Vec<Simulation<'_>> = of_table
        .par_iter()
        .map(|object| Simulation::new(object, &base))
        .collect();
    let objects: Vec<&Object> = tree.objects().collect();
    let simulations = try_all(&objects, &base);
    builder.beyond_bounds(objects.get(simulations.len()..).unwrap_or_default());
    let of_python = standard_modules(options.program.as_deref(), &simulations);
    let standard: Vec<&Object> = of_python.iter().map(Arc::as_ref).collect();
    let standard = try_all(&standard, &base);
    let all = simulations.iter().chain(&opened_by_table);
    let files = files(all.chain(&standard), &base);
    let tables = SymbolTables::read(view, files.clone(), target.loader);
    let prover = Prover {
        base: &base,
        tables: &tables,
        assumptions: Assumptions::new(rules, target, options),
    };
    // Where not even all objects were tried, symbols are not looked up: the proof has failed.
    let is_cut = simulations.iter().any(|it| it.process.is_cut);
    let alone = if simulations.len() == objects.len() && !is_cut {
        prover.alone(&simulations)
    } else {
        BTreeMap::new()
    };
    let failures = prover.failures(&simulations, &alone, rules, target);
    let modules = prover.modules(&simulations, &failures, rules, target);
    if options.in_one_process {
        builder.collisions(modules.find());
    }
    builder.lints((Vec::new(), modules.after_standard(&standard)));
    builder.simulations(tree, &simulations, failures, &tables);
    let lint = Lint {
        tree,
        view,
        target,
        rules,
        options,
        allowed: lint::allowed(options),
        used: lint::used(&simulations),
    };
    add_opened(&mut builder, tree, &simulations, (&base, &table), options);
    let alone = prover.alone(&opened_by_table);
    let lacking = prover.failures(&opened_by_table, &alone, rules, target);
    builder.table(tree, &table, opened_by_table.iter().zip(lacking));
    for simulation in &simulations {
        simulation.assume(&mut builder.assumed);
        builder.lints(lint.object(simulation.object));
    }
    builder.into_proof(tree, &tables, &base, files.len())
}

/// The table of libraries that the sources have, with the objects that it names.
fn table_of(
    tree: &Tree,
    target: &Target,
    options: &ProofOptions,
) -> (LibraryTable, Vec<Arc<Object>>) {
    let mut table = LibraryTable::in_tree(tree);
    table.extend(options.library_table.clone().unwrap_or_default());
    let objects = objects_of(&table, target);
    let found: BTreeSet<&Path> = objects.iter().map(|object| object.path.as_path()).collect();
    let table = table.without_lost(&found, &target.driver_path);
    (table, objects)
}

/// Adds what objects and sources open at run time, and what rules would have sources open.
fn add_opened(
    builder: &mut ProofBuilder<'_>,
    tree: &Tree,
    simulations: &[Simulation<'_>],
    (base, table): (&Process<'_>, &LibraryTable),
    options: &ProofOptions,
) {
    let (rules, target) = (builder.rules, base.target);
    let dlopen_check = DlopenCheck {
        rules,
        target,
        excuses: &options.excuses,
    };
    let imports = OnceLock::new();
    for opened in all_opened(tree, &imports, simulations, &dlopen_check, (base, table)) {
        builder.opened(opened);
    }
    builder.lints((Vec::new(), sought(tree, rules, base.view)));
    builder.unnamed_loads = unnamed_loads(tree, rules, &imports);
    let paths = NamedPaths {
        driver_path: &target.driver_path,
        lib_paths: &options.lib_paths,
    };
    let matched = matched_sources(tree, rules);
    builder.opened(lost_by_replacements(&matched, tree, base, rules, paths));
    builder.lints((unreplaced(&matched, rules, paths), Vec::new()));
}

/// The libraries that objects and sources open at run time, each in a copy of its process.
fn all_opened<'a, 't>(
    tree: &'t Tree,
    imports: &OnceLock<Imports<'t>>,
    simulations: &[Simulation<'a>],
    check: &DlopenCheck<'_>,
    (base, table): (&Process<'_>, &LibraryTable),
) -> Vec<Opened<'a>> {
    let by_objects = simulations
        .par_iter()
        .flat_map_iter(|simulation| check.opened_by_object(simulation));
    let by_sources = tree
        .sources
        .par_iter()
        .map(|source| opened_by_source(source, tree, imports, base, (check.rules, table)));
    by_objects.chain(by_sources).collect()
}

/// The libraries of a table that are there: what is not is passed over when Python asks for it, and those of the driver
/// and the C library are their business.
fn objects_of(table: &LibraryTable, target: &Target) -> Vec<Arc<Object>> {
    let files: BTreeSet<&PathBuf> = table.files().values().collect();
    let files = files
        .into_iter()
        .filter(|file| !file.starts_with(&target.driver_path) && !is_soname(file));
    let outcomes = files.filter_map(|file| read_object(file.clone(), file).ok());
    let objects = outcomes.filter_map(|outcome| match outcome {
        ReadOutcome::Object(object) => Some(object),
        _ => None,
    });
    let is_loaded = |object: &Arc<Object>| target.abi.is_none_or(|abi| abi == object.abi);
    objects.filter(is_loaded).collect()
}

/// The Python sources of whose texts rules replace some, with these. What cannot be read is not a source.
fn matched_sources<'t>(tree: &'t Tree, rules: &Rules) -> Vec<(&'t PythonSource, String)> {
    let sources = tree.sources.iter();
    let matched = sources.filter(|source| !rules.replacements(&source.path).is_empty());
    let texts = matched.map(|source| (source, fs_err::read_to_string(&source.file)));
    let texts = texts.filter_map(|(source, text)| Some((source, text.ok()?)));
    texts.collect()
}

/// Python sources with texts that rules replace, or should.
fn unreplaced(
    matched: &[(&PythonSource, String)],
    rules: &Rules,
    paths: NamedPaths<'_>,
) -> Vec<Fault> {
    let mut found = Vec::new();
    for (source, text) in matched {
        let (new, faults) = rules.replace_in(&source.path, text, paths);
        found.extend(faults);
        found.extend(new.map(|(_, rules)| {
            Fault::StaleSource(StaleSource {
                path: source.path.clone(),
                rules,
            })
        }));
    }
    found
}

/// Objects that all processes together may load before the proof ends, or what takes as much memory:
/// 3,000 libraries of CUDA load some 60,000. Each takes up to 1 KB.
const MAX_LOADED: usize = 500_000;

/// How many objects are tried before their processes are counted.
const TRIED_AT_ONCE: usize = 32;

/// Tries the objects, each in a process of its own. Not all of them where that has no bounds: once the
/// process of one is too large, those of the others are likely to be, and the proof has failed.
fn try_all<'a>(objects: &[&'a Object], base: &Process<'a>) -> Vec<Simulation<'a>> {
    let (mut simulations, mut loaded) = (Vec::new(), 0);
    for objects in objects.chunks(TRIED_AT_ONCE) {
        let is_cut = simulations
            .iter()
            .any(|simulation: &Simulation<'_>| simulation.process.is_cut);
        if MAX_LOADED < loaded || is_cut {
            break;
        }
        let start = simulations.len();
        simulations.par_extend(
            objects
                .par_iter()
                .map(|object| Simulation::new(object, base)),
        );
        let more = simulations.get(start..).unwrap_or_default();
        loaded += more
            .iter()
            .map(|simulation| simulation.process.weight())
            .sum::<usize>();
    }
    simulations
}

/// All files that were loaded, each with a path that leads to it.
fn files<'s, 'a: 's>(
    simulations: impl Iterator<Item = &'s Simulation<'a>>,
    base: &'s Process<'a>,
) -> BTreeMap<FileKey, String> {
    let processes = simulations
        .map(|simulation| &simulation.process)
        .chain([base]);
    let loaded = processes.flat_map(|process| &process.loaded);
    loaded
        .map(|loaded| (loaded.key, loaded.path.clone()))
        .collect()
}

/// The result of opening a file by itself.
struct Alone {
    /// The files that its needs led to.
    needs: Vec<Option<FileKey>>,
    /// The symbols that it lacks.
    lacking: Vec<Undefined>,
}

/// Looks up symbols.
struct Prover<'a> {
    base: &'a Process<'a>,
    tables: &'a SymbolTables,
    assumptions: Assumptions<'a>,
}

impl Prover<'_> {
    /// The result of opening each file by itself. Nearly always it lacks nothing; then it lacks
    /// nothing in a larger process in which all needs lead to the same files, either, and is not
    /// looked at again.
    fn alone(&self, simulations: &[Simulation<'_>]) -> BTreeMap<FileKey, Alone> {
        let mut paths: BTreeMap<FileKey, &str> = BTreeMap::new();
        for loaded in simulations
            .iter()
            .flat_map(|simulation| &simulation.process.loaded)
        {
            paths.entry(loaded.key).or_insert(&loaded.path);
        }
        let ours: BTreeMap<FileKey, &Simulation<'_>> = simulations
            .iter()
            .filter_map(|simulation| {
                Some((
                    simulation.process.loaded.get(simulation.root?)?.key,
                    simulation,
                ))
            })
            .collect();
        let alone = |(key, path): (FileKey, &str)| {
            let alone = match ours.get(&key) {
                Some(Simulation {
                    process,
                    root: Some(root),
                    ..
                }) => self.opened_alone(process, *root),
                _ => self.outside_alone(path),
            };
            (key, alone)
        };
        paths.into_par_iter().map(alone).collect()
    }

    /// An object that is not of the output, in a process of its own.
    fn outside_alone(&self, path: &str) -> Alone {
        let mut process = self.base.clone();
        match process.start_or_open(path) {
            Outcome::Loaded(root) => self.opened_alone(&process, root),
            _ => Alone {
                needs: Vec::new(),
                lacking: Vec::new(),
            },
        }
    }

    fn opened_alone(&self, process: &Process<'_>, root: usize) -> Alone {
        let mut lacking = Scope::of(process, self.tables, root).undefined(root);
        lacking.retain(|symbol| !self.assumptions.has(symbol, process));
        let loaded = process.loaded.get(root);
        Alone {
            needs: loaded.map_or_else(Vec::new, |loaded| process.needed_files(loaded)),
            lacking,
        }
    }

    /// The things that each process lacks.
    fn failures(
        &self,
        simulations: &[Simulation<'_>],
        alone: &BTreeMap<FileKey, Alone>,
        rules: &Rules,
        target: &Target,
    ) -> Vec<Vec<LoadFailure>> {
        let failures = simulations.par_iter().map(|simulation| {
            let mut failures = simulation.failures(rules, target);
            failures.extend(self.unrelocated(simulation));
            // The program brings the symbols of what is loaded before it.
            if rules.preload(&simulation.object.path).is_none() {
                failures.extend(self.undefined(simulation, alone));
            }
            failures
        });
        failures.collect()
    }

    /// The modules that load, to be tried in one process.
    fn modules<'p>(
        &'p self,
        simulations: &'p [Simulation<'p>],
        failures: &[Vec<LoadFailure>],
        rules: &'p Rules,
        target: &'p Target,
    ) -> SonameCollisions<'p> {
        let sound = simulations.iter().zip(failures).enumerate();
        let modules = sound.filter(|(_, (simulation, failures))| {
            simulation.root.is_some()
                && simulation.process.is_open
                && failures.is_empty()
                && is_module(simulation, self.tables)
        });
        SonameCollisions {
            simulations,
            modules: modules.map(|(at, _)| at).collect(),
            tables: self.tables,
            assumptions: &self.assumptions,
            rules,
            target,
        }
    }

    /// The objects of a process that the loader cannot relocate.
    fn unrelocated(&self, simulation: &Simulation<'_>) -> Vec<LoadFailure> {
        let process = &simulation.process;
        let refused = process.loaded.iter().filter_map(|loaded| {
            let refusal = self.tables.refusal(loaded.key)?;
            Some(LoadFailure::Blocked {
                stop: refusal.clone().at(&loaded.path),
                dependent: simulation.object.path.clone(),
            })
        });
        refused.collect()
    }

    /// The symbols that an object and all it brings along lack. Of a process that lacks a library
    /// only those that no such library can have.
    ///
    /// An object that lacks nothing alone lacks nothing in a process with the same files either,
    /// unless the process is that of another program: there are no symbols of Python's in it.
    fn undefined(
        &self,
        simulation: &Simulation<'_>,
        all_alone: &BTreeMap<FileKey, Alone>,
    ) -> Vec<LoadFailure> {
        let process = &simulation.process;
        let is_complete = process.is_complete();
        let Some(root) = simulation.root else {
            return Vec::new();
        };
        let opened = || process.loaded.iter().enumerate();
        let is_same = |loaded: &Loaded| {
            let alone = all_alone.get(&loaded.key);
            alone.is_none_or(|alone| alone.needs == process.needed_files(loaded))
        };
        let all_same =
            !simulation.object.is_program() && opened().all(|(_, loaded)| is_same(loaded));
        let mut suspects = Vec::new();
        for (index, loaded) in opened() {
            let lacking = all_alone.get(&loaded.key).map(|alone| &alone.lacking);
            if !all_same || lacking.is_some_and(|lacking| !lacking.is_empty()) {
                suspects.push((index, loaded, lacking.filter(|_| all_same)));
            }
        }
        if suspects.is_empty() {
            return Vec::new();
        }
        let scope = Scope::of(process, self.tables, root);
        let failures = suspects.into_iter().map(|(index, loaded, lacking)| {
            let mut symbols = match lacking {
                Some(lacking) => scope.still_undefined(index, lacking),
                None => scope.undefined(index),
            };
            symbols.retain(|symbol| is_complete || is_of_found(loaded, symbol));
            LoadFailure::Symbols {
                path: normalize(Path::new(&loaded.path)),
                symbols: simulation.without_assumed(symbols, &self.assumptions),
            }
        });
        failures
            .filter(|failure| !matches!(failure, LoadFailure::Symbols { symbols, .. } if symbols.is_empty()))
            .collect()
    }
}

/// Whether a symbol has a version of a library that was found.
fn is_of_found(loaded: &Loaded, symbol: &Undefined) -> bool {
    let file = symbol.file.as_deref();
    file.is_some_and(|file| provider(loaded, file).is_some())
}
