//! The changes that a plan made.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_elf::Plan;

use crate::atomic::writer::Writer;
use crate::digest::FileDigest;
use crate::pipeline::error::{LinkError, refuse};
use crate::record::update::Changes;
use crate::warning::InstallWarning;

/// The changes that a plan made, or that are prepared. Paths are where the files lie now.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Where changes go.
    pub(crate) writer: Writer,
    /// The files that are others now; of ELF files that were edited at once only after [`hash`](Self::hash).
    pub(crate) changes: Changes,
    /// Files with new content that [`hash`](Self::hash) has still to read, with their final paths.
    unhashed: BTreeMap<PathBuf, PathBuf>,
    /// How many ELF files were edited.
    pub(crate) elf_edited: usize,
    /// Warnings of what is worse in these than before.
    pub(crate) warnings: Vec<InstallWarning>,
    /// How many bytes were written to these.
    pub(crate) bytes_written: u64,
}

impl Applied {
    /// Nothing yet. RECORD is to be made true of the files in `untrue`, which changed before.
    pub(crate) fn new(writer: Writer, untrue: BTreeSet<PathBuf>) -> Self {
        let unhashed = untrue.into_iter().map(|file| (file.clone(), file));
        Self {
            writer,
            unhashed: unhashed.collect(),
            ..Self::default()
        }
    }

    /// Replaces a text.
    pub(crate) fn replace(&mut self, path: &Path, text: &str) -> io::Result<()> {
        self.writer.replace(path, text)?;
        let digest = FileDigest::of_bytes(text.as_bytes());
        self.changes.edited.insert(path.to_owned(), digest);
        Ok(())
    }

    /// Writes a text to a file of a table or a list, which may be there; its directory need not be.
    pub(crate) fn write(&mut self, path: &Path, text: &str) -> io::Result<()> {
        self.writer.write_new(path, text)?;
        let digest = FileDigest::of_bytes(text.as_bytes());
        self.changes.edited.insert(path.to_owned(), digest);
        Ok(())
    }

    /// Removes a file.
    pub(crate) fn remove(&mut self, file: &Path) -> io::Result<()> {
        self.writer.remove(file)?;
        self.changes.removed.insert(file.to_owned());
        Ok(())
    }

    /// Notes that an ELF file will be edited, and what it will be.
    pub(crate) fn add_planned(&mut self, file: &Path, digest: FileDigest, plan: &Plan) {
        self.changes.edited.insert(file.to_owned(), digest);
        self.elf_edited += 1;
        self.bytes_written += plan.written_len();
    }

    /// Notes that an ELF file was edited.
    pub(crate) fn add_edited(&mut self, file: &Path, path: &Path, plan: &Plan) {
        self.unhashed.insert(file.to_owned(), path.to_owned());
        self.elf_edited += 1;
        self.bytes_written += plan.written_len();
    }

    /// Reads the ELF files that were edited. [`ElfEdits`](crate::pipeline::elf_edits::ElfEdits) leave this to be done beside something else, as
    /// it takes far longer than the edits.
    ///
    /// Also after an error the others are known.
    pub(crate) fn hash(&mut self) -> Result<(), LinkError> {
        let unhashed = std::mem::take(&mut self.unhashed);
        let mut failures = Vec::new();
        for (file, digest) in FileDigest::of_files(unhashed.keys().cloned().collect()) {
            match (digest, unhashed.get(&file)) {
                (Ok(digest), _) => drop(self.changes.edited.insert(file, digest)),
                (Err(error), path) => {
                    let path = path.unwrap_or(&file).clone();
                    failures.push((path, error.into()));
                }
            }
        }
        failures.sort_by(|(one, _), (other, _)| one.cmp(other));
        refuse(failures)
    }
}
