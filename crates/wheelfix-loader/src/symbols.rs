//! The dynamic symbols of the objects of a process: what each needs and what each defines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use wheelfix_elf::{
    Elf, FileSource, HashedName, Symbol, SymbolTable, VersionIndex, WantedVersion, load,
};

use crate::causes::with_causes;
use crate::file_view::{FileKey, FileView};
use crate::simulate::process::{Loaded, Outcome, Process};
use crate::stop::Stop;
use crate::target::LoaderKind;

/// Symbol tables by file, or why one cannot be read.
#[derive(Debug, Default)]
pub struct SymbolTables {
    tables: BTreeMap<FileKey, Result<Linkage, Stop>>,
    /// Where the bytes of the files lie.
    disks: BTreeMap<FileKey, PathBuf>,
}

/// The facts that the loader links a file by.
#[derive(Debug)]
struct Linkage {
    table: Arc<SymbolTable>,
    /// Numbers of symbols that the file defines and refers to, and that its hash table does not find.
    lost: BTreeSet<u32>,
    /// Why the loader cannot relocate the file, as the end of a sentence; `None` if it can.
    refusal: Option<Stop>,
}

impl SymbolTables {
    /// Reads the tables of all files, in parallel.
    pub fn read(view: &FileView, files: BTreeMap<FileKey, String>, loader: LoaderKind) -> Self {
        let read = |(key, path): (FileKey, String)| {
            let table = match view.file(&path) {
                Some(file) => Linkage::read(&file.disk, loader)
                    .map_err(|error| Stop::new(format!("is damaged: {}", with_causes(&*error)))),
                None => Err(Stop::new("is no longer there")),
            };
            (key, table)
        };
        let disk = |(key, path): (&FileKey, &String)| Some((*key, view.file(path)?.disk.clone()));
        Self {
            disks: files.iter().filter_map(disk).collect(),
            tables: files.into_par_iter().map(read).collect(),
        }
    }

    /// The table of a file. `None` if it cannot be read or was not asked for.
    pub fn get(&self, key: FileKey) -> Option<&Arc<SymbolTable>> {
        Some(&self.linkage(key)?.table)
    }

    fn linkage(&self, key: FileKey) -> Option<&Linkage> {
        self.tables.get(&key)?.as_ref().ok()
    }

    /// The numbers of the symbols that a file has looked up only when they are called. Empty if
    /// that cannot be told.
    fn lazily_bound(&self, key: FileKey) -> BTreeSet<u32> {
        let read = |disk: &PathBuf| {
            let source = FileSource::open(disk).ok()?;
            let elf = Elf::read_without_sections(&source).ok()?;
            elf.lazily_bound(&source).ok()
        };
        self.disks.get(&key).and_then(read).unwrap_or_default()
    }

    /// Why the loader cannot link a file, as the end of a sentence that begins with the file. `None` if it can.
    pub fn refusal(&self, key: FileKey) -> Option<&Stop> {
        match self.tables.get(&key)? {
            Ok(linkage) => linkage.refusal.as_ref(),
            Err(stop) => Some(stop),
        }
    }

    /// How many symbols all tables have.
    pub fn symbol_count(&self) -> usize {
        let tables = self.tables.values().flatten();
        tables.map(|linkage| linkage.table.len()).sum()
    }
}

/// Reads the dynamic symbols of a file.
pub fn read_table(file: &Path) -> Result<SymbolTable, Box<dyn std::error::Error>> {
    let source = FileSource::open(file)?;
    // With the section headers: a program that defines nothing has its count of symbols nowhere else.
    let read =
        || -> Result<SymbolTable, wheelfix_elf::ReadError> { Elf::read(&source)?.symbols(&source) };
    Ok(read()?)
}

impl Linkage {
    fn read(file: &Path, loader: LoaderKind) -> Result<Self, Box<dyn std::error::Error>> {
        let source = FileSource::open(file)?;
        // With the section headers: a program that defines nothing has its count of symbols nowhere else.
        let elf = Elf::read(&source)?;
        let mut table = elf.symbols(&source)?;
        let (referenced, refusal) = match load::relocate(&elf, &source, &table, loader) {
            Ok(referenced) => (referenced, None),
            Err(refusal) => (Vec::new(), Some(refusal.into())),
        };
        if table.len() < referenced.len() {
            table = elf.first_symbols(&source, referenced.len() as u64)?;
        }
        Ok(Self {
            lost: lost(&table, &referenced),
            table: Arc::new(table),
            refusal,
        })
    }
}

/// The strong symbols that a file defines and refers to, and that its hash table does not lead to.
fn lost(table: &SymbolTable, referenced: &[bool]) -> BTreeSet<u32> {
    let numbers = (0..)
        .zip(referenced)
        .filter_map(|(number, is)| is.then_some(number));
    let symbols = numbers.filter_map(|number: u32| table.get(number));
    let is_looked_up = |symbol: &Symbol<'_>| symbol.is_defined() && symbol.is_strong_and_visible();
    let is_lost = |symbol: &Symbol<'_>| {
        if table.leads_to(symbol) {
            return false;
        }
        let version = table.version(symbol).map(|version| WantedVersion {
            name: &version.name,
            hidden: false,
        });
        let name = HashedName::new(symbol.name);
        table.definition(&name, version).is_none()
    };
    let lost = symbols.filter(is_looked_up).filter(is_lost);
    lost.map(|symbol| symbol.index).collect()
}

