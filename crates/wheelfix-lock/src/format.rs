//! The formats of lock files.

use std::fmt;

/// A format that can be read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Format {
    /// `sources.yaml` of Makes.
    Makes,
    /// `pdm.lock`.
    Pdm,
    /// `Pipfile.lock`.
    Pipfile,
    /// `poetry.lock`.
    Poetry,
    /// `pylock.toml`, which several tools write.
    Pylock,
    /// `requirements.txt`, with pins.
    Requirements,
    /// `uv.lock`, also of a script.
    Uv,
}

impl Format {
    pub(crate) const EXPECTED: &str = "`uv.lock`, `SCRIPT.py.lock`, `pylock.toml`, `poetry.lock`, \
        `pdm.lock`, `Pipfile.lock`, `requirements*.txt` or `sources.yaml`";

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
        } else if is("poetry.lock") {
            Some(Self::Poetry)
        } else if is("pdm.lock") {
            Some(Self::Pdm)
        } else if is("Pipfile.lock") {
            Some(Self::Pipfile)
        } else if is("sources.yaml") || is("requirements.yaml") {
            Some(Self::Makes)
        } else {
            let is_text = name.contains("requirements") && name.strip_suffix(".txt").is_some();
            is_text.then_some(Self::Requirements)
        }
    }

    /// The name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Makes => "makes",
            Self::Pdm => "pdm",
            Self::Pipfile => "pipfile",
            Self::Poetry => "poetry",
            Self::Pylock => "pylock",
            Self::Requirements => "requirements",
            Self::Uv => "uv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
