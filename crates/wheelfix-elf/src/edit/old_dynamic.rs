//! The old place of a dynamic section that had to move.
//!
//! Code finds the dynamic section through `_DYNAMIC`, the address that it had when it was linked. So the entries stay there,
//! as far as there is room for them, and get a section of their own, since `strip` wipes what no section covers. Later edits
//! keep them up to date.

use crate::edit::edits::Edits;
use crate::edit::tables::Entry;
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
pub(crate) fn find(edits: &Edits<'_>) -> Result<Option<(u64, usize)>, ReadError> {
    if edits.elf.sections.is_empty() {
        return find_by_got(edits);
    }
    let entry_len = edits.encoding().dynamic_entry_len() as u64;
    let looks_right = |section: &&SectionHeader| {
        section.kind == SHT_PROGBITS && section.name == NAME && section.entry_len == entry_len
    };
    let Some(section) = edits.elf.sections.iter().find(looks_right) else {
        return Ok(None);
    };
    let array = read(edits, (section.offset, section.vaddr), section.len)?;
    Ok(is_copy(edits, &array).then_some((section.offset, array.capacity)))
}

fn read(
    edits: &Edits<'_>,
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
    DynamicArray::read(&Window::new(edits.source), edits.encoding(), &place)
}

fn is_copy(edits: &Edits<'_>, array: &DynamicArray) -> bool {
    array.get(Tag::STRTAB).is_some() && array.get(Tag::STRTAB) == edits.tables.number(Tag::STRTAB)
}

/// Finds the old place without section headers: linkers put its address into the first word of the global offset table. Only
/// as many entries fit as are there, since what follows them is not known.
fn find_by_got(edits: &Edits<'_>) -> Result<Option<(u64, usize)>, ReadError> {
    let image = edits.elf.image();
    let word_len = edits.encoding().word_len() as u64;
    let table = edits
        .tables
        .number(Tag::PLTGOT)
        .and_then(|vaddr| image.locate(vaddr));
    let Some((offset, _)) = table.filter(|(_, left)| word_len <= *left) else {
        return Ok(None);
    };
    let word = read_range(edits.source, "DT_PLTGOT", offset, word_len)?;
    let vaddr = edits.encoding().word_at(&word, 0).unwrap_or_default();
    if vaddr == edits.dynamic.array.vaddr {
        return Ok(None);
    }
    let Some((offset, left)) = program_header::locate(&edits.elf.program_headers, vaddr) else {
        return Ok(None);
    };
    match read(edits, (offset, vaddr), left.min(MAX_LEN)) {
        Ok(array) if is_copy(edits, &array) => Ok(Some((offset, array.entries.len() + 1))),
        Err(error @ ReadError::Io { .. }) => Err(error),
        _ => Ok(None),
    }
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
