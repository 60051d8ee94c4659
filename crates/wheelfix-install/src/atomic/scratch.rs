//! Directories that go when they are dropped, whatever is in them.
//!
//! Each is locked while it is in use. The system takes the lock away when the process ends, so that a
//! later run can tell what was left behind ([`clean_up`](crate::clean_up())).

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fs_err as fs;
use walkdir::WalkDir;
use wheelfix_elf::{RANDOM_LEN, TEMPORARY};

use crate::atomic::journal::in_writable;

/// The directories that this process uses: signals are for the whole process.
static IN_USE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The temporary directories that this process uses. Until it is dropped no other is made, and none
/// goes: for the process to end, and [`clean_up`](crate::clean_up()) after it.
pub fn in_use() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hidden directory for what is made, on the same file system as the place where it will be.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Scratch {
    /// Makes one in a directory.
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        let mut in_use = in_use();
        loop {
            let dir = tempfile::Builder::new()
                .prefix(TEMPORARY)
                .rand_bytes(RANDOM_LEN)
                // What lies in it may be for fewer eyes than the directory around it.
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)
                .map_err(|error| refused(parent, &error))?;
            // Before it is locked, another run may take it for left behind.
            let lock = match fs::File::open(dir.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?.into_parts().0,
            };
            // Some file systems have no locks. There nothing is taken for left behind.
            lock.lock().ok();
            if dir.path().try_exists()? {
                let path = dir.keep();
                in_use.insert(path.clone());
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it behind, for a later run.
    pub(crate) fn leave(self) {
        in_use().remove(&self.path);
        std::mem::forget(self);
    }
}

/// Why no directory can be made in one that is there, without the name that it would have had.
fn refused(parent: &Path, error: &io::Error) -> io::Error {
    let text = format!("no directory can be made in `{}`", parent.display());
    io::Error::new(
        error.kind(),
        match error.kind() {
            // As in `/proc`.
            io::ErrorKind::NotFound => text,
            kind => format!("{text}: {kind}"),
        },
    )
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove_all(&self.path);
        in_use().remove(&self.path);
    }
}

/// Removes a directory and all that is in it, as far as that is possible.
///
/// The quick way has a file open for each directory above the one that it is in. Where there are not so many, each directory
/// is listed by itself.
pub(crate) fn remove_all(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let entries = WalkDir::new(path).contents_first(true).max_open(1);
    for entry in entries.into_iter().flatten() {
        if entry.file_type().is_dir() {
            fs::remove_dir(entry.path()).ok();
        } else {
            fs::remove_file(entry.path()).ok();
        }
    }
    let parent = path.parent().unwrap_or(path);
    in_writable(parent, || fs::remove_dir(path)).ok();
}
