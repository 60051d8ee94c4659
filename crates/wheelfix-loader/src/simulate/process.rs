//! A process as the loader sees it: what is loaded, by whom, under which names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use crate::abi::Abi;
use crate::file_view::{FileKey, FileView};
use crate::object::Object;
use crate::read::{ReadOutcome, STATIC};
use crate::run_path::{PathKind, RunPath};
use crate::simulate::admission::Admission;
use crate::simulate::provided::Provided;
use crate::simulate::trace::{Event, Trace};
use crate::stop::Stop;
use crate::target::{LoaderKind, Target};

/// One loaded object.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The path by which it was opened; never resolved.
    pub path: String,
    /// The name by which it was asked for first; nobody asks for the interpreter.
    asked: Option<String>,
    /// Further names by which it was asked for: seldom any, and a set with one takes much memory.
    names: BTreeSet<String>,
    /// Its facts.
    pub object: Arc<Object>,
    /// The file.
    pub key: FileKey,
    /// Index of the object that asked for it first; `None` for the program.
    pub loader: Option<usize>,
    /// The outcomes of its needs, in the order of the file. Empty until they were loaded.
    pub needed: Vec<Outcome>,
}

impl Loaded {
    /// Whether somebody asked for it by this name.
    pub fn was_asked_for(&self, name: &str) -> bool {
        self.asked.as_deref() == Some(name) || self.names.contains(name)
    }
}

/// The outcome of the search for a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Index of the loaded object.
    Loaded(usize),
    /// The C library of the target, of which nothing is known here, has it by the rule.
    Libc(String),
    /// The driver, which is not on this machine, has it by the rule.
    Driver(String),
    /// It is nowhere.
    Missing,
    /// The loader gives up over a file in its way.
    Fatal(Arc<Stop>),
}

impl Outcome {
    fn fatal(stop: Stop) -> Self {
        Self::Fatal(Arc::new(stop))
    }
}

/// Most objects of one process, and most needs that all of them have together: programs with a graphical
/// interface reach 500 and 6,000. Each object of an output is tried in a process of its own.
const MAX_OBJECTS: usize = 1_000;
const MAX_NEEDS: usize = 60_000;

/// How many outcomes of needs take the memory of one loaded object.
const NEEDS_PER_OBJECT: usize = 16;

/// The state of a directory that was searched: for each subdirectory of the target, then for
/// itself, whether it is there. `None` while nobody looked.
type DirectoryState = Vec<Option<bool>>;

/// A process that grows as objects are opened.
#[derive(Clone, Debug)]
pub struct Process<'a> {
    /// The files as they will lie.
    pub view: &'a FileView,
    /// The system whose loader is simulated.
    pub target: &'a Target,
    provided: &'a dyn Provided,
    /// In the order of loading; the program first.
    pub loaded: Vec<Loaded>,
    /// For each name that an object answers to, the first object that does: under glibc its path, its
    /// soname, and the names by which it was asked for.
    by_name: BTreeMap<String, usize>,
    by_key: BTreeMap<FileKey, usize>,
    /// How many needs were looked for.
    needs: usize,
    /// Whether there were too many objects or needs, so that not all were looked for.
    pub is_cut: bool,
    interpreter: Option<usize>,
    /// Whether the program has started, so that all that comes is opened by `dlopen`.
    pub is_open: bool,
    /// How many objects were loaded when the program started.
    started: usize,
    /// Names of libraries of the driver that are taken to be loaded.
    drivers: BTreeSet<String>,
    /// Directories that were searched, by their text with a `/` at the end.
    pub directories: BTreeMap<String, DirectoryState>,
    /// Events, if somebody wants them.
    pub trace: Trace,
}

impl<'a> Process<'a> {
    /// How much memory the process takes, in numbers of loaded objects.
    pub fn weight(&self) -> usize {
        self.loaded.len() + self.needs / NEEDS_PER_OBJECT
    }

    /// An empty process.
    pub fn new(
        view: &'a FileView,
        target: &'a Target,
        provided: &'a dyn Provided,
        trace: Trace,
    ) -> Self {
        Self {
            view,
            target,
            provided,
            loaded: Vec::new(),
            by_name: BTreeMap::new(),
            by_key: BTreeMap::new(),
            needs: 0,
            is_cut: false,
            interpreter: None,
            is_open: false,
            started: 0,
            drivers: BTreeSet::new(),
            directories: BTreeMap::new(),
            trace,
        }
    }

