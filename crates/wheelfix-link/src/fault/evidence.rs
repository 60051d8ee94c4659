//! The evidence that something is opened at run time.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// The evidence for a dependency.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A rule, by its name.
    Rule(String),
    /// The object's own `.note.dlopen`.
    Note,
    /// The name stands in the read-only data of an object that calls `dlopen`.
    Data,
    /// The name stands in a call in a Python source; the lines that have it, as `x.py:3`.
    Source(BTreeSet<String>),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(name) => write!(f, "rule `{name}`"),
            Self::Note => f.write_str("its `.note.dlopen`"),
            Self::Data => f.write_str("the name is in its read-only data"),
            Self::Source(lines) => {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                write!(f, "{}", lines.join(", "))
            }
        }
    }
}
