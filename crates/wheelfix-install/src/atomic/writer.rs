//! Where changes to files go: into their place at once, or beside it until all are known.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use wheelfix_elf::temporary_file;

use crate::atomic::prepared::Prepared;
use crate::atomic::staging::make_directory;

/// Makes changes to files.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The changes that are still to be made; `None` where each is made at once.
    prepared: Option<Prepared>,
}

impl Writer {
    /// Makes the changes when all are known, by [`make`](Self::make).
    pub(crate) fn later(prepared: Prepared) -> Self {
        Self {
            prepared: Some(prepared),
        }
    }

    /// Whether the changes are made when all are known.
    pub(crate) fn is_later(&self) -> bool {
        self.prepared.is_some()
    }

    /// Makes the changes that are still to be made.
    pub(crate) fn make(&self) -> io::Result<()> {
        self.prepared.as_ref().map_or(Ok(()), Prepared::make)
    }

    /// Where to write what is to be at a path later.
    pub(crate) fn prepare(&mut self, path: &Path) -> io::Result<PathBuf> {
        match &mut self.prepared {
            Some(prepared) => prepared.add(path),
            None => Ok(path.to_owned()),
        }
    }

    /// Reads a text as it is after the changes so far.
    pub(crate) fn read(&self, path: &Path) -> io::Result<String> {
        match &self.prepared {
            Some(prepared) => prepared.read(path),
            None => fs::read_to_string(path),
        }
    }

    /// Replaces a text.
    pub(crate) fn replace(&mut self, path: &Path, text: &str) -> io::Result<()> {
        match &mut self.prepared {
            Some(prepared) => prepared.replace(path, text.as_bytes()),
            None => replace(path, text),
        }
    }

    /// Writes a text to a file that is not there yet, nor need its directory be.
    pub(crate) fn write_new(&mut self, path: &Path, text: &str) -> io::Result<()> {
        if let Some(prepared) = &mut self.prepared {
            return prepared.replace(path, text.as_bytes());
        }
        make_directory(path.parent().unwrap_or(path))?;
        write_new(path, text.as_bytes(), false)
    }

    /// Removes a file.
    pub(crate) fn remove(&mut self, file: &Path) -> io::Result<()> {
        match &mut self.prepared {
            Some(prepared) => prepared.remove(file),
            None => fs::remove_file(file)?,
        }
        Ok(())
    }

    /// Removes a directory if nothing is left in it.
    pub(crate) fn remove_empty(&mut self, directory: PathBuf) -> io::Result<()> {
        if let Some(prepared) = &mut self.prepared {
            prepared.remove_empty(directory);
        } else if fs::read_dir(&directory)?.next().is_none() {
            fs::remove_dir(&directory)?;
        }
        Ok(())
    }
}

/// Replaces a file by one rename, its mode kept.
pub(crate) fn replace(path: &Path, text: impl AsRef<[u8]>) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    let parent = path.parent().unwrap_or(path);
    let mut file = temporary_file(parent)?;
    file.write_all(text.as_ref())?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}

/// Writes a file that does not exist, and the directories above it.
pub(crate) fn write_new(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    // Whatever the umask took away.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}
