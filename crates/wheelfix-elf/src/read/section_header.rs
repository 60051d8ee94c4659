//! Section headers: what linkers, debuggers and `strip` look at. The loader does not need them.
//!
//! <https://www.sco.com/developers/gabi/latest/ch4.sheader.html>

use serde::Serialize;

use crate::encoding::{Encoding, FieldWriter, Fields};
use crate::error::ReadError;
use crate::read::header::Header;
use crate::read::window::{Window, read_range};

/// One section header with its name. Offsets are file offsets, lengths are bytes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SectionHeader {
    /// The name; bytes that are not UTF-8 are replaced. Names need not be unique: sections are found by type and address.
    pub name: String,
    /// `sh_name`: the offset of the name in the table of section names.
    pub name_offset: u32,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub vaddr: u64,
    /// `sh_offset`.
    pub offset: u64,
    /// `sh_size`, also for a section that takes no space in the file.
    pub len: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// `sh_addralign`.
    pub align: u64,
    /// `sh_entsize`.
    pub entry_len: u64,
}

/// `sh_type` of an unused header.
pub const SHT_NULL: u32 = 0;
/// `sh_type` of the program's own data and code.
pub const SHT_PROGBITS: u32 = 1;
/// `sh_type` of `.symtab`.
pub const SHT_SYMTAB: u32 = 2;
/// `sh_type` of a string table.
pub const SHT_STRTAB: u32 = 3;
/// `sh_type` of `.hash`.
pub const SHT_HASH: u32 = 5;
/// `sh_type` of `.dynamic`.
pub const SHT_DYNAMIC: u32 = 6;
/// `sh_type` of notes.
pub const SHT_NOTE: u32 = 7;
/// `sh_type` of a section without bytes in the file.
pub const SHT_NOBITS: u32 = 8;
/// `sh_type` of `.dynsym`.
pub const SHT_DYNSYM: u32 = 11;
/// `sh_type` of the table with section numbers that do not fit a symbol.
pub const SHT_SYMTAB_SHNDX: u32 = 18;
/// `sh_type` of `.gnu.hash`.
pub const SHT_GNU_HASH: u32 = 0x6fff_fff6;
/// `sh_type` of `.gnu.version_d`.
pub const SHT_GNU_VERDEF: u32 = 0x6fff_fffd;
/// `sh_type` of `.gnu.version_r`.
pub const SHT_GNU_VERNEED: u32 = 0x6fff_fffe;
/// `sh_type` of `.gnu.version`.
pub const SHT_GNU_VERSYM: u32 = 0x6fff_ffff;
/// Bit of `sh_flags`: writable at run time.
pub const SHF_WRITE: u64 = 1;
/// Bit of `sh_flags`: in memory at run time.
pub const SHF_ALLOC: u64 = 2;
/// Bit of `sh_flags`: code.
pub const SHF_EXECINSTR: u64 = 4;
/// Bit of `sh_flags`: thread-local.
pub const SHF_TLS: u64 = 0x400;

/// Libraries have tens of sections; a million is far beyond what linkers make of a loadable file.
const MAX_SECTIONS: u64 = 1 << 20;
/// `e_shstrndx` that says: look into section 0.
const SHN_XINDEX: u16 = 0xffff;
/// A table of section names up to this length is read at once.
const MAX_NAMES_LEN: u64 = 1 << 20;
/// Longer names are cut.
const MAX_NAME_LEN: usize = 512;

impl SectionHeader {
    /// Reads the section headers; empty without a table.
    pub(crate) fn read_all(
        window: &mut Window<'_>,
        header: &Header,
    ) -> Result<Vec<Self>, ReadError> {
        let offset = header.section_headers_offset;
        if offset == 0 {
            return Ok(Vec::new());
        }
        let encoding = header.encoding;
        let entry_len = encoding.section_header_len();
        let first = Self::parse(
            encoding,
            window.bytes("section header 0", offset, entry_len as u64)?,
        );
        let (first_len, first_link) = first.map_or((0, 0), |first| (first.len, first.link));
        let count = match header.section_header_count {
            0 => first_len,
            count => u64::from(count),
        };
        if count > MAX_SECTIONS {
            return Err(ReadError::TooMany {
                what: "section headers",
                offset,
                got: count,
                limit: MAX_SECTIONS,
            });
        }
        let bytes = read_range(
            window.source(),
            "section headers",
            offset,
            count * entry_len as u64,
        )?;
        let mut sections: Vec<Self> = bytes
            .chunks_exact(entry_len)
            .filter_map(|entry| Self::parse(encoding, entry))
            .collect();
        let names_index = match header.section_names_index {
            SHN_XINDEX => first_link,
            index => u32::from(index),
        };
        read_names(window, &mut sections, names_index)?;
        Ok(sections)
    }

    fn parse(encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(encoding, bytes);
        Some(Self {
            name: String::new(),
            name_offset: fields.u32()?,
            kind: fields.u32()?,
            flags: fields.word()?,
            vaddr: fields.word()?,
            offset: fields.word()?,
            len: fields.word()?,
            link: fields.u32()?,
            info: fields.u32()?,
            align: fields.word()?,
            entry_len: fields.word()?,
        })
    }

    pub(crate) fn write(&self, writer: &mut FieldWriter) {
        writer
            .u32(self.name_offset)
            .u32(self.kind)
            .word(self.flags)
            .word(self.vaddr)
            .word(self.offset);
        writer
            .word(self.len)
            .u32(self.link)
            .u32(self.info)
            .word(self.align)
            .word(self.entry_len);
    }

    /// Whether the section is in memory at run time.
    pub fn is_alloc(&self) -> bool {
        self.flags & SHF_ALLOC != 0
    }

    /// Whether the section has bytes in the file.
    pub fn has_bytes(&self) -> bool {
        self.kind != SHT_NULL && self.kind != SHT_NOBITS && self.len != 0
    }

    /// File offset of the first byte after the section, cut at the largest number.
    pub fn file_end(&self) -> u64 {
        self.offset
            .saturating_add(if self.has_bytes() { self.len } else { 0 })
    }

    /// Address of the first byte after the section, cut at the largest number.
    pub fn memory_end(&self) -> u64 {
        self.vaddr.saturating_add(self.len)
    }
}

fn read_names(
    window: &Window<'_>,
    sections: &mut [SectionHeader],
    index: u32,
) -> Result<(), ReadError> {
    let Some(table) = usize::try_from(index)
        .ok()
        .and_then(|index| sections.get(index))
    else {
        let expected = "the number of a section";
        return Err(ReadError::Field {
            what: "e_shstrndx",
            offset: 0,
            got: index.into(),
            expected,
        });
    };
    if index == 0 || !table.has_bytes() {
        return Ok(());
    }
    let names = read_range(
        window.source(),
        "section names",
        table.offset,
        table.len.min(MAX_NAMES_LEN),
    )?;
    for section in sections {
        let start = usize::try_from(section.name_offset).unwrap_or(usize::MAX);
        let name = names.get(start..).unwrap_or_default();
        let name = name.get(..MAX_NAME_LEN).unwrap_or(name);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        section.name = String::from_utf8_lossy(name).into_owned();
    }
    Ok(())
}
