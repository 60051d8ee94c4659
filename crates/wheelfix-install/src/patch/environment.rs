//! The relocation of a virtual environment that was relocated before: only of what has changed since.
//!
//! The [stamps] say what each part was when it was proved, and tell it from another one by what cannot change
//! without notice: the names, numbers, sizes and times of all files. Directories of which all names are as they were are
//! [not listed](listing). Where none is different, nothing is read. Otherwise the distributions that changed are linked and proved with those that depend on them and what all of
//! these need, as an environment of their own; where that fails, all is looked at, which decides.

mod affected;
mod listing;
mod settings;
mod stamps;
mod units;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use wheelfix_elf::temporary_file;
use wheelfix_link::{LibraryTable, PythonSource, Tree};
use wheelfix_loader::Place;

use self::affected::{Affected, Distributions, names_with};
use self::listing::{Listing, look};
pub use self::settings::Settings;
use self::stamps::{Stamp, Stamps, facts_of_table, key, names_of};
use self::units::Units;
use crate::atomic::left_over::{clean_up_above, scan_clean};
use crate::event::Listener;
use crate::patch::table::table_of;
use crate::patch::virtual_environment::VirtualEnvironment;
use crate::patch::{Extent, PatchReport, PatchRequest, link_in};
use crate::pipeline::error::LinkError;
use crate::pipeline::error::PipelineError;
use crate::pool::in_pool;
use crate::record::tops;

/// A clock of file times that stands still for longer is not waited for.
const TICK: Duration = Duration::from_millis(50);

/// So long passes between looks at that clock.
const STEP: Duration = Duration::from_micros(200);

/// An environment that may have changed since it was last proved.
#[derive(Debug)]
pub struct Outdated {
    environment: VirtualEnvironment,
    settings: String,
    stamps: Option<Stamps>,
    /// Whether an earlier run has made the table of libraries.
    owns_table: bool,
    units: Units,
}

/// The state of an environment.
#[derive(Debug)]
pub enum EnvironmentState {
    /// Nothing has changed: the names of the `.dist-info` directories, sorted.
    Unchanged(Vec<String>),
    /// Something may have.
    Outdated(Box<Outdated>),
}

/// The report on an environment.
#[derive(Debug)]
pub struct EnvironmentReport {
    /// The report on what was looked at.
    pub report: PatchReport,
    /// The names of the `.dist-info` directories of distributions that have not changed and were not
    /// looked at, sorted.
    pub unchanged: Vec<String>,
}

/// Tells whether an environment is as it was when it was last proved with these settings. No ELF file is
/// read. With `remembers` what was seen is written down for the next look.
pub fn look_at_environment(
    environment: VirtualEnvironment,
    settings: &Settings,
    jobs: NonZeroUsize,
    remembers: bool,
) -> Result<EnvironmentState, PipelineError> {
    in_pool(jobs, || {
        clean_up_above([&environment.root])?;
        let settings = settings.digest(&environment)?;
        let stamps = Stamps::read(&environment);
        let known = stamps.as_ref().map(|stamps| &stamps.directories);
        let units = Units::of(&environment, known.unwrap_or(&BTreeMap::new()))?;
        let owns_table = stamps.as_ref().is_some_and(|stamps| stamps.owns_table);
        let mut stamps = stamps.filter(|stamps| {
            let is_known = !units.is_open && !units.is_disturbed && stamps.settings == settings;
            is_known && stamps.table == facts_of_table(&environment)
        });
        if let Some(stamps) = &mut stamps
            && stamps.changed(&units).is_empty()
        {
            if remembers && units.directories != stamps.directories {
                stamps.directories = units.directories;
                stamps.write(&environment)?;
            }
            return Ok(EnvironmentState::Unchanged(affected::directories(
                &environment,
            )?));
        }
        Ok(EnvironmentState::Outdated(Box::new(Outdated {
            environment,
            settings,
            stamps,
            owns_table,
            units,
        })))
    })
}

impl Outdated {
    /// Whether the environment was proved before with these settings, so that its Python is the one that was asked then.
    pub fn knows_python(&self) -> bool {
        self.stamps.is_some()
    }