/// A symbol that nothing in a scope defines.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Undefined {
    /// The name; not always Unicode.
    pub name: Vec<u8>,
    /// The version.
    pub version: Option<String>,
    /// The library that should define the version.
    pub file: Option<String>,
    /// Whether the loader looks for it only when it is called, unless everything is bound at once.
    pub is_lazy: bool,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.name))?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

/// The objects that the symbols of one object are looked up in.
#[derive(Debug)]
pub struct Scope<'a> {
    tables: &'a SymbolTables,
    process: &'a Process<'a>,
    /// In the order of the search.
    searched: Vec<&'a SymbolTable>,
}

impl<'a> Scope<'a> {
    /// The scope of the object opened as `root`: the program with its needs, then the root with
    /// its.
    pub fn of(process: &'a Process<'a>, tables: &'a SymbolTables, root: usize) -> Self {
        let mut order = process.scope(0);
        order.extend(process.scope(root));
        // The loader is in every process, needed or not.
        order.extend(process.interpreter());
        let mut seen = BTreeSet::new();
        order.retain(|index| seen.insert(*index));
        let table = |index: usize| Some(tables.get(process.loaded.get(index)?.key)?.as_ref());
        Self {
            tables,
            process,
            searched: order.into_iter().filter_map(table).collect(),
        }
    }

    /// The strong symbols that an object needs and no object of the scope defines.
    pub fn undefined(&self, index: usize) -> Vec<Undefined> {
        let Some(loaded) = self.process.loaded.get(index) else {
            return Vec::new();
        };
        let Some(Linkage { table, lost, .. }) = self.tables.linkage(loaded.key) else {
            return Vec::new();
        };
        let mut hint = 0;
        let lost = lost.iter().filter_map(|number| table.get(*number));
        let strong = table.undefined().filter(is_strong_need).chain(lost);
        let missing: Vec<Symbol<'_>> = strong
            .filter(|symbol| {
                let version = table.version(symbol);
                let reference = Reference {
                    name: symbol.name,
                    version: version.map(|version| version.name.as_str()),
                    file: version.and_then(|version| version.file.as_deref()),
                };
                !self.defines(loaded, reference, &mut hint)
            })
            .collect();
        if missing.is_empty() {
            return Vec::new();
        }
        let lazy = self.tables.lazily_bound(loaded.key);
        let missing = missing.iter();
        missing
            .map(|symbol| describe(table, symbol, lazy.contains(&symbol.index)))
            .collect()
    }

    /// Those of the symbols, which the object lacks in another scope, that it lacks in this one
    /// too.
    pub fn still_undefined(&self, index: usize, lacking: &[Undefined]) -> Vec<Undefined> {
        let Some(loaded) = self.process.loaded.get(index) else {
            return Vec::new();
        };
        let mut hint = 0;
        let still = lacking.iter().filter(|symbol| {
            let reference = Reference {
                name: &symbol.name,
                version: symbol.version.as_deref(),
                file: symbol.file.as_deref(),
            };
            !self.defines(loaded, reference, &mut hint)
        });
        still.cloned().collect()
    }

    /// Whether some object defines what `loaded` refers to. Begins with the one that the version
    /// should come from, and with the one that had the last symbol, for whether there is a
    /// definition does not depend on the order.
    fn defines(&self, loaded: &Loaded, reference: Reference<'_>, hint: &mut usize) -> bool {
        let name = HashedName::new(reference.name);
        let wanted = reference.version.map(|name| WantedVersion {
            name,
            hidden: false,
        });
        let has = |table: &SymbolTable| match self.process.target.loader {
            LoaderKind::Glibc => table.definition(&name, wanted).is_some(),
            // Whatever version is needed, the one that is not hidden is taken.
            LoaderKind::Musl => {
                let is_hidden =
                    |symbol: &Symbol<'_>| symbol.version.is_some_and(VersionIndex::is_hidden);
                table.lookup(&name).any(|symbol| !is_hidden(&symbol))
            }
        };
        let provider = reference.file.and_then(|file| provider(loaded, file));
        let provider = provider.and_then(|index| self.process.loaded.get(index));
        if let Some(table) = provider.and_then(|provider| self.tables.get(provider.key))
            && has(table)
        {
            return true;
        }
        if self.searched.get(*hint).is_some_and(|table| has(table)) {
            return true;
        }
        let found = self.searched.iter().position(|table| has(table));
        *hint = found.unwrap_or(*hint);
        found.is_some()
    }
}

/// A symbol as the object that needs it names it.
#[derive(Clone, Copy)]
struct Reference<'s> {
    name: &'s [u8],
    version: Option<&'s str>,
    file: Option<&'s str>,
}

/// Index of the object that the `DT_NEEDED` entry for a file led to. `None` if none was loaded.
pub fn provider(loaded: &Loaded, file: &str) -> Option<usize> {
    let at = loaded.object.needed.iter().position(|name| name == file)?;
    match loaded.needed.get(at)? {
        Outcome::Loaded(index) => Some(*index),
        _ => None,
    }
}

/// Whether the loader fails where nothing defines the symbol.
fn is_strong_need(symbol: &Symbol<'_>) -> bool {
    !symbol.is_defined() && symbol.is_strong_and_visible() && !symbol.name.is_empty()
}

fn describe(table: &SymbolTable, symbol: &Symbol<'_>, is_lazy: bool) -> Undefined {
    let version = table.version(symbol);
    Undefined {
        name: symbol.name.to_vec(),
        version: version.map(|version| version.name.clone()),
        file: version.and_then(|version| version.file.clone()),
        is_lazy,
    }
}
