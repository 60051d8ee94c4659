//! The directories of a virtual environment with their files, as far as these have to be looked at.
//!
//! A directory whose own times are as they were has the same names, and behind each the same file: uv, pip and Poetry
//! give another file an old name by taking the old one away. Only those of its files are looked at that count, in case
//! that somebody has written into one: ELF files, sources that open libraries, links.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use fs_err as fs;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wheelfix_elf::is_temporary;
use wheelfix_link::is_of_table;
use wheelfix_loader::existing_path;

use super::units::name_in;
use crate::atomic::left_over::is_ours;
use crate::patch::virtual_environment::LOCK;

/// Python's own directories of bytecode, which importing fills.
const BYTECODE: &str = "__pycache__";

/// A directory, so that the next run knows what is in it where it is as it was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Directory {
    /// Device, inode, and the times of the last changes of its names and of itself, in hexadecimal digits; `None` where
    /// these do not tell it from what may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fact: Option<String>,
    /// The names of directories in it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    below: Vec<String>,
    /// The names of the files that are looked at whenever it is, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) counted: Vec<String>,
    /// A digest of names, numbers, sizes and times of all other files; `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) others: Option<String>,
}

/// A file, or a link.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: OsString,
    pub(crate) fact: Vec<u8>,
    is_link: bool,
}

/// A directory at one moment.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    fact: String,
    /// Sorted by their names; of a directory that is known those that count.
    pub(crate) files: Vec<Found>,
    below: Vec<OsString>,
    /// As it was known.
    known: Option<Directory>,
    /// The names of the files that counted before, sorted.
    counted_before: Vec<String>,
    /// Whether what was seen is told from all that comes later by the directory's own times.
    pub(crate) may_be_known: bool,
}

/// Directories, each before those below it.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) listed: Vec<Listed>,
    pub(crate) is_open: bool,
    pub(crate) is_disturbed: bool,
}

impl Listing {
    pub(crate) fn extend(&mut self, more: Self) {
        self.listed.extend(more.listed);
        self.is_open |= more.is_open;
        self.is_disturbed |= more.is_disturbed;
    }
}

impl Listing {
    /// The files that a run has planned for: as they are now where the run may have changed them, else as they were before.
    pub(crate) fn into_planned(mut self, before: Self, changed: &BTreeSet<PathBuf>) -> Self {
        let before = before.listed.into_iter();
        let mut before: BTreeMap<PathBuf, Listed> =
            before.map(|listed| (listed.path.clone(), listed)).collect();
        for now in &mut self.listed {
            let was = before.remove(&now.path);
            now.take_back(was.map_or_else(Vec::new, |was| was.files), changed);
        }
        for mut gone in before.into_values() {
            let files = std::mem::take(&mut gone.files);
            gone.take_back(files, changed);
            self.listed.push(gone);
        }
        self
    }
}

impl Found {
    pub(crate) fn is_in(&self, names: &[String]) -> bool {
        let name = self.name.to_str();
        name.is_some_and(|name| is_among(names, name))
    }
}

fn is_among(sorted: &[String], name: &str) -> bool {
    sorted
        .binary_search_by(|other| other.as_str().cmp(name))
        .is_ok()
}

impl Listed {
    /// Makes files what they were, but for those that a run may have changed.
    fn take_back(&mut self, was: Vec<Found>, changed: &BTreeSet<PathBuf>) {
        let is_changed = |path: &Path, name: &OsStr| changed.contains(&path.join(name));
        let mut was: BTreeMap<OsString, Found> = was
            .into_iter()
            .map(|file| (file.name.clone(), file))
            .collect();
        let mut files = Vec::with_capacity(self.files.len());
        for now in std::mem::take(&mut self.files) {
            let file = was.remove(&now.name);
            if file.as_ref().is_some_and(|file| file.fact == now.fact)
                || is_changed(&self.path, &now.name)
            {
                files.push(now);
            } else {
                self.may_be_known = false;
                files.extend(file);
            }
        }
        was.retain(|name, _| !is_changed(&self.path, name));
        self.may_be_known &= was.is_empty();
        files.extend(was.into_values());
        files.sort_by(|one, other| one.name.cmp(&other.name));
        self.files = files;
    }

