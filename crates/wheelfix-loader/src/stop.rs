//! Why a loader gives up over a file.

use std::fmt;
use std::path::PathBuf;

use wheelfix_elf::load::{Condition, Refusal};

/// Why a loader gives up over a file, and what is known to help.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stop {
    /// The reason: the end of a sentence that begins with the file, or the whole sentence.
    pub reason: String,
    /// The file, once it is part of the reason.
    pub path: Option<PathBuf>,
    /// Whether it is concluded from the section headers, at which no loader looks.
    pub is_inferred: bool,
    /// The change to the file that is known to help; `None` if none is.
    pub cure: Option<Cure>,
}

/// The change to a file that is known to help.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cure {
    /// Take back the request for an executable stack.
    ClearExecStack,
    /// Take the file as it was before `strip` broke it.
    DontStrip,
}

impl Stop {
    /// A reason against which nothing particular is known to help.
    pub fn new(reason: impl Into<String>) -> Self {
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
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.reason = format!("`{path}` {}", self.reason);
        self.path = Some(PathBuf::from(path));
        self
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
