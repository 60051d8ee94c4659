//! Reasons to refuse a wheel, and warnings about one that is accepted.

use std::fmt;
use std::io;

use wheelfix_archive::{ContentError, Faults, MemberPathError, OpenError};
use wheelfix_format::{
    EntryPointsError, MetadataError, PackageName, RecordError, TagSet, Version, WheelFileError,
    WheelFilenameError,
};

use super::oddity::Oddity;

/// Why a wheel could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WheelError {
    /// The path has no file name in UTF-8.
    #[error("path has no file name in UTF-8")]
    NoFilename,
    /// The file name is not that of a wheel.
    #[error("invalid file name of a wheel")]
    Filename(#[source] WheelFilenameError),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is refused.
    #[error(transparent)]
    Archive(Faults),
    /// The archive is sound, but it is not a wheel.
    #[error(transparent)]
    Wheel(#[from] WheelFaults),
}

impl From<OpenError> for WheelError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => Self::Io(error),
            OpenError::Refused(faults) => Self::Archive(faults),
        }
    }
}

/// Faults that are listed; a wheel may have one for each of its members and more.
const MAX_LISTED: usize = 50;

/// All reasons why a wheel is refused, in the order in which they were found.
#[derive(Debug, Default)]
pub struct WheelFaults {
    list: Vec<WheelFault>,
    unlisted: usize,
}

/// One reason why a wheel is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WheelFault {
    /// No directory `*.dist-info` at the top of the archive.
    #[error("no `.dist-info` directory at the top level")]
    NoDistInfo,
    /// More than one directory `*.dist-info` at the top of the archive.
    #[error("expected one `.dist-info` directory at the top level, got {}: {}", .0.len(), .0.join(", "))]
    SeveralDistInfos(Vec<String>),
    /// A `.dist-info` directory whose name is not that of the file.
    #[error(
        "expected a `.dist-info` directory for {name} {version} as the file name says, got `{got}`"
    )]
    DistInfoName {
        /// The name of the project in the file name.
        name: PackageName,
        /// The version in the file name.
        version: Version,
        /// The directory.
        got: String,
    },
    /// A file that every wheel has.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A text file that could not be inflated.
    #[error("`{path}`: {source}")]
    Content {
        /// The file.
        path: String,
        /// The fault of its content.
        source: ContentError,
    },
    /// A text file that is not UTF-8.
    #[error("`{path}`: not UTF-8 from byte {offset:#x} on")]
    NotUtf8 {
        /// The file.
        path: String,
        /// Offset of the first bad byte in the file.
        offset: usize,
    },
    /// `WHEEL`.
    #[error("`WHEEL`: {}", with_cause(.0))]
    WheelFile(WheelFileError),
    /// `METADATA`.
    #[error("`METADATA`: {}", with_cause(.0))]
    Metadata(MetadataError),
    /// A row of `RECORD`.
    #[error("`RECORD`: {0}")]
    Record(RecordError),
    /// A line of `entry_points.txt`.
    #[error("`entry_points.txt`: {0}")]
    EntryPoints(EntryPointsError),
    /// `METADATA` has another name than the file.
    #[error("the file name says {filename}, `METADATA` says {metadata}")]
    Name {
        /// By the file name.
        filename: PackageName,
        /// By `METADATA`.
        metadata: PackageName,
    },
    /// `METADATA` has another version than the file.
    #[error("the file name says version {filename}, `METADATA` says {metadata}")]
    Version {
        /// By the file name.
        filename: Version,
        /// By `METADATA`.
        metadata: Version,
    },
    /// A file that `RECORD` does not list.
    #[error("`RECORD` has no row for `{0}`")]
    Unlisted(String),
    /// Two rows of `RECORD` for one file that say different things.
    #[error("`RECORD` lists `{0}` twice, and differently")]
    ListedTwice(String),
    /// A row of `RECORD` without a hash.
    #[error("`RECORD` has no hash for `{0}`")]
    Unhashed(String),
    /// Files to be accepted although they differ from `RECORD`, of which none is in the wheel.
    #[error("`{0}` is to be accepted although it differs from `RECORD`, but is not in the wheel")]
    UnusedException(String),
    /// A file where the `.data` directory would be.
    #[error("`{0}` is a file, but has the name of the `.data` directory")]
    DataFile(String),
    /// A file directly in the `.data` directory, or below a key that is not a scheme.
    #[error(
        "`{0}`: expected purelib, platlib, headers, scripts or data below the `.data` directory"
    )]
    Scheme(String),
    /// A file of the `.data` directory that would become one of a distribution's own.
    #[error("`{0}` goes to a `.dist-info` directory")]
    DataDistInfo(String),
    /// A script that cannot be a file everywhere.
    #[error("the entry point `{name}` cannot be a script: {source}")]
    ScriptName {
        /// The name of the entry point.
        name: String,
        /// The fault in the name.
        source: MemberPathError,
    },
    /// A script with the name of an interpreter.
    #[error("{0} has the name of a Python interpreter, which it would replace")]
    ReservedScript(String),
    /// Two files of the wheel that go to one place, and are not the same.
    #[error("{first} and {second} go to the same place")]
    SamePlace {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

/// A warning about a wheel that is accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WheelWarning {
    /// A newer minor version of the format, whose additions are not known.
    NewerMinor(u64),
    /// A line of `METADATA` that ends the fields without an empty line: all readers lose what follows.
    MalformedMetadata {
        /// Counted from 1.
        line: usize,
    },
    /// Paths that are the same for some file systems.
    Collision(Vec<String>),
    /// `WHEEL` has other tags than the file name.
    Tags {
        /// By the file name.
        filename: TagSet,
        /// By `WHEEL`, one set per line.
        wheel_file: Vec<TagSet>,
    },
    /// Something that is not as a format says, and does not matter: one warning for a kind.
    Odd {
        /// The kind.
        oddity: Oddity,
        /// The first path or text; empty if it says nothing.
        first: String,
        /// How many there are.
        count: usize,
    },
    /// A file that is accepted on request, whatever its content is, by its path in the wheel.
    Accepted(String),
    /// A file that leads to sources outside of the wheel, by its path in the wheel: a build for
    /// development.
    Editable(String),
    /// A file that goes to `nix-support` in the prefix, by its path in the wheel: stdenv acts on what
    /// is there in each build that depends on the package.
    NixSupport(String),
}

