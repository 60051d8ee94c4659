//! Takes back what was done to files in their place.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;
use wheelfix_link::Place;

use crate::detach::copy_file;
use crate::linking::Applied;
use crate::record_update::records_below;
use crate::unbundling::Planned;

/// The files that a plan changes, as they were.
#[derive(Debug)]
pub(crate) struct Rollback {
    /// Where the file was, and where its copy is.
    saved: Vec<(PathBuf, PathBuf)>,
    /// Beside the places, so that a copy can be renamed to where its file was.
    directory: TempDir,
}

impl Rollback {
    /// Copies all files that the plan changes, the texts that have to tell the truth about them, and
    /// further files.
    pub(crate) fn save(
        places: &[Place],
        planned: &Planned,
        roots: &BTreeSet<PathBuf>,
        more: impl Iterator<Item = PathBuf>,
    ) -> io::Result<Self> {
        let mut rollback = Self {
            saved: Vec::new(),
            directory: beside(places)?,
        };
        let mut files: BTreeSet<PathBuf> = more.collect();
        files.extend(planned.link_plan.edits().map(|object| object.file.clone()));
        files.extend(planned.link_plan.drops.iter().map(|drop| drop.file.clone()));
        files.extend(
            planned
                .unbundling
                .removed
                .iter()
                .map(|removed| removed.file.clone()),
        );
        files.extend(
            planned
                .link_plan
                .sources
                .iter()
                .map(|edit| edit.file.clone()),
        );
        for root in roots {
            for record in records_below(root)? {
                files.extend(sboms_beside(&record)?);
                files.insert(record);
            }
        }
        for (number, file) in files.into_iter().enumerate() {
            let copy = rollback.directory.path().join(number.to_string());
            if fs::symlink_metadata(&file)?.file_type().is_symlink() {
                fs::os::unix::fs::symlink(fs::read_link(&file)?, &copy)?;
            } else {
                copy_file(&file, &copy)?;
            }
            rollback.saved.push((file, copy));
        }
        Ok(rollback)
    }

    /// Puts all files back, and removes those that are new.
    pub(crate) fn restore(self, applied: &Applied) -> io::Result<()> {
        let known: BTreeSet<&PathBuf> = self.saved.iter().map(|(file, _)| file).collect();
        for added in applied.added.keys().filter(|added| !known.contains(added)) {
            fs::remove_file(added)?;
            // Only if nothing else is in it.
            fs::remove_dir(added.parent().unwrap_or(added)).ok();
        }
        for (file, copy) in &self.saved {
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent)?;
            }
            if fs::rename(copy, file).is_err() {
                // On another file system.
                fs::copy(copy, file)?;
            }
        }
        self.directory.close()
    }
}

/// A directory beside the first place, or among the temporary ones if nothing can be made there.
fn beside(places: &[Place]) -> io::Result<TempDir> {
    let parent = places.first().and_then(|place| place.on_disk.parent());
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".wheelfix-");
    let beside = parent.and_then(|parent| builder.tempdir_in(parent).ok());
    beside.map_or_else(|| builder.tempdir(), Ok)
}

fn sboms_beside(record: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = record.with_file_name("sboms");
    let mut files = Vec::new();
    if directory.is_dir() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_file() {
                files.push(path);
            }
        }
    }
    Ok(files)
}
