//! Files that are called as libraries are, and that nothing can use.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// A file with the name of a library that cannot be read as one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Unusable {
    /// Where it is.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub reason: String,
}

impl Unusable {
    /// The name that a need would find it by.
    pub(crate) fn name(&self) -> Option<&str> {
        self.path.file_name().and_then(OsStr::to_str)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = (self.path.display(), &self.reason);
        write!(f, "`{path}` is not a library for anyone: {reason}")
    }
}
