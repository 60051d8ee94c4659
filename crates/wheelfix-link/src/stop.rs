//! Why a loader gives up over a file.

use std::fmt;
use std::path::{Path, PathBuf};

use wheelfix_elf::load::{Condition, Refusal};

use crate::remedy::Remedy;

/// Why a loader gives up over a file, and what is known to help.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stop {
    /// The reason: the end of a sentence that begins with the file, or the whole sentence.
    pub reason: String,
    /// The file, once it is part of the reason.
    pub path: Option<PathBuf>,
    /// Whether it is concluded from the section headers, at which no loader looks.
    pub(crate) is_inferred: bool,
    cure: Option<Cure>,
}

/// The remedy for one kind of reason.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Cure {
    ClearExecStack,
    DontStrip,
}

impl Stop {
    /// A reason against which nothing particular is known to help.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            path: None,
            is_inferred: false,
            cure: None,
        }
    }

    /// The C library's answer to an object that asks for an executable stack.
    pub(crate) fn executable_stack(reason: String) -> Self {
        Self {
            cure: Some(Cure::ClearExecStack),
            ..Self::new(reason)
        }
    }

    /// The whole sentence, of the file at a path.
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.reason = format!("`{path}` {}", self.reason);
        self.path = Some(PathBuf::from(path));
        self
    }

    /// The remedy.
    pub(crate) fn remedy(&self) -> Option<Remedy> {
        let path = self.path.as_deref().map(Path::to_path_buf)?;
        Some(match self.cure? {
            Cure::ClearExecStack => Remedy::ClearExecStack { path },
            Cure::DontStrip => Remedy::DontStrip { path },
        })
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        let is_stripped = refusal.condition == Condition::Congruence;
        Self {
            cure: is_stripped.then_some(Cure::DontStrip),
            is_inferred: refusal.condition == Condition::Sections,
            ..Self::new(refusal.detail)
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
