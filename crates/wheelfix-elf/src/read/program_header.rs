//! Program headers: what the loader maps and looks at.
//!
//! <https://www.sco.com/developers/gabi/latest/ch5.pheader.html>

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::encoding::{Class, Encoding, FieldWriter, Fields};
use crate::error::ReadError;
use crate::read::elf::Elf;
use crate::read::header::Header;
use crate::read::image::PAGE;
use crate::read::window::{Window, read_range};

/// One program header. Offsets are file offsets, lengths are bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ProgramHeader {
    /// `p_type`.
    pub kind: SegmentKind,
    /// `p_flags`: 4 readable, 2 writable, 1 executable.
    pub flags: u32,
    /// `p_offset`.
    pub offset: u64,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_paddr`.
    pub paddr: u64,
    /// `p_filesz`.
    pub file_len: u64,
    /// `p_memsz`.
    pub memory_len: u64,
    /// `p_align`.
    pub align: u64,
}

/// `p_type`.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct SegmentKind(pub u32);

impl SegmentKind {
    /// `PT_NULL`: an unused entry.
    pub const NULL: Self = Self(0);
    /// `PT_LOAD`.
    pub const LOAD: Self = Self(1);
    /// `PT_DYNAMIC`.
    pub const DYNAMIC: Self = Self(2);
    /// `PT_INTERP`.
    pub const INTERP: Self = Self(3);
    /// `PT_NOTE`.
    pub const NOTE: Self = Self(4);
    /// `PT_PHDR`: the program headers themselves.
    pub const PHDR: Self = Self(6);
    /// `PT_TLS`.
    pub const TLS: Self = Self(7);
    /// `PT_GNU_EH_FRAME`.
    pub const GNU_EH_FRAME: Self = Self(0x6474_e550);
    /// `PT_GNU_STACK`.
    pub const GNU_STACK: Self = Self(0x6474_e551);
    /// `PT_GNU_RELRO`.
    pub const GNU_RELRO: Self = Self(0x6474_e552);
    /// `PT_GNU_PROPERTY`.
    pub const GNU_PROPERTY: Self = Self(0x6474_e553);

    /// The name, or `None` for a kind we have no name for.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "PT_NULL",
            Self::LOAD => "PT_LOAD",
            Self::DYNAMIC => "PT_DYNAMIC",
            Self::INTERP => "PT_INTERP",
            Self::NOTE => "PT_NOTE",
            Self::PHDR => "PT_PHDR",
            Self::TLS => "PT_TLS",
            Self::GNU_EH_FRAME => "PT_GNU_EH_FRAME",
            Self::GNU_STACK => "PT_GNU_STACK",
            Self::GNU_RELRO => "PT_GNU_RELRO",
            Self::GNU_PROPERTY => "PT_GNU_PROPERTY",
            _ => return None,
        })
    }
}

impl fmt::Display for SegmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "segment type {:#x}", self.0),
        }
    }
}

impl fmt::Debug for SegmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SegmentKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bit of `p_flags`: executable.
pub const PF_X: u32 = 1;
/// Bit of `p_flags`: writable.
pub const PF_W: u32 = 2;
/// Bit of `p_flags`: readable.
pub const PF_R: u32 = 4;

/// The file offset of an address as the `PT_LOAD` says that names it, and how many bytes of that lie behind it.
///
/// More may be in memory, as the loader maps whole pages; but `strip` keeps no more than this.
pub(crate) fn locate(headers: &[ProgramHeader], vaddr: u64) -> Option<(u64, u64)> {
    let mut loads = headers.iter().filter(|header| header.is_load());
    loads.find_map(|load| {
        let inside = vaddr.checked_sub(load.vaddr)?;
        let left = load.file_len.checked_sub(inside)?;
        let offset = load.offset.checked_add(inside)?;
        // No table ends behind the largest offset.
        let left = left.min(u64::MAX - offset);
        (left > 0).then_some((offset, left))
    })
}

impl ProgramHeader {
    /// The addresses of the whole pages that a loader maps for the segment: more than itself may be read in them.
    pub(crate) fn pages(&self) -> Range<u64> {
        let end = self.memory_end().checked_next_multiple_of(PAGE);
        self.vaddr - self.vaddr % PAGE..end.unwrap_or(u64::MAX)
    }

    /// Whether a segment of a file is read-only and without code, and its pages hold a part of the dynamic section, which
    /// is to be written.
    pub(crate) fn covers_dynamic(&self, elf: &Elf) -> bool {
        let header = elf.program_header(SegmentKind::DYNAMIC);
        let header = header.filter(|header| header.flags & PF_W != 0);
        let (Some(header), Some(dynamic)) = (header, &elf.dynamic) else {
            return false;
        };
        // Up to `DT_NULL`, whatever the program header says.
        let entries = dynamic.array.entries.len() + 1;
        let len = (entries * elf.header.encoding.dynamic_entry_len()) as u64;
        let pages = self.pages();
        let is_there = pages.start < header.vaddr.saturating_add(len) && header.vaddr < pages.end;
        self.is_load() && is_there && self.flags & (PF_W | PF_X) == 0
    }

    /// An entry that is not in use.
    pub(crate) const NULL: Self = Self {
        kind: SegmentKind::NULL,
        flags: 0,
        offset: 0,
        vaddr: 0,
        paddr: 0,
        file_len: 0,
        memory_len: 0,
        align: 0,
    };

    pub(crate) fn read_all(window: &Window<'_>, header: &Header) -> Result<Vec<Self>, ReadError> {
        if header.program_header_count == 0 {
            return Ok(Vec::new());
        }
        if header.program_header_count == u16::MAX {
            let got = u64::from(header.program_header_count);
            let limit = got - 1;
            return Err(ReadError::TooMany {
                what: "program headers",
                offset: header.program_headers_offset,
                got,
                limit,
            });
        }
        let encoding = header.encoding;
        let entry_len = encoding.program_header_len();
        let len = u64::from(header.program_header_count) * entry_len as u64;
        let bytes = read_range(
            window.source(),
            "program headers",
            header.program_headers_offset,
            len,
        )?;
        Ok(bytes
            .chunks_exact(entry_len)
            .filter_map(|entry| Self::parse(encoding, entry))
            .collect())
    }

    fn parse(encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(encoding, bytes);
        let kind = SegmentKind(fields.u32()?);
        let early_flags = match encoding.class {
            Class::Elf32 => None,
            Class::Elf64 => Some(fields.u32()?),
        };
        let (offset, vaddr, paddr) = (fields.word()?, fields.word()?, fields.word()?);
        let (file_len, memory_len) = (fields.word()?, fields.word()?);
        let flags = match early_flags {
            Some(flags) => flags,
            None => fields.u32()?,
        };
        Some(Self {
            kind,
            flags,
            offset,
            vaddr,
            paddr,
            file_len,
            memory_len,
            align: fields.word()?,
        })
    }

    pub(crate) fn write(&self, writer: &mut FieldWriter, class: Class) {
        writer.u32(self.kind.0);
        if class == Class::Elf64 {
            writer.u32(self.flags);
        }
        writer
            .word(self.offset)
            .word(self.vaddr)
            .word(self.paddr)
            .word(self.file_len)
            .word(self.memory_len);
        if class == Class::Elf32 {
            writer.u32(self.flags);
        }
        writer.word(self.align);
    }

    /// Whether the segment is not where its alignment says: no power of two, or address and offset differ modulo it.
    pub(crate) fn is_misaligned(&self) -> bool {
        let distance = self.vaddr.wrapping_sub(self.offset);
        let is_aligned = self.align.is_power_of_two() && distance.is_multiple_of(self.align);
        self.is_load() && self.align != 0 && !is_aligned
    }

    /// Whether the segment is mapped into memory.
    pub fn is_load(&self) -> bool {
        self.kind == SegmentKind::LOAD
    }

    /// File offset of the first byte after the segment, cut at the largest number.
    pub fn file_end(&self) -> u64 {
        self.offset.saturating_add(self.file_len)
    }

    /// Address of the first byte after the segment, cut at the largest number.
    pub fn memory_end(&self) -> u64 {
        self.vaddr.saturating_add(self.memory_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::ByteOrder;

    #[test]
    fn both_classes_come_back_as_they_were_written() {
        let want = ProgramHeader {
            kind: SegmentKind::GNU_RELRO,
            flags: PF_R,
            offset: 1,
            vaddr: 2,
            paddr: 3,
            file_len: 4,
            memory_len: 5,
            align: 6,
        };
        for class in [Class::Elf32, Class::Elf64] {
            let encoding = Encoding {
                class,
                byte_order: ByteOrder::Big,
            };
            let mut writer = FieldWriter::new(encoding);
            want.write(&mut writer, class);
            let bytes = writer.finish();
            assert_eq!(bytes.len(), encoding.program_header_len());
            assert_eq!(ProgramHeader::parse(encoding, &bytes), Some(want));
        }
    }
}
