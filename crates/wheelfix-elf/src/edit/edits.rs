//! The edits to a file: what has to be different, not where it goes nor how it is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::error::EditError;
use crate::edit::plan::Warning;
use crate::edit::tables::Tables;
use crate::encoding::Encoding;
use crate::read::dynamic::StringTable;
use crate::read::elf::{Dynamic, Elf};
use crate::read::program_header::{self};
use crate::read::section_header::{SHT_DYNAMIC, SHT_STRTAB};
use crate::source::Source;

/// A 4-byte field of the file that holds the offset of a new string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TextField {
    /// File offset of the field, before any table moves.
    pub(crate) offset: u64,
    /// Which of [`Edits::texts`].
    pub(crate) text: usize,
    pub(crate) what: &'static str,
}

/// The file, and what will be different: entries, headers and names without places that are new.
pub(crate) struct Edits<'a> {
    pub(crate) source: &'a dyn Source,
    /// The file as it is.
    pub(crate) elf: &'a Elf,
    pub(crate) dynamic: &'a Dynamic,
    pub(crate) strings: StringTable,
    pub(crate) tables: Tables,
    /// New strings, in the order in which they were asked for.
    pub(crate) texts: Vec<Vec<u8>>,
    pub(crate) text_fields: Vec<TextField>,
    /// For each of the libraries that versions are needed from: whether that ends.
    pub(crate) removed_needs: Vec<bool>,
    /// Symbols with a new name: their number, and which of [`Edits::texts`].
    pub(crate) renamed_symbols: BTreeMap<u32, usize>,
    /// Symbols that lose their version.
    pub(crate) cleared_symbols: BTreeSet<u32>,
    /// The number of dynamic symbols.
    pub(crate) symbol_count: u64,
    pub(crate) os_abi: Option<u8>,
    /// Whether segments get another alignment, so that not all have one.
    pub(crate) mends_alignments: bool,
    /// The place that the dynamic section had before an earlier edit, which code may still look at: file offset, and how
    /// many entries it has.
    pub(crate) retired: Option<(u64, usize)>,
    pub(crate) summary: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Edits<'a> {
    pub(crate) fn new(
        source: &'a dyn Source,
        elf: &'a Elf,
        dynamic: &'a Dynamic,
        strings: StringTable,
    ) -> Self {
        Self {
            source,
            elf,
            dynamic,
            strings,
            tables: Tables::new(elf, dynamic),
            texts: Vec::new(),
            text_fields: Vec::new(),
            removed_needs: vec![false; dynamic.version_needs.len()],
            renamed_symbols: BTreeMap::new(),
            cleared_symbols: BTreeSet::new(),
            symbol_count: 0,
            os_abi: None,
            mends_alignments: false,
            retired: None,
            summary: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the file is as it is asked for already.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.summary.is_empty() && self.os_abi.is_none()
    }

    /// Whether libraries are no longer asked for versions.
    pub(crate) fn removes_needs(&self) -> bool {
        self.removed_needs.contains(&true)
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
