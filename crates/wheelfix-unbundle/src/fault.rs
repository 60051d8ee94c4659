//! Faults of an unbundling: options about bundled libraries that cannot be met.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use wheelfix_link::{Choice, Remedy};

use crate::bundled::KeepReason;
use crate::incompatibility::Incompatibility;

/// Why a plan must not be carried out.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UnbundleFault {
    /// A `--bundled` matches no bundled library.
    #[serde(rename = "unused-wish")]
    UnusedOverride {
        /// The option.
        #[serde(rename = "wish")]
        given: String,
        /// The real sonames of the bundled libraries that are there.
        known: BTreeSet<String>,
    },
    /// A library that the user wants replaced cannot be.
    NotReplaced {
        /// Its final path.
        path: PathBuf,
        /// Its real soname.
        soname: String,
        /// The option.
        #[serde(rename = "wish")]
        given: String,
        /// Why not.
        reason: KeepReason,
    },
    /// A library that the user wants dropped is needed.
    StillNeeded {
        /// Its final path.
        path: PathBuf,
        /// The option.
        #[serde(rename = "wish")]
        given: String,
        /// Final paths of those that need it.
        users: BTreeSet<PathBuf>,
    },
    /// The relocation would have a user take another library than the one that was proved.
    Diverted {
        /// Final path of the user.
        user: PathBuf,
        /// The name that it needs.
        soname: String,
        /// The library that was proved.
        expected: PathBuf,
        /// The library that it would get; `None` for none.
        got: Option<PathBuf>,
    },
}

impl UnbundleFault {
    /// Remedies, each of which mends it; empty if that is not known.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::UnusedOverride { given, .. }
            | Self::NotReplaced { given, .. }
            | Self::StillNeeded { given, .. } => vec![Remedy::remove(Choice::Bundled, given)],
            Self::Diverted { .. } => Vec::new(),
        }
    }
}

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
pub(crate) const BREAK: char = '\n';

impl fmt::Display for UnbundleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedOverride { given, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                write!(
                    f,
                    "`{given}` matches no bundled library; there are: {known}"
                )
            }
            Self::NotReplaced {
                path,
                soname,
                given,
                reason,
            } => {
                write!(
                    f,
                    "{} ({soname}) cannot be replaced, as `{given}` wants",
                    path.display()
                )?;
                write_reason(f, reason)
            }
            Self::StillNeeded { path, given, users } => {
                write!(
                    f,
                    "{} cannot be dropped, as `{given}` wants",
                    path.display()
                )?;
                users
                    .iter()
                    .try_for_each(|user| write!(f, "{BREAK}  needed by {}", user.display()))
            }
            Self::Diverted {
                user,
                soname,
                expected,
                got,
            } => {
                let got = got
                    .as_ref()
                    .map_or_else(|| "nothing".to_owned(), |got| got.display().to_string());
                write!(
                    f,
                    "{} would take {got} for `{soname}`, expected {}",
                    user.display(),
                    expected.display()
                )
            }
        }
    }
}

/// Writes why a library is kept: all that speaks against the other one, a line each.
fn write_reason(f: &mut fmt::Formatter<'_>, reason: &KeepReason) -> fmt::Result {
    let KeepReason::Unproved {
        by,
        incompatibilities,
    } = reason
    else {
        return write!(f, ": {reason}");
    };
    write!(f, "{BREAK}  {} will not do:", by.display())?;
    incompatibilities
        .iter()
        .try_for_each(|one| write_in_full(f, one))
}

/// Writes a reason with all names, a line each.
fn write_in_full(f: &mut fmt::Formatter<'_>, incompatibility: &Incompatibility) -> fmt::Result {
    write!(f, "{BREAK}  {incompatibility}")?;
    let (names, users) = match incompatibility {
        Incompatibility::Symbols { symbols, needed_by } => (symbols, needed_by),
        Incompatibility::Versions {
            versions,
            needed_by,
        } => (versions, needed_by),
        _ => return Ok(()),
    };
    for name in names {
        write!(f, "{BREAK}    {name}")?;
    }
    users
        .iter()
        .try_for_each(|user| write!(f, "{BREAK}    needed by {}", user.display()))
}