    /// A process of the same kind in which nothing is loaded.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::new(self.view, self.target, self.provided, Trace::default())
    }

    /// Whether everything that is needed was found, as far as that can be known.
    pub fn is_complete(&self) -> bool {
        let outcomes = self.loaded.iter().flat_map(|loaded| &loaded.needed);
        !outcomes
            .into_iter()
            .any(|outcome| matches!(outcome, Outcome::Missing | Outcome::Fatal(_)))
    }

    /// The files that the needs of an object led to.
    pub fn needed_files(&self, loaded: &Loaded) -> Vec<Option<FileKey>> {
        let file = |outcome: &Outcome| match outcome {
            Outcome::Loaded(index) => Some(self.loaded.get(*index)?.key),
            _ => None,
        };
        loaded.needed.iter().map(file).collect()
    }

    /// The needs that were not found, with the objects that have them.
    pub fn lacking(&self) -> impl Iterator<Item = (&Loaded, &str)> {
        self.loaded.iter().flat_map(|loaded| {
            let needs = loaded.object.needs().zip(&loaded.needed);
            let lacking = needs
                .filter(|(_, outcome)| matches!(outcome, Outcome::Missing | Outcome::Fatal(_)));
            lacking.map(move |(name, _)| (loaded, name.as_str()))
        })
    }

    /// Whether symbols may come from a C library of which nothing is known: one is needed, and no
    /// object needs versions of it, so that nothing says which symbols.
    pub fn needs_plain_libc(&self) -> bool {
        let mut versions = self
            .loaded
            .iter()
            .flat_map(|loaded| &loaded.object.version_needs);
        self.needs_libc() && versions.next().is_none()
    }

    /// Whether some need is left to a C library of which nothing is known.
    pub fn needs_libc(&self) -> bool {
        let mut needs = self.loaded.iter().flat_map(|loaded| &loaded.needed);
        needs.any(|outcome| matches!(outcome, Outcome::Libc(_)))
    }

    /// Whether some need is left to the driver.
    pub fn needs_driver(&self) -> bool {
        let outcomes = self.loaded.iter().flat_map(|loaded| &loaded.needed);
        outcomes
            .into_iter()
            .any(|outcome| matches!(outcome, Outcome::Driver(_)))
    }

    /// The objects that were loaded after the program had started.
    pub fn opened(&self) -> &[Loaded] {
        self.loaded.get(self.started..).unwrap_or_default()
    }

    /// The object at an index, if it was loaded after the program had started.
    pub fn opened_at(&self, index: usize) -> Option<&Loaded> {
        self.loaded.get(index).filter(|_| self.started <= index)
    }

    /// Index of the loader itself.
    pub(crate) fn interpreter(&self) -> Option<usize> {
        self.interpreter
    }

    /// The ABI that the process is for: that of its program, or where none is known that of the
    /// loader of the target. `None` if neither is.
    pub fn abi(&self) -> Option<Abi> {
        if let Some(program) = self.loaded.first() {
            return Some(program.object.abi);
        }
        if let Some(system) = self.target.system {
            return Some(system.abi);
        }
        let path = self.target.interpreter.as_ref()?.to_str()?;
        let file = self.view.file(path)?;
        match &*self.view.outcome(&file, path) {
            ReadOutcome::Object(object) => Some(object.abi),
            _ => None,
        }
    }

    /// Starts a program, as the kernel does: `$ORIGIN` is then the directory of the
    /// real file.
    pub fn start_program(&mut self, program: &Path) -> Outcome {
        let path = self.view.real_path(program);
        self.start(&path.to_string_lossy())
    }

    /// Starts a program, or a library as `ld.so LIBRARY` does, with all its needs.
    pub fn start(&mut self, path: &str) -> Outcome {
        let started = self.open_path(None, path, path);
        if let Outcome::Loaded(program) = started {
            self.load_interpreter(program);
            self.load_needs(program);
        }
        started
    }

    /// The loader is in every process from its start.
    fn load_interpreter(&mut self, program: usize) {
        let asked = self
            .loaded
            .get(program)
            .and_then(|loaded| loaded.object.interpreter.clone());
        let of_system = asked.as_ref().map(|path| self.target.here(path));
        let asked = of_system
            .filter(|path| self.view.file(path).is_some())
            .or(asked);
        let known = self
            .target
            .interpreter
            .as_ref()
            .and_then(|path| path.to_str())
            .map(ToOwned::to_owned);
        if let Some(path) = asked.or(known)
            && let Some(file) = self.view.file(&path)
            && let ReadOutcome::Object(object) = &*self.view.outcome(&file, &path)
        {
            self.interpreter = Some(self.loaded.len());
            self.push(Loaded {
                asked: None,
                names: BTreeSet::new(),
                path,
                object: Arc::clone(object),
                key: file.key,
                loader: None,
                needed: Vec::new(),
            });
        }
    }

    /// Does again, in this empty process, what another process did: starts its program and opens
    /// the object at `path`.
    pub fn reopen(&mut self, other: &Self, path: &str) {
        let program = other.loaded.first().map(|program| program.path.clone());
        match program {
            Some(program) if program != path => {
                self.start(&program);
                self.open(Some(self.caller()), path);
            }
            _ => {
                self.start(path);
            }
        }
    }

    /// Opens an object from the program, or starts it where there is none.
    pub fn start_or_open(&mut self, path: &str) -> Outcome {
        if self.loaded.is_empty() {
            self.start(path)
        } else {
            self.open(Some(self.caller()), path)
        }
    }

    /// Index of the object that calls `dlopen` for what Python imports: the program, or the library
    /// that it is mostly.
    fn caller(&self) -> usize {
        let is_python = |loaded: &Loaded| {
            let soname = loaded.object.soname.as_deref();
            soname.is_some_and(|soname| soname.starts_with("libpython"))
        };
        self.loaded.iter().position(is_python).unwrap_or(0)
    }

    /// Opens a library as `dlopen` does, called from the object `caller`, with all its needs.
    pub fn open(&mut self, caller: Option<usize>, name: &str) -> Outcome {
        self.is_open = true;
        if self.started == 0 {
            self.started = self.loaded.len();
        }
        let opened = self.find(caller, name);
        if let Outcome::Loaded(index) = opened {
            self.load_needs(index);
        }
        opened
    }

    /// Loads the needs of an object and theirs, breadth first.
    fn load_needs(&mut self, root: usize) {
        let mut pending = VecDeque::from([root]);
        let mut seen = BTreeSet::from([root]);
        while let Some(index) = pending.pop_front() {
            for outcome in self.needs_of(index) {
                if let Outcome::Loaded(need) = outcome
                    && seen.insert(need)
                {
                    pending.push_back(need);
                }
            }
        }
    }

    /// Returns the outcomes of the needs of one object; loads those that were not loaded.
    fn needs_of(&mut self, index: usize) -> Vec<Outcome> {
        let Some(loaded) = self.loaded.get(index) else {
            return Vec::new();
        };
        let object = Arc::clone(&loaded.object);
        // musl knows no filters.
        let count = match self.target.loader {
            LoaderKind::Glibc => object.needs().count(),
            LoaderKind::Musl => object.needed.len(),
        };
        if loaded.needed.len() == count {
            return loaded.needed.clone();
        }
        self.needs += count;
        let outcomes = if MAX_NEEDS < self.needs || MAX_OBJECTS < self.loaded.len() {
            let reason = format!(
                "more than {MAX_OBJECTS} objects, or {MAX_NEEDS} needs of them, are loaded into one process, which is where this proof ends"
            );
            self.is_cut = true;
            vec![Outcome::fatal(Stop::new(reason)); count]
        } else {
            let needs = object.needs().take(count);
            needs.map(|name| self.find(Some(index), name)).collect()
        };
        if let Some(loaded) = self.loaded.get_mut(index) {
            loaded.needed.clone_from(&outcomes);
        }
        outcomes
    }

    /// The object that a name leads to, loaded if it was not.
    fn find(&mut self, loader: Option<usize>, name: &str) -> Outcome {
        self.trace.note(|| Event::Find {
            name: name.to_owned(),
            loader,
        });
        let found = match self.target.loader {
            LoaderKind::Glibc => self.find_by_glibc(loader, name),
            LoaderKind::Musl => self.find_by_musl(loader, name),
        };
        let outcome = match found {
            Outcome::Missing => self.assumed(loader, name),
            found => found,
        };
        self.trace.note(|| Event::Outcome(outcome.clone()));
        outcome
    }

    /// The outcome for a library that is not on this machine: left to the C library or the driver
    /// of the target, or missing.
    fn assumed(&mut self, loader: Option<usize>, name: &str) -> Outcome {
        let system = self.target.system;
        let libc = self.provided.libc(name);
        let libc = libc.filter(|_| system.is_none_or(|system| system.has_library(name)));
        if let (Some(libc), None) = (libc, &self.target.interpreter) {
            return Outcome::Libc(libc.to_owned());
        }
        match self.provided.driver(name) {
            Some(driver) if self.drivers.contains(name) || self.searches_driver(loader) => {
                let outcome = Outcome::Driver(driver.to_owned());
                self.drivers.insert(name.to_owned());
                outcome
            }
            _ => Outcome::Missing,
        }
    }

    /// Whether the driver path is in the library path, or in a run path that counts for the needs of
    /// `loader`: its own, and that of what loaded it where it is inherited.
    fn searches_driver(&self, loader: Option<usize>) -> bool {
        let driver = self.target.driver_path.to_string_lossy();
        let is_driver = |element: &String| element.trim_end_matches('/') == driver;
        if self.target.library_path.iter().any(is_driver) {
            return true;
        }
        let own = loader.and_then(|index| self.loaded.get(index)?.object.run_path.as_ref());
        let inherits = match self.target.loader {
            LoaderKind::Glibc => own.is_none_or(|path| path.kind == PathKind::Rpath),
            LoaderKind::Musl => true,
        };
        if own.is_some_and(|path| path.elements.iter().any(is_driver)) {
            return true;
        }
        let mut at = loader.filter(|_| inherits);
        while let Some(loaded) = at.and_then(|index| self.loaded.get(index)) {
            let path = loaded.object.run_path.as_ref();
            let counts = |path: &&RunPath| {
                self.target.loader == LoaderKind::Musl || path.kind == PathKind::Rpath
            };
            if path
                .filter(counts)
                .is_some_and(|path| path.elements.iter().any(is_driver))
            {
                return true;
            }
            at = loaded.loader;
        }
        false
    }

    /// Takes the file at a path, or the object that it is already. `None` lets the search go on.
    pub(crate) fn take(
        &mut self,
        loader: Option<usize>,
        path: &str,
        name: &str,
    ) -> Option<Outcome> {
        let file = self.view.entry(path)?;
        if file.is_directory {
            return Some(Outcome::fatal(Stop::new("is a directory").at(path)));
        }
        if let Some(known) = self.by_key.get(&file.key).copied() {
            self.add_name(known, name);
            return Some(Outcome::Loaded(known));
        }
        let outcome = self.view.outcome(&file, path);
        let object = match &*outcome {
            ReadOutcome::Object(object) => Arc::clone(object),
            ReadOutcome::NoElf => {
                return Some(Outcome::fatal(Stop::new("is not an ELF file").at(path)));
            }
            ReadOutcome::Skipped(reason) => {
                return Some(Outcome::fatal(Stop::new(*reason).at(path)));
            }
            ReadOutcome::Static { .. } => {
                return Some(Outcome::fatal(Stop::new(STATIC).at(path)));
            }
            ReadOutcome::Malformed(reason) => {
                return Some(Outcome::fatal(
                    Stop::new(format!("is damaged: {reason}")).at(path),
                ));
            }
        };
        match self.admit(&object, &file) {
            Admission::Taken => {}
            Admission::PassedOver => return None,
            Admission::Refused(stop) => {
                return Some(Outcome::fatal(stop.at(path)));
            }
        }
        self.push(Loaded {
            path: path.to_owned(),
            asked: Some(name.to_owned()),
            names: BTreeSet::new(),
            object,
            key: file.key,
            loader,
            needed: Vec::new(),
        });
        Some(Outcome::Loaded(self.loaded.len() - 1))
    }

    /// Adds an object to those that are loaded.
    fn push(&mut self, loaded: Loaded) {
        let index = self.loaded.len();
        let names = loaded.asked.iter().chain([&loaded.path]);
        for name in names.chain(&loaded.object.soname) {
            self.by_name.entry(name.clone()).or_insert(index);
        }
        self.by_key.entry(loaded.key).or_insert(index);
        self.loaded.push(loaded);
    }

    /// Notes that an object was asked for by a name.
    pub(crate) fn add_name(&mut self, index: usize, name: &str) {
        let Some(loaded) = self.loaded.get_mut(index) else {
            return;
        };
        if loaded.was_asked_for(name) {
            return;
        }
        loaded.names.insert(name.to_owned());
        let first = self.by_name.entry(name.to_owned()).or_insert(index);
        *first = index.min(*first);
    }

    /// The first object that answers to a name under glibc.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Opens a name that is a path.
    pub(crate) fn open_path(&mut self, loader: Option<usize>, path: &str, name: &str) -> Outcome {
        self.trace.note(|| Event::Try(path.to_owned()));
        self.take(loader, path, name).unwrap_or(Outcome::Missing)
    }

    /// The objects that the symbols of an object opened as `root` are looked up in, besides those
    /// of the program: itself and its needs, breadth first.
    pub fn scope(&self, root: usize) -> Vec<usize> {
        let mut scope = vec![root];
        let mut seen = BTreeSet::from([root]);
        let mut at = 0;
        while let Some(loaded) = scope.get(at).and_then(|index| self.loaded.get(*index)) {
            for outcome in &loaded.needed {
                if let Outcome::Loaded(need) = outcome
                    && seen.insert(*need)
                {
                    scope.push(*need);
                }
            }
            at += 1;
        }
        scope
    }
}
