//! The tables of a file that an edit changes.

use crate::edit::error::EditError;
use crate::edit::interpreter;
use crate::read::dynamic::DynamicEntry;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::{Dynamic, Elf};
use crate::read::program_header::{ProgramHeader, SegmentKind};
use crate::read::section_header::SectionHeader;

/// An entry of the dynamic section whose string may not have its place yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) tag: Tag,
    pub(crate) value: Value,
}

/// A number, or one of [`Edits::texts`](super::edits::Edits::texts).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    Number(u64),
    Text(usize),
}

/// Headers, the entries of the dynamic section and the interpreter's name.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) program_headers: Vec<ProgramHeader>,
    pub(crate) sections: Vec<SectionHeader>,
    pub(crate) entries: Vec<Entry>,
    /// The bytes of `PT_INTERP`, NUL included, if they change.
    pub(crate) interpreter: Option<Vec<u8>>,
}

impl Tables {
    /// The tables of a file as they are.
    pub(crate) fn new(elf: &Elf, dynamic: &Dynamic) -> Self {
        let number = |entry: &DynamicEntry| Entry {
            tag: entry.tag,
            value: Value::Number(entry.value),
        };
        Self {
            program_headers: elf.program_headers.clone(),
            sections: elf.sections.clone(),
            entries: dynamic.array.entries.iter().map(number).collect(),
            interpreter: None,
        }
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

    /// Returns the first program header of a kind, to change it.
    pub(crate) fn segment_mut(&mut self, kind: SegmentKind) -> Option<&mut ProgramHeader> {
        self.program_headers
            .iter_mut()
            .find(|header| header.kind == kind)
    }

    /// Sets the interpreter's name, and makes `PT_INTERP` hold nothing else.
    pub(crate) fn set_interpreter(&mut self, elf: &Elf, path: &str) -> Result<(), EditError> {
        if let Some(segment) = elf.program_header(SegmentKind::INTERP) {
            let place = interpreter::place(elf, segment)?;
            if let Some(header) = self.segment_mut(SegmentKind::INTERP) {
                *header = place;
            }
        }
        self.interpreter = Some(path.bytes().chain([0]).collect());
        Ok(())
    }
}
