//! Why a file is not edited.

use crate::error::ReadError;
use crate::machine::Machine;
use crate::read::header::ObjectType;
use crate::read::program_header::SegmentKind;
use crate::verify::Violation;

/// Why a request cannot be planned. The file was not touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is neither a program nor a library.
    #[error("e_type at 0x10: expected a program or a shared library, got: `{got}`")]
    ObjectType {
        /// Its type.
        got: ObjectType,
    },
    /// The file holds separate debug information: its dynamic section has no bytes.
    #[error("the file holds separate debug information, its dynamic section has no bytes")]
    DebugFile,
    /// The file is linked statically.
    #[error("the file is not linked dynamically: it has no PT_DYNAMIC")]
    NotDynamic,
    /// No segment maps the dynamic section to its address: whatever an edit does with it, nothing loads the file.
    #[error("PT_DYNAMIC: expected an address in a segment that is loaded, got {vaddr:#x}")]
    DynamicUnmapped {
        /// Its address.
        vaddr: u64,
    },
    /// The file relocates itself before it runs, and does not start after such an edit.
    #[error("the file is {file}, which relocates itself and does not start {edit}")]
    RelocatesItself {
        /// The kind of file.
        file: &'static str,
        /// The edit after which it does not start.
        edit: &'static str,
    },
    /// The page sizes of the machine are not known.
    #[error("files for {got} are read, but not edited")]
    Machine {
        /// The machine.
        got: Machine,
    },
    /// A program header that the edit needs is not there.
    #[error("the file has no {kind}")]
    NoProgramHeader {
        /// The kind.
        kind: SegmentKind,
    },
    /// `PT_INTERP` holds something else, and not the interpreter's name in a section of its own.
    #[error(
        "PT_INTERP at {offset:#x}: expected the interpreter's name alone, got: {len} bytes with {content}"
    )]
    NoInterpreterName {
        /// `p_offset`.
        offset: u64,
        /// `p_filesz`.
        len: u64,
        /// The first thing in there, in words.
        content: String,
    },
    /// The dynamic section lacks a table that the edit needs.
    #[error("the dynamic section has no {what}")]
    NoTable {
        /// The tag of the table.
        what: &'static str,
    },
    /// A text contains a NUL, which ends a string in an ELF file.
    #[error("{what} contains a NUL: `{}`", .text.escape_debug())]
    Nul {
        /// The use of the text, such as `soname`.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// A text that names something is empty.
    #[error("{what} is empty")]
    Empty {
        /// The use of the text, such as `soname`.
        what: &'static str,
    },
    /// An alignment is not a power of two, or the segment does not lie on it.
    #[error(
        "PT_LOAD {index}: offset {offset:#x} and address {vaddr:#x} do not agree with the alignment {align:#x}"
    )]
    LoadAlign {
        /// Which of the program headers, from 0.
        index: usize,
        /// `p_offset`.
        offset: u64,
        /// `p_vaddr`.
        vaddr: u64,
        /// `p_align`.
        align: u64,
    },
    /// The segments are not in the order of their addresses, or overlap.
    #[error(
        "PT_LOAD {index} at address {vaddr:#x} begins before the one before it ends, at {end:#x}"
    )]
    LoadOrder {
        /// Which of the program headers, from 0.
        index: usize,
        /// `p_vaddr`.
        vaddr: u64,
        /// The first address after the segment before.
        end: u64,
    },
    /// The file ends before a segment does.
    #[error("PT_LOAD {index} needs the file up to {end:#x}, but it ends at {file_len:#x}")]
    LoadPastEnd {
        /// Which of the program headers, from 0.
        index: usize,
        /// Where the segment ends in the file.
        end: u64,
        /// Length of the file.
        file_len: u64,
    },
    /// The string table shares bytes with something else.
    #[error(
        "the string table of {len} bytes at {offset:#x} reaches into the section at {other:#x}"
    )]
    Overlap {
        /// Where the table is in the file.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// Where the section is in the file.
        other: u64,
    },
    /// An added part does not fit the addresses or offsets of the class.
    #[error("{what} would lie at {got:#x}, the largest number of the file's class is {limit:#x}")]
    AddressSpace {
        /// The part.
        what: &'static str,
        /// The address, the offset or the count that it would have.
        got: u64,
        /// The largest address or offset.
        limit: u64,
    },
    /// The file has a table that the edit would have to rewrite, but that we do not know.
    #[error("the file has {what}, which cannot be rewritten")]
    Unsupported {
        /// The table.
        what: &'static str,
    },
    /// A new symbol name is the name of another symbol.
    #[error("a symbol cannot be renamed to `{name}`: there is one of this name")]
    SymbolExists {
        /// The new name.
        name: String,
    },
    /// Whatever is healed leaves something else to heal.
    #[error("the file cannot be healed: after each edit of it there is something else to mend")]
    Unsettled,
    /// The result would break a rule that the file keeps now. This is a bug in the planner; nothing was written.
    #[error("the planned file breaks {}", list(.violations))]
    Violations {
        /// The rules, with the places.
        violations: Vec<Violation>,
    },
}

fn list(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
