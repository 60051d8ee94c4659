//! The file while it is being edited: copies of its tables, and the writes so far.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::error::EditError;
use crate::edit::interpreter;
use crate::edit::plan::{Data, Warning, Write};
use crate::encoding::Encoding;
use crate::error::ReadError;
use crate::read::dynamic::StringTable;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::{Dynamic, Elf};
use crate::read::program_header::{self, ProgramHeader, SegmentKind};
use crate::read::section_header::{SHT_DYNAMIC, SHT_STRTAB, SectionHeader};
use crate::read::window::read_range;
use crate::source::Source;

/// An entry of the dynamic section whose string may not have its place yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) tag: Tag,
    pub(crate) value: Value,
}

/// A number, or one of [`Model::texts`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    Number(u64),
    Text(usize),
}

/// A 4-byte field of the file that holds the offset of a new string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TextField {
    /// File offset of the field, before any table moves.
    pub(crate) offset: u64,
    /// Which of [`Model::texts`].
    pub(crate) text: usize,
    pub(crate) what: &'static str,
}

/// The tables of the file, as they will be.
pub(crate) struct Model<'a> {
    pub(crate) source: &'a dyn Source,
    /// The file as it is.
    pub(crate) elf: &'a Elf,
    pub(crate) dynamic: &'a Dynamic,
    pub(crate) strings: StringTable,
    pub(crate) program_headers: Vec<ProgramHeader>,
    pub(crate) sections: Vec<SectionHeader>,
    /// File offset of the program headers.
    pub(crate) program_headers_offset: u64,
    /// File offset of the section headers.
    pub(crate) section_headers_offset: u64,
    pub(crate) entries: Vec<Entry>,
    /// How many entries the place of the dynamic section has.
    pub(crate) capacity: usize,
    /// New strings, in the order in which they were asked for.
    pub(crate) texts: Vec<Vec<u8>>,
    pub(crate) text_fields: Vec<TextField>,
    /// For each of the libraries that versions are needed from: whether that ends.
    pub(crate) removed_needs: Vec<bool>,
    /// Symbols with a new name: their number, and which of [`Model::texts`].
    pub(crate) renamed_symbols: BTreeMap<u32, usize>,
    /// Symbols that lose their version.
    pub(crate) cleared_symbols: BTreeSet<u32>,
    /// Symbols that have another number: old and new.
    pub(crate) symbol_moves: BTreeMap<u32, u32>,
    /// The number of dynamic symbols.
    pub(crate) symbol_count: u64,
    /// The bytes of `PT_INTERP`, NUL included, if they change.
    pub(crate) interpreter: Option<Vec<u8>>,
    pub(crate) os_abi: Option<u8>,
    /// Whether segments get another alignment, so that not all have one.
    pub(crate) mends_alignments: bool,
    /// Number of the section that covers a dynamic section that had to move.
    pub(crate) retired_dynamic: Option<usize>,
    /// The place that the dynamic section had before an earlier edit, which code may still look at: file offset, and how
    /// many entries it has.
    pub(crate) retired: Option<(u64, usize)>,
    /// Tables that have another place: old offset, length, new offset.
    pub(crate) moved: Vec<(u64, u64, u64)>,
    pub(crate) writes: Vec<Write>,
    pub(crate) new_len: u64,
    pub(crate) summary: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Model<'a> {
    pub(crate) fn new(
        source: &'a dyn Source,
        elf: &'a Elf,
        dynamic: &'a Dynamic,
        strings: StringTable,
    ) -> Self {
        let number = |entry: &crate::read::dynamic::DynamicEntry| Entry {
            tag: entry.tag,
            value: Value::Number(entry.value),
        };
        Self {
            source,
            elf,
            dynamic,
            strings,
            program_headers: elf.program_headers.clone(),
            sections: elf.sections.clone(),
            program_headers_offset: elf.header.program_headers_offset,
            section_headers_offset: elf.header.section_headers_offset,
            entries: dynamic.array.entries.iter().map(number).collect(),
            capacity: dynamic.array.capacity,
            texts: Vec::new(),
            text_fields: Vec::new(),
            removed_needs: vec![false; dynamic.version_needs.len()],
            renamed_symbols: BTreeMap::new(),
            cleared_symbols: BTreeSet::new(),
            symbol_moves: BTreeMap::new(),
            symbol_count: 0,
            interpreter: None,
            os_abi: None,
            mends_alignments: false,
            retired_dynamic: None,
            retired: None,
            moved: Vec::new(),
            writes: Vec::new(),
            new_len: elf.file_len,
            summary: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the file is as it is asked for already.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.summary.is_empty() && self.os_abi.is_none()
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.elf.header.encoding
    }

    /// Takes a new string and returns its number.
    pub(crate) fn text(&mut self, text: &str) -> usize {
        if let Some(number) = self.texts.iter().position(|known| known == text.as_bytes()) {
            return number;
        }
        self.texts.push(text.as_bytes().to_vec());
        self.texts.len() - 1
    }

    /// Returns the value of the first entry with `tag`, if it is a number.
    pub(crate) fn number(&self, tag: Tag) -> Option<u64> {
        self.entries
            .iter()
            .find(|entry| entry.tag == tag)
            .and_then(|entry| match entry.value {
                Value::Number(number) => Some(number),
                Value::Text(_) => None,
            })
    }

    /// Sets the value of all entries with `tag`.
    pub(crate) fn set_number(&mut self, tag: Tag, number: u64) {
        for entry in self.entries.iter_mut().filter(|entry| entry.tag == tag) {
            entry.value = Value::Number(number);
        }
    }

    /// Adds an entry at the end, or changes the one there is.
    pub(crate) fn set_or_add(&mut self, tag: Tag, value: Value) {
        match self.entries.iter_mut().find(|entry| entry.tag == tag) {
            Some(entry) => entry.value = value,
            None => self.entries.push(Entry { tag, value }),
        }
    }

    /// Returns the number of the first program header of a kind.
    pub(crate) fn segment(&self, kind: SegmentKind) -> Option<usize> {
        self.program_headers
            .iter()
            .position(|header| header.kind == kind)
    }

    /// Returns the first program header of a kind.
    pub(crate) fn segment_mut(&mut self, kind: SegmentKind) -> Option<&mut ProgramHeader> {
        self.program_headers
            .iter_mut()
            .find(|header| header.kind == kind)
    }

    /// Returns the number of the section of the dynamic strings.
    pub(crate) fn strings_section(&self) -> Option<usize> {
        let StringTable { offset, vaddr, .. } = self.strings;
        self.elf.sections.iter().position(|section| {
            section.kind == SHT_STRTAB
                && section.has_bytes()
                && section.vaddr == vaddr
                && section.offset == offset
        })
    }

    /// Returns how many bytes of the string table are in its segment; the rest is loaded with the last page alone.
    pub(crate) fn strings_in_segment(&self) -> u64 {
        let inside = program_header::locate(&self.elf.program_headers, self.strings.vaddr);
        inside.map_or(0, |(_, left)| left.min(self.strings.len))
    }

    /// Whether the string table is not whole in its segment, which a move mends.
    pub(crate) fn strings_stick_out(&self) -> bool {
        self.strings_in_segment() < self.strings.len
    }

    /// Returns the number of the dynamic section's section.
    pub(crate) fn dynamic_section(&self) -> Option<usize> {
        let offset = self.dynamic.array.offset;
        self.elf
            .sections
            .iter()
            .position(|section| section.kind == SHT_DYNAMIC && section.offset == offset)
    }

    /// Returns the place of the interpreter's name. `None` without one, or if the name is not where `PT_INTERP` begins and
    /// no new one is set.
    pub(crate) fn interpreter_place(&self) -> Option<ProgramHeader> {
        let segment = self.elf.program_header(SegmentKind::INTERP)?;
        let place = interpreter::place(self.elf, segment).ok()?;
        (self.interpreter.is_some() || place.offset == segment.offset).then_some(place)
    }

    /// Returns the number of the section that holds the interpreter's name.
    pub(crate) fn interpreter_section(&self) -> Option<usize> {
        let place = self.interpreter_place()?;
        self.elf.sections.iter().position(|section| {
            section.has_bytes() && section.offset == place.offset && section.vaddr == place.vaddr
        })
    }

    /// Sets the interpreter's name, and makes `PT_INTERP` hold nothing else.
    pub(crate) fn set_interpreter(&mut self, path: &str) -> Result<(), EditError> {
        if let Some(segment) = self.elf.program_header(SegmentKind::INTERP) {
            let place = interpreter::place(self.elf, segment)?;
            if let Some(header) = self.segment_mut(SegmentKind::INTERP) {
                *header = place;
            }
        }
        self.interpreter = Some(path.bytes().chain([0]).collect());
        Ok(())
    }

    /// Makes the interpreter's name one that is written anew, because its place is given up.
    pub(crate) fn keep_interpreter(&mut self) -> Result<(), EditError> {
        match &self.elf.interpreter {
            Some(path) if self.interpreter.is_none() => self.set_interpreter(path),
            _ => Ok(()),
        }
    }

    /// Adds a write.
    pub(crate) fn put(&mut self, offset: u64, what: &'static str, data: Data) {
        let write = Write { offset, what, data };
        if !write.is_empty() {
            self.writes.push(write);
        }
    }

    /// Adds a write of what differs from the file as it is. No earlier write may touch the place.
    pub(crate) fn put_changed(
        &mut self,
        offset: u64,
        what: &'static str,
        bytes: &[u8],
    ) -> Result<(), ReadError> {
        let len = bytes.len() as u64;
        let kept = self.elf.file_len.saturating_sub(offset).min(len);
        let old = read_range(self.source, what, offset.min(self.elf.file_len), kept)?;
        let differs = |(new, old): (&u8, &u8)| new != old;
        let Some(first) = bytes
            .iter()
            .zip(&old)
            .position(differs)
            .or((kept < len).then_some(old.len()))
        else {
            return Ok(());
        };
        let last = if kept < len {
            None
        } else {
            bytes.iter().zip(&old).rposition(differs)
        };
        let last = last.unwrap_or(bytes.len().saturating_sub(1));
        let changed = bytes.get(first..=last).unwrap_or_default().to_vec();
        self.put(offset + first as u64, what, Data::Bytes(changed));
        Ok(())
    }

    /// Returns where the byte at `offset` of the old file is after tables moved.
    pub(crate) fn moved_offset(&self, offset: u64) -> u64 {
        let place = self
            .moved
            .iter()
            .find(|(from, len, _)| *from <= offset && offset - from < *len);
        place.map_or(offset, |(from, _, to)| to + (offset - from))
    }

    /// Checks that a number fits the class of the file.
    pub(crate) fn check_word(
        &self,
        what: &'static str,
        number: Option<u64>,
    ) -> Result<u64, EditError> {
        let limit = self.encoding().max_word();
        match number {
            Some(number) if number <= limit => Ok(number),
            number => Err(EditError::AddressSpace {
                what,
                got: number.unwrap_or(u64::MAX),
                limit,
            }),
        }
    }
}
