//! The formats of lock files.

use std::fmt;

/// A format that can be read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Format {
    /// `pylock.toml`, which several tools write.
    Pylock,
    /// `uv.lock`, also of a script.
    Uv,
}

impl Format {
    pub(crate) const EXPECTED: &str = "`uv.lock`, `SCRIPT.py.lock` or `pylock.toml`";

    /// The format of a file with this name; a name may stand before that of the format.
    pub fn of(name: &str) -> Option<Self> {
        let is = |known: &str| {
            let rest = name.strip_suffix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let of_pylock = name
            .strip_prefix("pylock.")
            .and_then(|it| it.strip_suffix("toml"));
        if is("uv.lock") || name.ends_with(".py.lock") {
            Some(Self::Uv)
        } else if of_pylock.is_some_and(|name| name.is_empty() || name.ends_with('.')) {
            Some(Self::Pylock)
        } else {
            None
        }
    }

    /// The name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pylock => "pylock",
            Self::Uv => "uv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
