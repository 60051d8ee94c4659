//! The directories that the files go to.
//!
//! They are made before any file, each in its parent's descriptor, and opened again the same way, part
//! by part and without following symbolic links: no path from an archive is ever resolved.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::extract::{ExtractError, ExtractItem};
use crate::output;

/// The directories below the output directory, and which item goes where.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    path: &'a Path,
    root: OwnedFd,
    /// Parents before children.
    dirs: Vec<Dir<'a>>,
    /// For each item the index of its directory; `None` for the output directory.
    homes: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Dir<'a> {
    /// Relative to the output directory.
    path: &'a str,
    /// Index of the parent; `None` for the output directory.
    parent: Option<usize>,
}

impl<'a> Tree<'a> {
    /// Makes the directories that `items` go to below the existing directory `path`.
    pub(crate) fn create(
        path: &'a Path,
        items: &'a [ExtractItem<'_>],
    ) -> Result<Self, ExtractError> {
        let root = output::open_root(path).map_err(|error| failed(path.to_owned(), error))?;
        let mut tree = Self {
            path,
            root,
            dirs: Vec::new(),
            homes: Vec::with_capacity(items.len()),
        };
        let mut indices = BTreeMap::new();
        for item in items {
            let parent = parent(item.dst.as_str());
            let home = parent.map(|dir| tree.add(dir, &mut indices));
            tree.homes.push(home);
        }
        let mut open = tree.open_dirs(1);
        for dir in &tree.dirs {
            open.get(dir.parent)
                .and_then(|parent| output::create_dir(parent, file_name(dir.path)))
                .map_err(|error| failed(path.join(dir.path), error))?;
        }
        Ok(tree)
    }

    /// The index of the directory `path`, which is added with its parents if it is new.
    fn add(&mut self, path: &'a str, indices: &mut BTreeMap<&'a str, usize>) -> usize {
        if let Some(index) = indices.get(path) {
            return *index;
        }
        let parent = parent(path).map(|parent| self.add(parent, indices));
        let index = self.dirs.len();
        self.dirs.push(Dir { path, parent });
        indices.insert(path, index);
        index
    }

    /// The output directory.
    pub(crate) fn path(&self) -> &Path {
        self.path
    }

    /// The directory of an item, for [`OpenDirs::get`].
    pub(crate) fn home(&self, item: usize) -> Option<usize> {
        self.homes.get(item).copied().flatten()
    }

    /// Descriptors for one of this number of workers.
    pub(crate) fn open_dirs(&self, workers: usize) -> OpenDirs<'_> {
        OpenDirs {
            tree: self,
            fds: BTreeMap::new(),
            capacity: (MAX_OPEN / workers.max(1)).clamp(1, 64),
        }
    }
}

/// Most descriptors of directories for all workers: half of the usual limit of a process.
const MAX_OPEN: usize = 512;

/// The descriptors of directories that a worker has open.
#[derive(Debug)]
pub(crate) struct OpenDirs<'a> {
    tree: &'a Tree<'a>,
    fds: BTreeMap<usize, OwnedFd>,
    capacity: usize,
}

impl OpenDirs<'_> {
    /// The descriptor of a directory, by its index; of the output directory for `None`.
    pub(crate) fn get(&mut self, dir: Option<usize>) -> Result<BorrowedFd<'_>, Errno> {
        let mut missing = Vec::new();
        let mut at = dir;
        while let Some(index) = at
            && !self.fds.contains_key(&index)
        {
            missing.push(index);
            at = self.tree.dirs.get(index).and_then(|dir| dir.parent);
        }
        let mut opened: Option<OwnedFd> = None;
        // From the outermost; each replaces the one that it was opened in.
        for index in missing.into_iter().rev() {
            let name = self
                .tree
                .dirs
                .get(index)
                .map_or("", |dir| file_name(dir.path));
            let parent = match &opened {
                Some(fd) => fd.as_fd(),
                None => self.known(at),
            };
            opened = Some(output::open_dir(parent, name)?);
        }
        if let (Some(fd), Some(index)) = (opened, dir) {
            if self.capacity <= self.fds.len() {
                self.fds.clear();
            }
            self.fds.insert(index, fd);
        }
        Ok(self.known(dir))
    }

    /// The descriptor of a directory that is open.
    fn known(&self, dir: Option<usize>) -> BorrowedFd<'_> {
        let fd = dir.and_then(|index| self.fds.get(&index));
        fd.unwrap_or(&self.tree.root).as_fd()
    }
}

fn failed(path: PathBuf, error: Errno) -> ExtractError {
    ExtractError::CreateDir {
        path,
        source: error.into(),
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
