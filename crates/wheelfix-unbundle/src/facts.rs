//! The full facts of the file of a library: its symbols and its ELF structures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use wheelfix_elf::dynamic_tag::flags;
use wheelfix_elf::{Elf, FileSource, HashedName, ReadError, SegmentKind, SymbolTable};

/// The facts of one file.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) elf: Elf,
    pub(crate) symbols: SymbolTable,
}

/// The facts of files, by where they lie.
#[derive(Debug, Default)]
pub(crate) struct FactsOf {
    files: BTreeMap<PathBuf, Result<Arc<Facts>, String>>,
}

impl Facts {
    fn read(file: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let source = FileSource::open(file)?;
        let read = || -> Result<Self, ReadError> {
            let elf = Elf::read(&source)?;
            let symbols = elf.symbols(&source)?;
            Ok(Self { elf, symbols })
        };
        Ok(read()?)
    }

    /// Whether it defines a symbol, in whatever version.
    pub(crate) fn defines(&self, name: &str) -> bool {
        let name = HashedName::new(name.as_bytes());
        self.symbols.lookup(&name).next().is_some()
    }

    /// Length of its block of thread-local data in bytes.
    pub(crate) fn tls_len(&self) -> u64 {
        let segment = self.elf.program_header(SegmentKind::TLS);
        segment.map_or(0, |segment| segment.memory_len)
    }

    /// Whether its thread-local data must lie in what is set aside when a thread starts.
    pub(crate) fn has_static_tls(&self) -> bool {
        let dynamic = self.elf.dynamic.as_ref();
        dynamic.is_some_and(|dynamic| dynamic.flags & flags::STATIC_TLS != 0)
    }

    /// The names of the versions that it defines, its own name included.
    pub(crate) fn versions(&self) -> BTreeSet<&str> {
        let dynamic = self.elf.dynamic.iter();
        dynamic
            .flat_map(|dynamic| &dynamic.version_definitions)
            .map(|version| version.name.as_str())
            .collect()
    }
}

impl FactsOf {
    /// Reads the files that were not read before, in parallel.
    pub(crate) fn read<'f>(&mut self, files: impl Iterator<Item = &'f Path>) {
        let new: BTreeSet<&Path> = files
            .filter(|file| !self.files.contains_key(*file))
            .collect();
        let new: Vec<&Path> = new.into_iter().collect();
        let read = |file: &&Path| {
            let facts = Facts::read(file).map(Arc::new);
            (file.to_path_buf(), facts.map_err(|error| error.to_string()))
        };
        let read: Vec<_> = new.par_iter().map(read).collect();
        self.files.extend(read);
    }

    /// The facts of a file, or why there are none.
    pub(crate) fn get(&self, file: &Path) -> Result<&Arc<Facts>, &str> {
        match self.files.get(file) {
            Some(Ok(facts)) => Ok(facts),
            Some(Err(error)) => Err(error),
            None => Err("it was not read"),
        }
    }
}
