//! The table in which Python code of an output finds the libraries that it opens by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_format::is_python_source;
use wheelfix_format::{Record, RecordHash, RecordRow};
use wheelfix_link::{LibraryTable, PythonSource, is_of_table};

use crate::bytecode::Compiler;
use crate::digest::FileDigest;
use crate::install::{InstallRequest, Installation};
use crate::pipeline::applied::Applied;
use crate::pipeline::error::LinkError;
use crate::pipeline::sources::{bytecode_of, files_of_table};

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
    /// Those of an installation, with the table of the prefix that it adds to; `None` if it is to have no table.
    pub(crate) fn of(request: &'a InstallRequest, site_packages: &Path) -> Option<Self> {
        let libraries = request.libraries.as_ref();
        let libraries = libraries.filter(|_| request.library_table)?;
        let known = if request.merge {
            LibraryTable::in_directory(site_packages)
        } else {
            LibraryTable::default()
        };
        Some(Self {
            lib_paths: &libraries.lib_paths,
            sources: Vec::new(),
            known,
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

    /// Writes the files of the table, which no wheel has. Where files are added to a prefix, they take the place of
    /// those of its table, in the RECORD that lists those, too.
    pub(crate) fn write_table(
        &self,
        compiler: Option<&Compiler>,
        applied: &mut Applied,
    ) -> io::Result<()> {
        let Some(table) = self.library_table() else {
            return Ok(());
        };
        let site_packages = self.layout.site_packages();
        let (site, in_staging) = self.staging.in_place(&site_packages);
        let before = if self.request.merge {
            files_before(&site)?
        } else {
            BTreeMap::new()
        };
        let owner = if before.is_empty() {
            None
        } else {
            self.owner(&site)?
        };
        let mut digests = BTreeMap::new();
        for (name, text) in table.modules() {
            let (path, file) = (site.join(&name), in_staging.join(&name));
            applied.writer.write_new(&file, &text)?;
            if let Some(compiler) = compiler.filter(|_| is_python_source(&name)) {
                compiler.push(file.clone(), path);
            }
            let digest = FileDigest::of_bytes(text.as_bytes());
            if owner.is_none() {
                applied.changes.added.insert(file, digest);
            }
            digests.insert(name, digest);
        }
        let mut replaced = before;
        if let Some((record, text)) = owner {
            let file = self.staging.root().join(self.below_prefix(&record));
            applied
                .writer
                .write_new(&file, &with_digests(&text, &digests))?;
            replaced.insert(record, FileDigest::of_bytes(text.as_bytes()));
        }
        let replaced = replaced.into_iter();
        let replaced = replaced.map(|(path, digest)| (self.below_prefix(&path), digest));
        self.staging.replace(replaced.collect());
        Ok(())
    }

    fn below_prefix(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix(self.staging.prefix());
        below.unwrap_or(path).to_owned()
    }

    /// The RECORD of a distribution in the prefix that lists the table, with its text; `None` if there is none, or if it
    /// is that of a wheel that is installed.
    fn owner(&self, site: &Path) -> io::Result<Option<(PathBuf, String)>> {
        let mut infos = Vec::new();
        for entry in fs_err::read_dir(site)? {
            infos.push(entry?.file_name());
        }
        infos.sort();
        let is_installed = |info: &OsStr| self.wheels.iter().any(|wheel| info == wheel.dist_info());
        for info in infos.iter().filter(|info| !is_installed(info)) {
            let record = site.join(info).join("RECORD");
            if !info.as_encoded_bytes().ends_with(b".dist-info") || !record.is_file() {
                continue;
            }
            let text = fs_err::read_to_string(&record)?;
            if text.lines().any(is_row_of_table) {
                return Ok(Some((record, text)));
            }
        }
        Ok(None)
    }
}

/// The files of the table of a `site-packages`, bytecode too, as they are now.
fn files_before(site: &Path) -> io::Result<BTreeMap<PathBuf, FileDigest>> {
    let mut files = files_of_table(site);
    for file in files.clone() {
        files.extend(bytecode_of(&file)?);
    }
    let files = files.into_iter();
    files
        .map(|file| Ok((file.clone(), FileDigest::of_file(&file)?)))
        .collect()
}

/// Whether a row of a RECORD is that of a file of a table, which lies beside the packages.
fn is_row_of_table(line: &str) -> bool {
    let path = line.split(',').next();
    path.is_some_and(is_of_table)
}

/// The text of a RECORD with other digests of the files of a table, whose names need no quotes.
fn with_digests(text: &str, digests: &BTreeMap<String, FileDigest>) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let name = line.split(',').next().unwrap_or_default();
        let Some(digest) = digests.get(name) else {
            return line.to_owned();
        };
        let row = RecordRow {
            path: name.to_owned(),
            hash: Some(RecordHash::sha256(digest.sha256)),
            size: Some(digest.len),
        };
        Record { rows: vec![row] }.to_string()
    });
    lines.collect()
}
