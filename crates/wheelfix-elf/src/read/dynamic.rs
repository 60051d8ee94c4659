//! The dynamic section: its array and the tables it names.
//!
//! <https://www.sco.com/developers/gabi/latest/ch5.dynamic.html#dynamic_section>

use serde::Serialize;

use crate::encoding::{Class, Encoding, FieldWriter, Fields};
use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::image::Image;
use crate::read::program_header::{ProgramHeader, SegmentKind};
use crate::read::window::{Window, read_range};

/// Real files have up to about a hundred entries.
const MAX_ENTRIES: u64 = 1 << 16;

/// One entry of the array.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct DynamicEntry {
    /// `d_tag`.
    pub tag: Tag,
    /// `d_val` or `d_ptr`.
    pub value: u64,
}

impl DynamicEntry {
    fn parse(encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(encoding, bytes);
        let tag = match encoding.class {
            Class::Elf32 => i64::from(fields.u32()?.cast_signed()),
            Class::Elf64 => fields.word()?.cast_signed(),
        };
        Some(Self {
            tag: Tag(tag),
            value: fields.word()?,
        })
    }

    pub(crate) fn write(self, writer: &mut FieldWriter) {
        writer.word(self.tag.0.cast_unsigned()).word(self.value);
    }
}

/// The array of the dynamic section.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DynamicArray {
    /// File offset.
    pub offset: u64,
    /// Address.
    pub vaddr: u64,
    /// How many entries fit, the terminating `DT_NULL` and unused ones included. As many as there are entries if the linker
    /// left no room for `DT_NULL`.
    pub capacity: usize,
    /// The entries before the first `DT_NULL`.
    pub entries: Vec<DynamicEntry>,
}

impl DynamicArray {
    /// That of a file without one.
    pub(crate) const ABSENT: Self = Self {
        offset: 0,
        vaddr: 0,
        capacity: 1,
        entries: Vec::new(),
    };

    /// Reads the array that `header`, a `PT_DYNAMIC`, names.
    pub(crate) fn read(
        window: &Window<'_>,
        encoding: Encoding,
        header: &ProgramHeader,
    ) -> Result<Self, ReadError> {
        debug_assert_eq!(
            header.kind,
            SegmentKind::DYNAMIC,
            "the caller looked for it"
        );
        let what = "dynamic section";
        let entry_len = encoding.dynamic_entry_len();
        let capacity = header.file_len / entry_len as u64;
        if capacity > MAX_ENTRIES {
            return Err(ReadError::TooMany {
                what,
                offset: header.offset,
                got: capacity,
                limit: MAX_ENTRIES,
            });
        }
        let bytes = read_range(
            window.source(),
            what,
            header.offset,
            capacity * entry_len as u64,
        )?;
        let mut entries = Vec::new();
        for entry in bytes
            .chunks_exact(entry_len)
            .filter_map(|bytes| DynamicEntry::parse(encoding, bytes))
        {
            if entry.tag == Tag::NULL {
                let capacity = bytes.len() / entry_len;
                return Ok(Self {
                    offset: header.offset,
                    vaddr: header.vaddr,
                    capacity,
                    entries,
                });
            }
            entries.push(entry);
        }
        let end = header.offset + bytes.len() as u64;
        if !ends_behind(window, encoding, end)? {
            let missing = "DT_NULL";
            return Err(ReadError::Missing { what, missing });
        }
        Ok(Self {
            offset: header.offset,
            vaddr: header.vaddr,
            capacity: entries.len(),
            entries,
        })
    }

    /// Returns the value of the first entry with `tag`.
    pub fn get(&self, tag: Tag) -> Option<u64> {
        self.entries
            .iter()
            .find(|entry| entry.tag == tag)
            .map(|entry| entry.value)
    }

    /// Returns the values of all entries with `tag`, in order.
    pub fn all(&self, tag: Tag) -> impl Iterator<Item = u64> + '_ {
        self.entries
            .iter()
            .filter(move |entry| entry.tag == tag)
            .map(|entry| entry.value)
    }
}

/// How many entries behind the array are looked at for one that ends it.
const MAX_BEHIND: u64 = 16;

/// Whether loaders, which read entries until one is zero, find one behind the array, and nothing that they know before it.
/// `ld --spare-dynamic-tags=0` leaves no room for `DT_NULL`; the global offset table follows.
fn ends_behind(window: &Window<'_>, encoding: Encoding, end: u64) -> Result<bool, ReadError> {
    let entry_len = encoding.dynamic_entry_len();
    let left = window.source().file_len().saturating_sub(end);
    let len = left.min(MAX_BEHIND * entry_len as u64);
    let bytes = read_range(window.source(), "end of the dynamic section", end, len)?;
    let entries = bytes.chunks_exact(entry_len);
    let mut tags = entries
        .filter_map(|bytes| DynamicEntry::parse(encoding, bytes))
        .map(|entry| entry.tag);
    let end = tags.find(|tag| *tag == Tag::NULL || tag.is_known_to_loaders());
    Ok(end == Some(Tag::NULL))
}

/// Where a string table is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct StringTable {
    /// File offset.
    pub offset: u64,
    /// Address.
    pub vaddr: u64,
    /// Length in bytes.
    pub len: u64,
}

impl StringTable {
    /// That of a file without one.
    pub(crate) const ABSENT: Self = Self {
        offset: 0,
        vaddr: 0,
        len: 0,
    };

    /// Finds the string table of the dynamic section. `None` if it names none.
    pub(crate) fn find(array: &DynamicArray, image: &Image) -> Result<Option<Self>, ReadError> {
        match (array.get(Tag::STRTAB), array.get(Tag::STRSZ)) {
            (Some(vaddr), Some(len)) => {
                let offset = image.place("DT_STRTAB", vaddr, len.max(1))?;
                Ok(Some(Self { offset, vaddr, len }))
            }
            (Some(_), None) => Err(ReadError::Missing {
                what: "DT_STRTAB",
                missing: "DT_STRSZ",
            }),
            (None, _) => Ok(None),
        }
    }

    /// Reads the string at `offset` in the table, which need not be UTF-8.
    pub(crate) fn bytes(
        &self,
        window: &mut Window<'_>,
        what: &'static str,
        offset: u64,
    ) -> Result<Vec<u8>, ReadError> {
        if offset >= self.len {
            return Err(ReadError::StringOffset {
                what,
                got: offset,
                offset: self.offset,
                len: self.len,
            });
        }
        window.string(
            what,
            self.offset.saturating_add(offset),
            self.offset.saturating_add(self.len),
        )
    }

    /// Reads the string at `offset` in the table.
    pub(crate) fn text(
        &self,
        window: &mut Window<'_>,
        what: &'static str,
        offset: u64,
    ) -> Result<String, ReadError> {
        let offset_in_file = self.offset.saturating_add(offset);
        String::from_utf8(self.bytes(window, what, offset)?).map_err(|_| ReadError::NotUtf8 {
            what,
            offset: offset_in_file,
        })
    }
}
