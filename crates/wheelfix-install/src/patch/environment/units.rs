//! The parts of a virtual environment, and how each is told from what it was before, without reading
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::slice::Chunks;

use data_encoding::HEXLOWER;
use fs_err as fs;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use wheelfix_elf::is_temporary;
use wheelfix_link::is_of_table;
use wheelfix_loader::existing_path;

use crate::atomic::left_over::is_ours;
use crate::patch::virtual_environment::{LOCK, VirtualEnvironment};
use crate::record::tops;

/// Python's own directories of bytecode, which importing fills.
const BYTECODE: &str = "__pycache__";

/// The parts of an environment at one moment.
#[derive(Debug, Default)]
pub(crate) struct Units {
    /// By their paths, relative to the environment.
    pub(crate) found: BTreeMap<String, Unit>,
    /// Whether a link leads to a directory elsewhere, of which nothing is known here.
    pub(crate) is_open: bool,
    /// Whether another run left something behind, or works here just now.
    pub(crate) is_disturbed: bool,
}

/// A part of an environment: a package or half of one, a module, a program.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its file or directory.
    pub(crate) path: PathBuf,
    /// A digest of names, numbers, sizes and times of its files.
    pub(crate) digest: String,
}

/// A file, or a link.
struct Found {
    path: PathBuf,
    fact: Vec<u8>,
}

impl Found {
    /// The bytes of the path of its directory.
    fn directory(&self) -> &[u8] {
        let path = self.path.as_os_str().as_bytes();
        let end = path.iter().rposition(|byte| *byte == b'/');
        path.get(..end.unwrap_or(0)).unwrap_or_default()
    }
}

/// Files of a directory and all below it.
#[derive(Default)]
struct Listing {
    found: Vec<Found>,
    is_open: bool,
    is_disturbed: bool,
}

impl Units {
    /// Looks at all files of an environment.
    pub(crate) fn of(environment: &VirtualEnvironment) -> io::Result<Self> {
        let listing = list(&environment.root, &environment.root)?;
        Ok(Self::from(environment, listing))
    }

    /// Looks at the files of the parts with these names that are there.
    pub(crate) fn again(
        &self,
        environment: &VirtualEnvironment,
        names: &BTreeSet<String>,
    ) -> io::Result<Self> {
        let parts = names.iter().filter_map(|name| self.found.get(name));
        let paths = parts.map(|part| part.path.clone()).collect();
        let mut all = Listing::default();
        for path in tops(&paths) {
            all.extend(look(&environment.root, &path)?);
        }
        let mut units = Self::from(environment, all);
        // Parts lie in others.
        units.found.retain(|name, _| names.contains(name));
        Ok(units)
    }

    fn from(environment: &VirtualEnvironment, mut listing: Listing) -> Self {
        let root = &environment.root;
        // By their bytes: to compare paths part by part takes longer than to list them.
        listing
            .found
            .sort_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
        let mut hashers: BTreeMap<PathBuf, Sha256> = BTreeMap::new();
        let in_one_directory = |one: &Found, other: &Found| one.directory() == other.directory();
        for files in listing.found.chunk_by(in_one_directory) {
            for files in in_one_part(environment, files) {
                let Some(first) = files.first() else { continue };
                let hasher = hashers
                    .entry(unit_of(environment, &first.path))
                    .or_default();
                for file in files {
                    for part in [file.path.as_os_str().as_bytes(), &file.fact] {
                        hasher.update((part.len() as u64).to_le_bytes());
                        hasher.update(part);
                    }
                }
            }
        }
        let units = hashers.into_iter().map(|(path, hasher)| {
            let digest = HEXLOWER.encode(&hasher.finalize());
            (name_in(root, &path), Unit { path, digest })
        });
        Self {
            found: units.collect(),
            is_open: listing.is_open,
            is_disturbed: listing.is_disturbed,
        }
    }
}

/// Files of one directory by the parts that they belong to: they are parts themselves, or the directory lies in one.
fn in_one_part<'a>(environment: &VirtualEnvironment, files: &'a [Found]) -> Chunks<'a, Found> {
    let is_part = |file: &Found| unit_of(environment, &file.path) == file.path;
    let len = if files.first().is_some_and(is_part) {
        1
    } else {
        files.len()
    };
    files.chunks(len.max(1))
}

impl Listing {
    fn extend(&mut self, more: Self) {
        self.found.extend(more.found);
        self.is_open |= more.is_open;
        self.is_disturbed |= more.is_disturbed;
    }
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

/// Lists a file or directory of an environment; nothing if it is not there.
fn look(root: &Path, path: &Path) -> io::Result<Listing> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listing::default()),
        Err(error) => return Err(error),
    };
    if metadata.is_dir() {
        return list(root, path);
    }
    let mut listing = Listing::default();
    let fact = if metadata.is_symlink() {
        fact_of_link(root, path, &mut listing.is_open)?
    } else {
        fact(&metadata)
    };
    let path = path.to_owned();
    listing.found.push(Found { path, fact });
    Ok(listing)
}

/// Whether a file is of the table of libraries, which has stamps of its own.
fn is_table(directory: &Path, name: &OsStr) -> bool {
    directory.ends_with("site-packages") && name.to_str().is_some_and(is_of_table)
}

/// Lists a directory of an environment.
fn list(root: &Path, directory: &Path) -> io::Result<Listing> {
    let (mut listing, mut directories) = (Listing::default(), Vec::new());
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (name, path, kind) = (entry.file_name(), entry.path(), entry.file_type()?);
        if is_temporary(&name) {
            listing.is_disturbed |= is_ours(&name);
        } else if kind.is_dir() {
            if name != BYTECODE {
                directories.push(path);
            }
        } else if (directory != root || name != LOCK) && !is_table(directory, &name) {
            let fact = if kind.is_symlink() {
                fact_of_link(root, &path, &mut listing.is_open)?
            } else {
                fact(&entry.metadata()?)
            };
            listing.found.push(Found { path, fact });
        }
    }
    let below: io::Result<Vec<Listing>> = directories
        .par_iter()
        .map(|path| list(root, path))
        .collect();
    for below in below? {
        listing.extend(below);
    }
    Ok(listing)
}

/// The facts about a file that change with it.
///
/// The time of the last change of the inode cannot be set by programs. It changes with the number of
/// names, too: that of what a cache shares with other environments is left out.
pub(crate) fn fact(metadata: &Metadata) -> Vec<u8> {
    let changed = if metadata.nlink() == 1 {
        [metadata.ctime(), metadata.ctime_nsec()]
    } else {
        [0; 2]
    };
    let numbers = [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        u64::from(metadata.mode()),
    ];
    let times = [metadata.mtime(), metadata.mtime_nsec()];
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    let times = times
        .iter()
        .chain(&changed)
        .flat_map(|number| number.to_le_bytes());
    numbers.chain(times).collect()
}

/// The same of a link and of the file that it leads to.
fn fact_of_link(root: &Path, link: &Path, is_open: &mut bool) -> io::Result<Vec<u8>> {
    let mut facts = fs::read_link(link)?.into_os_string().into_encoded_bytes();
    match fs::metadata(link) {
        Ok(metadata) if metadata.is_dir() => {
            *is_open |= !existing_path(link)?.starts_with(root);
        }
        Ok(metadata) => facts.extend(fact(&metadata)),
        // It leads nowhere, or in a circle.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
        Err(_) => {}
    }
    Ok(facts)
}
