//! The section that covers the old place of a dynamic section which moves.

use crate::edit::layout::places::Layout;
use crate::read::section_header::{SHT_PROGBITS, SectionHeader};

/// Adds the section for a dynamic section that moves for the first time. `end` is where the next thing may lie in the file;
/// returned is where it may lie after that, since the section headers grow.
pub(crate) fn add_section(layout: &mut Layout<'_>, end: u64) -> u64 {
    let section = layout
        .edits
        .dynamic_section()
        .and_then(|index| layout.edits.elf.sections.get(index));
    let Some(section) = section.filter(|_| layout.edits.retired.is_none()) else {
        return end;
    };
    let dynamic_entry_len = layout.edits.encoding().dynamic_entry_len();
    let mapped_len = (layout.capacity * dynamic_entry_len) as u64;
    let dot = u32::from(section.name.starts_with('.'));
    let retired = SectionHeader {
        name: section.name.trim_start_matches('.').to_owned(),
        name_offset: section.name_offset + dot,
        kind: SHT_PROGBITS,
        link: 0,
        info: 0,
        len: section.len.min(mapped_len),
        ..section.clone()
    };
    layout.retired_dynamic = Some(layout.tables.sections.len());
    layout.tables.sections.push(retired);
    let entry_len = layout.edits.encoding().section_header_len() as u64;
    let old_end =
        layout.section_headers_offset + layout.edits.elf.sections.len() as u64 * entry_len;
    let is_last = end >= layout.edits.elf.file_len && old_end <= end && end - old_end <= 8;
    if !is_last {
        layout.section_headers_offset = end.next_multiple_of(8);
    }
    layout.section_headers_offset + layout.tables.sections.len() as u64 * entry_len
}
