//! The outcome of a project of the corpus.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::corpus::peer::PeerOutcome;

/// The comparison of what wheelfix said with what happens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Judgement {
    /// Installed, used (where a warning asks for it, in one environment with what it requires), and every object that was
    /// said to load was opened.
    CorrectPass,
    /// Refused, and pip's copy does not work either; or what is refused does not load in pip's copy or breaks the
    /// specification of wheels, and with the printed fix it is a correct pass.
    CorrectRefusal,
    /// Installed without a library that Python code opens, with a warning that names it, and it cannot be used.
    Told,
    /// Installed, but it cannot be used though pip's copy can, or an object does not load that was said to.
    FalsePass,
    /// Refused, though pip's copy works.
    FalseRefusal,
    /// Ended by a signal, or by a fault of wheelfix itself.
    Crash,
    /// Installed, and neither copy can be used for a reason that is not a library: nothing can be told.
    Undecided,
}

/// The outcome for one project.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Of wheelfix, of the bed and of the entry in the list: with another key the project is judged again.
    pub(crate) key: String,
    pub(crate) judgement: Judgement,
    /// ELF files of the wheel.
    pub(crate) elf_files: usize,
    /// Objects that were said to load, and were opened.
    pub(crate) opened: usize,
    /// The judgement of the install without the libraries that it needs from the bed, if there are any.
    pub(crate) without_libraries: Option<Judgement>,
    /// The flags beyond `--lib-path` that it needs, as they were printed.
    pub(crate) flags: Vec<String>,
    /// The result of nixpkgs' auto-patchelf; `None` if it was not asked.
    #[serde(skip)]
    pub(crate) peer: Option<PeerOutcome>,
    /// One reason a line.
    pub(crate) reasons: Vec<String>,
}

impl Judgement {
    /// Whether wheelfix was right.
    pub(crate) fn is_right(self) -> bool {
        matches!(self, Self::CorrectPass | Self::CorrectRefusal | Self::Told)
    }
}

impl Outcome {
    /// Whether wheelfix was right in every install of the project, as far as can be told.
    pub(crate) fn is_right(&self) -> bool {
        let right =
            |judgement: Judgement| judgement.is_right() || judgement == Judgement::Undecided;
        right(self.judgement) && self.without_libraries.is_none_or(right)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CorrectPass => "correct pass",
            Self::CorrectRefusal => "correct refusal",
            Self::Told => "told",
            Self::FalsePass => "false pass",
            Self::FalseRefusal => "false refusal",
            Self::Crash => "crash",
            Self::Undecided => "undecided",
        })
    }
}
