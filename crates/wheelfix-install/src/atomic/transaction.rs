//! Edits of trees in their place: all of them, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::Access;
use rustix::io::Errno;
use wheelfix_elf::Original;
use wheelfix_loader::{existing_path, real_path};

use crate::atomic::journal::{Journal, Rank, State, take_back};
use crate::atomic::left_over::is_ours;
use crate::atomic::prepared::Prepared;
use crate::atomic::scratch::Scratch;

/// The paths that are to be changed, as they are before; absolute.
#[derive(Debug, Default)]
pub(crate) struct Changes(BTreeMap<PathBuf, State>);

impl Changes {
    /// A file or directory that is made, if nothing is there yet; one that is there is replaced.
    pub(crate) fn make(&mut self, path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => self.replace(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.add(path, State::Absent),
            Err(error) => Err(error),
        }
    }

    /// A file that goes, or in whose place another is renamed. It is never written to.
    pub(crate) fn replace(&mut self, path: &Path) -> io::Result<()> {
        self.add(path, State::Whole)
    }

    /// A directory that may go.
    pub(crate) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        let mode = fs::metadata(path)?.permissions().mode();
        self.add(path, State::Directory { mode })
    }

    /// A file that is edited in its place.
    pub(crate) fn edit(&mut self, path: &Path, original: Original) -> io::Result<()> {
        let inode = fs::metadata(path)?.ino();
        let original = Box::new(original);
        self.add(path, State::Edited { inode, original })
    }

    /// The paths, those of directories with links followed.
    pub(crate) fn paths(&self) -> BTreeSet<PathBuf> {
        self.0.keys().cloned().collect()
    }

    fn add(&mut self, path: &Path, state: State) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        self.0.entry(real_path(parent)?.join(name)).or_insert(state);
        Ok(())
    }
}

/// Trees that no other run edits until this is dropped. What one run decides is about files that no other changes
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Locked {
    _directories: Vec<fs::File>,
}

impl Locked {
    /// Locks trees, each with those that it lies in and those that lie in it; `trees` are directories, or files in one.
    pub(crate) fn new(trees: &BTreeSet<PathBuf>) -> io::Result<Self> {
        let mut locked = BTreeMap::new();
        for tree in trees {
            let tree = existing_path(directory_of(tree))?;
            for above in tree.ancestors().skip(1).filter(|it| is_for_us_alone(it)) {
                locked.entry(above.to_owned()).or_insert(false);
            }
            locked.insert(tree, true);
        }
        let mut directories = Vec::new();
        for (path, is_edited) in locked {
            // One that cannot be opened is reported by whoever needs it.
            let Ok(directory) = fs::File::open(&path) else {
                continue;
            };
            let result = if is_edited {
                directory.file().try_lock()
            } else {
                directory.file().try_lock_shared()
            };
            // Some file systems have no locks.
            if matches!(result, Err(TryLockError::WouldBlock)) {
                return Err(is_edited_by_another(&path));
            }
            directories.push(directory);
        }
        Ok(Self {
            _directories: directories,
        })
    }
}

/// Whether nobody else may write to a directory: whoever may could lock it as well, and keep everybody out.
fn is_for_us_alone(directory: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::metadata(directory).is_ok_and(|it| it.uid() == user && it.mode() & 0o022 == 0)
}

/// A tree that is a directory, or the directory of one that is a file.
fn directory_of(tree: &Path) -> &Path {
    if tree.is_dir() {
        tree
    } else {
        tree.parent().unwrap_or(tree)
    }
}

fn is_edited_by_another(tree: &Path) -> io::Error {
    let text = format!("another run edits `{}`", tree.display());
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

/// Edits that are taken back when this is dropped, unless they were all made.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// One directory with a journal for each tree.
    journals: Vec<Scratch>,
}

