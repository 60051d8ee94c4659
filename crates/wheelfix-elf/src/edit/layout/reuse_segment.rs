//! A segment that an earlier edit made, which something now follows in the file: `strip` puts its headers there. All that
//! is in it moves on to the new segment, which takes its program header, so that neither headers nor dead segments pile up.

use crate::edit::layout::Moves;
use crate::edit::layout::addresses::Item;
use crate::edit::layout::places::Layout;
use crate::edit::layout::shift_sections::movable_tag;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::{PF_R, ProgramHeader, SegmentKind};
use crate::read::section_header::SectionHeader;

/// A segment that is given up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ReusedSegment {
    /// Number of its program header.
    pub(crate) load: usize,
    /// The tables in it, without the strings and the interpreter's name.
    pub(crate) tables: Vec<Item>,
    /// Whether the interpreter's name is in it.
    pub(crate) interpreter: bool,
}

impl ReusedSegment {
    /// Finds the segment of the strings or of the interpreter's name, if these move, and all else that is in it can.
    pub(crate) fn find(layout: &Layout<'_>, moves: Moves) -> Option<Self> {
        let interpreter = layout.interpreter_place();
        let strings = moves.strings.then_some(layout.edits.strings.vaddr);
        let interpreter = interpreter
            .filter(|_| moves.interpreter)
            .map(|header| header.vaddr);
        let mut places = strings.into_iter().chain(interpreter);
        places.find_map(|vaddr| Self::find_at(layout, vaddr, moves))
    }

    fn find_at(layout: &Layout<'_>, vaddr: u64, moves: Moves) -> Option<Self> {
        let strings = layout.edits.strings_section()?;
        let interpreter = layout.interpreter_section();
        let holds = |load: &ProgramHeader| {
            load.is_load() && load.vaddr <= vaddr && vaddr < load.memory_end()
        };
        let load = layout.tables.program_headers.iter().position(holds)?;
        let header = layout.tables.program_headers.get(load)?;
        let table = layout.program_headers_offset;
        if header.flags != PF_R || header.offset <= table && table < header.file_end() {
            return None;
        }
        let mut reused = Self {
            load,
            tables: Vec::new(),
            interpreter: false,
        };
        let pages = header.pages();
        for (section, index) in layout.tables.sections.iter().zip(0..) {
            let apart = section.memory_end() <= pages.start || pages.end <= section.vaddr;
            let leaves = moves.strings && index == strings;
            if !section.is_alloc() || section.len == 0 || apart || leaves {
                continue;
            }
            if Some(index) == interpreter {
                reused.interpreter = true;
            } else {
                reused
                    .tables
                    .push(Item::Table(index, movable_tag(layout, index)?));
            }
        }
        // Nothing else may be in there, such as notes.
        let alone = layout.tables.program_headers.iter().all(|other| {
            let apart = other.memory_end() <= pages.start || pages.end <= other.vaddr;
            other.is_load() || apart || other.kind == SegmentKind::INTERP || other.memory_len == 0
        });
        alone.then_some(reused)
    }
}

/// Retires the segments that have no section any more, since `strip` would move them out of step with the others.
pub(crate) fn retire_empty(layout: &mut Layout<'_>) {
    let empty = |load: &ProgramHeader| {
        let old = layout.edits.elf.program_headers.contains(load);
        load.is_load()
            && old
            && load.offset != 0
            && load.memory_len != 0
            && is_emptied(layout, load)
    };
    let headers = layout.tables.program_headers.iter().enumerate();
    let empty: Vec<usize> = headers
        .filter(|(_, header)| empty(header))
        .map(|(index, _)| index)
        .collect();
    for index in empty {
        if let Some(header) = layout.tables.program_headers.get_mut(index) {
            let vaddr = header.vaddr;
            *header = ProgramHeader::NULL;
            let line = format!("segment at {vaddr:#x}: retired, all that was in it has moved");
            layout.summary.push(line);
        }
    }
}

/// Whether a segment had sections, but has none, nor anything else that is named by address.
fn is_emptied(layout: &Layout<'_>, load: &ProgramHeader) -> bool {
    let pages = load.pages();
    let holds = |section: &&SectionHeader| {
        let apart = section.memory_end() <= pages.start || pages.end <= section.vaddr;
        section.is_alloc() && section.len != 0 && !apart
    };
    let inside = |vaddr: u64| pages.contains(&vaddr);
    let table = layout.program_headers_offset;
    let named = load.offset <= table && table < load.file_end()
        || inside(layout.edits.elf.header.entry)
        || Tag::ADDRESSES
            .iter()
            .any(|tag| layout.tables.number(*tag).is_some_and(inside));
    let shared = layout.tables.program_headers.iter().any(|other| {
        let apart = other.memory_end() <= pages.start || pages.end <= other.vaddr;
        !other.is_load() && other.memory_len != 0 && !apart
    });
    let had = layout
        .edits
        .elf
        .sections
        .iter()
        .any(|section| holds(&section));
    had && !named && !shared && !layout.tables.sections.iter().any(|section| holds(&section))
}
