//! The formats of lock files.

use std::fmt;

/// A format that can be read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Format {
    /// `uv.lock`, also of a script.
    Uv,
}

impl Format {
    pub(crate) const EXPECTED: &str = "`uv.lock` or `SCRIPT.py.lock`";

    /// The format of a file with this name.
    pub fn of(name: &str) -> Option<Self> {
        (name == "uv.lock" || name.ends_with(".uv.lock") || name.ends_with(".py.lock"))
            .then_some(Self::Uv)
    }

    /// The name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uv => "uv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
