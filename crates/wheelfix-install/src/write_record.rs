//! The last edits of an installation: first lines of scripts, dropped files, and RECORD.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_format::{Record, RecordHash, RecordRow};
use wheelfix_wheel::Wheel;

use crate::digest::FileDigest;
use crate::extraction::{Extraction, write_new};
use crate::files::{File, Files};
use crate::launcher::{self, Interpreter};
use crate::layout::Layout;
use crate::linking::Applied;

/// An installation whose files are written.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) wheels: &'a [Wheel],
    pub(crate) planned: &'a Files<'a>,
    pub(crate) layout: &'a Layout,
    /// The staging directory.
    pub(crate) root: &'a Path,
}

impl Site<'_> {
    /// Finishes the files and writes the RECORD of each wheel.
    pub(crate) fn finish(
        &self,
        extraction: &Extraction,
        applied: &Applied,
        interpreter: &Interpreter,
    ) -> std::io::Result<()> {
        let mut digests = extraction.digests.clone();
        for position in &extraction.placeholders {
            if let (Some(file), Some(digest)) =
                (self.planned.list.get(*position), digests.get_mut(*position))
            {
                *digest = self.replace_placeholder(file, interpreter)?;
            }
        }
        let mut rows: Vec<Vec<RecordRow>> = vec![Vec::new(); self.wheels.len()];
        let is_changed = !(applied.removed.is_empty() && applied.edited.is_empty());
        for (file, mut digest) in self.planned.list.iter().zip(digests) {
            if is_changed {
                let path = self.root.join(&file.path);
                if applied.removed.contains(&path) {
                    continue;
                }
                digest = applied.edited.get(&path).copied().unwrap_or(digest);
            }
            for wheel in &file.wheels {
                if let Some(rows) = rows.get_mut(*wheel) {
                    rows.push(self.row(file, digest));
                }
            }
        }
        for (wheel, mut rows) in self.wheels.iter().zip(rows) {
            rows.extend(self.added(wheel, applied, &rows));
            self.write_record(wheel, rows)?;
        }
        Ok(())
    }

    fn replace_placeholder(
        &self,
        file: &File<'_>,
        interpreter: &Interpreter,
    ) -> std::io::Result<FileDigest> {
        let path = self.root.join(&file.path);
        let mut script = fs::read(&path)?;
        if let Some(text) = launcher::with_interpreter(&script, interpreter) {
            script = text;
            // In place: the file is ours alone, and its mode is right already.
            fs::write(&path, &script)?;
        }
        Ok(FileDigest::of_bytes(&script))
    }

    fn row(&self, file: &File<'_>, digest: FileDigest) -> RecordRow {
        RecordRow {
            path: self.layout.from_site_packages(&file.path),
            hash: Some(RecordHash::sha256(digest.sha256)),
            size: Some(digest.len),
        }
    }

    /// By `.dist-info` directory in the staging directory: those of the files that its wheel brought.
    pub(crate) fn owners(&self, files: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
        let mut owners: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        for file in &self.planned.list {
            let path = self.root.join(&file.path);
            let wheels = file
                .wheels
                .iter()
                .filter_map(|wheel| self.wheels.get(*wheel));
            for wheel in wheels.filter(|_| files.contains(&path)) {
                let dist_info = self.dist_info(wheel);
                owners.entry(dist_info).or_default().insert(path.clone());
            }
        }
        owners
    }

    fn dist_info(&self, wheel: &Wheel) -> PathBuf {
        let site_packages = self.root.join(self.layout.site_packages());
        site_packages.join(wheel.dist_info())
    }

    /// The rows of the files that were added to a `.dist-info` directory, unless the wheel has them.
    fn added(&self, wheel: &Wheel, applied: &Applied, rows: &[RecordRow]) -> Vec<RecordRow> {
        let (dist_info, site_packages) = (self.dist_info(wheel), self.layout.site_packages());
        let added = applied.added.iter().filter_map(|(path, digest)| {
            path.strip_prefix(&dist_info).ok()?;
            let path = path.strip_prefix(self.root.join(&site_packages)).ok()?;
            Some(RecordRow {
                path: path.to_str()?.to_owned(),
                hash: Some(RecordHash::sha256(digest.sha256)),
                size: Some(digest.len),
            })
        });
        let is_new = |row: &RecordRow| rows.iter().all(|known| known.path != row.path);
        added.filter(is_new).collect()
    }

    fn write_record(&self, wheel: &Wheel, mut rows: Vec<RecordRow>) -> std::io::Result<()> {
        let path = format!("{}/RECORD", wheel.dist_info());
        rows.push(RecordRow::unhashed(path.clone()));
        let text = Record { rows }.to_string();
        let site_packages = self.root.join(self.layout.site_packages());
        write_new(&site_packages.join(path), text.as_bytes(), false)
    }
}
