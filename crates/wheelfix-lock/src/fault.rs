//! All that is wrong with a lock file, or with what is asked of it, in one list.

use std::fmt;

use wheelfix_format::{MarkerError, PackageNameError, WheelFilenameError};

use crate::SriError;

/// Everything that was found wrong, in the order in which it was met; never empty.
pub type Faults = Vec<Fault>;

/// One thing that is wrong, and where.
#[derive(Debug)]
pub struct Fault {
    /// The name of the package that it is about, with its version if it has one.
    pub package: Option<String>,
    /// The key in the file, or in the table of the package; empty for all of it.
    pub key: String,
    /// The target, and the selection, that it is about, if it is about one.
    pub target: Option<String>,
    /// The fault itself.
    pub problem: Problem,
}

/// One thing that can be wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Problem {
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    #[error("the file is empty: have its writer make it again")]
    Empty,
    #[error("this is a pointer of Git LFS, not the file: get the file itself with `git lfs pull`")]
    LfsPointer,
    #[error("line {0} is a marker of a merge conflict: lock anew, or resolve the conflict")]
    MergeConflict(usize),
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        line: usize,
        column: usize,
        message: String,
    },
    #[error("more than {0} values, which no lock file has")]
    TooMany(usize),
    #[error("{0}")]
    Structure(String),
    #[error("no lock file that is known: {0}")]
    UnknownFormat(String),
    #[error("expected {expected}, got {got}")]
    FormatVersion { expected: &'static str, got: String },
    #[error("invalid name `{text}`: {error}")]
    Name {
        text: String,
        error: PackageNameError,
    },
    #[error("there is no version")]
    NoVersion,
    #[error("invalid version `{text}`: {message}")]
    Version { text: String, message: String },
    #[error("invalid version specifier `{text}`: {message}")]
    Specifier { text: String, message: String },
    #[error("invalid requirement `{text}`: {message}")]
    Requirement { text: String, message: String },
    #[error("invalid marker `{text}`: {error}")]
    Marker { text: String, error: MarkerError },
    #[error("invalid hash `{text}`: {error}")]
    Hash { text: String, error: SriError },
    #[error("{}", error_chain(.0))]
    WheelName(Box<WheelFilenameError>),
    #[error("the file `{file}` is of {of}, not of this package")]
    OtherPackage { file: String, of: String },
    #[error("neither a URL nor a path says where the file is")]
    NoLocation,
    #[error("the URL is not one: `{0}`")]
    Url(String),
    #[error("the source is none that is known")]
    UnknownSource,
    #[error("it does not say of which package it is: write `NAME @ {0}`")]
    NoName(String),
    #[error("no commit is given, and what a branch or a tag leads to may change")]
    NoCommit,
    #[error("it is not pinned to one version with `==`: `{0}`")]
    NotPinned(String),
    #[error(
        "`{0}` stands for a variable of the environment, and a lock says the same for all: write its value, as `envsubst` does"
    )]
    Variable(String),
    #[error("another file is meant: `{0}`; give that one by itself, or put its lines here")]
    OtherFile(String),
    #[error("the index has another hash of `{0}`")]
    OtherHash(String),
    #[error("the index does not have {0}")]
    NotInIndex(String),
    #[error("no index is known that could be asked")]
    NoIndex,
    #[error("no index has it: asked {}", .0.join(", "))]
    UnknownToIndexes(Vec<String>),
    #[error("the answer of `{url}` is not JSON as indexes have it: {}", .fault.problem)]
    NoAnswer { url: String, fault: Box<Fault> },
    #[error("`{url}`: {message}")]
    Fetch { url: String, message: String },
    #[error("another file than the one of the hash is at `{0}`")]
    OtherFileThere(String),
    #[error("no package of the lock is `{0}`")]
    UnknownDependency(String),
    #[error("several packages of the lock could be meant: {}", .0.join(", "))]
    AmbiguousDependency(Vec<String>),
    #[error("the lock has this package twice")]
    Duplicate,
    #[error("there is no {kind} `{name}`; there are: {}", list(.known))]
    Undeclared {
        kind: &'static str,
        name: String,
        known: Vec<String>,
    },
    #[error("{} cannot be selected together: the lock says that of {}", .active.join(" and "), .set.join(", "))]
    Conflict {
        active: Vec<String>,
        set: Vec<String>,
    },
    #[error("the lock is for Python {requires}, the target has {got}")]
    RequiresPython { requires: String, got: String },
    #[error("the lock does not cover the target: it is for {}", .0.join(" or "))]
    Environment(Vec<String>),
    #[error("two packages of one name are selected: {}", .0.join(" and "))]
    Twice(Vec<String>),
    #[error("no file fits the target: {}", .0.join("; "))]
    NoFile(Vec<String>),
    #[error(
        "the lock allows any version, as pipenv writes it for what the machine does not need on which it locks: run `pipenv lock` on one like the target"
    )]
    AnyVersion,
    #[error("the lock names no file")]
    NoFiles,
    #[error("the lock has no hash of `{0}`")]
    NoHash(String),
    #[error("the lock does not say where `{0}` is")]
    NoUrl(String),
    #[error("nothing of the lock is for {hardware}: there is something for {}", .known.join(", "))]
    NoHardware {
        hardware: String,
        known: Vec<String>,
    },
    #[error("the version is for {wanted}, the profile has {hardware}")]
    OtherHardware { wanted: String, hardware: String },
    #[error("no selection has the package `{0}`")]
    Unused(String),
    #[error("the URL of `{0}` has what looks like a secret, which may not be passed on")]
    Secret(String),
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn error_chain(error: &WheelFilenameError) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn of_file(problem: Problem) -> Self {
        Self::at("", problem)
    }

    /// A fault of a value outside of all packages.
    pub fn at(key: impl Into<String>, problem: Problem) -> Self {
        Self {
            package: None,
            key: key.into(),
            target: None,
            problem,
        }
    }

    /// A fault of a package; of none if its name is empty.
    pub(crate) fn named(of: &str, key: &str, problem: Problem) -> Self {
        Self {
            package: (!of.is_empty()).then(|| of.to_owned()),
            ..Self::at(key, problem)
        }
    }

    /// A fault of a package.
    pub fn of(package: impl Into<String>, key: impl Into<String>, problem: Problem) -> Self {
        Self {
            package: Some(package.into()),
            key: key.into(),
            target: None,
            problem,
        }
    }

    /// The fault as one that is about a target.
    #[must_use]
    pub(crate) fn for_target(self, target: &str) -> Self {
        Self {
            target: Some(target.to_owned()),
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, "{target}: ")?;
        }
        if let Some(package) = &self.package {
            write!(f, "package `{package}`: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "{}", self.problem)
    }
}