    /// Links and proves what has changed, and all if need be.
    ///
    /// `request` is about the environment as a whole.
    pub fn patch(
        self,
        request: &PatchRequest,
        listener: &Listener<'_>,
    ) -> Result<EnvironmentReport, PipelineError> {
        in_pool(request.jobs, || {
            if let Some(affected) = self.affected()?
                && let Ok(report) = self.patch_in(request, Some(affected), listener)
            {
                return Ok(report);
            }
            self.patch_in(request, None, listener)
        })
    }

    /// The parts to look at; `None` for all of them.
    fn affected(&self) -> Result<Option<Affected>, PipelineError> {
        let Some(stamps) = &self.stamps else {
            return Ok(None);
        };
        let changed = stamps.changed(&self.units);
        let distributions = Distributions::of(&self.environment)?;
        let places = self.places(&changed);
        let tree = scan_clean(&places, Tree::scan_own).map_err(LinkError::from)?;
        let names = names_with(&stamps.units, &names_of(&self.environment, &tree));
        let affected = distributions.affected(&changed, &names, &self.units);
        let is_most = self.units.found.len() <= affected.units.len() * 4 / 3;
        Ok((!is_most).then_some(affected))
    }

    /// The places of parts that are there; none is below another.
    fn places(&self, units: &BTreeSet<String>) -> Vec<Place> {
        let found = units.iter().filter_map(|name| self.units.found.get(name));
        let tops = tops(&found.map(|unit| unit.path.clone()).collect());
        tops.into_iter().map(Place::fixed).collect()
    }

    fn patch_in(
        &self,
        request: &PatchRequest,
        affected: Option<Affected>,
        listener: &Listener<'_>,
    ) -> Result<EnvironmentReport, PipelineError> {
        let root = &self.environment.root;
        let roots = BTreeSet::from([root.clone()]);
        let mut extent = Extent {
            places: vec![Place::fixed(root.clone())],
            roots,
            records: None,
            known_table: LibraryTable::default(),
            owns_table: self.owns_table,
        };
        let (mut looked_at, mut unchanged) = (None, Vec::new());
        if let Some(affected) = affected {
            extent.places = self.places(&affected.units);
            extent.records = Some(affected.records);
            extent.known_table = self.known_table(&affected.units);
            (looked_at, unchanged) = (Some(affected.units), affected.unchanged);
        }
        let seen = RefCell::new(None);
        let before = self.look_again(looked_at.as_ref())?;
        let before_proof = |changed: &BTreeSet<PathBuf>| -> io::Result<()> {
            if moves_on(root)? {
                let now = self.look_again(looked_at.as_ref())?;
                seen.replace(Some((now, changed.clone())));
            }
            Ok(())
        };
        let (report, tree) = link_in(request, &extent, listener, &before_proof)?;
        match seen.into_inner() {
            Some((now, changed)) => {
                // What came meanwhile was not planned: the next run is to notice it.
                let seen = now.into_planned(before, &changed);
                self.write(&seen, &tree, looked_at.as_ref(), request.library_table)?;
            }
            None if request.dry_run => {}
            None => Stamps::remove(root)?,
        }
        Ok(EnvironmentReport { report, unchanged })
    }

    /// The entries of the table for parts that are not looked at.
    fn known_table(&self, looked_at: &BTreeSet<String>) -> LibraryTable {
        let stamps = self.stamps.iter().flat_map(|stamps| &stamps.units);
        let others = stamps
            .filter(|(name, _)| self.units.found.contains_key(*name) && !looked_at.contains(*name));
        let needs: BTreeSet<&str> = others
            .flat_map(|(_, stamp)| stamp.names.needs.iter().map(String::as_str))
            .collect();
        let mut table = table_of(&self.environment);
        table.retain(|name| needs.contains(key(name).as_str()));
        table
    }

