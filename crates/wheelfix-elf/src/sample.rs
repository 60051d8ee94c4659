//! Small libraries and programs for tests, of any class and byte order, laid out as linkers do.

mod headers;
mod sections;

use crate::encoding::{ByteOrder, Class, Encoding, FieldWriter};
use crate::machine::Machine;
use crate::read::dynamic::DynamicEntry;
use crate::read::dynamic_tag::Tag;
use crate::read::hash::{gnu_hash, sysv_hash};
use crate::read::section_header::{
    SHF_ALLOC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_HASH, SHT_NOTE,
    SHT_PROGBITS, SHT_STRTAB, SectionHeader,
};

/// The contents right behind the program headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Behind {
    /// Notes, then tables: GNU ld and LLVM's linker.
    Notes,
    /// Unused bytes, enough for one more program header.
    Room,
    /// Code, which cannot move.
    Code,
}

/// The properties of a sample.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) encoding: Encoding,
    pub(crate) machine: Machine,
    /// A program has an interpreter and `PT_PHDR`.
    pub(crate) program: bool,
    pub(crate) behind: Behind,
    /// Whether `DT_HASH` is used in place of `DT_GNU_HASH`.
    pub(crate) sysv_hash: bool,
    /// Whether there are section headers, and with them a `.symtab`.
    pub(crate) sections: bool,
    /// Unused entries of the dynamic section.
    pub(crate) spare: usize,
    /// `DT_RPATH` or `DT_RUNPATH`.
    pub(crate) run_path: Option<(Tag, &'static str)>,
    /// Alignment of the segments.
    pub(crate) align: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            encoding: Encoding {
                class: Class::Elf64,
                byte_order: ByteOrder::Little,
            },
            machine: Machine::X86_64,
            program: false,
            behind: Behind::Notes,
            sysv_hash: false,
            sections: true,
            spare: 5,
            run_path: None,
            align: 0x1000,
        }
    }
}

/// The library that the samples need, with a version.
pub(crate) const NEEDED: &str = "libc.so.6";
/// The library that the samples need without a version.
pub(crate) const PLAIN_NEEDED: &str = "libplain.so.1";
/// The version needed from [`NEEDED`].
pub(crate) const VERSION: &str = "GLIBC_2.17";
/// A symbol that the samples define.
pub(crate) const DEFINED: [&str; 4] = ["sample_one", "sample_two", "sample_three", "sample_four"];
/// A symbol that the samples need, with the version.
pub(crate) const UNDEFINED: &str = "printf";
/// The interpreter of sample programs.
pub(crate) const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The dynamic section, all that the second segment has from the file.
#[derive(Clone, Copy)]
struct Data {
    offset: u64,
    vaddr: u64,
    len: u64,
}

/// Bytes before the dynamic section in its segment.
const DATA_LEAD: usize = 16;

/// A part of the file.
struct Part {
    section: SectionHeader,
    bytes: Vec<u8>,
    tag: Option<Tag>,
}

/// The file while it is put together.
struct Builder<'s> {
    sample: &'s Sample,
    strings: Vec<u8>,
    parts: Vec<Part>,
}

impl Sample {
    /// Builds the file.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut builder = Builder {
            sample: self,
            strings: vec![0],
            parts: Vec::new(),
        };
        builder.collect();
        builder.finish()
    }
}

