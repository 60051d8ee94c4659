//! The table of libraries in a virtual environment that is there already.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_link::{LibPathError, LibraryTable, Tree};

use crate::atomic::transaction::Changes;
use crate::patch::virtual_environment::VirtualEnvironment;
use crate::patch::{Extent, PatchRequest};
use crate::pipeline::applied::Applied;
use crate::pipeline::context::Context;
use crate::pipeline::sources::{bytecode_of, files_of_table};

/// The changes that make the table of a virtual environment what it is to be.
#[derive(Debug, Default)]
pub(crate) struct TableEdits {
    /// The files that are not as they are to be, with their text.
    written: Vec<(PathBuf, String)>,
    /// Files that nobody asks for any more, and bytecode that is not true.
    removed: BTreeSet<PathBuf>,
    /// How many names the table has; `None` if there is to be none.
    pub(crate) names: Option<usize>,
}

impl TableEdits {
    /// Decides the table of the one environment of a request. One that the extent does not own stays where none is asked for.
    pub(crate) fn plan(
        request: &PatchRequest,
        context: &Context<'_>,
        tree: &Tree,
        extent: &Extent,
    ) -> Result<Self, LibPathError> {
        let mut edits = Self::default();
        let [environment] = request.environments.as_slice() else {
            return Ok(edits);
        };
        if !request.library_table && !extent.owns_table {
            return Ok(edits);
        }
        let sites = environment.site_packages.iter();
        for file in sites.flat_map(|site| files_of_table(site)) {
            edits.removed.insert(file);
        }
        if request.library_table {
            let lib_paths = &request.libraries.lib_paths;
            context.decide_table(tree.sources.iter(), extent.known_table.clone(), lib_paths)?;
            let table = context.library_table.get().cloned().unwrap_or_default();
            edits.names = Some(table.files().len());
            if let Some(site) = environment
                .site_packages
                .first()
                .filter(|_| !table.is_empty())
            {
                edits.write(site, &table)?;
            }
        }
        let stale: Vec<PathBuf> = edits.removed.iter().cloned().collect();
        let written = edits.written.iter().map(|(file, _)| file);
        for file in stale.iter().chain(written).cloned().collect::<Vec<_>>() {
            edits.removed.extend(bytecode_of(&file)?);
        }
        Ok(edits)
    }

    /// Leaves a table that is as it is to be, and writes another one.
    fn write(&mut self, site: &Path, table: &LibraryTable) -> io::Result<()> {
        for (name, text) in table.modules() {
            let file = site.join(name);
            let is_there = self.removed.remove(&file);
            if !is_there || fs::read(&file)? != text.as_bytes() {
                self.written.push((file, text));
            }
        }
        Ok(())
    }

    /// Whether something changes.
    pub(crate) fn is_any(&self) -> bool {
        !self.written.is_empty() || !self.removed.is_empty()
    }

    /// The files that change, which a RECORD may list.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let written = self.written.iter().map(|(file, _)| file);
        written.chain(&self.removed)
    }

    pub(crate) fn add_to(&self, changes: &mut Changes) -> io::Result<()> {
        self.files().try_for_each(|file| changes.make(file))
    }

    /// Makes the changes.
    pub(crate) fn apply(&self, applied: &mut Applied) -> io::Result<()> {
        for (file, text) in &self.written {
            applied.write(file, text)?;
        }
        self.removed
            .iter()
            .try_for_each(|file| applied.remove(file))
    }
}

/// The table that an environment has.
pub(crate) fn table_of(environment: &VirtualEnvironment) -> LibraryTable {
    let mut table = LibraryTable::default();
    for site in &environment.site_packages {
        table.extend(LibraryTable::in_directory(site));
    }
    table
}
