//! Options and rules of the user that apply to nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::BREAK;
use crate::fault::excuse_kind::ExcuseKind;

/// An excuse of the user matches nothing that is missing.
#[derive(Clone, Debug, Serialize)]
pub struct UnusedIgnore {
    /// The kind of the excuse.
    pub kind: ExcuseKind,
    /// The glob.
    pub glob: String,
}

impl fmt::Display for UnusedIgnore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, glob } = self;
        write!(
            f,
            "`{glob}` excuses no {kind}: it matches nothing that is missing"
        )
    }
}

/// The user's `--backend` names nothing that is there.
#[derive(Clone, Debug, Serialize)]
pub struct UnusedBackend {
    /// The glob.
    pub glob: String,
    /// The names and accelerators of the backends that are there.
    pub known: BTreeSet<String>,
}

impl fmt::Display for UnusedBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { glob, known } = self;
        write!(f, "`{glob}` names no backend of these files")?;
        if known.is_empty() {
            return write!(f, "{BREAK}  there are none");
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        write!(f, "{BREAK}  there are: {}", known.join(", "))
    }
}

/// A rule of the user applies to nothing.
#[derive(Clone, Debug, Serialize)]
pub struct UnusedRule {
    /// The rule.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
}

impl fmt::Display for UnusedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, file } = self;
        write!(
            f,
            "rule `{name}` of `{}` applies to nothing",
            file.display()
        )
    }
}
