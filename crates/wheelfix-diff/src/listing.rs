//! The entries of a tree, under the names by which they are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Serialize, Serializer};
use walkdir::WalkDir;

/// Entries, by the paths under which they are compared.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Each with where it is on disk.
    entries: BTreeMap<PathBuf, PathBuf>,
}

/// An entry of a listing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Its path in the listing.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Its kind.
    #[serde(flatten)]
    pub kind: EntryKind,
}

/// The kind of an entry.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// Its permissions.
        #[serde(skip)]
        mode: u32,
    },
    /// A directory without entries: others are known by those.
    Directory,
    /// A symbolic link, which is not followed.
    Symlink {
        /// Its target.
        #[serde(serialize_with = "lossy")]
        target: PathBuf,
    },
    /// A device, a socket or a FIFO, which is not opened.
    Special,
}

impl EntryKind {
    /// Reads the kind of what is at a path.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        Ok(if kind.is_file() {
            Self::File {
                size: metadata.len(),
                mode: metadata.permissions().mode() & 0o7777,
            }
        } else if kind.is_dir() {
            Self::Directory
        } else if kind.is_symlink() {
            Self::Symlink {
                target: fs::read_link(path)?,
            }
        } else {
            Self::Special
        })
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File { .. } => "file",
            Self::Directory => "directory",
            Self::Symlink { .. } => "symbolic link",
            Self::Special => "special file",
        })
    }
}

impl Listing {
    /// All that is below a directory, by its path there: everything but directories that hold something.
    pub fn of_directory(root: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        // A link to the directory is the directory.
        for entry in WalkDir::new(root).follow_root_links(true).min_depth(1) {
            let entry = entry?;
            let holds_something = || fs::read_dir(entry.path()).map(|mut it| it.next().is_some());
            if entry.file_type().is_dir() && holds_something()? {
                continue;
            }
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            listing.insert(path, entry.path());
        }
        Ok(listing)
    }

    /// Adds an entry, which is found on disk at another path.
    pub fn insert(&mut self, path: impl Into<PathBuf>, on_disk: impl Into<PathBuf>) {
        self.entries.insert(path.into(), on_disk.into());
    }

    /// Where an entry is on disk.
    pub fn get(&self, path: &Path) -> Option<&Path> {
        self.entries.get(path).map(PathBuf::as_path)
    }

    /// The paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().map(PathBuf::as_path)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

pub(crate) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
