//! The old place of a dynamic section that had to move.
//!
//! Code finds the dynamic section through `_DYNAMIC`, the address that it had when it was linked. So the entries stay there,
//! as far as there is room for them, and get a section of their own, since `strip` wipes what no section covers. Later edits
//! keep them up to date.

use crate::edit::model::{Entry, Model};
use crate::error::ReadError;
use crate::read::dynamic::DynamicArray;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::{self, ProgramHeader, SegmentKind};
use crate::read::section_header::{SHT_PROGBITS, SectionHeader};
use crate::read::window::{Window, read_range};

/// No dynamic section is longer, in bytes.
const MAX_LEN: u64 = 1 << 16;

/// Name of the section: the end of the name `.dynamic`, which the table of section names has already.
const NAME: &str = "dynamic";

/// Finds the section that an earlier edit has made. Returns its file offset and how many entries fit.
pub(crate) fn find(model: &Model<'_>) -> Result<Option<(u64, usize)>, ReadError> {
    if model.elf.sections.is_empty() {
        return find_by_got(model);
    }
    let entry_len = model.encoding().dynamic_entry_len() as u64;
    let looks_right = |section: &&SectionHeader| {
        section.kind == SHT_PROGBITS && section.name == NAME && section.entry_len == entry_len
    };
    let Some(section) = model.elf.sections.iter().find(looks_right) else {
        return Ok(None);
    };
    let array = read(model, (section.offset, section.vaddr), section.len)?;
    Ok(is_copy(model, &array).then_some((section.offset, array.capacity)))
}

fn read(
    model: &Model<'_>,
    (offset, vaddr): (u64, u64),
    len: u64,
) -> Result<DynamicArray, ReadError> {
    let place = ProgramHeader {
        kind: SegmentKind::DYNAMIC,
        offset,
        vaddr,
        paddr: vaddr,
        file_len: len,
        memory_len: len,
        ..ProgramHeader::NULL
    };
    DynamicArray::read(&Window::new(model.source), model.encoding(), &place)
}

fn is_copy(model: &Model<'_>, array: &DynamicArray) -> bool {
    array.get(Tag::STRTAB).is_some() && array.get(Tag::STRTAB) == model.number(Tag::STRTAB)
}

/// Finds the old place without section headers: linkers put its address into the first word of the global offset table. Only
/// as many entries fit as are there, since what follows them is not known.
fn find_by_got(model: &Model<'_>) -> Result<Option<(u64, usize)>, ReadError> {
    let image = model.elf.image();
    let word_len = model.encoding().word_len() as u64;
    let table = model
        .number(Tag::PLTGOT)
        .and_then(|vaddr| image.locate(vaddr));
    let Some((offset, _)) = table.filter(|(_, left)| word_len <= *left) else {
        return Ok(None);
    };
    let word = read_range(model.source, "DT_PLTGOT", offset, word_len)?;
    let vaddr = model.encoding().word_at(&word, 0).unwrap_or_default();
    if vaddr == model.dynamic.array.vaddr {
        return Ok(None);
    }
    let Some((offset, left)) = program_header::locate(&model.elf.program_headers, vaddr) else {
        return Ok(None);
    };
    match read(model, (offset, vaddr), left.min(MAX_LEN)) {
        Ok(array) if is_copy(model, &array) => Ok(Some((offset, array.entries.len() + 1))),
        Err(error @ ReadError::Io { .. }) => Err(error),
        _ => Ok(None),
    }
}

/// Adds the section for a dynamic section that moves for the first time. `end` is where the next thing may lie in the file;
/// returned is where it may lie after that, since the section headers grow.
pub(crate) fn add_section(model: &mut Model<'_>, end: u64) -> u64 {
    let section = model
        .dynamic_section()
        .and_then(|index| model.elf.sections.get(index));
    let Some(section) = section.filter(|_| model.retired.is_none()) else {
        return end;
    };
    let dot = u32::from(section.name.starts_with('.'));
    let retired = SectionHeader {
        name: section.name.trim_start_matches('.').to_owned(),
        name_offset: section.name_offset + dot,
        kind: SHT_PROGBITS,
        link: 0,
        info: 0,
        ..section.clone()
    };
    model.retired_dynamic = Some(model.sections.len());
    model.sections.push(retired);
    let entry_len = model.encoding().section_header_len() as u64;
    let old_end = model.section_headers_offset + model.elf.sections.len() as u64 * entry_len;
    let is_last = end >= model.elf.file_len && old_end <= end && end - old_end <= 8;
    if !is_last {
        model.section_headers_offset = end.next_multiple_of(8);
    }
    model.section_headers_offset + model.sections.len() as u64 * entry_len
}

/// Returns the entries for the old place: those of the new one, without the last needed libraries if there is no room.
pub(crate) fn entries(entries: &[Entry], capacity: usize) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    while entries.len() >= capacity.max(1) {
        let needed = entries.iter().rposition(|entry| entry.tag == Tag::NEEDED);
        entries.remove(needed.unwrap_or(entries.len() - 1));
    }
    entries
}