    /// Whether a file was looked at whenever the directory was.
    pub(crate) fn counted(&self, name: &str) -> bool {
        is_among(&self.counted_before, name)
    }

    /// The directory for the next run.
    pub(crate) fn directory(&self, counts: &dyn Fn(&Self, &str) -> bool) -> Directory {
        if let Some(known) = &self.known {
            return known.clone();
        }
        let (mut counted, mut hasher) = (Vec::new(), None);
        for file in &self.files {
            let name = file
                .name
                .to_str()
                .filter(|name| file.is_link || counts(self, name));
            if let Some(name) = name {
                counted.push(name.to_owned());
                continue;
            }
            let hasher = hasher.get_or_insert_with(Sha256::new);
            for part in [file.name.as_bytes(), &file.fact] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        let below = self
            .below
            .iter()
            .map(|name| name.to_string_lossy().into_owned());
        Directory {
            fact: self.may_be_known.then(|| self.fact.clone()),
            below: below.collect(),
            counted,
            others: hasher.map(|hasher| HEXLOWER.encode(&hasher.finalize())),
        }
    }
}

/// A look at an environment.
struct Look<'a> {
    root: &'a Path,
    known: &'a BTreeMap<String, Directory>,
    /// The time of a file that was made when the look began: what changes a directory later has this time or a
    /// later one. `None` if no file can be made.
    begin: Option<(i64, i64)>,
}

/// Looks at a file or directory of an environment; sees nothing if it is not there.
pub(crate) fn look(
    root: &Path,
    path: &Path,
    known: &BTreeMap<String, Directory>,
) -> io::Result<Listing> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listing::default()),
        Err(error) => return Err(error),
    };
    let begin = tempfile::tempfile_in(root).and_then(|file| file.metadata());
    let look = Look {
        root,
        known,
        begin: begin.ok().map(|it| (it.ctime(), it.ctime_nsec())),
    };
    if metadata.is_dir() {
        return look.directory(path);
    }
    let mut listing = Listing::default();
    if let (Some(directory), Some(name)) = (path.parent(), path.file_name()) {
        let file = look.file(directory, name.to_owned(), &metadata, &mut listing.is_open)?;
        listing.listed.push(Listed {
            path: directory.to_owned(),
            fact: String::new(),
            files: vec![file],
            below: Vec::new(),
            known: None,
            counted_before: Vec::new(),
            may_be_known: false,
        });
    }
    Ok(listing)
}

