//! Faults that keep an environment from being made. All are found before anything is written.

use std::io;
use std::path::PathBuf;

use wheelfix_format::{MetadataError, RecordError, TagMismatch, WheelFileError};
use wheelfix_link::{Choice, Remedy, VariableFault, count as plural};

use crate::env::collision::EnvCollision;
use crate::env::requirements_check::{DuplicateDistribution, UnmetRequirement};
use crate::env::torch::TorchMismatch;
use crate::files::FileFault;
use crate::pipeline::error::RefusedWheel;

/// A reason not to make an environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvFault {
    /// An input that is a directory of wheels.
    #[error("`{}` is not a prefix: it has no `lib/pythonX.Y/site-packages`, and {}", path.display(), plural(*count, "wheel"))]
    Wheels {
        /// The directory.
        path: PathBuf,
        /// How many wheels are in it.
        count: usize,
    },
    /// An input that is a source tree.
    #[error("`{}` is not a prefix: it is a source tree", .0.display())]
    SourceTree(PathBuf),
    /// An input that has metadata at its top, as an unpacked wheel and what `pip --target` makes.
    #[error("`{}` is not a prefix: `{metadata}` lies at its top, as in an unpacked wheel", path.display())]
    Unpacked {
        /// The directory.
        path: PathBuf,
        /// The name of the `.dist-info`.
        metadata: String,
    },
    /// An input that does not exist.
    #[error("input does not exist: `{}`", .0.display())]
    Missing(PathBuf),
    /// A wheel that is refused, where another input is, too.
    #[error("`{}`: {}", .0.path.display(), .0.reason)]
    Refused(RefusedWheel),
    /// A propagated input that does not exist.
    #[error("input does not exist: `{}`, which `{}` propagates", path.display(), user.display())]
    MissingPropagated {
        /// The input.
        path: PathBuf,
        /// The input that propagates it.
        user: PathBuf,
    },
    /// A list of propagated inputs that is not text, or too long for one.
    #[error("not a list of paths: `{}`", .0.display())]
    Propagated(PathBuf),
    /// A directory in an input that has edits of a run that was killed.
    #[error("edits were broken off: `{}`", .0.display())]
    BrokenOff(PathBuf),
    /// An input within another.
    #[error("input `{}` lies within input `{}`", inner.display(), outer.display())]
    Nested {
        /// The inner one.
        inner: PathBuf,
        /// The outer one.
        outer: PathBuf,
    },
    /// The environment would lie within an input.
    #[error("the prefix `{}` lies within the input `{}`", prefix.display(), input.display())]
    PrefixInside {
        /// The environment.
        prefix: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// An input that holds modules for another Python.
    #[error("`{}` is for Python {version}, the environment for Python {target}", path.display())]
    OtherPython {
        /// The input.
        path: PathBuf,
        /// Its Python.
        version: String,
        /// The environment's Python.
        target: String,
    },
    /// A file name that is not Unicode.
    #[error("name is not UTF-8: {0:?}")]
    Name(PathBuf),
    /// A link that leads to nothing.
    #[error("link leads to nothing: `{}` -> `{}`", path.display(), target.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// The target, as the link has it.
        target: PathBuf,
    },
    /// Links that lead to each other, or to a directory above them.
    #[error("links lead in a circle: `{}`", .0.display())]
    Loop(PathBuf),
    /// A directory that lies too deep to be made; one that is taken whole may lie in any depth.
    #[error("more than {limit} directories above each other: `{}`", path.display())]
    Depth {
        /// The directory.
        path: PathBuf,
        /// How many there may be.
        limit: usize,
    },
    /// Neither a file nor a directory nor a link.
    #[error("neither file nor directory nor link: `{}`", .0.display())]
    Special(PathBuf),
    /// A RECORD that cannot be read.
    #[error("invalid RECORD: `{}`", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The first fault.
        source: Box<RecordError>,
    },
    /// A text that is not UTF-8.
    #[error("not UTF-8: `{}`", .0.display())]
    Text(PathBuf),
    /// METADATA that cannot be read.
    #[error("invalid metadata: `{}`", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The reason why it cannot be read.
        source: Box<MetadataError>,
    },
    /// WHEEL that cannot be read.
    #[error("invalid WHEEL: `{}`", path.display())]
    WheelFile {
        /// The file.
        path: PathBuf,
        /// The reason why it cannot be read.
        source: Box<WheelFileError>,
    },
    /// Two candidates for one place that no rule decides.
    #[error("{0}")]
    EnvCollision(EnvCollision),
    /// A rule for collisions that decides none.
    #[error("no collision matches `{0}`")]
    UnusedRule(String),
    /// A leave to be unmet that nothing needs.
    #[error("no unmet requirement matches `{0}`")]
    UnusedUnmet(String),
    /// One distribution twice.
    #[error("{0}")]
    Duplicate(DuplicateDistribution),
    /// A requirement that nothing in the environment meets.
    #[error("{0}")]
    Unmet(Box<UnmetRequirement>),
    /// A distribution that was built for another Python or machine.
    #[error("{distribution} does not fit (`{}`)", path.display())]
    Tag {
        /// Its name and version.
        distribution: String,
        /// Its `.dist-info`.
        path: PathBuf,
        /// The tags that do not fit.
        source: Box<TagMismatch>,
    },
    /// A distribution that says it needs another Python.
    #[error("{distribution} needs Python {needs}, the environment has {target} (`{}`)", path.display())]
    RequiresPython {
        /// Its name and version.
        distribution: String,
        /// Its `.dist-info`.
        path: PathBuf,
        /// The versions that it needs, as written.
        needs: String,
        /// The environment's Python.
        target: String,
    },
    /// A package that was made for another torch.
    #[error("{0}")]
    Torch(Box<TorchMismatch>),
    /// A rule for a variable that cannot give it.
    #[error("{0}")]
    Variable(Box<VariableFault>),
    /// An input that was there and is gone.
    #[error("input vanished while the environment was made: `{}`", .0.display())]
    Vanished(PathBuf),
    /// An option for the files of wheels that matches nothing.
    #[error("{0}")]
    File(Box<FileFault>),
    /// The operating system said no.
    #[error(transparent)]
    Read(#[from] io::Error),
}

impl EnvFault {
    /// Remedies, each of which mends it; empty if that is not known.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::UnusedRule(rule) => vec![Remedy::remove(Choice::OnCollision, rule)],
            Self::UnusedUnmet(glob) => vec![Remedy::remove(Choice::AllowUnmet, glob)],
            Self::File(fault) => fault.remedies(),
            Self::Duplicate(twice) => twice.remedies(),
            Self::Variable(fault) => fault.remedies(),
            _ => Vec::new(),
        }
    }

    /// Whether the machine is at fault, not the content of an input.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Missing(_))
    }
}
