//! An ELF file as numbers: a second opinion that shares no code with the editor under test.
//!
//! <https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>

/// Program header types that the checks know.
pub mod segment_type {
    /// Unused entry.
    pub const NULL: u32 = 0;
    /// Mapped by the loader.
    pub const LOAD: u32 = 1;
    /// The dynamic section.
    pub const DYNAMIC: u32 = 2;
    /// The path of the program interpreter.
    pub const INTERP: u32 = 3;
    /// Notes.
    pub const NOTE: u32 = 4;
    /// The program header table itself.
    pub const PHDR: u32 = 6;
    /// The template of thread-local storage.
    pub const TLS: u32 = 7;
    /// The index of the unwind tables.
    pub const GNU_EH_FRAME: u32 = 0x6474_e550;
    /// Whether the stack is executable.
    pub const GNU_STACK: u32 = 0x6474_e551;
    /// The range that is read-only after relocation.
    pub const GNU_RELRO: u32 = 0x6474_e552;
    /// Properties such as CET.
    pub const GNU_PROPERTY: u32 = 0x6474_e553;
}

/// A section that occupies no bytes of the file.
pub const SHT_NOBITS: u32 = 8;
/// A section that is in memory at run time.
pub const SHF_ALLOC: u64 = 2;

/// A program header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// `p_type`.
    pub kind: u32,
    /// `p_flags`.
    pub flags: u32,
    /// `p_offset`, a file offset in bytes.
    pub offset: u64,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_filesz`, in bytes.
    pub filesz: u64,
    /// `p_memsz`, in bytes.
    pub memsz: u64,
    /// `p_align`, in bytes.
    pub align: u64,
}

/// A section header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// The name from the section name table; `?` where there is none.
    pub name: String,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub addr: u64,
    /// `sh_offset`, a file offset in bytes.
    pub offset: u64,
    /// `sh_size`, in bytes.
    pub size: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// `sh_addralign`, in bytes.
    pub align: u64,
}

impl Section {
    /// Whether the section is in memory at run time and has bytes in the file.
    pub fn is_loaded(&self) -> bool {
        self.flags & SHF_ALLOC != 0 && self.has_bytes()
    }

    /// Whether the section has bytes in the file.
    pub fn has_bytes(&self) -> bool {
        self.kind != SHT_NOBITS && self.size > 0
    }
}

/// The headers of an ELF file, and its bytes.
#[derive(Debug)]
pub struct Image<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// Whether it is ELF64.
    pub wide: bool,
    /// Whether numbers are stored with the highest byte first.
    pub big_endian: bool,
    /// `e_type`.
    pub file_type: u16,
    /// `e_machine`.
    pub machine: u16,
    /// `e_phoff`.
    pub phoff: u64,
    /// `e_phnum`.
    pub phnum: u64,
    /// `e_shoff`.
    pub shoff: u64,
    /// `e_shnum`.
    pub shnum: u64,
    /// In the order of the file.
    pub segments: Vec<Segment>,
    /// In the order of the file, with the null section; empty without a table.
    pub sections: Vec<Section>,
}

impl<'a> Image<'a> {
    /// Reads the headers; `Err` names what lies outside the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (Some(b"\x7fELF"), Some(&class), Some(&data)) =
            (bytes.get(..4), bytes.get(4), bytes.get(5))
        else {
            return Err("not an ELF file".to_owned());
        };
        let mut image = Self {
            bytes,
            wide: class == 2,
            big_endian: data == 2,
            file_type: 0,
            machine: 0,
            phoff: 0,
            phnum: 0,
            shoff: 0,
            shnum: 0,
            segments: Vec::new(),
            sections: Vec::new(),
        };
        image.read_header().ok_or("truncated ELF header")?;
        for index in 0..image.phnum {
            let segment = image.read_segment(index);
            image
                .segments
                .push(segment.ok_or("PHT_OOB: program headers past the end")?);
        }
        image
            .read_sections()
            .ok_or("SHT_OOB: section headers past the end")?;
        Ok(image)
    }

    fn read_header(&mut self) -> Option<()> {
        let word = self.word_size();
        self.file_type = self.u16(16)?;
        self.machine = self.u16(18)?;
        self.phoff = self.word(24 + word)?;
        self.shoff = self.word(24 + 2 * word)?;
        self.phnum = self.u16(32 + 3 * word)?.into();
        self.shnum = self.u16(36 + 3 * word)?.into();
        Some(())
    }

    fn read_segment(&self, index: u64) -> Option<Segment> {
        let at = self.phoff.checked_add(index * self.segment_entry_size())?;
        let word = self.word_size();
        let (flags, first) = if self.wide {
            (at + 4, at + 8)
        } else {
            (at + 24, at + 4)
        };
        let sizes = first + 3 * word;
        Some(Segment {
            kind: self.u32(at)?,
            flags: self.u32(flags)?,
            offset: self.word(first)?,
            vaddr: self.word(first + word)?,
            filesz: self.word(sizes)?,
            memsz: self.word(sizes + word)?,
            align: self.word(if self.wide { sizes + 2 * word } else { at + 28 })?,
        })
    }

    fn read_sections(&mut self) -> Option<()> {
        let word = self.word_size();
        let names = u64::from(self.u16(38 + 3 * word)?);
        let mut name_offsets = Vec::new();
        for index in 0..self.shnum {
            let at = self.shoff.checked_add(index * self.section_entry_size())?;
            name_offsets.push(self.u32(at)?);
            self.sections.push(Section {
                name: "?".to_owned(),
                kind: self.u32(at + 4)?,
                flags: self.word(at + 8)?,
                addr: self.word(at + 8 + word)?,
                offset: self.word(at + 8 + 2 * word)?,
                size: self.word(at + 8 + 3 * word)?,
                link: self.u32(at + 8 + 4 * word)?,
                info: self.u32(at + 12 + 4 * word)?,
                align: self.word(at + 16 + 4 * word)?,
            });
        }
        let table = self
            .sections
            .get(usize::try_from(names).ok()?)
            .map(|table| table.offset);
        for (index, name) in name_offsets.into_iter().enumerate() {
            if let Some(text) = table.and_then(|table| self.text(table + u64::from(name))) {
                self.sections[index].name = text;
            }
        }
        Some(())
    }

    /// 8 in ELF64, 4 in ELF32.
    pub fn word_size(&self) -> u64 {
        if self.wide { 8 } else { 4 }
    }

    /// The size of the file header in bytes.
    pub fn header_size(&self) -> u64 {
        if self.wide { 64 } else { 52 }
    }

    /// The size of a program header in bytes.
    pub fn segment_entry_size(&self) -> u64 {
        if self.wide { 56 } else { 32 }
    }

    /// The size of a section header in bytes.
    pub fn section_entry_size(&self) -> u64 {
        if self.wide { 64 } else { 40 }
    }

    /// The size of a symbol in bytes.
    pub fn symbol_size(&self) -> u64 {
        if self.wide { 24 } else { 16 }
    }

    /// File offset behind the program header table.
    pub fn pht_end(&self) -> u64 {
        self.phoff + self.phnum * self.segment_entry_size()
    }

    /// The size of the file in bytes.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether the file is empty; it never is, having a header.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of a range of the file.
    pub fn slice(&self, offset: u64, len: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(start..end)
    }

    fn number(&self, offset: u64, len: u64) -> Option<u64> {
        let bytes = self.slice(offset, len)?;
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.big_endian {
            bytes.iter().fold(0, fold)
        } else {
            bytes.iter().rev().fold(0, fold)
        })
    }

    /// The number of two bytes at a file offset.
    #[expect(clippy::cast_possible_truncation, reason = "two bytes were read")]
    pub fn u16(&self, offset: u64) -> Option<u16> {
        Some(self.number(offset, 2)? as u16)
    }

    /// The number of four bytes at a file offset.
    #[expect(clippy::cast_possible_truncation, reason = "four bytes were read")]
    pub fn u32(&self, offset: u64) -> Option<u32> {
        Some(self.number(offset, 4)? as u32)
    }

    /// The number of the class's word size at a file offset.
    pub fn word(&self, offset: u64) -> Option<u64> {
        self.number(offset, self.word_size())
    }

    /// The text that starts at a file offset, without its NUL; each byte as a character.
    pub fn text(&self, offset: u64) -> Option<String> {
        let rest = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let len = rest.iter().position(|byte| *byte == 0)?;
        Some(rest[..len].iter().copied().map(char::from).collect())
    }

    /// The segments that the loader maps, in the order of the file.
    pub fn loads(&self) -> impl Iterator<Item = &Segment> {
        self.segments_of(segment_type::LOAD)
    }

    /// The segments of a type, in the order of the file.
    pub fn segments_of(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(move |segment| segment.kind == kind)
    }

    /// The file offset of a range of addresses, if one loaded segment has all of it in the file.
    pub fn file_offset(&self, vaddr: u64, len: u64) -> Option<u64> {
        let end = vaddr.checked_add(len)?;
        self.loads()
            .find(|load| load.vaddr <= vaddr && end <= load.vaddr.saturating_add(load.filesz))
            .map(|load| vaddr - load.vaddr + load.offset)
    }

    /// The first section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .skip(1)
            .find(|section| section.name == name)
    }
}
