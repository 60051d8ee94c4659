//! Remedies for faults, as data: a library knows what would mend a fault, and not by what option,
//! setting or command it is asked for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use wheelfix_loader::{Cure, Stop};

/// Something that would mend a fault. Several are alternatives.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "remedy", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// Offer a directory that has a library.
    AddLibPath {
        /// The library.
        library: String,
        /// Whether one is there, and too old.
        newer: bool,
        /// Final paths of the files that lack it.
        needed_by: BTreeSet<PathBuf>,
        /// Its known providers.
        candidates: Vec<Candidate>,
    },
    /// Offer the prefix of what defines symbols, as another wheel that is required.
    AddDefiner {
        /// Final path of the file that lacks them.
        path: PathBuf,
    },
    /// Leave files out.
    Exclude {
        /// Their final paths.
        paths: BTreeSet<PathBuf>,
    },
    /// Excuse that a library is missing.
    IgnoreMissing {
        /// Its name, or alternatives.
        names: Vec<String>,
    },
    /// Excuse that symbols are undefined.
    IgnoreSymbol {
        /// Their names, without versions.
        names: Vec<String>,
    },
    /// Write a rule.
    AddRule {
        /// Its class.
        class: RuleClass,
        /// The subject: a file, or the name of a library.
        about: String,
    },
    /// Let Python sources find a library of a library path, or the driver's, by its name.
    LibraryTable {
        /// The library, or alternatives.
        library: String,
        /// Its known providers.
        candidates: Vec<Candidate>,
    },
    /// Say which of several libraries is meant.
    Prefer {
        /// The directories that have one.
        directories: Vec<PathBuf>,
        /// Final paths of the files that need it.
        needed_by: BTreeSet<PathBuf>,
    },
    /// Relocate files: what the output needs is there, and they do not lead to it.
    #[serde(rename = "relocate")]
    Patch {
        /// Their final paths.
        paths: BTreeSet<PathBuf>,
    },
    /// Give programs an interpreter that starts them on the target.
    SetInterpreter {
        /// Their final paths.
        paths: BTreeSet<PathBuf>,
    },
    /// Take back the request for an executable stack, if the code can do without.
    ClearExecStack {
        /// The file.
        path: PathBuf,
    },
    /// Let the driver path come first, before a directory with a copy of a library of the driver.
    DriverPathFirst {
        /// The files that would load the copy.
        paths: BTreeSet<PathBuf>,
    },
    /// Take files as they were before a tool of symbols stripped them.
    DontStrip {
        /// The file.
        path: PathBuf,
    },
    /// Build or fetch what brought a file anew, whole and for this target.
    Rebuild {
        /// The file.
        path: PathBuf,
    },
    /// Do not ask for something.
    Remove {
        /// The request.
        #[serde(rename = "wish")]
        choice: Choice,
        /// The value that was given; empty for what has none.
        value: String,
    },
    /// Leave inputs out: another one brings the same.
    LeaveOut {
        /// Their paths.
        inputs: Vec<PathBuf>,
    },
    /// Accept files of a wheel although its list of files does not vouch for them.
    AcceptMismatch {
        /// Their paths in the wheel.
        paths: Vec<String>,
    },
    /// Take a rule out of a file, or correct it.
    RemoveRule {
        /// Its name.
        name: String,
        /// The file.
        file: PathBuf,
    },
}

/// A provider of a library.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "by", content = "name", rename_all = "lowercase")]
pub enum Candidate {
    /// A directory that a library path leads to, and no run path.
    Directory(PathBuf),
    /// A package of nixpkgs, by its attribute.
    Nixpkgs(String),
    /// The prefix of a wheel, by the wheel's name.
    Wheel(String),
}

/// The class of a rule.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleClass {
    /// Which of several libraries is meant.
    Prefer,
    /// The replacement of a text of a Python source.
    Replace,
    /// Libraries that a file opens at run time.
    Dlopen,
    /// The value of a variable.
    Environment,
}

/// Something that a user asks for, whatever it is called on a command line or in a build.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Choice {
    /// A file may differ from RECORD.
    AcceptMismatch,
    /// A requirement may be unmet.
    AllowUnmet,
    /// A backend to keep.
    Backend,
    /// The decision about a bundled library.
    Bundled,
    /// Files to leave out.
    Exclude,
    /// A library that may be missing.
    IgnoreMissing,
    /// A symbol that may be undefined.
    IgnoreSymbol,
    /// The interpreter of programs.
    Interpreter,
    /// The decision about a collision.
    OnCollision,
    /// A distribution that serves for another.
    Provides,
    /// A requirement without its version bounds.
    Relax,
    /// All requirements without their version bounds.
    RelaxAll,
    /// A requirement without its upper version bounds.
    RelaxUpper,
    /// A requirement to remove.
    RemoveDep,
    /// No requirements at all.
    RemoveAllDeps,
}

impl Remedy {
    /// The remedy for a file that the loader refuses; `None` where none is known, or the file is not.
    pub(crate) fn for_stop(stop: &Stop) -> Option<Self> {
        let path = stop.path.clone()?;
        Some(match stop.cure? {
            Cure::ClearExecStack => Self::ClearExecStack { path },
            Cure::DontStrip => Self::DontStrip { path },
        })
    }

    /// That a value was given, to take it back.
    pub fn remove(choice: Choice, value: impl Into<String>) -> Self {
        Self::Remove {
            choice,
            value: value.into(),
        }
    }

    /// The rule of a class for something.
    pub(crate) fn rule(class: RuleClass, about: impl Into<String>) -> Self {
        Self::AddRule {
            class,
            about: about.into(),
        }
    }

    /// To patch one file again.
    pub(crate) fn patch(path: impl Into<PathBuf>) -> Self {
        Self::Patch {
            paths: BTreeSet::from([path.into()]),
        }
    }

    /// To leave one file out.
    pub fn exclude(path: impl Into<PathBuf>) -> Self {
        Self::Exclude {
            paths: BTreeSet::from([path.into()]),
        }
    }
}
