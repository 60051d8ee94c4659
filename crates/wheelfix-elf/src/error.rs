//! Why bytes are not a readable ELF file.

use std::io;

/// Why a file, or one of its tables, cannot be read.
///
/// Offsets are file offsets, lengths are bytes. The file is named by the caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file does not begin with the ELF magic.
    #[error("not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `{got}`")]
    NotElf {
        /// The bytes found instead, in hexadecimal.
        got: String,
    },
    /// A table or structure reaches past the end of the file.
    #[error("{what} at {offset:#x} needs {len} bytes, but the file has {file_len}")]
    Truncated {
        /// The structure.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// How long it is.
        len: u64,
        /// How long the file is.
        file_len: u64,
    },
    /// A field holds a value that the format does not allow.
    #[error("{what} at {offset:#x}: expected {expected}, got {got:#x}")]
    Field {
        /// The field.
        what: &'static str,
        /// Where it, or the structure that holds it, is.
        offset: u64,
        /// Its value.
        got: u64,
        /// The values that it may have.
        expected: &'static str,
    },
    /// A count is larger than any real file's.
    #[error("{what} at {offset:#x} has {got} entries, more than the limit of {limit}")]
    TooMany {
        /// The table.
        what: &'static str,
        /// Where it is, or where its count is.
        offset: u64,
        /// The count.
        got: u64,
        /// The most that is read.
        limit: u64,
    },
    /// An address does not lie in the part of a `PT_LOAD` that comes from the file.
    #[error("{what}: {len} bytes at address {vaddr:#x} are not loaded from the file")]
    Unmapped {
        /// The table.
        what: &'static str,
        /// Its address.
        vaddr: u64,
        /// Its length, or how much of it was needed.
        len: u64,
    },
    /// An offset into a string table is outside of it.
    #[error(
        "{what}: string offset {got:#x} is outside of the string table of {len} bytes at {offset:#x}"
    )]
    StringOffset {
        /// The use of the string, such as `DT_NEEDED`.
        what: &'static str,
        /// The offset into the table.
        got: u64,
        /// Where the table is.
        offset: u64,
        /// How long the table is.
        len: u64,
    },
    /// A string has no NUL before the end of its table, or within the longest length that is read.
    #[error("{what} at {offset:#x} has no terminating NUL within {len} bytes")]
    Unterminated {
        /// The use of the string, such as `DT_NEEDED`.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// How many bytes were searched.
        len: u64,
    },
    /// The strings of one file are longer in all than any real file's.
    #[error(
        "{what} at {offset:#x}: the strings up to here have {got} bytes, more than the limit of {limit}"
    )]
    StringsTooLong {
        /// The use of the last string, such as `DT_NEEDED`.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// The length of all strings.
        got: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A name that must be text is not UTF-8.
    #[error("{what} at {offset:#x} is not UTF-8")]
    NotUtf8 {
        /// The use of the string, such as `DT_NEEDED`.
        what: &'static str,
        /// Where it starts.
        offset: u64,
    },
    /// Tables that are needed together are not all there.
    #[error("{what} is given, but {missing} is missing")]
    Missing {
        /// The table that is there.
        what: &'static str,
        /// The entry that is missing.
        missing: &'static str,
    },
    /// The bytes could not be read.
    #[error("{what} at {offset:#x}, {len} bytes: read failed")]
    Io {
        /// The structure.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// How long it is.
        len: u64,
        /// The error of the operating system.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &ReadError, want: &str) {
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn headers_name_place_expected_and_got() {
        check(
            &ReadError::NotElf {
                got: "50 4b 03 04".to_owned(),
            },
            "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `50 4b 03 04`",
        );
        check(
            &ReadError::Truncated {
                what: "section headers",
                offset: 0x40,
                len: 64,
                file_len: 70,
            },
            "section headers at 0x40 needs 64 bytes, but the file has 70",
        );
        check(
            &ReadError::Field {
                what: "e_phentsize",
                offset: 0x36,
                got: 7,
                expected: "56",
            },
            "e_phentsize at 0x36: expected 56, got 0x7",
        );
        check(
            &ReadError::TooMany {
                what: "section headers",
                offset: 0x3c,
                got: 9,
                limit: 8,
            },
            "section headers at 0x3c has 9 entries, more than the limit of 8",
        );
        check(
            &ReadError::Missing {
                what: "DT_STRTAB",
                missing: "DT_STRSZ",
            },
            "DT_STRTAB is given, but DT_STRSZ is missing",
        );
        let source = io::ErrorKind::UnexpectedEof.into();
        check(
            &ReadError::Io {
                what: "note",
                offset: 1,
                len: 12,
                source,
            },
            "note at 0x1, 12 bytes: read failed",
        );
    }

    #[test]
    fn tables_name_place_expected_and_got() {
        check(
            &ReadError::Unmapped {
                what: "DT_STRTAB",
                vaddr: 0x1000,
                len: 5,
            },
            "DT_STRTAB: 5 bytes at address 0x1000 are not loaded from the file",
        );
        check(
            &ReadError::StringOffset {
                what: "DT_NEEDED",
                got: 0x99,
                offset: 0x200,
                len: 9,
            },
            "DT_NEEDED: string offset 0x99 is outside of the string table of 9 bytes at 0x200",
        );
        check(
            &ReadError::Unterminated {
                what: "DT_SONAME",
                offset: 0x208,
                len: 1,
            },
            "DT_SONAME at 0x208 has no terminating NUL within 1 bytes",
        );
        check(
            &ReadError::StringsTooLong {
                what: "DT_NEEDED",
                offset: 0x208,
                got: 20,
                limit: 10,
            },
            "DT_NEEDED at 0x208: the strings up to here have 20 bytes, more than the limit of 10",
        );
        check(
            &ReadError::NotUtf8 {
                what: "DT_RPATH",
                offset: 0x208,
            },
            "DT_RPATH at 0x208 is not UTF-8",
        );
    }
}
