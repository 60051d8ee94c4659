//! Where a library that would mend a fault can be had.

use std::fmt;

use serde::Serialize;

/// A remedy for a fault.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "by", content = "name", rename_all = "lowercase")]
pub enum Fix {
    /// A package of nixpkgs has the library.
    Nixpkgs(String),
    /// A wheel has the library; its prefix is to be given as `--lib-path`.
    Wheel(String),
    /// The driver has it, and no run path leads there.
    Driver,
    /// Nothing known has it: it can be supplied, left out or ruled.
    Unknown,
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nixpkgs(attribute) => write!(
                f,
                "add `{attribute}` to buildInputs, or `--lib-path ${{lib.getLib pkgs.{attribute}}}`"
            ),
            Self::Wheel(name) => write!(f, "`--lib-path` of the prefix of the wheel `{name}`"),
            Self::Driver => {
                f.write_str("`wheelfix patch`, which adds the driver path to the run path")
            }
            Self::Unknown => f.write_str(
                "`--lib-path` of what has it, `--exclude` of the files that need it, or a rule",
            ),
        }
    }
}
