//! Directories that go when they are dropped, whatever is in them.

use std::io;
use std::path::Path;

use fs_err as fs;
use tempfile::TempDir;
use walkdir::WalkDir;

/// A hidden directory for what is made, on the same file system as the place where it will be.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: TempDir,
    is_kept: bool,
}

impl Scratch {
    /// Makes one in a directory.
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        Ok(Self {
            dir: builder.prefix(".wheelfix-").tempdir_in(parent)?,
            is_kept: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Lets it stay: it has another name now.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
        self.dir.disable_cleanup(true);
    }

    /// Removes it now.
    pub(crate) fn remove(&self) {
        remove_all(self.path());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_kept {
            self.remove();
        }
    }
}

/// Removes a directory and all that is in it, as far as that is possible.
///
/// The quick way has a file open for each directory above the one that it is in. Where there are not so many, each directory
/// is listed by itself.
fn remove_all(path: &Path) {
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
}
