//! The directories of libraries that one library path stands for.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;
use wheelfix_format::is_library_name;
use wheelfix_loader::{existing_path, has_token};

/// The directories below a library path that hold libraries for everybody; the empty name is that of itself. The last
/// is where nixpkgs' `jdk` has `libjvm.so`.
pub(crate) const PUBLIC: [&str; 4] = ["", "lib", "lib64", "lib/openjdk/lib/server"];

/// How far a directory is meant for others. Smaller comes first, whatever the order of the
/// library path.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The directory itself, its `lib` and the other public directories, and the `nvidia/*/lib` of its site-packages.
    Public,
    /// Directories inside of packages, and `*.libs`: bundled for one package.
    Bundled,
    /// Found through the run paths of libraries of the other tiers.
    RunPath,
}

/// A directory that holds libraries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LibraryDirectory {
    /// Absolute, no symbolic link on the way.
    pub(crate) path: PathBuf,
    pub(crate) tier: Tier,
    /// Index of the library path.
    pub(crate) entry: usize,
}

/// Why a library path cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibPathError {
    /// It is relative: its meaning would depend on the current directory.
    #[error("library path `{}` is not absolute", .0.display())]
    Relative(PathBuf),
    /// It is not there.
    #[error("library path `{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// It is not a directory.
    #[error("library path `{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// It cannot be written into a run path.
    #[error("library directory `{}` cannot stand in a run path: {reason}", .path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// The reason why a run path cannot hold it.
        reason: &'static str,
    },
    /// It cannot be listed.
    #[error(transparent)]
    Walk(#[from] walkdir::Error),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Refuses what is not an absolute path of a directory.
pub(crate) fn check(given: &Path) -> Result<(), LibPathError> {
    if !given.is_absolute() {
        return Err(LibPathError::Relative(given.to_path_buf()));
    }
    match fs_err::metadata(given) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(LibPathError::NoDirectory(given.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(LibPathError::Missing(given.to_path_buf()))
        }
        Err(error) => Err(error.into()),
    }
}

/// A path without the `/` that joining an empty one adds.
fn join(path: &Path, below: &str) -> PathBuf {
    path.components()
        .chain(Path::new(below).components())
        .collect()
}

/// Returns the directories behind one library path, the public ones first, each in the order of its
/// name.
pub(crate) fn expand(entry: usize, given: &Path) -> Result<Vec<LibraryDirectory>, LibPathError> {
    check(given)?;
    let given = existing_path(given)?;
    let public = public(&given)?;
    let mut bundled = Vec::new();
    for site in site_packages(&given)? {
        for directory in WalkDir::new(&site).sort_by_file_name() {
            let directory = directory?;
            if directory.file_type().is_dir() {
                bundled.push(directory.into_path());
            }
        }
    }
    let public = public.into_iter().map(|path| (path, Tier::Public));
    let bundled = bundled.into_iter().map(|path| (path, Tier::Bundled));
    let mut seen = BTreeSet::new();
    let mut directories = Vec::new();
    for (path, tier) in public.chain(bundled) {
        if holds_libraries(&path)? {
            let path = existing_path(&path)?;
            if seen.insert(path.clone()) {
                check_writable(&path)?;
                directories.push(LibraryDirectory { path, tier, entry });
            }
        }
    }
    Ok(directories)
}

/// The directories behind one library path that hold libraries for everybody.
pub(crate) fn public_directories(given: &Path) -> Result<Vec<PathBuf>, LibPathError> {
    check(given)?;
    let mut directories = public(&existing_path(given)?)?;
    directories.retain(|directory| directory.is_dir() && !is_for_linkers(directory));
    Ok(directories)
}

/// Where a prefix may have libraries for everybody.
fn public(given: &Path) -> Result<Vec<PathBuf>, LibPathError> {
    let mut public: Vec<PathBuf> = PUBLIC.map(|below| join(given, below)).into();
    for site in site_packages(given)? {
        for toolkit in subdirectories(&site.join("nvidia"))? {
            public.push(toolkit.join("lib"));
        }
    }
    Ok(public)
}

/// The site-packages directories of a prefix; the directory itself if it is one.
pub(crate) fn site_packages(prefix: &Path) -> Result<Vec<PathBuf>, LibPathError> {
    if prefix.file_name() == Some(OsStr::new("site-packages")) {
        return Ok(vec![prefix.to_path_buf()]);
    }
    let mut found = Vec::new();
    for directory in subdirectories(&prefix.join("lib"))? {
        let name = directory
            .file_name()
            .and_then(OsStr::to_str)
            .unwrap_or_default();
        let site = directory.join("site-packages");
        if (name.starts_with("python") || name.starts_with("pypy")) && site.is_dir() {
            found.push(site);
        }
    }
    Ok(found)
}

/// The directories in a directory, links to such included, by name. Empty if it is not there.
fn subdirectories(directory: &Path) -> Result<Vec<PathBuf>, io::Error> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a directory has files with names of libraries. Stubs, which only a linker may see, and
/// separate debug information do not count.
pub(crate) fn holds_libraries(directory: &Path) -> Result<bool, io::Error> {
    if is_for_linkers(directory) || !directory.is_dir() {
        return Ok(false);
    }
    for entry in fs_err::read_dir(directory)? {
        if entry?.file_name().to_str().is_some_and(is_library_name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a directory is one of stubs or of debug information.
pub(crate) fn is_for_linkers(directory: &Path) -> bool {
    directory
        .components()
        .any(|part| part.as_os_str() == OsStr::new("stubs"))
        || directory.ends_with("lib/debug")
}

/// Refuses a path that cannot be an element of a run path.
pub(crate) fn check_writable(path: &Path) -> Result<(), LibPathError> {
    let reason = match path.to_str() {
        None => "it is not Unicode",
        Some(text) if text.contains(':') => "`:` separates its elements",
        Some(text) if has_token(text) => "the loader would expand a part of it",
        Some(text) if text.contains('\n') => "it has a line break",
        Some(_) => return Ok(()),
    };
    Err(LibPathError::Unwritable {
        path: path.to_path_buf(),
        reason,
    })
}
