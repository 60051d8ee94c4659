//! Objects that do not load in every way.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// An object does not load by itself, but with another one that brings it along. A warning: it
/// is only ever loaded so.
#[derive(Clone, Debug, Serialize)]
pub struct DependentObject {
    /// Final path of the object.
    pub path: PathBuf,
    /// Final path of one with which it loads.
    pub with: PathBuf,
}

impl fmt::Display for DependentObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, with } = self;
        write!(
            f,
            "`{}` does not load by itself, only with `{}`",
            path.display(),
            with.display()
        )
    }
}

/// A library wants an executable stack, which glibc 2.41 and later give to no library that is
/// opened at run time. A warning where the C library is not known or older.
#[derive(Clone, Debug, Serialize)]
pub struct ExecutableStack {
    /// Its final path.
    pub path: PathBuf,
}

impl fmt::Display for ExecutableStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path } = self;
        let path = path.display();
        write!(
            f,
            "`{path}` wants an executable stack, which glibc 2.41 and later give to no library that is opened"
        )
    }
}
