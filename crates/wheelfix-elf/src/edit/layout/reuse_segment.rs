//! A segment that an earlier edit made, which something now follows in the file: `strip` puts its headers there. All that
//! is in it moves on to the new segment, which takes its program header, so that neither headers nor dead segments pile up.

use crate::edit::layout::Moves;
use crate::edit::layout::addresses::Item;
use crate::edit::layout::shift_sections::movable_tag;
use crate::edit::model::Model;
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
    pub(crate) fn find(model: &Model<'_>, moves: Moves) -> Option<Self> {
        let interpreter = model.interpreter_place();
        let strings = moves.strings.then_some(model.strings.vaddr);
        let interpreter = interpreter
            .filter(|_| moves.interpreter)
            .map(|header| header.vaddr);
        let mut places = strings.into_iter().chain(interpreter);
        places.find_map(|vaddr| Self::find_at(model, vaddr, moves))
    }

    fn find_at(model: &Model<'_>, vaddr: u64, moves: Moves) -> Option<Self> {
        let strings = model.strings_section()?;
        let interpreter = model.interpreter_section();
        let holds = |load: &ProgramHeader| {
            load.is_load() && load.vaddr <= vaddr && vaddr < load.memory_end()
        };
        let load = model.program_headers.iter().position(holds)?;
        let header = model.program_headers.get(load)?;
        let table = model.program_headers_offset;
        if header.flags != PF_R || header.offset <= table && table < header.file_end() {
            return None;
        }
        let mut reused = Self {
            load,
            tables: Vec::new(),
            interpreter: false,
        };
        let pages = header.pages();
        for (section, index) in model.sections.iter().zip(0..) {
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
                    .push(Item::Table(index, movable_tag(model, index)?));
            }
        }
        // Nothing else may be in there, such as notes.
        let alone = model.program_headers.iter().all(|other| {
            let apart = other.memory_end() <= pages.start || pages.end <= other.vaddr;
            other.is_load() || apart || other.kind == SegmentKind::INTERP || other.memory_len == 0
        });
        alone.then_some(reused)
    }
}

/// Retires the segments that have no section any more, since `strip` would move them out of step with the others.
pub(crate) fn retire_empty(model: &mut Model<'_>) {
    let empty = |load: &ProgramHeader| {
        let old = model.elf.program_headers.contains(load);
        load.is_load() && old && load.offset != 0 && load.memory_len != 0 && is_emptied(model, load)
    };
    let headers = model.program_headers.iter().enumerate();
    let empty: Vec<usize> = headers
        .filter(|(_, header)| empty(header))
        .map(|(index, _)| index)
        .collect();
    for index in empty {
        if let Some(header) = model.program_headers.get_mut(index) {
            let vaddr = header.vaddr;
            *header = ProgramHeader::NULL;
            let line = format!("segment at {vaddr:#x}: retired, all that was in it has moved");
            model.summary.push(line);
        }
    }
}

/// Whether a segment had sections, but has none, nor anything else that is named by address.
fn is_emptied(model: &Model<'_>, load: &ProgramHeader) -> bool {
    let pages = load.pages();
    let holds = |section: &&SectionHeader| {
        let apart = section.memory_end() <= pages.start || pages.end <= section.vaddr;
        section.is_alloc() && section.len != 0 && !apart
    };
    let inside = |vaddr: u64| pages.contains(&vaddr);
    let table = model.program_headers_offset;
    let named = load.offset <= table && table < load.file_end()
        || inside(model.elf.header.entry)
        || Tag::ADDRESSES
            .iter()
            .any(|tag| model.number(*tag).is_some_and(inside));
    let shared = model.program_headers.iter().any(|other| {
        let apart = other.memory_end() <= pages.start || pages.end <= other.vaddr;
        !other.is_load() && other.memory_len != 0 && !apart
    });
    let had = model.elf.sections.iter().any(|section| holds(&section));
    had && !named && !shared && !model.sections.iter().any(|section| holds(&section))
}
