//! The parts of a virtual environment that a change concerns: the distributions that changed, those that depend on
//! them, and what all of these need.
//!
//! Distributions depend on one another by what they require and by the names of libraries; both count.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use wheelfix_format::PackageName;

use super::stamps::{Names, Stamp};
use super::units::{Units, holds_parts, name_in, unit_of};
use crate::patch::virtual_environment::VirtualEnvironment;
use crate::record::update::files_by_directory;

/// Longer METADATA is not looked at; in bytes.
const MAX_METADATA: u64 = 16 << 20;

/// The distributions of an environment.
#[derive(Debug, Default)]
pub(crate) struct Distributions(Vec<Distribution>);

/// A distribution that is installed.
#[derive(Debug)]
struct Distribution {
    /// Its `.dist-info`.
    directory: PathBuf,
    name: Option<PackageName>,
    requires: BTreeSet<PackageName>,
    /// The parts with its files.
    units: BTreeSet<String>,
}

/// The parts to look at.
#[derive(Debug)]
pub(crate) struct Affected {
    /// By their names.
    pub(crate) units: BTreeSet<String>,
    /// The RECORD files of the distributions that these belong to.
    pub(crate) records: Vec<PathBuf>,
    /// The names of the directories of all other distributions.
    pub(crate) unchanged: Vec<String>,
}

impl Distributions {
    /// Reads what an environment has.
    pub(crate) fn of(environment: &VirtualEnvironment) -> io::Result<Self> {
        let read = |directory: PathBuf| Distribution::read(environment, directory);
        let found: io::Result<Vec<_>> =
            dist_infos(environment)?.into_par_iter().map(read).collect();
        found.map(Self)
    }

    /// The parts that a change of some concerns. `names` are those by which parts depend on one another, of gone ones
    /// too.
    pub(crate) fn affected(
        &self,
        changed: &BTreeSet<String>,
        names: &BTreeMap<String, Names>,
        units: &Units,
    ) -> Affected {
        let mut affected = changed.clone();
        self.spread(&mut affected, names, true);
        self.spread(&mut affected, names, false);
        let is_in = |distribution: &&Distribution| {
            distribution
                .units
                .iter()
                .any(|unit| affected.contains(unit))
        };
        let (looked_at, others): (Vec<_>, Vec<_>) = self.0.iter().partition(is_in);
        let records = looked_at.iter().map(|it| it.directory.join("RECORD"));
        Affected {
            records: records.filter(|record| record.is_file()).collect(),
            unchanged: others.iter().map(|it| file_name(&it.directory)).collect(),
            units: affected
                .into_iter()
                .filter(|unit| units.found.contains_key(unit))
                .collect(),
        }
    }

    /// Adds the distributions of parts, and, until there are no more, those that depend on them, or on which they depend.
    fn spread(
        &self,
        affected: &mut BTreeSet<String>,
        names: &BTreeMap<String, Names>,
        to_users: bool,
    ) {
        loop {
            let before = affected.len();
            let by_name = related_by_name(affected, names, to_users);
            let of_affected = self.0.iter().filter(|distribution| {
                distribution
                    .units
                    .iter()
                    .any(|unit| affected.contains(unit))
            });
            let of_affected: Vec<&Distribution> = of_affected.collect();
            let mut wanted = BTreeSet::new();
            for distribution in &of_affected {
                if to_users {
                    wanted.extend(&distribution.name);
                } else {
                    wanted.extend(&distribution.requires);
                }
            }
            let is_related = |distribution: &&Distribution| {
                if to_users {
                    distribution
                        .requires
                        .iter()
                        .any(|name| wanted.contains(name))
                } else {
                    distribution
                        .name
                        .as_ref()
                        .is_some_and(|name| wanted.contains(name))
                }
            };
            let related = self.0.iter().filter(is_related);
            let all = of_affected.iter().copied().chain(related);
            let units: Vec<String> = all.flat_map(|it| &it.units).cloned().collect();
            affected.extend(units.into_iter().chain(by_name));
            if affected.len() == before {
                return;
            }
        }
    }
}

