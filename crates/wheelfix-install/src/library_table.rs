//! The table in which Python code of an output finds the libraries that it opens by name.

use std::path::PathBuf;

use wheelfix_link::{LibraryTable, PythonSource, is_python_source};

use crate::bytecode::Compiler;
use crate::digest::FileDigest;
use crate::install::{InstallRequest, Installation};
use crate::layout::join;
use crate::linking::{Applied, LinkError};

/// The parts of a table of libraries, besides the sources of wheels.
#[derive(Debug)]
pub(crate) struct TableParts<'a> {
    /// Where libraries may be.
    pub(crate) lib_paths: &'a [PathBuf],
    /// Sources that are there already.
    pub(crate) sources: Vec<PythonSource>,
    /// The tables that are there already.
    pub(crate) known: LibraryTable,
}

impl<'a> TableParts<'a> {
    /// Those of an installation; `None` if it is to have no table.
    pub(crate) fn of(request: &'a InstallRequest) -> Option<Self> {
        let libraries = request.libraries.as_ref();
        let libraries = libraries.filter(|_| request.library_table)?;
        Some(Self {
            lib_paths: &libraries.lib_paths,
            sources: Vec::new(),
            known: LibraryTable::default(),
        })
    }
}

impl Installation<'_> {
    /// Decides the table of libraries, if one is made.
    pub(crate) fn decide_table(&self, sources: &[PythonSource]) -> Result<(), LinkError> {
        if let (Some(parts), Some(context)) = (&self.table, &self.context) {
            let sources = sources.iter().chain(&parts.sources);
            context.decide_table(sources, parts.known.clone(), parts.lib_paths)?;
        }
        Ok(())
    }

    /// The table of libraries, if it has any.
    pub(crate) fn library_table(&self) -> Option<&LibraryTable> {
        let table = self.context.as_ref()?.library_table.get();
        table.filter(|table| !table.is_empty())
    }

    /// Writes the files of the table, which no wheel has.
    pub(crate) fn write_table(
        &self,
        compiler: Option<&Compiler>,
        applied: &mut Applied,
    ) -> std::io::Result<()> {
        let site_packages = self.layout.site_packages();
        let modules = self.library_table().map(LibraryTable::modules);
        for (name, text) in modules.into_iter().flatten() {
            let (path, file) = self.staging.in_place(&join(&site_packages, &name));
            applied.write_new(&file, &text)?;
            if let Some(compiler) = compiler.filter(|_| is_python_source(&name)) {
                compiler.push(file.clone(), path);
            }
            let digest = FileDigest::of_bytes(text.as_bytes());
            applied.added.insert(file, digest);
        }
        Ok(())
    }
}
