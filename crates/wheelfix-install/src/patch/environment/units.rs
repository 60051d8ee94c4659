//! The parts of a virtual environment, and how each is told from what it was before, without reading
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::listing::{Directory, Found, Listed, Listing, look};
use crate::patch::virtual_environment::VirtualEnvironment;
use crate::record::tops;

/// The parts of an environment at one moment.
#[derive(Debug, Default)]
pub(crate) struct Units {
    /// By their paths, relative to the environment.
    pub(crate) found: BTreeMap<String, Unit>,
    /// Whether a link leads to a directory elsewhere, of which nothing is known here.
    pub(crate) is_open: bool,
    /// Whether another run left something behind, or works here just now.
    pub(crate) is_disturbed: bool,
    /// The directories that lie in parts, and may be known from now on.
    pub(crate) directories: BTreeMap<String, Directory>,
}

/// A part of an environment: a package or half of one, a module, a program.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its file or directory.
    pub(crate) path: PathBuf,
    /// A digest of names, numbers, sizes and times of its files.
    pub(crate) digest: String,
}

impl Units {
    /// Looks at an environment, and not at all files of the directories that are known.
    pub(crate) fn of(
        environment: &VirtualEnvironment,
        known: &BTreeMap<String, Directory>,
    ) -> io::Result<Self> {
        let listing = look(&environment.root, &environment.root, known)?;
        Ok(Self::from(environment, &listing, &Listed::counted))
    }

    /// The directories of those parts whose names are accepted.
    pub(crate) fn directories_of(
        &self,
        environment: &VirtualEnvironment,
        accepts: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, Directory> {
        let root = &environment.root;
        let is_in = |path: &str| accepts(&name_in(root, &part_of(environment, &root.join(path))));
        let directories = self.directories.iter().filter(|(path, _)| is_in(path));
        directories
            .map(|(path, directory)| (path.clone(), directory.clone()))
            .collect()
    }

    /// Makes them of all that was seen in an environment; `counts` tells which files are to be looked at the next
    /// time, too, whether their directory is as it was or not.
    pub(crate) fn from(
        environment: &VirtualEnvironment,
        listing: &Listing,
        counts: &dyn Fn(&Listed, &str) -> bool,
    ) -> Self {
        let root = &environment.root;
        let mut hashers: BTreeMap<PathBuf, Sha256> = BTreeMap::new();
        let mut directories = BTreeMap::new();
        for listed in &listing.listed {
            if holds_parts(environment, &listed.path) {
                for file in &listed.files {
                    let hasher = hashers.entry(listed.path.join(&file.name)).or_default();
                    add_file(hasher, file);
                }
                continue;
            }
            let directory = listed.directory(counts);
            let name = name_in(root, &listed.path);
            if directory.others.is_some() || !directory.counted.is_empty() {
                let hasher = hashers
                    .entry(part_of(environment, &listed.path))
                    .or_default();
                add(hasher, name.as_bytes());
                add(hasher, directory.others.as_deref().unwrap_or("").as_bytes());
                let files = listed.files.iter();
                for file in files.filter(|file| file.is_in(&directory.counted)) {
                    add_file(hasher, file);
                }
            }
            directories.insert(name, directory);
        }
        let units = hashers.into_iter().map(|(path, hasher)| {
            let digest = HEXLOWER.encode(&hasher.finalize());
            (name_in(root, &path), Unit { path, digest })
        });
        Self {
            found: units.collect(),
            is_open: listing.is_open,
            is_disturbed: listing.is_disturbed,
            directories,
        }
    }

    /// Lists the files of the parts with these names that are there.
    pub(crate) fn list_again(
        &self,
        environment: &VirtualEnvironment,
        names: &BTreeSet<String>,
    ) -> io::Result<Listing> {
        let parts = names.iter().filter_map(|name| self.found.get(name));
        let paths = parts.map(|part| part.path.clone()).collect();
        let mut all = Listing::default();
        for path in tops(&paths) {
            all.extend(look(&environment.root, &path, &BTreeMap::new())?);
        }
        Ok(all)
    }
}

/// Adds a file or link to what tells a part from another.
fn add_file(hasher: &mut Sha256, file: &Found) {
    add(hasher, file.name.as_bytes());
    add(hasher, &file.fact);
}

fn add(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Whether the files of a directory are parts of their own.
pub(crate) fn holds_parts(environment: &VirtualEnvironment, directory: &Path) -> bool {
    let file = directory.join("file");
    unit_of(environment, &file) == file
}

/// The part that the files of a directory belong to.
fn part_of(environment: &VirtualEnvironment, directory: &Path) -> PathBuf {
    unit_of(environment, &directory.join("file"))
}

/// The name of a part, by its path.
pub(crate) fn name_in(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().into_owned()
}

/// The part that a file belongs to. Of packages the directories below are parts of their own: those
/// of a namespace come from many distributions.
pub(crate) fn unit_of(environment: &VirtualEnvironment, file: &Path) -> PathBuf {
    let mut sites = environment.site_packages.iter();
    let site = sites.find(|site| file.starts_with(site));
    let base = site.unwrap_or(&environment.root);
    let inside = file.strip_prefix(base).unwrap_or(file);
    let names: Vec<&OsStr> = inside.iter().collect();
    let len = match (names.len(), site) {
        (0 | 1, _) | (2, Some(_)) => 1,
        _ => 2,
    };
    names
        .into_iter()
        .take(len)
        .fold(base.clone(), |path, name| path.join(name))
}
