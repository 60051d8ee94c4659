//! The objects of an output, and of other wheels, that define a symbol.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;
use wheelfix_elf::{HashedName, SymbolTable, WantedVersion};
use wheelfix_format::{LibraryUse, is_library_name, is_python_source};
use wheelfix_loader::{SymbolTables, Undefined, normalize, read_table};

use crate::index::lib_path::site_packages;
use crate::proof::simulation::Simulation;

/// All objects of an output with their symbols.
pub(super) struct Definers<'a> {
    pub(super) simulations: &'a [Simulation<'a>],
    pub(super) tables: &'a SymbolTables,
    /// The library paths, some of which may be prefixes of other wheels.
    lib_paths: &'a [PathBuf],
    /// The symbols of all objects of these, once somebody asks.
    others: OnceCell<Vec<SymbolTable>>,
    /// The packages of these that make symbols visible to all, once somebody asks.
    globals: OnceCell<BTreeSet<String>>,
}

impl<'a> Definers<'a> {
    pub(super) fn new(
        simulations: &'a [Simulation<'a>],
        tables: &'a SymbolTables,
        lib_paths: &'a [PathBuf],
    ) -> Self {
        Self {
            simulations,
            tables,
            lib_paths,
            others: OnceCell::new(),
            globals: OnceCell::new(),
        }
    }

    /// Whether an object of the output defines a symbol, or one in a prefix of another wheel.
    pub(super) fn is_anywhere(&self, symbol: &Undefined) -> bool {
        let name = HashedName::new(&symbol.name);
        let wanted = wanted(symbol);
        let is_in = |table: &SymbolTable| table.definition(&name, wanted).is_some();
        self.of(symbol).next().is_some() || self.others().iter().any(is_in)
    }

    /// The packages in the site-packages of the library paths of which a source makes symbols visible to all.
    pub(super) fn globals(&self) -> &BTreeSet<String> {
        self.globals.get_or_init(|| {
            let files = self.sites().flat_map(|site| {
                let files = WalkDir::new(&site).into_iter().filter_map(Result::ok);
                files.map(move |file| (site.clone(), file.into_path()))
            });
            let globals = files.filter_map(|(site, file)| {
                let is_source = is_python_source(&file);
                let text = is_source.then(|| fs_err::read(&file).ok()).flatten()?;
                let top = file.strip_prefix(site).ok()?.components().next()?;
                let name = Path::new(&top).file_stem()?.to_str()?.to_owned();
                LibraryUse::in_source(&text).is_global.then_some(name)
            });
            globals.collect()
        })
    }

    fn sites(&self) -> impl Iterator<Item = PathBuf> {
        let sites = self.lib_paths.iter().map(|path| site_packages(path));
        sites.flatten().flatten()
    }

    /// The symbols of the objects in the site-packages of the library paths.
    fn others(&self) -> &[SymbolTable] {
        self.others.get_or_init(|| {
            let files = self.sites().flat_map(WalkDir::new);
            let files = files.filter_map(Result::ok);
            let files = files.filter(|file| is_library_name(&file.file_name().to_string_lossy()));
            files
                .filter_map(|file| read_table(file.path()).ok())
                .collect()
        })
    }

    /// Final paths of all that the programs of the output are started with, themselves first: what they open
    /// finds the symbols of these.
    pub(super) fn of_programs(&self) -> BTreeSet<PathBuf> {
        let simulations = self.simulations.iter();
        let programs = simulations.filter(|simulation| simulation.object.is_program());
        let loaded = programs.flat_map(|simulation| &simulation.process.loaded);
        loaded
            .map(|loaded| normalize(Path::new(&loaded.path)))
            .collect()
    }

    /// Final paths of the objects that define a symbol.
    pub(super) fn of(&self, symbol: &Undefined) -> impl Iterator<Item = &Path> {
        let name = HashedName::new(&symbol.name);
        let wanted = wanted(symbol);
        let has = move |simulation: &&Simulation<'_>| {
            let table = simulation.key().and_then(|key| self.tables.get(key));
            table.is_some_and(|table| table.definition(&name, wanted).is_some())
        };
        let simulations = self.simulations.iter().filter(has);
        simulations.map(|simulation| simulation.object.path.as_path())
    }
}

fn wanted(symbol: &Undefined) -> Option<WantedVersion<'_>> {
    let version = symbol.version.as_deref();
    version.map(|name| WantedVersion {
        name,
        hidden: false,
    })
}
