//! Why a tar archive is refused: each reason on its own.

use crate::fault::{Fault, FaultList};
use crate::member_path::MemberPathError;

/// All reasons why a tar archive is refused, in the order in which they were found.
pub type TarFaults = FaultList<TarProblem>;

/// One reason why a tar archive is refused, and where in the decompressed archive it was found.
pub type TarFault = Fault<TarProblem>;

/// One reason why a tar archive is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TarProblem {
    /// The compressed data is broken, or of another kind than the name of the file says.
    #[error("{kind} data is corrupt: {reason}")]
    Corrupt {
        /// Name of the compression.
        kind: &'static str,
        /// The decoder's message.
        reason: String,
    },
    /// The archive ends within a member or before its end marker.
    #[error("archive is truncated")]
    Truncated,
    /// More than NUL bytes follow the end marker.
    #[error("data follows the end of the archive")]
    TrailingData,
    /// The archive takes more than the limit.
    #[error("archive takes more than the limit of {expected} bytes")]
    TotalTooLarge {
        /// The limit, in bytes.
        expected: u64,
    },
    /// The archive takes more than the file can explain: a compression bomb.
    #[error("archive takes more than {expected} times what the file holds, which is the limit")]
    RatioTooLarge {
        /// The limit.
        expected: u64,
    },
    /// There are more members than the limit.
    #[error("archive has more than {expected} members, which is the limit")]
    TooManyMembers {
        /// The limit.
        expected: u64,
    },
    /// The checksum of a header is wrong.
    #[error("header checksum mismatch: expected {expected}, got {got}")]
    Checksum {
        /// The sum that the header states.
        expected: u32,
        /// The sum of its bytes.
        got: u32,
    },
    /// A number in a header is malformed or too large.
    #[error("header has no valid {0}")]
    Number(&'static str),
    /// The header has a name prefix where its format has none: readers differ in using it.
    #[error("header has a name prefix that its format does not have")]
    Prefix,
    /// The member is of a type that is not unpacked.
    #[error("member is {0}")]
    Type(&'static str),
    /// The member is of a type that we do not know.
    #[error("member has the unknown type {0:#04x}")]
    UnknownType(u8),
    /// A member that has no content has a length: readers differ in skipping it.
    #[error("member has a length of {0} bytes, but is not a file")]
    Length(u64),
    /// A file whose name ends in a slash.
    #[error("file has the name of a directory")]
    DirectoryName,
    /// The name is not UTF-8.
    #[error("name is not UTF-8")]
    NameNotUtf8,
    /// The name cannot become a path.
    #[error(transparent)]
    Name(#[from] MemberPathError),
    /// An extended header is malformed or too long.
    #[error("extended header is malformed or too long")]
    ExtensionMalformed,
    /// An extended header would change how the next header, or all others, are read.
    #[error("extended header sets {0}")]
    ExtensionField(String),
    /// A name is given by two extended headers.
    #[error("extended headers give two {0}s")]
    ExtensionTwice(&'static str),
    /// No member follows an extended header.
    #[error("no member follows an extended header")]
    ExtensionLast,
    /// Two members have this name.
    #[error("member occurs twice")]
    Duplicate,
    /// A member lies below something that is not a directory.
    #[error("lies below `{0}`, which is not a directory")]
    BelowFile(String),
    /// The target of a symbolic link is absolute.
    #[error("link leads to an absolute path: `{0}`")]
    LinkAbsolute(String),
    /// The target of a symbolic link leads out of the directory.
    #[error("link leads out of the archive: `{0}`")]
    LinkOutside(String),
    /// The target of a symbolic link leads through too many links.
    #[error("link leads to itself: `{0}`")]
    LinkLoop(String),
    /// The target of a symbolic link is empty or has a NUL.
    #[error("link has no valid target")]
    LinkTarget,
    /// The target of a hard link is not a file that comes before it.
    #[error("hard link to `{0}`, which is not a file before it")]
    HardLink(String),
}
