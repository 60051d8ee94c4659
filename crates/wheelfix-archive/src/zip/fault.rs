//! Why a zip archive is refused: each reason on its own.

use crate::fault::{Fault, FaultList};

/// All reasons why a zip archive is refused, in the order in which they were found.
pub type Faults = FaultList<ZipProblem>;

/// One reason why a zip archive is refused, and where it was found.
pub type ZipFault = Fault<ZipProblem>;

/// One reason why an archive is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipProblem {
    /// There is no end record: this is not a zip archive, or not all of it.
    #[error("no end of central directory record: not a zip archive, or truncated")]
    NoEnd,
    /// More than NUL bytes follow the end record.
    #[error("{got} bytes follow the end of the archive")]
    TrailingData {
        /// Number of bytes after the end record and its comment.
        got: u64,
    },
    /// The comment is longer than what is left of the file.
    #[error("archive comment is truncated: expected {expected} bytes, got {got}")]
    CommentTruncated {
        /// Length of the comment as stated.
        expected: u64,
        /// Number of bytes there are.
        got: u64,
    },
    /// The comment or what follows it looks like another archive.
    #[error("archive comment holds another archive")]
    ZipInComment,
    /// The archive is one of several parts.
    #[error("archive is one of several parts")]
    SeveralParts,
    /// The member is in another part of the archive.
    #[error("member is in part {0} of the archive, counted from 0")]
    OtherPart(u32),
    /// The end record has a value for zip64 but there is no zip64 end record.
    #[error("zip64 end record is missing")]
    Zip64Missing,
    /// The zip64 locator points elsewhere than to the zip64 end record before it.
    #[error("zip64 end record: expected at {expected:#x}, got {got:#x}")]
    Zip64Offset {
        /// Where the record must be to end at the locator.
        expected: u64,
        /// Where the locator says that it is.
        got: u64,
    },
    /// The zip64 end record is broken or holds data that we do not know.
    #[error("zip64 end record is malformed")]
    Zip64Malformed,
    /// The two end records differ.
    #[error("end records differ in {field}: {zip64} for zip64, {plain} without")]
    EndsDiffer {
        /// Name of the field.
        field: &'static str,
        /// Value in the zip64 end record.
        zip64: u64,
        /// Value in the end record.
        plain: u64,
    },
    /// The central directory does not end where the end record begins.
    #[error("central directory must end at {expected:#x}, got {got:#x}")]
    DirectoryEnd {
        /// Offset of the end record.
        expected: u64,
        /// End of the central directory as stated.
        got: u64,
    },
    /// The central directory has another number of entries than the end record says.
    #[error("central directory: expected {expected} entries, got {got}")]
    EntryCount {
        /// Number as stated.
        expected: u64,
        /// Number found.
        got: u64,
    },
    /// The central directory holds something that is not an entry.
    #[error("entry {index} of the central directory is malformed")]
    EntryMalformed {
        /// Position of the entry, from 0.
        index: u64,
    },
    /// There are more members than the limit.
    #[error("archive has {got} members, limit is {expected}")]
    TooManyMembers {
        /// The limit.
        expected: u64,
        /// Number of members as stated.
        got: u64,
    },
    /// The members are larger than the limit.
    #[error("members take {got} bytes, limit is {expected}")]
    TotalTooLarge {
        /// The limit, in bytes.
        expected: u64,
        /// Sum of the lengths, in bytes.
        got: u64,
    },
    /// The members are larger than the archive can explain: a compression bomb.
    #[error(
        "members take {total} bytes, {got} times what the archive holds, limit is {expected} times"
    )]
    RatioTooLarge {
        /// The limit.
        expected: u64,
        /// The ratio, rounded down.
        got: u64,
        /// Sum of the lengths, in bytes.
        total: u64,
    },
    /// Bytes before the first member.
    #[error("{got} bytes precede the first member")]
    PrependedData {
        /// Number of bytes.
        got: u64,
    },
    /// Bytes that belong to no member, where a reader that goes forward may see one.
    #[error("{got} bytes belong to no member")]
    Gap {
        /// Number of bytes.
        got: u64,
    },
    /// Two members share bytes of the archive.
    #[error("overlaps `{other}`, which ends at {end:#x}")]
    Overlap {
        /// Name of the member that begins before.
        other: String,
        /// Offset of its end.
        end: u64,
    },
    /// The data of a member reaches into the central directory or beyond the file.
    #[error("data must end before {expected:#x}, got {got:#x}")]
    DataEnd {
        /// Offset of the central directory.
        expected: u64,
        /// End of the data.
        got: u64,
    },
    /// The data descriptor differs from the central directory, or has no known form.
    #[error("data descriptor does not repeat the central directory")]
    Descriptor,
    /// A stored member of unknown length: a reader that goes forward cannot find its end.
    #[error("stored member has a data descriptor")]
    StoredDescriptor,
    /// There is no local header where the central directory says.
    #[error("no local header")]
    LocalMissing,
    /// The local header has another name.
    #[error("local header has the name `{got}`")]
    LocalName {
        /// The name there, made printable.
        got: String,
    },
    /// The local header differs from the central directory.
    #[error("local header differs in {field}: expected {expected:#x}, got {got:#x}")]
    LocalField {
        /// Name of the field.
        field: &'static str,
        /// Value in the central directory.
        expected: u64,
        /// Value in the local header.
        got: u64,
    },
    /// The extra field is not a list of records.
    #[error("extra field is malformed")]
    ExtraMalformed,
    /// The extra field has two records of one kind.
    #[error("extra field has two records {0:#06x}")]
    ExtraDuplicate(u16),
    /// The zip64 record has not exactly the values that the entry leaves to it.
    #[error("zip64 record of the extra field: expected {expected} bytes, got {got}")]
    ExtraZip64 {
        /// Length that the entry asks for, in bytes.
        expected: u64,
        /// Length of the record, in bytes.
        got: u64,
    },
    /// The extra field gives the member another name.
    #[error("extra field has the name `{got}`")]
    ExtraName {
        /// The name there, made printable.
        got: String,
    },
    /// The member is encrypted.
    #[error("member is encrypted")]
    Encrypted,
    /// A flag is set that we do not know.
    #[error("unsupported flags {0:#06x}")]
    Flags(u16),
    /// The member is compressed with a method that we do not read.
    #[error("unsupported compression method {number} ({name})")]
    Method {
        /// Number of the method.
        number: u16,
        /// Its name.
        name: &'static str,
    },
    /// The member needs a newer reader.
    #[error("needs version {got} of the format, expected at most {expected}")]
    Version {
        /// Newest version that we read, times ten.
        expected: u16,
        /// Version needed, times ten.
        got: u16,
    },
    /// The two lengths cannot belong together.
    #[error("length {len} is impossible for {compressed_len} bytes of data")]
    Lengths {
        /// Length as stated, in bytes.
        len: u64,
        /// Length of the data, in bytes.
        compressed_len: u64,
    },
    /// The member is neither a file nor a directory.
    #[error("member has the file type {0:#o}")]
    FileType(u32),
    /// A directory's name does not end in a slash, or a file's does.
    #[error("name and mode disagree about whether it is a directory")]
    DirectoryName,
    /// A directory has content.
    #[error("directory has {0} bytes of content")]
    DirectoryContent(u64),
    /// The name is not ASCII and not marked as UTF-8: readers decode it differently.
    #[error("name is not marked as UTF-8")]
    NameUnmarked,
    /// The name is marked as UTF-8, but is not.
    #[error("name is not UTF-8")]
    NameNotUtf8,
    /// The name cannot become a path.
    #[error(transparent)]
    Name(#[from] crate::MemberPathError),
    /// Two members have this name.
    #[error("member occurs twice")]
    Duplicate,
    /// A file has the name of a directory that another member lies in.
    #[error("is a file, but `{below}` lies below it")]
    FileIsDirectory {
        /// Name of the other member.
        below: String,
    },
}
