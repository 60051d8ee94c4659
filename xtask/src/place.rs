//! Where things are: the tree and the cache directory.

use std::env;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::failure::Result;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Where builds go: `$CARGO_TARGET_DIR`, else `target` in the root.
pub(crate) fn target() -> PathBuf {
    let set = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(set.unwrap_or_else(|| "target".into()))
}

/// Where downloads are kept between runs, outside the tree.
///
/// The tests look for wheels in the same place: `wheelfix_testkit::cache`.
pub(crate) fn cache() -> Result<PathBuf> {
    let absolute = |name| {
        let path = env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    absolute("WHEELFIX_CACHE")
        .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("wheelfix")))
        .or_else(|| Some(absolute("HOME")?.join(".cache/wheelfix")))
        .ok_or_else(|| "no cache directory: set `WHEELFIX_CACHE` to an absolute path".into())
}

/// Makes a new directory in the given one, named with the first free number.
pub(crate) fn numbered(parent: &Path) -> Result<PathBuf> {
    let mut number = 0;
    loop {
        let dir = parent.join(number.to_string());
        match fs_err::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until no other run holds the lock of this name in the cache directory, and holds it until
/// the returned file is dropped.
pub(crate) fn lock(name: &str) -> Result<File> {
    let cache = cache()?;
    fs_err::create_dir_all(&cache)?;
    let file = File::create(cache.join(format!("{name}.lock")))?;
    // Where the file system has no locks, runs must not meet.
    if let Err(TryLockError::WouldBlock) = file.file().try_lock() {
        eprintln!(
            "waiting for another run that holds {}",
            file.path().display()
        );
        file.file().lock()?;
    }
    Ok(file)
}

/// Removes a file, a link or a directory with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result {
    if path.is_symlink() || path.is_file() {
        fs_err::remove_file(path)?;
    } else if path.is_dir() {
        fs_err::remove_dir_all(path)?;
    }
    Ok(())
}

/// Makes a directory without anything in it.
pub(crate) fn empty(dir: &Path) -> Result {
    remove(dir)?;
    Ok(fs_err::create_dir_all(dir)?)
}
