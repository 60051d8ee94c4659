//! Kinds of faults that a user may excuse.

use std::fmt;

use serde::Serialize;

use crate::fault::remedy::Choice;

/// The kind of thing that an excuse is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExcuseKind {
    /// A library, by the name that is needed or opened.
    Library,
    /// A symbol, by its name without a version.
    Symbol,
}

impl ExcuseKind {
    /// The option by which the user makes the excuse.
    pub(crate) fn choice(self) -> Choice {
        match self {
            Self::Library => Choice::IgnoreMissing,
            Self::Symbol => Choice::IgnoreSymbol,
        }
    }
}

impl fmt::Display for ExcuseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Library => "library",
            Self::Symbol => "symbol",
        })
    }
}
