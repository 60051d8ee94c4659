//! The edits of ELF files: planned and checked all together, then made.

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use wheelfix_elf::{
    FileEdit, NeededEdit, PatchError, Planned, Request, RunPathKind, RunPathRequest, open_regular,
};
use wheelfix_link::{LinkPlan, ObjectPlan, RunPathEdit};
use wheelfix_loader::PathKind;

use crate::atomic::detach::{copy_file, detach};
use crate::atomic::transaction::Changes;
use crate::digest::FileDigest;
use crate::pipeline::applied::Applied;
use crate::pipeline::error::{EditFailure, LinkError, refuse};
use crate::warning::InstallWarning;

/// The edits of a plan.
#[derive(Debug, Default)]
pub(crate) struct ElfEdits {
    edits: Vec<ElfEdit>,
    /// Warnings of what is worse in the files than before, and of libraries that cannot be read.
    pub(crate) warnings: Vec<InstallWarning>,
}

/// The edit of one file.
#[derive(Debug)]
struct ElfEdit {
    /// Its final path.
    path: PathBuf,
    /// Where its bytes lie now.
    file: PathBuf,
    edit: FileEdit,
    /// Whether the plan wants it to be as it says, and not healed alone.
    is_linked: bool,
    /// Whether another file takes its place.
    is_replaced: bool,
}

impl ElfEdits {
    /// Plans the edits of all objects, healed or not; all that cannot be made are refused at once.
    pub(crate) fn plan(plan: &LinkPlan, heal: bool) -> Result<Self, LinkError> {
        let objects = plan.objects.iter();
        let objects = objects.filter(|object| heal || !object.edit.is_empty());
        let objects: Vec<&ObjectPlan> = objects.collect();
        let results: Vec<_> = objects
            .par_iter()
            .map(|object| ElfEdit::plan(object, heal))
            .collect();
        let (mut edits, mut failures) = (Self::default(), Vec::new());
        for (object, result) in objects.into_iter().zip(results) {
            match result {
                Ok(edit) => edits.add(edit),
                Err(error) => failures.push((object.path.clone(), error)),
            }
        }
        refuse(failures)?;
        let unusable = plan.unusable.iter().cloned();
        edits
            .warnings
            .extend(unusable.map(InstallWarning::Unusable));
        Ok(edits)
    }

    fn add(&mut self, elf: ElfEdit) {
        let warnings = elf.edit.as_plan().warnings.iter();
        self.warnings
            .extend(warnings.map(|warning| InstallWarning::Elf {
                path: elf.path.clone(),
                warning: *warning,
            }));
        self.edits.push(elf);
    }

    /// How many files change.
    pub(crate) fn count(&self) -> usize {
        let edits = self.edits.iter();
        edits.filter(|it| !it.edit.as_plan().is_noop()).count()
    }