impl Look<'_> {
    /// Looks at a directory and all below it.
    fn directory(&self, path: &Path) -> io::Result<Listing> {
        let metadata = fs::symlink_metadata(path)?;
        let fact = HEXLOWER.encode(&fact_of_directory(&metadata));
        let mut listing = Listing::default();
        let known = self.known.get(&name_in(self.root, path));
        let known = known.filter(|known| known.fact.as_ref() == Some(&fact));
        let as_known = match known {
            Some(known) => self.as_known(path, known, &mut listing.is_open)?,
            None => None,
        };
        let listed = match as_known {
            Some(listed) => listed,
            None => self.list(path, &metadata, &mut listing)?,
        };
        let below: io::Result<Vec<Listing>> = listed
            .below
            .par_iter()
            .map(|name| self.directory(&path.join(name)))
            .collect();
        listing.listed.push(listed);
        for below in below? {
            listing.extend(below);
        }
        Ok(listing)
    }

    /// Looks at those files of a directory that count; `None` if one of them is not there.
    fn as_known(
        &self,
        path: &Path,
        known: &Directory,
        is_open: &mut bool,
    ) -> io::Result<Option<Listed>> {
        let mut files = Vec::with_capacity(known.counted.len());
        for name in &known.counted {
            let metadata = match fs::symlink_metadata(path.join(name)) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            files.push(self.file(path, name.into(), &metadata, is_open)?);
        }
        Ok(Some(Listed {
            path: path.to_owned(),
            fact: known.fact.clone().unwrap_or_default(),
            files,
            below: known.below.iter().map(OsString::from).collect(),
            known: Some(known.clone()),
            counted_before: Vec::new(),
            may_be_known: true,
        }))
    }

    /// Lists a directory.
    fn list(&self, path: &Path, metadata: &Metadata, seen: &mut Listing) -> io::Result<Listed> {
        let time = (metadata.ctime(), metadata.ctime_nsec());
        let known = self.known.get(&name_in(self.root, path));
        let mut listed = Listed {
            path: path.to_owned(),
            fact: HEXLOWER.encode(&fact_of_directory(metadata)),
            files: Vec::new(),
            below: Vec::new(),
            known: None,
            counted_before: known.map_or_else(Vec::new, |known| known.counted.clone()),
            may_be_known: self.begin.is_some_and(|begin| time < begin),
        };
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            listed.may_be_known &= name.to_str().is_some();
            if is_temporary(&name) {
                seen.is_disturbed |= is_ours(&name);
                listed.may_be_known = false;
            } else if kind.is_dir() {
                listed.below.push(name);
            } else if is_bytecode(path, &name) {
                // Importing writes it.
            } else if (path != self.root || name != LOCK) && !is_table(path, &name) {
                let file = self.file(path, name, &entry.metadata()?, &mut seen.is_open)?;
                listed.files.push(file);
            }
        }
        listed.below.sort();
        listed.files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    fn file(
        &self,
        directory: &Path,
        name: OsString,
        metadata: &Metadata,
        is_open: &mut bool,
    ) -> io::Result<Found> {
        let is_link = metadata.is_symlink();
        let fact = if is_link {
            fact_of_link(self.root, &directory.join(&name), is_open)?
        } else {
            fact(metadata)
        };
        Ok(Found {
            name,
            fact,
            is_link,
        })
    }
}

/// Whether a file is bytecode, or on its way there; other files in these directories are what others are.
fn is_bytecode(directory: &Path, name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    directory.ends_with(BYTECODE) && name.contains(".pyc")
}

/// Whether a file is of the table of libraries, which has stamps of its own.
fn is_table(directory: &Path, name: &OsStr) -> bool {
    directory.ends_with("site-packages") && name.to_str().is_some_and(is_of_table)
}

/// The facts about a directory that change with the names in it.
fn fact_of_directory(metadata: &Metadata) -> Vec<u8> {
    let numbers = [metadata.dev(), metadata.ino()];
    let times = [
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ];
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    let times = times.iter().flat_map(|time| time.to_le_bytes());
    numbers.chain(times).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_meanwhile_is_not_what_was_planned_for() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["edited", "gone", "same"] {
            fs::create_dir_all(root.join("p")).unwrap();
            fs::write(root.join("p").join(name), "x").unwrap();
        }
        let look = || look(root, root, &BTreeMap::new()).unwrap();
        let names = |listing: &Listing| {
            let files = listing.listed.iter().flat_map(|listed| &listed.files);
            files
                .map(|file| (file.name.clone(), file.fact.clone()))
                .collect::<Vec<_>>()
        };
        let before = look();
        fs::write(root.join("p/edited"), "other").unwrap();
        let changed = BTreeSet::from([root.join("p/edited")]);
        let now = look();
        assert_ne!(names(&now), names(&before));
        assert_eq!(names(&look().into_planned(before, &changed)), names(&now));
        // Nobody planned for these.
        let before = look();
        let was = names(&before);
        fs::write(root.join("p/new"), "x").unwrap();
        fs::write(root.join("p/same"), "other").unwrap();
        fs::remove_file(root.join("p/gone")).unwrap();
        fs::create_dir(root.join("q")).unwrap();
        fs::write(root.join("q/new"), "x").unwrap();
        let planned = look().into_planned(before, &changed);
        assert_eq!(names(&planned), was);
        let known = planned.listed.iter().filter(|it| it.path != root);
        assert!(known.clone().count() == 2 && known.clone().all(|it| !it.may_be_known));
    }
}
