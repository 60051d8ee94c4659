//! The last edits of an installation: first lines of scripts, dropped files, and RECORD.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_format::{Record, RecordHash, RecordRow};
use wheelfix_wheel::Wheel;

use crate::atomic::writer::{replace, write_new};
use crate::digest::FileDigest;
use crate::extraction::Extraction;
use crate::files::{File, Files};
use crate::install::standalone;
use crate::launcher;
use crate::layout::Layout;
use crate::pipeline::applied::Applied;
use crate::shebang::KeptScript;
use crate::shebang::{Programs, foreign_interpreter};
use crate::warning::InstallWarning;

/// An installation whose files are written.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) wheels: &'a [Wheel],
    pub(crate) planned: &'a Files<'a>,
    pub(crate) layout: &'a Layout,
    /// The staging directory.
    pub(crate) root: &'a Path,
    /// Where it will be.
    pub(crate) prefix: &'a Path,
    /// Prefixes that scripts find by themselves; `None` leaves scripts alone.
    pub(crate) standalone: Option<&'a [PathBuf]>,
}

/// The new text of a script; `None` leaves it as it is.
type ScriptEdit<'a> = dyn FnMut(&File<'_>, &[u8]) -> Option<Vec<u8>> + 'a;

impl Site<'_> {
    /// Finishes the files and writes the RECORD of each wheel; gives what is to be known of scripts.
    pub(crate) fn finish(
        &self,
        extraction: &Extraction,
        applied: &Applied,
        programs: Programs<'_>,
    ) -> std::io::Result<Vec<InstallWarning>> {
        let mut digests = extraction.digests.clone();
        let mut warnings = Vec::new();
        let mut edit = |positions: &[usize], edit: &mut ScriptEdit<'_>| {
            for position in positions {
                if let (Some(file), Some(digest)) =
                    (self.planned.list.get(*position), digests.get_mut(*position))
                    && let Some(edited) = self.edit_script(file, edit)?
                {
                    *digest = edited;
                }
            }
            std::io::Result::Ok(())
        };
        edit(&extraction.placeholders, &mut |_, script| {
            launcher::with_interpreter(script, programs.python)
        })?;
        if let Some(line) = self.search_line() {
            let scripts = [&self.entry_points()[..], &extraction.placeholders].concat();
            edit(&scripts, &mut |_, script| {
                standalone::with_line(script, &line)
            })?;
        }
        edit(&extraction.foreign_scripts, &mut |file, script| {
            let interpreter = foreign_interpreter(script)?;
            let edited = if file.is_source() {
                Err(KeptScript::Source)
            } else {
                programs.with_interpreter(script, interpreter)
            };
            if let Err(reason) = &edited {
                warnings.push(InstallWarning::Script {
                    path: self.prefix.join(&file.path),
                    interpreter: interpreter.to_owned(),
                    reason: *reason,
                });
            }
            edited.ok()
        })?;
        self.write_records(digests, applied)?;
        Ok(warnings)
    }

    /// Writes the RECORD of each wheel; `digests` are of all files before what was applied to them.
    fn write_records(&self, digests: Vec<FileDigest>, applied: &Applied) -> std::io::Result<()> {
        let mut rows: Vec<Vec<RecordRow>> = vec![Vec::new(); self.wheels.len()];
        let is_changed = !(applied.changes.removed.is_empty() && applied.changes.edited.is_empty());
        for (file, mut digest) in self.planned.list.iter().zip(digests) {
            if is_changed {
                let path = self.root.join(&file.path);
                if applied.changes.removed.contains(&path) {
                    continue;
                }
                digest = applied.changes.edited.get(&path).copied().unwrap_or(digest);
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

    /// The line by which scripts find modules; `None` leaves them alone.
    fn search_line(&self) -> Option<String> {
        let site_packages = self.layout.site_packages();
        let others = self.standalone?;
        Some(standalone::search_line(others, &site_packages))
    }

    /// Positions of the programs of entry points.
    fn entry_points(&self) -> Vec<usize> {
        let files = self.planned.list.iter().enumerate();
        let scripts = files.filter(|(_, file)| file.is_entry_point());
        scripts.map(|(position, _)| position).collect()
    }

    /// Edits a script, if there is something to edit.
    fn edit_script(
        &self,
        file: &File<'_>,
        edit: &mut ScriptEdit<'_>,
    ) -> std::io::Result<Option<FileDigest>> {
        let path = self.root.join(&file.path);
        let Some(script) = edit(file, &fs::read(&path)?) else {
            return Ok(None);
        };
        // By a rename: others may read the file still.
        replace(&path, &script)?;
        Ok(Some(FileDigest::of_bytes(&script)))
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
        // What is beside the packages belongs to nobody else.
        let mut wheels = self.wheels.iter().map(Wheel::dist_info);
        let is_first = wheels.all(|other| wheel.dist_info() <= other);
        let site = self.root.join(&site_packages);
        let added = applied.changes.added.iter().filter_map(|(path, digest)| {
            let is_beside = is_first && path.parent() == Some(&site);
            if !is_beside {
                path.strip_prefix(&dist_info).ok()?;
            }
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