impl WheelFault {
    /// The file that may be accepted although `RECORD` does not vouch for it; `None` if that would not
    /// mend the fault.
    pub fn mismatch(&self) -> Option<&str> {
        match self {
            Self::Unlisted(path) | Self::Unhashed(path) | Self::ListedTwice(path) => Some(path),
            Self::Record(error) => error.path(),
            _ => None,
        }
    }
}

impl WheelFaults {
    /// The reasons, at least one; of very many only the first.
    pub fn list(&self) -> &[WheelFault] {
        &self.list
    }

    /// Number of further reasons that are not in the list.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    pub(crate) fn push(&mut self, fault: WheelFault) {
        if self.list.len() < MAX_LISTED {
            self.list.push(fault);
        } else {
            self.unlisted += 1;
        }
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.unlisted += others.unlisted;
        others.list.into_iter().for_each(|fault| self.push(fault));
    }

    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.list.is_empty() {
            Ok(())
        } else {
            Err(self)
        }
    }
}

impl std::error::Error for WheelFaults {}

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
const BREAK: char = '\n';

impl fmt::Display for WheelFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([fault], 0) = (self.list.as_slice(), self.unlisted) {
            return fault.fmt(f);
        }
        write!(f, "{} faults in the wheel", self.list.len() + self.unlisted)?;
        for fault in &self.list {
            write!(f, "{BREAK}  {fault}")?;
        }
        if 0 < self.unlisted {
            write!(f, "{BREAK}  and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl fmt::Display for WheelWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerMinor(minor) => write!(
                f,
                "`Wheel-Version` 1.{minor} is newer than 1.0, which is known"
            ),
            Self::MalformedMetadata { line } => {
                write!(
                    f,
                    "line {line} of `METADATA` is not a field: it and what follows is taken as description"
                )
            }
            Self::Collision(paths) => {
                write!(
                    f,
                    "some file systems take these as one: {}",
                    paths.join(", ")
                )
            }
            Self::Tags {
                filename,
                wheel_file,
            } => {
                let tags: Vec<String> = wheel_file.iter().map(ToString::to_string).collect();
                let tags = match tags.as_slice() {
                    [] => "none".to_owned(),
                    tags => tags.join(", "),
                };
                write!(
                    f,
                    "the file name has the tags {filename}, `WHEEL` has {tags}"
                )
            }
            Self::Odd {
                oddity,
                first,
                count,
            } => {
                oddity.fmt(f)?;
                if !first.is_empty() {
                    write!(f, ": `{first}`")?;
                }
                if 1 < *count {
                    write!(f, " and {} more", count - 1)?;
                }
                Ok(())
            }
            Self::Accepted(path) => {
                write!(f, "`{path}` is accepted, whatever `RECORD` says")
            }
            Self::NixSupport(path) => write!(
                f,
                "`{path}` goes to `nix-support` in the prefix, where stdenv runs it or follows it in each build that depends on the package"
            ),
            Self::Editable(path) => write!(
                f,
                "`{path}` leads to sources outside of the wheel, as builds for development do"
            ),
        }
    }
}

/// In a list of faults, the cause of each stands on its line.
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
