//! Read an ELF file's dynamic linking data and edit it in place; verify the result. Knows no Python.
//!
//! [`Elf::read`] takes any [`Source`] (an open file, bytes in memory) and reads what the loader reads: a few kilobytes of
//! a library of any length, 32 or 64 bits, either byte order. [`Elf::symbols`] loads the symbol table when it is wanted.
//!
//! ```
//! use wheelfix_elf::{Elf, ReadError};
//!
//! let bytes = b"PK\x03\x04 is a zip file".to_vec();
//! let error = Elf::read(&bytes).unwrap_err();
//! assert_eq!(error.to_string(), "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `50 4b 03 04`");
//! ```

mod edit;
#[cfg(test)]
mod edit_again_tests;
#[cfg(test)]
mod edit_tests;
mod encoding;
mod error;
mod file;
#[doc(hidden)]
pub mod fuzzing;
pub mod load;
mod machine;
pub(crate) mod read;
#[cfg(test)]
mod sample;
mod source;
mod verify;

pub use edit::{
    Data, EditError, NeededEdit, Plan, Planned, Request, RunPathEdit, RunPathKind, RunPathRequest,
    Warning, Write,
};
pub use encoding::{ByteOrder, Class, Encoding};
pub use error::ReadError;
pub use file::{
    Applied, ApplyError, FileEdit, Method, Original, Outcome, PatchError, RANDOM_LEN, TEMPORARY,
    is_temporary, open_regular, patch_file, patch_file_to, plan_file, temporary_file,
};
pub use machine::{Machine, MachineFacts};
pub use read::dynamic::{DynamicArray, DynamicEntry, StringTable};
pub use read::dynamic_tag::Tag;
pub use read::elf::{Dynamic, Elf, RunPath};
pub use read::hash::{HashedName, gnu_hash, sysv_hash};
pub use read::header::{Header, ObjectType};
pub use read::minimum_versions::{is_newer_version, minimum_versions};
pub use read::notes::Notes;
pub use read::program_header::{ProgramHeader, SegmentKind};
pub use read::section_header::SectionHeader;
pub use read::symbol::{Binding, Symbol, SymbolKind, VersionIndex, Visibility};
pub use read::symbol_table::{SymbolTable, VersionName, WantedVersion};
pub use read::versions::{VersionDefinition, VersionNeed, VersionNeeds};
pub use read::{dynamic_tag, program_header, section_header, symbol};
pub use source::{FileSource, Prefix, Source};
pub use verify::{Rule, Violation, new_violations, verify};
