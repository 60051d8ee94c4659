//! New files of a tree, written before anything of it changes: what can fail is tried first.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_elf::temporary_file;
use wheelfix_loader::real_path;

use crate::atomic::detach::copy_file;
use crate::atomic::staging::make_directory;

/// Changes to the files of trees that are still to be made. The new files lie in the directories of the journals.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The directories, by the trees that they are in.
    directories: BTreeMap<PathBuf, PathBuf>,
    /// The new files, by the paths that they get.
    new: BTreeMap<PathBuf, PathBuf>,
    removed: BTreeSet<PathBuf>,
    /// Directories that go if nothing is left in them.
    emptied: BTreeSet<PathBuf>,
}

impl Prepared {
    /// Nothing yet; `directories` are in the trees.
    pub(crate) fn new(directories: impl Iterator<Item = PathBuf>) -> Self {
        let by_tree = directories.map(|it| (it.parent().unwrap_or(&it).to_owned(), it));
        Self {
            directories: by_tree.collect(),
            new: BTreeMap::new(),
            removed: BTreeSet::new(),
            emptied: BTreeSet::new(),
        }
    }

    /// Where to write what is to be at a path.
    pub(crate) fn add(&mut self, path: &Path) -> io::Result<PathBuf> {
        if let Some(new) = self.new.get(path) {
            return Ok(new.clone());
        }
        let mut parent = path.parent().unwrap_or(path);
        // Its own directory may be still to be made.
        if !parent.is_dir() {
            parent = parent.parent().unwrap_or(parent);
        }
        let real = real_path(parent)?;
        let mut directories = self.directories.iter();
        let directory = directories.find(|(tree, _)| real.starts_with(tree));
        let Some((_, directory)) = directory else {
            let text = format!("`{}` is in none of the trees", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let new = directory.join(format!("new-{}", self.new.len()));
        self.new.insert(path.to_owned(), new.clone());
        Ok(new)
    }

    /// A file with a new content, its mode and owner as they are; or one that is not there yet.
    pub(crate) fn replace(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        let new = self.add(path)?;
        fs::write(&new, content)?;
        let mut mode = 0o644;
        if let Ok(old) = fs::metadata(path) {
            mode = old.permissions().mode();
            let own = fs::metadata(&new)?;
            if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
                // Only root may give files away; others keep what they write.
                std::os::unix::fs::chown(&new, Some(old.uid()), Some(old.gid())).ok();
            }
        }
        fs::set_permissions(new, std::fs::Permissions::from_mode(mode))
    }

    /// A file that goes.
    pub(crate) fn remove(&mut self, path: &Path) {
        self.removed.insert(path.to_owned());
    }

    /// A directory that goes if nothing is left in it.
    pub(crate) fn remove_empty(&mut self, directory: PathBuf) {
        self.emptied.insert(directory);
    }

    /// Reads a file as it will be.
    pub(crate) fn read(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(self.new.get(path).map_or(path, PathBuf::as_path))
    }

    /// Does it all.
    pub(crate) fn make(&self) -> io::Result<()> {
        for (path, new) in &self.new {
            let parent = path.parent().unwrap_or(path);
            if !parent.is_dir() {
                make_directory(parent)?;
            }
            put_in_place(new, path, parent)?;
        }
        self.removed.iter().try_for_each(fs::remove_file)?;
        for directory in &self.emptied {
            if fs::read_dir(directory)?.next().is_none() {
                fs::remove_dir(directory)?;
            }
        }
        Ok(())
    }
}

fn put_in_place(new: &Path, path: &Path, parent: &Path) -> io::Result<()> {
    match fs::rename(new, path) {
        // Another file system is mounted in the tree.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let file = temporary_file(parent)?;
            copy_file(new, file.path())?;
            file.persist(path)?;
            Ok(())
        }
        result => result,
    }
}