impl Builder<'_> {
    fn writer(&self) -> FieldWriter {
        FieldWriter::new(self.sample.encoding)
    }

    fn word_len(&self) -> u64 {
        self.sample.encoding.word_len() as u64
    }

    fn string(&mut self, text: &str) -> u32 {
        let offset = self.strings.len();
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        u32::try_from(offset).unwrap()
    }

    fn part(&mut self, (name, kind, align): (&str, u32, u64), bytes: Vec<u8>, tag: Option<Tag>) {
        let flags = SHF_ALLOC;
        let section = SectionHeader {
            name: name.to_owned(),
            name_offset: 0,
            kind,
            flags,
            vaddr: 0,
            offset: 0,
            len: bytes.len() as u64,
            link: 0,
            info: 0,
            align,
            entry_len: 0,
        };
        self.parts.push(Part {
            section,
            bytes,
            tag,
        });
    }

    /// Puts the parts of the first segment together, in their order.
    fn collect(&mut self) {
        let word_len = self.word_len();
        if self.sample.behind == Behind::Room {
            // Skipped by alignment: no part covers it.
            self.part((".room", SHT_PROGBITS, 256), Vec::new(), None);
        }
        if self.sample.behind == Behind::Code {
            self.part((".start", SHT_PROGBITS, 4), vec![0x90; 64], None);
        }
        if self.sample.program {
            let path = format!("{INTERPRETER}\0").into_bytes();
            self.part((".interp", SHT_PROGBITS, 1), path, None);
        }
        let mut note = self.writer();
        note.u32(4).u32(8).u32(3);
        let mut note = note.finish();
        note.extend(b"GNU\0\x01\x02\x03\x04\x05\x06\x07\x08");
        self.part((".note.gnu.build-id", SHT_NOTE, 4), note, None);
        let (symbols, hashed) = self.symbols();
        if self.sample.sysv_hash {
            let hash = self.sysv_hash(&hashed);
            self.part((".hash", SHT_HASH, 4), hash, Some(Tag::HASH));
        } else {
            let hash = self.gnu_hash(&hashed);
            self.part(
                (".gnu.hash", SHT_GNU_HASH, word_len),
                hash,
                Some(Tag::GNU_HASH),
            );
        }
        self.part(
            (".dynsym", SHT_DYNSYM, word_len),
            symbols,
            Some(Tag::SYMTAB),
        );
        let needs = self.version_needs();
        let mut versions = self.writer();
        versions.u16(0).u16(2);
        for _ in DEFINED {
            versions.u16(1);
        }
        let versions = versions.finish();
        // The strings are filled in last.
        self.part((".dynstr", SHT_STRTAB, 1), Vec::new(), Some(Tag::STRTAB));
        self.part(
            (".gnu.version", SHT_GNU_VERSYM, 2),
            versions,
            Some(Tag::VERSYM),
        );
        self.part(
            (".gnu.version_r", SHT_GNU_VERNEED, word_len),
            needs,
            Some(Tag::VERNEED),
        );
        self.part((".text", SHT_PROGBITS, 16), vec![0x90; 128], None);
    }

    /// Encodes the symbols and returns the names that are in the hash table, in order.
    fn symbols(&mut self) -> (Vec<u8>, Vec<&'static str>) {
        let mut names = DEFINED.to_vec();
        names.sort_by_key(|name| gnu_hash(name.as_bytes()) % 2);
        let mut bytes = vec![0; self.sample.encoding.symbol_len()];
        for (name, section) in
            std::iter::once((UNDEFINED, 0)).chain(names.iter().map(|name| (*name, 0xfff1)))
        {
            let offset = self.string(name);
            let mut writer = self.writer();
            writer.u32(offset);
            match self.sample.encoding.class {
                Class::Elf32 => {
                    writer.word(0x100).word(4);
                    let mut head = writer.finish();
                    head.extend([0x12, 0]);
                    bytes.extend(head);
                    let mut rest = self.writer();
                    rest.u16(section);
                    bytes.extend(rest.finish());
                }
                Class::Elf64 => {
                    let mut head = writer.finish();
                    head.extend([0x12, 0]);
                    bytes.extend(head);
                    let mut rest = self.writer();
                    rest.u16(section).word(0x100).word(4);
                    bytes.extend(rest.finish());
                }
            }
        }
        (bytes, names)
    }

    fn gnu_hash(&self, names: &[&str]) -> Vec<u8> {
        let bits = u32::try_from(self.sample.encoding.word_len() * 8).unwrap();
        let hashes: Vec<u32> = names.iter().map(|name| gnu_hash(name.as_bytes())).collect();
        let bloom = hashes.iter().fold(0_u64, |bloom, hash| {
            bloom | 1 << (hash % bits) | 1 << ((hash >> 5) % bits)
        });
        let mut writer = self.writer();
        writer.u32(2).u32(2).u32(1).u32(5).word(bloom);
        for bucket in 0..2 {
            let first = hashes.iter().position(|hash| hash % 2 == bucket);
            writer.u32(first.map_or(0, |first| u32::try_from(first).unwrap() + 2));
        }
        for (index, hash) in hashes.iter().enumerate() {
            let last = hashes
                .get(index + 1)
                .is_none_or(|next| next % 2 != hash % 2);
            writer.u32(if last { hash | 1 } else { hash & !1 });
        }
        writer.finish()
    }

    /// A table with one bucket.
    fn sysv_hash(&self, names: &[&str]) -> Vec<u8> {
        let count = u32::try_from(names.len()).unwrap() + 2;
        let mut writer = self.writer();
        writer.u32(1).u32(count).u32(1).u32(0);
        for index in 1..count {
            writer.u32((index + 1) % count);
        }
        writer.finish()
    }

    fn version_needs(&mut self) -> Vec<u8> {
        let (file, name) = (self.string(NEEDED), self.string(VERSION));
        let mut writer = self.writer();
        writer.u16(1).u16(1).u32(file).u32(16).u32(0);
        writer
            .u32(sysv_hash(VERSION.as_bytes()))
            .u16(0)
            .u16(2)
            .u32(name)
            .u32(0);
        writer.finish()
    }

    fn segment_count(&self) -> usize {
        // Two PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_GNU_STACK, PT_GNU_RELRO; PT_PHDR and PT_INTERP.
        if self.sample.program { 8 } else { 6 }
    }

    /// Gives the parts of the first segment their places and returns its bytes.
    fn place_parts(&mut self, strings: &[u8]) -> Vec<u8> {
        let encoding = self.sample.encoding;
        let headers_len =
            encoding.header_len() + self.segment_count() * encoding.program_header_len();
        let mut file = vec![0; headers_len];
        for part in &mut self.parts {
            if part.tag == Some(Tag::STRTAB) {
                part.bytes = strings.to_vec();
                part.section.len = strings.len() as u64;
            }
            let align = usize::try_from(part.section.align).unwrap();
            file.resize(file.len().next_multiple_of(align), 0);
            part.section.offset = file.len() as u64;
            part.section.vaddr = part.section.offset;
            file.extend(&part.bytes);
        }
        self.parts.retain(|part| !part.bytes.is_empty());
        file
    }

    /// Encodes the dynamic section; `texts` are entries whose value is an offset into the strings.
    fn dynamic(&self, texts: Vec<(Tag, u32)>, strings_len: usize) -> Vec<u8> {
        let encoding = self.sample.encoding;
        let mut entries: Vec<(Tag, u64)> = texts
            .into_iter()
            .map(|(tag, offset)| (tag, offset.into()))
            .collect();
        entries.extend(
            self.parts
                .iter()
                .filter_map(|part| Some((part.tag?, part.section.vaddr))),
        );
        entries.extend([
            (Tag::STRSZ, strings_len as u64),
            (Tag::SYMENT, encoding.symbol_len() as u64),
            (Tag::VERNEEDNUM, 1),
        ]);
        let mut writer = self.writer();
        for (tag, value) in entries {
            DynamicEntry { tag, value }.write(&mut writer);
        }
        let mut bytes = writer.finish();
        bytes.resize(
            bytes.len() + (1 + self.sample.spare) * encoding.dynamic_entry_len(),
            0,
        );
        bytes
    }

    fn finish(mut self) -> Vec<u8> {
        let mut texts = vec![
            (Tag::NEEDED, self.string(NEEDED)),
            (Tag::NEEDED, self.string(PLAIN_NEEDED)),
        ];
        if !self.sample.program {
            texts.push((Tag::SONAME, self.string("libsample.so")));
        }
        if let Some((tag, path)) = self.sample.run_path {
            texts.push((tag, self.string(path)));
        }
        let strings = std::mem::take(&mut self.strings);
        let mut file = self.place_parts(&strings);
        let text_end = file.len() as u64;
        let dynamic = self.dynamic(texts, strings.len());
        // Something else is first in the segment, as in real files.
        file.resize(file.len().next_multiple_of(16) + DATA_LEAD, 0);
        let offset = file.len() as u64;
        let data = Data {
            offset,
            vaddr: offset + self.sample.align,
            len: dynamic.len() as u64,
        };
        file.extend(dynamic);
        let program_headers = self.program_headers(text_end, data);
        let sections = self.sections(data, &mut file);
        let section_headers_offset = file.len().next_multiple_of(8);
        if self.sample.sections {
            file.resize(section_headers_offset, 0);
            let mut writer = self.writer();
            for section in &sections {
                section.write(&mut writer);
            }
            file.extend(writer.finish());
        }
        self.write_headers(
            &mut file,
            &program_headers,
            section_headers_offset,
            sections.len(),
        );
        file
    }
}

