//! The place of the interpreter's name: that of `PT_INTERP`, unless a linker script put more into it.

use crate::edit::error::EditError;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::Elf;
use crate::read::program_header::{ProgramHeader, SegmentKind};
use crate::read::section_header::{SHT_PROGBITS, SectionHeader};

/// The section that linkers make for the name.
const SECTION: &str = ".interp";

/// Returns the `PT_INTERP` of a file as it would be with nothing but the name in it.
///
/// A linker script may put other sections there, and GNU ld puts a build-id that the script does not name before `.interp`:
/// the test `contiguous-note-sections` of patchelf.
pub(crate) fn place(elf: &Elf, segment: &ProgramHeader) -> Result<ProgramHeader, EditError> {
    let is_inside = |section: &&SectionHeader| {
        let apart = section.file_end() <= segment.offset || segment.file_end() <= section.offset;
        section.is_alloc() && section.has_bytes() && !apart
    };
    let sections: Vec<&SectionHeader> = elf.sections.iter().filter(is_inside).collect();
    let first = match sections[..] {
        [] => return alone(elf, segment),
        [only] if only.kind == SHT_PROGBITS => return Ok(*segment),
        [first, ..] => first,
    };
    let distance = segment.vaddr.wrapping_sub(segment.offset);
    let is_name = |section: &&&SectionHeader| {
        section.name == SECTION
            && section.kind == SHT_PROGBITS
            && section.vaddr.wrapping_sub(section.offset) == distance
    };
    match sections.iter().find(is_name) {
        Some(section) => Ok(ProgramHeader {
            offset: section.offset,
            vaddr: section.vaddr,
            paddr: section.vaddr,
            file_len: section.len,
            memory_len: section.len,
            align: section.align,
            ..*segment
        }),
        None => Err(shared(segment, format!("the section `{}`", first.name))),
    }
}

/// Checks that `PT_INTERP` holds nothing that a file without sections tells of: all of it is written anew.
fn alone(elf: &Elf, segment: &ProgramHeader) -> Result<ProgramHeader, EditError> {
    let holds = |offset: u64, len: u64| {
        len != 0 && offset < segment.file_end() && segment.offset < offset.saturating_add(len)
    };
    let dynamic = elf.program_header(SegmentKind::DYNAMIC);
    if dynamic.is_some_and(|dynamic| holds(dynamic.offset, dynamic.file_len)) {
        return Err(shared(segment, "the dynamic section".to_owned()));
    }
    if let Some(dynamic) = &elf.dynamic {
        let strings = dynamic.strings;
        if strings.is_some_and(|strings| holds(strings.offset, strings.len)) {
            return Err(shared(segment, "the string table".to_owned()));
        }
        let places = segment.vaddr..segment.vaddr.saturating_add(segment.file_len);
        let mut tags = Tag::ADDRESSES.iter();
        let is_inside = |tag: &&Tag| {
            let vaddr = dynamic.array.get(**tag);
            vaddr.is_some_and(|vaddr| places.contains(&vaddr))
        };
        if let Some(tag) = tags.find(is_inside) {
            return Err(shared(segment, format!("what {tag} is about")));
        }
    }
    Ok(*segment)
}

fn shared(segment: &ProgramHeader, content: String) -> EditError {
    EditError::NoInterpreterName {
        offset: segment.offset,
        len: segment.file_len,
        content,
    }
}
