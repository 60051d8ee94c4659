//! The context in which a command links and proves: resolved once, read by all that follows.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use wheelfix_link::{
    LibPathError, LibraryIndex, LibraryTable, PlanOptions, PythonSource, Rules, TablePlaces, Tree,
};
use wheelfix_loader::{LoaderError, NamedTarget, System, Target};
use wheelfix_unbundle::UnbundleOptions;

/// The libraries that an output may use, and the way in which it names them.
#[derive(Clone, Debug)]
pub struct Libraries {
    /// Directories of libraries, prefixes and store paths; the first one wins.
    pub lib_paths: Vec<PathBuf>,
    /// Facts about libraries in general.
    pub rules: Rules,
    /// The choices of the user.
    pub options: PlanOptions,
    /// The options for libraries that wheels carry copies of; `None` leaves all of them alone.
    pub unbundle: Option<UnbundleOptions>,
    /// The system that the files are for, where a target is named; `None` if that of the Python or of the
    /// loader.
    pub system: Option<System>,
}

/// The libraries that may be used, and the target that will load the files.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) libraries: &'a Libraries,
    /// The Python that will load the files; `None` if it is not on this machine.
    pub(crate) program: Option<&'a Path>,
    /// `None` if nothing is known of the target: neither its Python nor its dynamic loader.
    pub(crate) target: Option<Target>,
    /// The files that Python sources get for names of libraries; not set where no table is made.
    pub(crate) library_table: OnceLock<LibraryTable>,
}

impl<'a> Context<'a> {
    /// Reads the target.
    pub(crate) fn new(
        libraries: &'a Libraries,
        program: Option<&'a Path>,
    ) -> Result<Self, LoaderError> {
        let named = NamedTarget {
            system: libraries.system,
            interpreter: libraries.options.interpreter.as_deref(),
            program,
        };
        let target = named.resolve(&libraries.options.driver_path)?;
        Ok(Self {
            libraries,
            program,
            target,
            library_table: OnceLock::new(),
        })
    }

    /// Decides the table of libraries by what sources ask for; `known` are those of tables that were there before.
    pub(crate) fn decide_table<'s>(
        &self,
        sources: impl Iterator<Item = &'s PythonSource>,
        known: LibraryTable,
        lib_paths: &[PathBuf],
    ) -> Result<(), LibPathError> {
        let places = TablePlaces {
            lib_paths,
            driver_path: &self.libraries.options.driver_path,
            abi: self.target.as_ref().and_then(|target| target.abi),
            loader: self.target.as_ref().map(|target| target.loader),
        };
        let mut table = LibraryTable::of(sources, &self.libraries.rules, places)?;
        table.extend(known);
        self.library_table.get_or_init(|| table);
        Ok(())
    }

    /// The libraries that a tree may use.
    pub(crate) fn index(&self, tree: &Tree) -> Result<LibraryIndex, LibPathError> {
        let rules = &self.libraries.rules;
        let driver_path = &self.libraries.options.driver_path;
        let mut index = LibraryIndex::read(&self.libraries.lib_paths, rules, driver_path)?;
        index.add_named_by(tree.objects(), rules, driver_path)?;
        Ok(index)
    }

    /// The decisions of the user, and the interpreter of the programs where the user leaves that open:
    /// that of the Python, as on Nix no program finds the one that it asks for.
    pub(crate) fn plan_options(&self) -> PlanOptions {
        let loader = self.target.as_ref().and_then(Target::loader_file);
        let options = self.libraries.options.clone();
        // An interpreter that is named is for the programs of the output, whatever they are for.
        let of_python = loader.as_ref().filter(|_| options.interpreter.is_none());
        let of_system = self.libraries.system.map(|system| system.abi);
        let target = options.target.or(of_system);
        PlanOptions {
            target: target.or(of_python.map(|loader| loader.abi)),
            c_library: self.target.as_ref().map(|target| target.loader),
            loader,
            ..options
        }
    }
}