impl Sample {
    /// One of each encoding and kind that differs in how it is edited.
    pub(crate) fn variety() -> Vec<Self> {
        let mut samples = Vec::new();
        for (class, byte_order, machine) in [
            (Class::Elf64, ByteOrder::Little, Machine::X86_64),
            (Class::Elf32, ByteOrder::Little, Machine::ARM),
            (Class::Elf64, ByteOrder::Big, Machine::POWERPC64),
            (Class::Elf32, ByteOrder::Big, Machine::POWERPC),
        ] {
            let base = Self {
                encoding: Encoding { class, byte_order },
                machine,
                ..Self::default()
            };
            samples.extend([
                base.clone(),
                Self {
                    program: true,
                    ..base.clone()
                },
                Self {
                    behind: Behind::Room,
                    align: 0x1_0000,
                    ..base.clone()
                },
                Self {
                    behind: Behind::Code,
                    ..base.clone()
                },
                Self {
                    sysv_hash: true,
                    spare: 0,
                    ..base.clone()
                },
                Self {
                    sections: false,
                    program: true,
                    ..base.clone()
                },
                Self {
                    run_path: Some((Tag::RPATH, "/old/path:$ORIGIN")),
                    program: true,
                    ..base.clone()
                },
                Self {
                    run_path: Some((Tag::RUNPATH, "$ORIGIN")),
                    spare: 0,
                    ..base
                },
            ]);
        }
        samples
    }
}
