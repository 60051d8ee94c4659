//! One object opened in a process of its own, and what it lacks there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wheelfix_loader::{
    FileKey, Loaded, LoaderKind, Object, Outcome, Process, Stop, Target, Undefined, VersionNeed,
    interpreter_fault, normalize, provider,
};

use crate::proof::assumption::{Assumed, Assumptions};
use crate::rules::{Rules, any_matches};
use crate::tree::python_module::imported_name;

/// One object opened in a process of its own.
pub(crate) struct Simulation<'a> {
    pub(crate) object: &'a Object,
    pub(crate) process: Process<'a>,
    /// Index of the object; `None` if it cannot be opened at all.
    pub(crate) root: Option<usize>,
    /// Why it cannot; `None` if it can, or if it is for another machine or system.
    refusal: Option<Stop>,
}

/// A version that a library does not define: the library, the version, and the library that was
/// found; the last is `None` if the object that needs the version needs no such library.
pub(crate) type VersionKey = (String, String, Option<PathBuf>);

/// One thing that a process lacks.
#[derive(Clone, Debug)]
pub(crate) enum LoadFailure {
    /// A library that is nowhere.
    Library { name: String, dependent: PathBuf },
    /// A file over which the loader gives up.
    Blocked { stop: Stop, dependent: PathBuf },
    /// The driver itself: a copy would be loaded from elsewhere.
    Driver {
        name: String,
        path: PathBuf,
        dependent: PathBuf,
    },
    /// A version.
    Version { key: VersionKey, dependent: PathBuf },
    /// The interpreter of a program.
    Interpreter { interpreter: String, reason: String },
    /// Symbols that an object refers to.
    Symbols {
        path: PathBuf,
        symbols: Vec<Undefined>,
    },
}

impl LoadFailure {
    /// The part that another process lacks, too: of symbols those that the same object lacks there,
    /// of anything else all. `None` if no symbols are left.
    pub(crate) fn shared_with(self, others: &[Self]) -> Option<Self> {
        let Self::Symbols { path, mut symbols } = self else {
            return Some(self);
        };
        let theirs = others.iter().find_map(|other| match other {
            Self::Symbols { path: its, symbols } if *its == path => Some(symbols),
            _ => None,
        });
        symbols.retain(|symbol| theirs.is_some_and(|theirs| theirs.contains(symbol)));
        (!symbols.is_empty()).then_some(Self::Symbols { path, symbols })
    }
}

/// How many bytes of static thread-local data glibc leaves for what is opened: 1,664 by default
/// (`_dl_tls_static_surplus_init` of `elf/dl-tls.c`), and what rounding to 64 adds.
const STATIC_TLS_LEFT: u64 = 1728;

impl<'a> Simulation<'a> {
    /// Opens an object as the program of `base` would, or starts it if it is a program itself.
    ///
    /// An object for another machine or system is not tried at all.
    pub(crate) fn new(object: &'a Object, base: &Process<'a>) -> Self {
        let path = object.path.to_string_lossy();
        if !base.is_for_its_machine(object) {
            return Self {
                object,
                process: base.clone(),
                root: None,
                refusal: None,
            };
        }
        // Python opens a program, too, that has the name of a module.
        let is_imported = imported_name(&object.path, &object.file, Some(object.abi)).is_some();
        let is_started = object.is_program() && !is_imported;
        let mut process = if is_started {
            base.emptied()
        } else {
            base.clone()
        };
        // What is not a program is only ever opened.
        process.is_open = !is_started;
        let outcome = if is_started {
            process.start_program(&object.path)
        } else {
            process.start_or_open(&path)
        };
        let (root, refusal) = match outcome {
            Outcome::Loaded(index) => (Some(index), None),
            Outcome::Fatal(stop) => (None, Some(Arc::unwrap_or_clone(stop))),
            _ => (
                None,
                Some(Stop::new("cannot be opened by this path").at(&path)),
            ),
        };
        Self {
            object,
            process,
            root,
            refusal,
        }
    }

    /// All that the process lacks, symbols left out.
    pub(crate) fn failures(&self, rules: &Rules, target: &Target) -> Vec<LoadFailure> {
        let mut failures = Vec::new();
        let is_opened = rules.preload(&self.object.path).is_none();
        let static_tls = self.static_tls(target).filter(|_| is_opened);
        let blocked = self.refusal.iter().cloned().chain(static_tls);
        failures.extend(blocked.map(|stop| LoadFailure::Blocked {
            stop,
            dependent: self.object.path.clone(),
        }));
        failures.extend(self.lacking_interpreter(target));
        failures.extend(self.failures_of(self.process.loaded.iter(), rules, target));
        failures
    }

