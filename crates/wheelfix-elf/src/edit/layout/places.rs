//! The layout of the edited file: the tables with all places, and what moves where.

use std::ops::Range;

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::edit::interpreter;
use crate::edit::layout::addresses::Item;
use crate::edit::layout::shift_sections::SectionShift;
use crate::edit::load_of_dynamic;
use crate::edit::plan::Warning;
use crate::edit::tables::Tables;
use crate::read::program_header::{ProgramHeader, SegmentKind};

/// Where everything goes that the edits make.
pub(crate) struct Layout<'e> {
    pub(crate) edits: &'e Edits<'e>,
    /// The tables with the new places.
    pub(crate) tables: Tables,
    /// File offset of the program headers.
    pub(crate) program_headers_offset: u64,
    /// File offset of the section headers.
    pub(crate) section_headers_offset: u64,
    /// The range of the file that section headers left which made way. `None` if they did not.
    pub(crate) retired_section_headers: Option<Range<u64>>,
    /// How many entries the place of the dynamic section has.
    pub(crate) capacity: usize,
    /// Number of the section that covers a dynamic section that had to move.
    pub(crate) retired_dynamic: Option<usize>,
    /// Tables that have another place: old offset, length, new offset.
    pub(crate) moved: Vec<(u64, u64, u64)>,
    /// The place of the strings: file offset and length. The same offset as before if they do not move.
    pub(crate) strings: (u64, u64),
    /// The items with their file offsets, in order.
    pub(crate) items: Vec<(Item, u64)>,
    /// File offset from which on everything is laid out anew. The end of the file if nothing is.
    pub(crate) start: u64,
    /// The sections that make room for a program header. `None` if none have to.
    pub(crate) shift: Option<SectionShift>,
    /// Tables that move into the place of the old strings: section, its new file offset.
    pub(crate) into_old_strings: Vec<(usize, u64)>,
    pub(crate) new_len: u64,
    pub(crate) summary: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
}

/// How many entries the dynamic section has room for, as far as it is in memory: old editors leave the end of one behind
/// the last page of its segment.
fn capacity(edits: &Edits<'_>) -> usize {
    let array = &edits.dynamic.array;
    let load = load_of_dynamic(edits.elf);
    let mapped = load.map(|load| load.pages().end.saturating_sub(array.vaddr));
    let entry_len = edits.encoding().dynamic_entry_len() as u64;
    let entries = mapped.and_then(|len| usize::try_from(len / entry_len).ok());
    entries.map_or(array.capacity, |entries| entries.min(array.capacity))
}

impl<'e> Layout<'e> {
    /// The layout in which nothing moves.
    pub(crate) fn unmoved(edits: &'e Edits<'e>) -> Self {
        let header = &edits.elf.header;
        Self {
            edits,
            tables: edits.tables.clone(),
            program_headers_offset: header.program_headers_offset,
            section_headers_offset: header.section_headers_offset,
            retired_section_headers: None,
            capacity: capacity(edits),
            retired_dynamic: None,
            moved: Vec::new(),
            strings: (edits.strings.offset, edits.strings.len),
            items: Vec::new(),
            start: edits.elf.file_len,
            shift: None,
            into_old_strings: Vec::new(),
            new_len: edits.elf.file_len,
            summary: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The length of the program headers in bytes, with so many more.
    pub(crate) fn program_headers_len(&self, more: usize) -> u64 {
        let count = self.tables.program_headers.len() + more;
        (count * self.edits.encoding().program_header_len()) as u64
    }

    /// Whether the interpreter's name leaves its place.
    pub(crate) fn moves_interpreter(&self) -> bool {
        let mut items = self.items.iter();
        items.any(|(item, _)| *item == Item::Interpreter)
    }

    /// Returns the place of the interpreter's name. `None` without one, or if the name is not where `PT_INTERP` begins and
    /// no new one is set.
    pub(crate) fn interpreter_place(&self) -> Option<ProgramHeader> {
        let segment = self.edits.elf.program_header(SegmentKind::INTERP)?;
        let place = interpreter::place(self.edits.elf, segment).ok()?;
        (self.tables.interpreter.is_some() || place.offset == segment.offset).then_some(place)
    }

    /// Returns the number of the section that holds the interpreter's name.
    pub(crate) fn interpreter_section(&self) -> Option<usize> {
        let place = self.interpreter_place()?;
        self.edits.elf.sections.iter().position(|section| {
            section.has_bytes() && section.offset == place.offset && section.vaddr == place.vaddr
        })
    }

    /// Makes the interpreter's name one that is written anew, because its place is given up.
    pub(crate) fn keep_interpreter(&mut self) -> Result<(), EditError> {
        let elf = self.edits.elf;
        match &elf.interpreter {
            Some(path) if self.tables.interpreter.is_none() => {
                self.tables.set_interpreter(elf, path)
            }
            _ => Ok(()),
        }
    }

    /// Returns where the byte at `offset` of the old file is after tables moved.
    pub(crate) fn moved_offset(&self, offset: u64) -> u64 {
        let place = self
            .moved
            .iter()
            .find(|(from, len, _)| *from <= offset && offset - from < *len);
        place.map_or(offset, |(from, _, to)| to + (offset - from))
    }
}
