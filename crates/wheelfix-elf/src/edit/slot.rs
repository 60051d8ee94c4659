//! A place for one more program header. The table itself never moves, or `strip` destroys the file: GNU strip writes it
//! right behind the ELF header, eu-strip where the sections end.

use crate::dynamic_tag::Tag;
use crate::edit::displace::Displacement;
use crate::edit::error::EditError;
use crate::edit::model::Model;
use crate::error::ReadError;
use crate::program_header::SegmentKind;
use crate::window::read_range;

/// Where the program header of a new segment goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Slot {
    /// In place of this one, which is `PT_NULL`, or says nothing that another one does not say.
    Replace(usize),
    /// Behind the last one, where the file has unused bytes.
    Free,
    /// Behind the last one, after what is there has moved.
    Displace(Displacement),
}

/// Finds a place.
pub(crate) fn find(model: &Model<'_>, interpreter_moves: bool) -> Result<Slot, EditError> {
    if let Some(index) = model.segment(SegmentKind::NULL) {
        return Ok(Slot::Replace(index));
    }
    let entry_len = model.encoding().program_header_len() as u64;
    let end = table_end(model);
    let fits = first_load_covers(model, end + entry_len);
    if fits && !model.sections.is_empty() && is_unused(model, end, end + entry_len)? {
        return Ok(Slot::Free);
    }
    if let Some(index) = redundant(model) {
        return Ok(Slot::Replace(index));
    }
    let offset = model.program_headers_offset;
    let refuse = |reason| Err(EditError::NoSlot { offset, reason });
    if !fits {
        return refuse("the segment that holds the table ends there");
    }
    if model.sections.is_empty() {
        return refuse("without section headers it is not known what follows the table");
    }
    match Displacement::find(model, end, interpreter_moves)? {
        Ok(displacement) => Ok(Slot::Displace(displacement)),
        Err(reason) => refuse(reason),
    }
}

/// File offset of the first byte after the program headers.
pub(crate) fn table_end(model: &Model<'_>) -> u64 {
    let len = model.elf.program_headers.len() as u64 * model.encoding().program_header_len() as u64;
    model.program_headers_offset.saturating_add(len)
}

fn first_load_covers(model: &Model<'_>, end: u64) -> bool {
    let start = model.program_headers_offset;
    model
        .program_headers
        .iter()
        .any(|header| header.is_load() && header.offset <= start && end <= header.file_end())
}

/// Whether nothing refers to a range of the file, and its bytes are what tools fill unused room with.
fn is_unused(model: &Model<'_>, start: u64, end: u64) -> Result<bool, ReadError> {
    let overlaps =
        |offset: u64, len: u64| len != 0 && offset < end && start < offset.saturating_add(len);
    let by_section = model
        .sections
        .iter()
        .any(|section| section.has_bytes() && overlaps(section.offset, section.len));
    let mut segments = model
        .program_headers
        .iter()
        .filter(|header| !header.is_load());
    let by_segment = segments
        .any(|header| header.kind != SegmentKind::PHDR && overlaps(header.offset, header.file_len));
    let headers_len = model.sections.len() as u64 * model.encoding().section_header_len() as u64;
    let addresses = model.elf.address_map();
    let pointer = |tag: Tag| model.number(tag).and_then(|vaddr| addresses.locate(vaddr));
    let by_tag = Tag::ADDRESSES
        .iter()
        .any(|tag| pointer(*tag).is_some_and(|(offset, _)| overlaps(offset, 1)));
    if by_section || by_segment || by_tag || overlaps(model.section_headers_offset, headers_len) {
        return Ok(false);
    }
    let bytes = read_range(
        model.source,
        "room after the program headers",
        start,
        end - start,
    )?;
    // patchelf fills what it moved away with the letter Z, in older versions with X.
    Ok(bytes.iter().all(|byte| matches!(byte, 0 | b'Z' | b'X')))
}

/// Returns a program header that can be spared.
///
/// `PT_PHDR` of a library: glibc finds the table in the segment that holds it (`elf/dl-load.h` of 2.36, line 94), musl does
/// not look for it there. A `PT_NOTE` with the same bytes as `PT_GNU_PROPERTY`: glibc since 2.32 and the kernel use the
/// latter.
fn redundant(model: &Model<'_>) -> Option<usize> {
    if model.elf.interpreter.is_none() && !model.elf.is_program() {
        if let Some(index) = model.segment(SegmentKind::PHDR) {
            return Some(index);
        }
    }
    let property = model
        .program_headers
        .iter()
        .find(|header| header.kind == SegmentKind::GNU_PROPERTY)?;
    model.program_headers.iter().position(|header| {
        header.kind == SegmentKind::NOTE
            && (header.offset, header.file_len) == (property.offset, property.file_len)
    })
}