    /// The parts that are looked at, as they are now; all parts if it is all of them.
    fn look_again(&self, looked_at: Option<&BTreeSet<String>>) -> io::Result<Listing> {
        let root = &self.environment.root;
        match looked_at {
            Some(names) => self.units.list_again(&self.environment, names),
            None => look(root, root, &BTreeMap::new()),
        }
    }

    /// Writes the stamps of what was proved, and keeps those of what was not looked at.
    fn write(
        &self,
        seen: &Listing,
        tree: &Tree,
        looked_at: Option<&BTreeSet<String>>,
        owns_table: bool,
    ) -> io::Result<()> {
        let environment = &self.environment;
        let counted = counted_files(tree);
        let units = Units::from(environment, seen, &|directory, name| {
            counted.contains(directory.path.join(name).as_os_str())
        });
        if units.is_open {
            return Stamps::remove(&environment.root);
        }
        let is_seen = |name: &str| looked_at.is_none_or(|names| names.contains(name));
        let is_kept = |name: &str| self.units.found.contains_key(name) && !is_seen(name);
        let mut stamps = Stamps::new(environment, self.settings.clone(), owns_table)?;
        if let Some(old) = &self.stamps {
            // One that has gone since the first look is noticed as gone by the next run.
            let kept = old.units.iter().filter(|(name, _)| is_kept(name));
            let kept = kept.map(|(name, stamp)| (name.clone(), stamp.clone()));
            stamps.units.extend(kept);
            stamps.directories = self.units.directories_of(environment, is_kept);
        }
        let seen = units.directories_of(environment, is_seen);
        stamps.directories.extend(seen);
        let mut names = names_of(environment, tree);
        for (name, unit) in units.found {
            if !is_seen(&name) {
                // Parts lie in others.
                continue;
            }
            let stamp = Stamp {
                digest: unit.digest,
                names: names.remove(&name).unwrap_or_default(),
            };
            stamps.units.insert(name, stamp);
        }
        stamps.write(environment)
    }
}

/// The files of a tree that the proof is about.
fn counted_files(tree: &Tree) -> BTreeSet<&OsStr> {
    let objects = tree.objects().map(|object| object.path.as_path());
    let skipped = tree.skipped.iter().map(|skipped| skipped.path.as_path());
    let unreadable = tree.unreadable.iter().chain(&tree.data);
    let unreadable = unreadable.map(|unreadable| unreadable.path.as_path());
    let opens =
        |source: &&PythonSource| !source.loads.is_empty() || !source.unnamed_loads.is_empty();
    let sources = tree.sources.iter().filter(opens);
    let sources = sources.map(|source| source.path.as_path());
    let elf = objects.chain(skipped).chain(unreadable);
    elf.chain(sources).map(Path::as_os_str).collect()
}

/// Waits until the clock of file times in a directory has moved on, so that whatever changes later has another time than
/// what has changed by now. Tells whether it has.
///
/// The clock of most systems stands still for some milliseconds, and that of a network's file system is not ours: a file
/// that is written again and again shows it.
fn moves_on(directory: &Path) -> io::Result<bool> {
    let begin = Instant::now();
    let mut file = temporary_file(directory)?;
    let mut time = || -> io::Result<(i64, i64)> {
        file.write_all(b".")?;
        let metadata = file.as_file().metadata()?;
        Ok((metadata.ctime(), metadata.ctime_nsec()))
    };
    let first = time()?;
    loop {
        if first < time()? {
            return Ok(true);
        }
        if TICK < begin.elapsed() {
            return Ok(false);
        }
        thread::sleep(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_later_has_another_time() {
        let dir = tempfile::tempdir().unwrap();
        let files = ["one", "other"].map(|name| dir.path().join(name));
        for _ in 0..50 {
            fs_err::write(&files[0], "x").unwrap();
            assert!(moves_on(dir.path()).unwrap());
            fs_err::write(&files[1], "x").unwrap();
            // Some systems give a file that was looked at a time of its own anyway.
            let times = files.each_ref().map(|file| {
                let metadata = fs_err::metadata(file).unwrap();
                (metadata.ctime(), metadata.ctime_nsec())
            });
            assert!(times[0] < times[1], "{times:?}");
        }
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 2);
    }
}