/// The parts that need what some provide, or the other way round; these themselves are among them if they do.
fn related_by_name(
    units: &BTreeSet<String>,
    names: &BTreeMap<String, Names>,
    to_users: bool,
) -> Vec<String> {
    let of_units = units.iter().filter_map(|unit| names.get(unit));
    let given: BTreeSet<&String> = of_units.flat_map(|names| names.side(to_users)).collect();
    let concerns = |names: &Names| {
        let asked = names.side(!to_users);
        asked.iter().any(|name| given.contains(name))
    };
    let related = names.iter().filter(|(_, names)| concerns(names));
    related.map(|(unit, _)| unit.clone()).collect()
}

impl Distribution {
    fn read(environment: &VirtualEnvironment, directory: PathBuf) -> io::Result<Self> {
        let unit = |path: &Path| name_in(&environment.root, &unit_of(environment, path));
        let mut units = BTreeSet::from([unit(&directory.join("RECORD"))]);
        let record = directory.join("RECORD");
        if record.is_file() {
            // Of one that is not valid the run over all says so.
            let directories = files_by_directory(&record)?.into_iter();
            let own = directories.filter(|(directory, _)| directory.starts_with(&environment.root));
            for (directory, names) in own {
                let files = names.iter().map(|name| directory.join(name));
                if holds_parts(environment, &directory) {
                    units.extend(files.map(|file| unit(&file)));
                } else {
                    units.extend(files.take(1).map(|file| unit(&file)));
                }
            }
        }
        let stem = file_name(&directory);
        let name = stem.split('-').next().and_then(|name| name.parse().ok());
        Ok(Self {
            name,
            requires: requires(&directory.join("METADATA"))?,
            units,
            directory,
        })
    }
}

/// The `.dist-info` directories of an environment, sorted.
fn dist_infos(environment: &VirtualEnvironment) -> io::Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    for site in &environment.site_packages {
        for entry in fs::read_dir(site)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "dist-info") && path.is_dir() {
                directories.push(path);
            }
        }
    }
    directories.sort();
    Ok(directories)
}

/// The names of these.
pub(crate) fn directories(environment: &VirtualEnvironment) -> io::Result<Vec<String>> {
    let directories = dist_infos(environment)?;
    Ok(directories.iter().map(|path| file_name(path)).collect())
}

/// The names that METADATA requires, whatever the markers and extras.
fn requires(metadata: &Path) -> io::Result<BTreeSet<PackageName>> {
    let mut names = BTreeSet::new();
    if !metadata.is_file() {
        return Ok(names);
    }
    let text = BufReader::new(fs::File::open(metadata)?.take(MAX_METADATA));
    for line in text.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if line.trim_end().is_empty() {
            break;
        }
        let Some((field, value)) = line.split_once(':') else {
            continue;
        };
        if field.eq_ignore_ascii_case("Requires-Dist") {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let value = value.trim();
            let end = value.find(|c| !is_part(c)).unwrap_or(value.len());
            names.extend(
                value
                    .get(..end)
                    .and_then(|name| name.parse::<PackageName>().ok()),
            );
        }
    }
    Ok(names)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The names that all parts have, of stamps and of what was read since.
pub(crate) fn names_with(
    stamps: &BTreeMap<String, Stamp>,
    read: &BTreeMap<String, Names>,
) -> BTreeMap<String, Names> {
    let known = stamps
        .iter()
        .map(|(unit, stamp)| (unit.clone(), stamp.names.clone()));
    let mut names: BTreeMap<String, Names> = known.collect();
    for (unit, read) in read {
        let of_unit = names.entry(unit.clone()).or_default();
        of_unit.provides.extend(read.provides.iter().cloned());
        of_unit.needs.extend(read.needs.iter().cloned());
    }
    names
}
