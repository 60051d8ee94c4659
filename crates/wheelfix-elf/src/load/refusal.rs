//! Why a loader gives up on a file.

use std::fmt;

use crate::read::elf::Elf;
use crate::read::program_header::ProgramHeader;

/// A condition that a loader sets a file, each a place where it gives up or is killed; in the order in which they are
/// looked at here.
///
/// The functions are those of glibc 2.36, <https://sourceware.org/git/?p=glibc.git;a=tree;f=elf;hb=refs/tags/glibc-2.36>.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Condition {
    /// `open_verify`: the OS ABI and its version.
    OsAbi,
    /// `open_verify`: the padding of `e_ident`.
    Padding,
    /// `open_verify`: `e_version`.
    Version,
    /// `open_verify`: `e_type`.
    Type,
    /// `open_verify`: `e_phentsize`.
    EntrySize,
    /// `_dl_map_object_from_fd`: at least one `PT_LOAD`.
    NoSegment,
    /// `_dl_map_object_from_fd`: address and offset agree modulo the page.
    Congruence,
    /// `_dl_map_object_from_fd` before glibc 2.35: address and offset agree modulo the alignment.
    OldAlignment,
    /// `_dl_map_segments`: the segments lie from the first to the last.
    SegmentOrder,
    /// `_dl_map_segments`: the segments fit into memory.
    SegmentRange,
    /// `_dl_map_segments`, and whatever is read later: it is in the file.
    Truncated,
    /// `elf_get_dynamic_info`: there is a dynamic section, and it can be read.
    Dynamic,
    /// `elf_get_dynamic_info`: the dynamic section can be written where it says so.
    DynamicReadOnly,
    /// `elf_get_dynamic_info`: the sizes of entries.
    RelocationSize,
    /// `elf_get_dynamic_info` and what uses it: entries that are used together.
    DynamicEntries,
    /// `setup_hash`: the hash tables.
    Hash,
    /// `_dl_relocate_object`: the string and symbol tables.
    Tables,
    /// `_dl_protect_relro`: what becomes read-only is there.
    Relro,
    /// `_dl_allocate_tls_init`: thread-local data.
    ThreadLocal,
    /// The section headers are right in what they say of memory.
    Sections,
    /// `_dl_check_map_versions`: the tables of versions.
    Versions,
    /// `_dl_relocate_object`: the relocations are in memory.
    Relocations,
    /// `elf_machine_rela`: the types of relocations.
    RelocationType,
    /// `elf_machine_rela`: what is relocated can be written.
    RelocationPlace,
    /// `elf_machine_rela`: the symbols of relocations.
    RelocationSymbol,
    /// `call_init` and whoever calls a function: code can be run.
    Code,
}

/// A condition that a file does not meet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The condition.
    pub condition: Condition,
    /// The fault, as the end of a sentence that begins with the file.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(condition: Condition, detail: impl Into<String>) -> Self {
        Self {
            condition,
            detail: detail.into(),
        }
    }

    /// A segment that is not where its address says. It is what the `strip` programs leave of a segment without a
    /// section: patchelf makes such segments.
    pub(crate) fn incongruent(elf: &Elf, load: &ProgramHeader) -> Self {
        let at = elf
            .program_headers
            .iter()
            .position(|header| std::ptr::eq(header, load));
        let detail = format!(
            "cannot be loaded: `strip` has moved the segment of program header {} to offset {:#x}, which its address {:#x} does not agree with",
            at.unwrap_or_default(),
            load.offset,
            load.vaddr
        );
        Self::new(Condition::Congruence, detail)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