    /// The libraries and versions that some objects of the process lack.
    fn failures_of<'b>(
        &'b self,
        objects: impl Iterator<Item = &'b Loaded>,
        rules: &Rules,
        target: &Target,
    ) -> Vec<LoadFailure> {
        let mut failures = Vec::new();
        for loaded in objects {
            let dependent = || normalize(Path::new(&loaded.path));
            let mut last: Option<&Arc<Stop>> = None;
            for (name, outcome) in loaded.object.needs().zip(&loaded.needed) {
                match outcome {
                    Outcome::Loaded(index) => {
                        let found = self.process.loaded.get(*index);
                        let wrong = found
                            .and_then(|found| driver_from_elsewhere(name, found, rules, target));
                        failures.extend(wrong.map(|path| LoadFailure::Driver {
                            name: name.clone(),
                            path,
                            dependent: dependent(),
                        }));
                    }
                    Outcome::Missing => failures.push(LoadFailure::Library {
                        name: name.clone(),
                        dependent: dependent(),
                    }),
                    // One reason may stop all needs of an object.
                    Outcome::Fatal(stop) if last.is_some_and(|last| Arc::ptr_eq(last, stop)) => {}
                    Outcome::Fatal(reason) => {
                        last = Some(reason);
                        failures.push(LoadFailure::Blocked {
                            stop: Stop::clone(reason),
                            dependent: dependent(),
                        });
                    }
                    Outcome::Libc(_) | Outcome::Driver(_) => {}
                }
            }
            if target.loader == LoaderKind::Glibc {
                let needs = loaded.object.version_needs.iter().filter(|need| !need.weak);
                let keys = needs.filter_map(|need| self.lacking_version(need, loaded, rules));
                failures.extend(keys.map(|key| LoadFailure::Version {
                    key,
                    dependent: dependent(),
                }));
            }
        }
        failures
    }

    /// A version that is not where it should be. `None` if all is well, or the library is missing,
    /// which is a fault of its own.
    ///
    /// As `_dl_check_map_versions` of glibc's `elf/dl-version.c`: a library that defines no version
    /// is good for all. musl looks at no versions.
    fn lacking_version(
        &self,
        need: &VersionNeed,
        loaded: &Loaded,
        rules: &Rules,
    ) -> Option<VersionKey> {
        let process = &self.process;
        let named = loaded.object.needed.contains(&need.file);
        let found = if named {
            provider(loaded, &need.file).and_then(|index| process.loaded.get(index))
        } else {
            process
                .loaded
                .iter()
                .find(|other| other.path == need.file || other.was_asked_for(&need.file))
        };
        let Some(found) = found else {
            let of_libc = rules
                .libc
                .iter()
                .any(|rule| any_matches(&rule.body.soname, &need.file));
            let system = process.target.system.filter(|_| of_libc);
            let is_too_new = system.is_some_and(|system| !system.has_version(&need.version));
            let lacks = is_too_new || !named && !of_libc;
            return lacks.then(|| (need.file.clone(), need.version.clone(), None));
        };
        let (object, version) = (&found.object, &need.version);
        let base = object.load_conditions.base_version.as_ref();
        let defines = object.version_definitions.contains(version) || base == Some(version);
        let defines_any = !object.version_definitions.is_empty() || base.is_some();
        // A symbol without a version, where one with a version is expected, fails an assertion of
        // `check_match` in `elf/dl-lookup.c`, if the object has no versions at all.
        let failures = if defines_any {
            !defines
        } else {
            !object.load_conditions.has_symbol_versions
        };
        let found = normalize(Path::new(&found.path));
        failures.then(|| (need.file.clone(), need.version.clone(), Some(found)))
    }

    /// Opens the object in a copy of the process of another one: what is there then, and what it and
    /// what it brings along lack, symbols left out.
    pub(crate) fn after(
        &self,
        first: &Self,
        rules: &Rules,
        target: &Target,
    ) -> (Self, Vec<LoadFailure>) {
        let mut process = first.process.clone();
        let outcome = process.start_or_open(&self.object.path.to_string_lossy());
        let (root, refusal) = match outcome {
            Outcome::Loaded(index) => (Some(index), None),
            Outcome::Fatal(stop) => (None, Some(Arc::unwrap_or_clone(stop))),
            _ => (None, None),
        };
        let simulation = Self {
            object: self.object,
            process,
            root,
            refusal,
        };
        let opened = simulation.process.loaded.iter();
        let opened = opened.skip(first.process.loaded.len());
        let failures = simulation.failures_of(opened, rules, target);
        (simulation, failures)
    }

    /// Opens one more library in a copy of the process: what became of it, the copy, and the libraries
    /// and versions that it and what it brings along lack.
    pub(crate) fn open(
        &self,
        name: &str,
        rules: &Rules,
        target: &Target,
    ) -> (Outcome, Self, Vec<LoadFailure>) {
        let mut process = self.process.clone();
        let outcome = process.open(self.root, name);
        let simulation = Self {
            object: self.object,
            process,
            root: self.root,
            refusal: None,
        };
        let opened = simulation
            .process
            .loaded
            .iter()
            .skip(self.process.loaded.len());
        // The driver's libraries are the driver's business.
        let opened = opened.filter(|loaded| {
            let soname = loaded.object.soname.as_ref();
            !Path::new(&loaded.path).starts_with(&target.driver_path)
                && !soname.is_some_and(|soname| rules.is_driver(soname))
        });
        let failures = simulation.failures_of(opened, rules, target);
        (outcome, simulation, failures)
    }

    /// The directories in the run path of an object of the process.
    pub(crate) fn directories_of(&self, path: &Path) -> Vec<PathBuf> {
        let loaded = self.process.loaded.iter();
        let mut found = loaded.filter(|loaded| normalize(Path::new(&loaded.path)) == path);
        found
            .next()
            .map_or_else(Vec::new, |loaded| loaded.object.directories())
    }

    /// The interpreter that a program asks for and that does not start it on the target.
    fn lacking_interpreter(&self, target: &Target) -> Option<LoadFailure> {
        let reason = interpreter_fault(self.process.view, target, self.object)?;
        let interpreter = self.object.interpreter.clone()?;
        Some(LoadFailure::Interpreter {
            interpreter,
            reason,
        })
    }

    /// The file, if it was opened.
    pub(crate) fn key(&self) -> Option<FileKey> {
        Some(self.process.loaded.get(self.root?)?.key)
    }

    /// Whether it is for another machine or system than the process that should open it.
    pub(crate) fn is_foreign(&self) -> bool {
        self.root.is_none() && self.refusal.is_none()
    }

    /// Why the thread-local data of what is opened does not fit into the block that the first
    /// libraries have theirs in, where it must lie there.
    fn static_tls(&self, target: &Target) -> Option<Stop> {
        if !self.process.is_open || target.loader != LoaderKind::Glibc {
            return None;
        }
        let opened = self.process.opened();
        let wanting = opened
            .iter()
            .filter(|loaded| loaded.object.load_conditions.static_tls != 0);
        let total: u64 = wanting
            .clone()
            .map(|loaded| loaded.object.load_conditions.static_tls)
            .fold(0, u64::saturating_add);
        let largest = wanting.max_by_key(|loaded| loaded.object.load_conditions.static_tls)?;
        (STATIC_TLS_LEFT < total).then(|| {
            Stop::new(format!(
                "`{}` and what is opened with it want {total} bytes of static thread-local data (`DF_STATIC_TLS`), of which at most {STATIC_TLS_LEFT} are left in a program that runs",
                largest.path
            ))
        })
    }

    /// Notes what the process takes for granted.
    pub(crate) fn assume(&self, assumed: &mut Assumed) {
        for loaded in &self.process.loaded {
            for (name, outcome) in loaded.object.needs().zip(&loaded.needed) {
                match outcome {
                    Outcome::Libc(_) => assumed.libc.insert(name.clone()),
                    Outcome::Driver(_) => assumed.driver.insert(name.clone()),
                    _ => false,
                };
            }
        }
    }

    /// The symbols of the list that are not taken for granted either.
    pub(crate) fn without_assumed(
        &self,
        mut symbols: Vec<Undefined>,
        assumptions: &Assumptions<'_>,
    ) -> Vec<Undefined> {
        symbols.retain(|symbol| !assumptions.has(symbol, &self.process));
        symbols
    }
}

/// Where a library of the driver was found that must come from the driver path: a copy elsewhere is
/// a stub, or of another version than the kernel's part.
pub(crate) fn driver_from_elsewhere(
    name: &str,
    found: &Loaded,
    rules: &Rules,
    target: &Target,
) -> Option<PathBuf> {
    if !rules.is_driver(name) {
        return None;
    }
    let path = normalize(Path::new(&found.path));
    let is_stub = path.components().any(|part| part.as_os_str() == "stubs");
    let is_elsewhere = !path.starts_with(&target.driver_path) && !is_of_system(name, found, target);
    (is_stub || is_elsewhere).then_some(path)
}

/// Whether a library lies where a system without Nix has those of its driver.
fn is_of_system(name: &str, found: &Loaded, target: &Target) -> bool {
    let mut directories = target.system_directories.iter().chain(&target.library_path);
    let cache = target.cache.as_ref();
    let cached =
        cache.and_then(|cache| cache.lookup(name, found.object.abi, &target.subdirectories));
    !target.nix
        && (cached == Some(&found.path)
            || directories.any(|directory| Path::new(&found.path).starts_with(directory)))
}