impl Transaction {
    /// Keeps everything that changes, so that from now on it can be taken back.
    ///
    /// `trees` are directories, or files in one; all changes are below them.
    pub(crate) fn begin(trees: &BTreeSet<PathBuf>, changes: Changes) -> io::Result<Self> {
        refuse_unwritable(&changes)?;
        let mut by_tree: BTreeMap<PathBuf, Vec<(PathBuf, State)>> = BTreeMap::new();
        let mut directories = BTreeSet::new();
        for tree in trees {
            directories.insert(existing_path(directory_of(tree))?);
        }
        for (path, state) in changes.0 {
            let tree = directories.iter().find(|tree| path.starts_with(tree));
            let Some((tree, inside)) = tree.and_then(|it| Some((it, path.strip_prefix(it).ok()?)))
            else {
                let text = format!("`{}` is in none of the trees", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            };
            let of_tree = by_tree.entry(tree.clone()).or_default();
            of_tree.push((inside.to_owned(), state));
        }
        let mut journals = Vec::new();
        for tree in by_tree.keys() {
            journals.push(Scratch::new_in(tree)?);
        }
        let paths: Vec<&Path> = journals.iter().map(Scratch::path).collect();
        let (first, others) = match paths.split_first() {
            Some((first, others)) => (*first, others),
            None => return Ok(Self { journals }),
        };
        for (path, (tree, changes)) in paths.iter().zip(by_tree) {
            let rank = if *path == first {
                Rank::First(others)
            } else {
                Rank::Other(first)
            };
            Journal::write(path, rank, changes)?;
            // Of two at the same time, both see the other's.
            refuse_other_run(&tree, path)?;
        }
        Ok(Self { journals })
    }

    /// A place for new files before anything changes.
    pub(crate) fn prepared(&self) -> Prepared {
        let journals = self.journals.iter();
        Prepared::new(journals.map(|journal| journal.path().to_owned()))
    }

    /// Lets the edits last.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        if let Some(first) = self.journals.first() {
            Journal::commit(first.path())?;
        }
        let mut journals = std::mem::take(&mut self.journals).into_iter();
        let first = journals.next();
        let mut are_closed = true;
        for other in journals {
            are_closed &= Journal::close(other.path()).is_ok();
        }
        if !are_closed {
            // Without it a later run would take back what they name.
            first.into_iter().for_each(Scratch::leave);
        }
        Ok(())
    }

    /// Makes everything as it was. What cannot be put back now is left to a later run.
    pub(crate) fn roll_back(mut self) -> io::Result<()> {
        self.take_back()
    }

    fn take_back(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        // The first is the last: with it goes what they have in common.
        while let Some(journal) = self.journals.pop() {
            match take_back(journal.path()) {
                Ok(()) => {}
                Err(error) => {
                    let text = format!(
                        "{error}; edits are not taken back yet, the next run tries again: `{}`",
                        journal.path().display()
                    );
                    result = Err(io::Error::new(error.kind(), text));
                    journal.leave();
                }
            }
        }
        result
    }
}

/// An error if another run edits the tree just now, or has left edits that only somebody else can take back: each would
/// take back what the other has done.
fn refuse_other_run(tree: &Path, own: &Path) -> io::Result<()> {
    for entry in fs::read_dir(tree)? {
        let path = entry?.path();
        let is_other = path != own && path.file_name().is_some_and(is_ours);
        if !is_other || !Journal::is_in(&path) {
            continue;
        }
        if !fs::File::open(&path).is_ok_and(|it| it.file().try_lock().is_ok()) {
            return Err(is_edited_by_another(tree));
        }
        let user = fs::metadata(&path)?.uid();
        let (tree, path) = (tree.display(), path.display());
        let text = format!(
            "edits of `{tree}` were broken off, and only user {user} can take them back: `{path}`"
        );
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    Ok(())
}

/// An error if names cannot be given or taken in a directory where that is needed, or if a file that is edited cannot be
/// written.
fn refuse_unwritable(changes: &Changes) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    let is_renamed = |state: &State| !matches!(state, State::Edited { .. });
    for (path, _) in changes.0.iter().filter(|(_, state)| !is_renamed(state)) {
        // The owner of a file may make it writable.
        let is_own = fs::metadata(path)?.uid() == user;
        if let Err(error) = rustix::fs::access(path, Access::WRITE_OK)
            && !is_own
        {
            let text = format!("failed to write to `{}`: {error}", path.display());
            return Err(io::Error::new(io::Error::from(error).kind(), text));
        }
    }
    let renamed = changes.0.iter().filter(|(_, state)| is_renamed(state));
    let directories: BTreeSet<&Path> = renamed.filter_map(|(path, _)| path.parent()).collect();
    for directory in directories {
        match rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
            // It is to be made.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                let text = format!("failed to write in `{}`: {error}", directory.display());
                return Err(io::Error::new(io::Error::from(error).kind(), text));
            }
        }
    }
    Ok(())
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Whoever wants to know why has called `roll_back`.
        self.take_back().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_locked_with_those_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("a/b/c")).unwrap();
        fs::create_dir(path("a/d")).unwrap();
        fs::write(path("a/b/file"), "").unwrap();
        let lock = |name: &str| Locked::new(&BTreeSet::from([path(name)]));
        let held = lock("a/b").unwrap();
        for name in ["a", "a/b", "a/b/c", "a/b/file"] {
            let error = lock(name).unwrap_err().to_string();
            assert!(error.contains("another run edits"), "{name}: {error}");
        }
        let beside = lock("a/d").unwrap();
        drop(held);
        assert!(lock("a").is_err());
        drop(beside);
        lock("a").unwrap();
    }

    #[test]
    fn one_run_at_a_time_edits_a_tree() {
        let dir = tempfile::tempdir().unwrap();
        let trees = BTreeSet::from([dir.path().to_owned()]);
        let begin = || {
            let mut changes = Changes::default();
            changes.make(&dir.path().join("new")).unwrap();
            Transaction::begin(&trees, changes)
        };
        let first = begin().unwrap();
        let error = begin().unwrap_err().to_string();
        assert!(error.contains("another run edits"), "{error}");
        fs::write(dir.path().join("new"), "").unwrap();
        first.commit().unwrap();
        begin().unwrap().commit().unwrap();
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1);
    }
}
