//! One thing after the other: places for what goes into a segment, entered into the tables of the layout.

use crate::edit::error::EditError;
use crate::edit::layout::places::Layout;
use crate::edit::strings::StringLayout;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::SegmentKind;

/// No linker aligns a table further; a damaged file may say so, and would grow by as much.
const MAX_ALIGN: u64 = 64;

/// Something that lies in the last segment, or will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Item {
    /// The program headers with the new one, where they cannot grow at their place; always the first.
    ProgramHeaders,
    /// The dynamic section, with room for some more entries.
    Dynamic,
    /// A section that only the tag refers to.
    Table(usize, Tag),
    /// The interpreter's name.
    Interpreter,
    /// The string table; always the last, so that it can grow.
    Strings,
}

/// Unused entries that a moved dynamic section gets.
const SPARE_ENTRIES: usize = 8;

/// File offset, address and length of an item, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) vaddr: u64,
    pub(crate) len: u64,
}

impl Item {
    /// Whether a program header other than `PT_LOAD` names the item.
    pub(crate) fn has_segment(self) -> bool {
        matches!(
            self,
            Self::Dynamic | Self::Interpreter | Self::ProgramHeaders
        )
    }

    /// Length and alignment in bytes.
    fn shape(self, layout: &Layout<'_>, strings: &StringLayout) -> (u64, u64) {
        let encoding = layout.edits.encoding();
        match self {
            Self::ProgramHeaders => (layout.program_headers_len(1), 8),
            Self::Dynamic => {
                let section = layout.edits.dynamic_section();
                let align = section.map_or(16, |index| section_align(layout, index).max(16));
                (
                    (layout.capacity * encoding.dynamic_entry_len()) as u64,
                    align,
                )
            }
            Self::Table(index, _) => {
                let len = layout
                    .edits
                    .elf
                    .sections
                    .get(index)
                    .map_or(0, |table| table.len);
                (len, section_align(layout, index))
            }
            Self::Interpreter => (
                layout
                    .tables
                    .interpreter
                    .as_ref()
                    .map_or(0, |bytes| bytes.len() as u64),
                1,
            ),
            Self::Strings => (strings.content_len, 1),
        }
    }
}

/// The alignment that a section of numbers is laid out at.
fn section_align(layout: &Layout<'_>, index: usize) -> u64 {
    let align = layout
        .edits
        .elf
        .sections
        .get(index)
        .map_or(8, |section| section.align);
    if align.is_power_of_two() {
        align.clamp(8, MAX_ALIGN)
    } else {
        8
    }
}

/// Gives each item its place from `start` on and enters it into the tables. Returns the file offset where the last ends.
pub(crate) fn assign_addresses(
    layout: &mut Layout<'_>,
    strings: &StringLayout,
    items: &[Item],
    start: Place,
) -> Result<u64, EditError> {
    let what = "new segment";
    let mut offset = start.offset;
    for item in items {
        if *item == Item::Dynamic {
            layout.capacity = layout.tables.entries.len() + 1 + SPARE_ENTRIES;
        }
        let (len, align) = item.shape(layout, strings);
        offset = layout
            .edits
            .check_word(what, offset.checked_next_multiple_of(align))?;
        let vaddr = layout
            .edits
            .check_word(what, start.vaddr.checked_add(offset - start.offset))?;
        enter(layout, *item, Place { offset, vaddr, len });
        if *item == Item::Strings {
            layout.strings = (offset, len);
        }
        layout.items.push((*item, offset));
        layout.edits.check_word(what, vaddr.checked_add(len))?;
        offset = layout.edits.check_word(what, offset.checked_add(len))?;
    }
    Ok(offset)
}

/// Enters the new place of an item into the sections, the program headers and the entries of the dynamic section.
pub(crate) fn enter(layout: &mut Layout<'_>, item: Item, place: Place) {
    let Place { offset, vaddr, len } = place;
    let (section, kind) = match item {
        Item::ProgramHeaders => {
            layout.program_headers_offset = offset;
            (None, Some(SegmentKind::PHDR))
        }
        Item::Dynamic => (layout.edits.dynamic_section(), Some(SegmentKind::DYNAMIC)),
        Item::Table(index, tag) => {
            layout.tables.set_number(tag, vaddr);
            let old = layout
                .edits
                .elf
                .sections
                .get(index)
                .map_or(0, |table| table.offset);
            layout.moved.push((old, len, offset));
            (Some(index), None)
        }
        Item::Interpreter => (layout.interpreter_section(), Some(SegmentKind::INTERP)),
        Item::Strings => {
            layout.tables.set_number(Tag::STRTAB, vaddr);
            layout.tables.set_number(Tag::STRSZ, len);
            (layout.edits.strings_section(), None)
        }
    };
    if let Some(section) = section.and_then(|index| layout.tables.sections.get_mut(index)) {
        (section.offset, section.vaddr, section.len) = (offset, vaddr, len);
        section.align = match item {
            // Texts: earlier tools may have said more, which is kept by nobody.
            Item::Interpreter | Item::Strings => 1,
            _ if vaddr.is_multiple_of(section.align.max(1)) => section.align,
            _ => 1 << vaddr.trailing_zeros().min(3),
        };
    }
    if let Some(header) = kind.and_then(|kind| layout.tables.segment_mut(kind)) {
        (header.offset, header.vaddr, header.paddr) = (offset, vaddr, vaddr);
        (header.file_len, header.memory_len) = (len, len);
    }
}
