//! Making room behind the program headers: the notes there slide up, and the tables that are in their way move to where
//! the old string table was, or to the end of the file.

use std::ops::Range;

use crate::edit::layout::addresses::{Item, Place, enter};
use crate::edit::layout::phdr_space::{self, has_memory};
use crate::edit::layout::places::Layout;
use crate::encoding::Fields;
use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::SegmentKind;
use crate::read::section_header::{SHT_NOTE, SectionHeader};
use crate::read::window::read_range;

/// The sections that have to move so that the program headers can grow by one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SectionShift {
    /// Numbers of the sections that slide up: notes, and the interpreter's name.
    pub(crate) block: Vec<usize>,
    /// Their range in the file; empty without any.
    pub(crate) range: Range<u64>,
    /// How far they slide, in bytes.
    pub(crate) distance: u64,
    /// Numbers of the sections that move away, and the tags with their addresses.
    pub(crate) tables: Vec<(usize, Tag)>,
    /// Whether the string table is in the way too.
    pub(crate) strings: bool,
    /// File offset up to which the program headers and the block will reach.
    pub(crate) limit: u64,
}

/// Sections up to this length slide: notes are some hundred bytes.
const MAX_BLOCK_LEN: u64 = 1 << 16;

/// The largest alignment of a section that moves, in bytes. Linkers give such sections 2 to 16; a larger number would only
/// make the file long.
const MAX_ALIGN: u64 = 64;

/// Tables that only the dynamic section refers to.
const MOVABLE: [Tag; 9] = [
    Tag::HASH,
    Tag::GNU_HASH,
    Tag::SYMTAB,
    Tag::VERSYM,
    Tag::VERNEED,
    Tag::VERDEF,
    Tag::RELA,
    Tag::REL,
    Tag::RELR,
];

impl SectionShift {
    /// Finds out what has to move; `None` if something is there that cannot.
    pub(crate) fn find(
        layout: &Layout<'_>,
        table_end: u64,
        interpreter_moves: bool,
    ) -> Result<Option<Self>, ReadError> {
        let entry_len = layout.edits.encoding().program_header_len() as u64;
        let (block, rest) = block_behind(layout, table_end, interpreter_moves);
        let sections = || block.iter().filter_map(|index| section(layout, *index));
        let range = match (sections().next(), sections().next_back()) {
            (Some(first), Some(last)) => first.offset..last.file_end(),
            _ => table_end..table_end,
        };
        let align = sections().map(|section| section.align).fold(8, u64::max);
        if range.start < table_end
            || range.end - range.start > MAX_BLOCK_LEN
            || !align.is_power_of_two()
            || align > MAX_ALIGN
        {
            // Notes that no linker lays out so.
            return Ok(None);
        }
        // The interpreter's name may have been before the block and leave some of the room already.
        let distance = (table_end + entry_len)
            .saturating_sub(range.start)
            .next_multiple_of(align);
        let limit = (range.end + distance).max(table_end + entry_len);
        if !phdr_space::first_load_covers(layout, limit) {
            return Ok(None);
        }
        let in_way = rest.into_iter();
        let in_way: Vec<usize> = in_way
            .take_while(|index| {
                section(layout, *index).is_some_and(|section| section.offset < limit)
            })
            .collect();
        if !notes_may_slide(layout, &block)?
            || has_memory(layout, table_end, limit)
            || !segments_allow(layout, &range, table_end..limit, interpreter_moves)
        {
            // Something refers to its own place.
            return Ok(None);
        }
        let strings = layout.edits.strings_section();
        let mut tables = Vec::new();
        for index in in_way.iter().filter(|index| Some(**index) != strings) {
            match movable_tag(layout, *index) {
                Some(tag) => tables.push((*index, tag)),
                None => return Ok(None),
            }
        }
        let strings = strings.is_some_and(|strings| in_way.contains(&strings));
        Ok(Some(Self {
            block,
            range,
            distance,
            tables,
            strings,
            limit,
        }))
    }
}

impl SectionShift {
    /// Slides the block up in the tables of the layout, and moves what is in its way: into the place of the old strings as
    /// far as that is free; the rest is returned.
    pub(crate) fn apply(&self, layout: &mut Layout<'_>, strings_move: bool) -> Vec<Item> {
        self.slide(layout);
        let old = layout.edits.strings;
        let mut free = old.offset.max(self.limit);
        let free_end = if strings_move {
            old.offset + layout.edits.strings_in_segment()
        } else {
            free
        };
        let mut rest = Vec::new();
        for (index, tag) in &self.tables {
            let Some(section) = layout.edits.elf.sections.get(*index) else {
                continue;
            };
            let item = Item::Table(*index, *tag);
            let offset = free.next_multiple_of(section.align.max(8));
            let len = section.len;
            if offset.checked_add(len).is_some_and(|end| end <= free_end) {
                let vaddr = old.vaddr + (offset - old.offset);
                layout.summary.push(format!(
                    "{}: into the place of the old strings",
                    section.name
                ));
                enter(layout, item, Place { offset, vaddr, len });
                layout.into_old_strings.push((*index, offset));
                free = offset + len;
            } else {
                layout
                    .summary
                    .push(format!("{}: into the new segment", section.name));
                rest.push(item);
            }
        }
        layout.shift = Some(self.clone());
        rest
    }