    /// The files that change.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let edits = self.edits.iter();
        let edits = edits.filter(|it| !it.edit.as_plan().is_noop());
        edits.map(|it| &it.file)
    }

    /// Adds the edits to what is to be changed.
    pub(crate) fn add_to(&self, changes: &mut Changes) -> io::Result<()> {
        for elf in &self.edits {
            if elf.is_replaced {
                changes.replace(&elf.file)?;
            } else if !elf.edit.as_plan().is_noop() {
                changes.edit(&elf.file, elf.edit.original(&elf.file)?)?;
            }
        }
        Ok(())
    }

    /// Finds out what the files will be, and writes those that take the place of others.
    pub(crate) fn prepare(&self, applied: &mut Applied) -> Result<(), LinkError> {
        let mut edits = Vec::new();
        for elf in &self.edits {
            if elf.is_replaced {
                edits.push((elf, applied.writer.prepare(&elf.file)?));
            } else if !elf.edit.as_plan().is_noop() {
                edits.push((elf, elf.file.clone()));
            }
        }
        // The largest first: nobody waits for one at the end.
        edits.sort_by_key(|(elf, _)| Reverse(elf.edit.as_plan().new_len));
        let prepared = edits.into_par_iter().with_max_len(1);
        let prepared = prepared.map(|(elf, new)| (elf, elf.prepare(&new)));
        let mut failures = Vec::new();
        for (elf, digest) in prepared.collect::<Vec<_>>() {
            match digest {
                Ok(Some(digest)) => applied.add_planned(&elf.file, digest, elf.edit.as_plan()),
                Ok(None) => {}
                Err(error) => failures.push((elf.path.clone(), error.into())),
            }
        }
        failures.sort_by(|(one, _), (other, _)| one.cmp(other));
        refuse(failures)
    }

    /// Makes the edits of files in their place.
    pub(crate) fn make(&self) -> Result<(), LinkError> {
        let edits = self.edits.par_iter().filter(|it| !it.is_replaced);
        let edits = edits.filter(|it| !it.edit.as_plan().is_noop());
        let failures = edits.filter_map(|elf| {
            let error = elf.edit.apply_in_place(&elf.file).err()?;
            Some((elf.path.clone(), error.into()))
        });
        refuse(failures.collect())
    }

    /// Makes the edits.
    ///
    /// `applied` is true also after an error: each file is edited or as it was. What they are now is known
    /// after [`Applied::hash`] only.
    pub(crate) fn apply(&self, applied: &mut Applied) -> Result<(), LinkError> {
        let results: Vec<_> = self.edits.par_iter().map(ElfEdit::apply).collect();
        let mut failures = Vec::new();
        for (elf, result) in self.edits.iter().zip(results) {
            match result {
                Ok(()) if elf.edit.as_plan().is_noop() => {}
                Ok(()) => applied.add_edited(&elf.file, &elf.path, elf.edit.as_plan()),
                Err(error) => failures.push((elf.path.clone(), error.into())),
            }
        }
        refuse(failures)
    }
}

impl ElfEdit {
    fn plan(object: &ObjectPlan, heal: bool) -> Result<Self, EditFailure> {
        let file = &object.file;
        let edit = FileEdit::plan(file, &request(object, heal))?;
        let (is_linked, is_noop) = (!object.edit.is_empty(), edit.as_plan().is_noop());
        let is_link = fs::symlink_metadata(file)?.is_symlink();
        let is_detached = is_link && (is_linked || !is_noop);
        Ok(Self {
            path: object.path.clone(),
            file: file.clone(),
            is_linked,
            is_replaced: is_detached || !is_noop && edit.needs_copy(file)?,
            edit,
        })
    }

    /// Writes the file that takes its place to `new`, if one does; gives what it will be, if it changes.
    fn prepare(&self, new: &Path) -> Result<Option<FileDigest>, PatchError> {
        let plan = self.edit.as_plan();
        if plan.is_noop() {
            copy_file(&self.file, new)?;
            return Ok(None);
        }
        if self.is_replaced {
            self.edit.write_to(&self.file, new)?;
            return Ok(Some(FileDigest::of_file(new)?));
        }
        let source = open_regular(&self.file)?;
        Ok(Some(FileDigest::of_source(&Planned::new(&source, plan))?))
    }

    fn apply(&self) -> Result<(), PatchError> {
        if self.is_linked || !self.edit.as_plan().is_noop() {
            detach(&self.file)?;
        }
        self.edit.apply(&self.file).map(drop)
    }
}

/// Converts a plan of `wheelfix-link` to a request of `wheelfix-elf`.
fn request(object: &ObjectPlan, heal: bool) -> Request {
    let run_path = object.edit.run_path.as_ref().map(|edit| match edit {
        RunPathEdit::Set(path) => RunPathRequest {
            edit: wheelfix_elf::RunPathEdit::Set(path.text()),
            kind: Some(match path.kind {
                PathKind::Rpath => RunPathKind::Rpath,
                PathKind::Runpath => RunPathKind::Runpath,
            }),
        },
        RunPathEdit::Remove => RunPathRequest {
            edit: wheelfix_elf::RunPathEdit::Remove,
            kind: None,
        },
    });
    let rename = |(from, to): &(String, String)| NeededEdit::Replace {
        from: from.clone(),
        to: to.clone(),
    };
    Request {
        run_path,
        needed: object.edit.rename_needed.iter().map(rename).collect(),
        interpreter: object.edit.interpreter.clone(),
        heal,
        ..Request::default()
    }
}
