//! Single files that cannot be loaded, or must not.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::remedy::Remedy;
use crate::fault::{BREAK, some_of};

/// A file begins as an ELF file does, and is not a valid one.
#[derive(Clone, Debug, Serialize)]
pub struct DamagedFile {
    /// Its final path.
    pub path: PathBuf,
    /// The reason why it is not valid.
    pub reason: String,
    /// Whether it cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

impl fmt::Display for DamagedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason, .. } = self;
        write!(f, "`{}` is a damaged ELF file: {reason}", path.display())
    }
}

/// A file begins as an ELF file does, is not a valid one, and nothing loads it. A warning.
#[derive(Clone, Debug, Serialize)]
pub struct KeptData {
    /// Its final path.
    pub path: PathBuf,
    /// The reason why it is not valid.
    pub reason: String,
}

impl fmt::Display for KeptData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason } = self;
        let path = path.display();
        write!(
            f,
            "`{path}` begins as an ELF file does and is kept as data: {reason}"
        )
    }
}

/// A library of the driver would be taken from elsewhere than the driver path.
#[derive(Clone, Debug, Serialize)]
pub struct Stub {
    /// The library.
    pub soname: String,
    /// The file that would be loaded.
    pub path: PathBuf,
    /// Final paths of the objects that need it.
    pub needed_by: BTreeSet<PathBuf>,
}

impl fmt::Display for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            soname,
            path,
            needed_by,
        } = self;
        write!(
            f,
            "`{soname}` would be loaded from `{}`, not from the driver",
            path.display()
        )?;
        write!(f, "{BREAK}  needed or opened by: {}", some_of(needed_by))
    }
}

/// The loader gives up over a file that it finds on its way.
#[derive(Clone, Debug, Serialize)]
pub struct Blocked {
    /// The file, and what is wrong with it.
    pub reason: String,
    /// The remedy for this reason.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
    /// Final paths of the objects whose need led there.
    pub needed_by: BTreeSet<PathBuf>,
    /// Whether one of these files cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reason, needed_by, ..
        } = self;
        write!(f, "the loader stops at a file: {reason}")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))
    }
}

/// An element of a run path must not be there.
#[derive(Clone, Debug, Serialize)]
pub struct ForbiddenElement {
    /// Final path of the object.
    pub path: PathBuf,
    /// The element, as it is in the file.
    pub element: String,
    /// The reason why it must not be there.
    pub reason: String,
}

impl fmt::Display for ForbiddenElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            element,
            reason,
        } = self;
        write!(
            f,
            "`{}` has `{element}` in its run path: {reason}",
            path.display()
        )
    }
}