    fn slide(&self, layout: &mut Layout<'_>) {
        for index in &self.block {
            if let Some(section) = layout.tables.sections.get_mut(*index) {
                section.offset += self.distance;
                section.vaddr += self.distance;
            }
        }
        for header in &mut layout.tables.program_headers {
            let inside = self.range.start <= header.offset && header.file_end() <= self.range.end;
            if inside
                && header.file_len != 0
                && !header.is_load()
                && header.kind != SegmentKind::PHDR
            {
                header.offset += self.distance;
                header.vaddr += self.distance;
                header.paddr += self.distance;
            }
        }
    }
}

/// Returns the sections that slide, and those that follow them, in the order of the file.
fn block_behind(
    layout: &Layout<'_>,
    table_end: u64,
    interpreter_moves: bool,
) -> (Vec<usize>, Vec<usize>) {
    let interpreter = layout.interpreter_section();
    let leaving = |index: usize| interpreter_moves && Some(index) == interpreter;
    let mut rest: Vec<usize> = (0..layout.tables.sections.len())
        .filter(|index| !leaving(*index))
        .collect();
    rest.retain(|index| {
        section(layout, *index).is_some_and(|section| lies_behind(section, table_end))
    });
    rest.sort_by_key(|index| section(layout, *index).map(|section| section.offset));
    let slides = |index: &&usize| {
        let kind = section(layout, **index).map(|section| section.kind);
        kind == Some(SHT_NOTE) || Some(**index) == interpreter
    };
    let block: Vec<usize> = rest.iter().take_while(slides).copied().collect();
    let rest = rest.split_off(block.len());
    (block, rest)
}

fn section<'m>(layout: &'m Layout<'_>, index: usize) -> Option<&'m SectionHeader> {
    layout.edits.elf.sections.get(index)
}

/// Whether a section is loaded from the file, somewhere behind `offset`. One that begins before it is in the way too.
fn lies_behind(section: &SectionHeader, offset: u64) -> bool {
    section.is_alloc() && section.has_bytes() && section.file_end() > offset
}

/// Returns the tag that alone refers to the section.
pub(crate) fn movable_tag(layout: &Layout<'_>, index: usize) -> Option<Tag> {
    let section = section(layout, index).filter(|section| section.align <= MAX_ALIGN)?;
    let tag = MOVABLE
        .into_iter()
        .find(|tag| layout.tables.number(*tag) == Some(section.vaddr))?;
    let len_tag = match tag {
        Tag::RELA => Tag::RELASZ,
        Tag::REL => Tag::RELSZ,
        Tag::RELR => Tag::RELRSZ,
        _ => return Some(tag),
    };
    // Some linkers count the relocations for the PLT, a section of their own, among the others.
    (layout.tables.number(len_tag) == Some(section.len)).then_some(tag)
}

/// Whether all notes are of owners whose notes do not refer to their own place. Crashpad's, for one, do.
fn notes_may_slide(layout: &Layout<'_>, block: &[usize]) -> Result<bool, ReadError> {
    let notes = block
        .iter()
        .filter_map(|index| section(layout, *index))
        .filter(|section| section.kind == SHT_NOTE);
    for section in notes {
        let bytes = read_range(layout.edits.source, "notes", section.offset, section.len)?;
        let align = if section.align == 8 { 8 } else { 4 };
        let mut at = 0;
        while at + 12 <= bytes.len() {
            let mut fields =
                Fields::new(layout.edits.encoding(), bytes.get(at..).unwrap_or_default());
            let (Some(owner_len), Some(len)) = (fields.u32(), fields.u32()) else {
                break;
            };
            let owner = bytes
                .get(at + 12..)
                .and_then(|rest| rest.get(..owner_len as usize))
                .unwrap_or_default();
            if !matches!(
                owner,
                b"GNU\0" | b"FDO\0" | b"Go\0\0" | b"LLVM\0" | b"rustc\0"
            ) {
                return Ok(false);
            }
            let end = at + 12 + (owner_len as usize).next_multiple_of(4) + len as usize;
            at = end.next_multiple_of(align);
        }
    }
    Ok(true)
}

/// Whether every program header is either wholly in the block, or does not touch what is overwritten.
fn segments_allow(
    layout: &Layout<'_>,
    block: &Range<u64>,
    room: Range<u64>,
    interpreter_moves: bool,
) -> bool {
    let mut others = layout
        .tables
        .program_headers
        .iter()
        .filter(|header| !header.is_load() && header.file_len != 0);
    others.all(|header| {
        let whole = block.start <= header.offset && header.file_end() <= block.end;
        let slides = matches!(
            header.kind,
            SegmentKind::NOTE | SegmentKind::GNU_PROPERTY | SegmentKind::INTERP
        );
        let apart = header.file_end() <= room.start || room.end <= header.offset;
        let leaves = header.kind == SegmentKind::INTERP && interpreter_moves;
        header.kind == SegmentKind::PHDR || apart || leaves || whole && slides
    })
}
