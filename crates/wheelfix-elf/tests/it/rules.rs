//! The checks that judge every edit find what is wrong: each rule is broken by hand.

use wheelfix_testkit::elf::{
    Image, Kind, Layout, Linking, Platform, Segment, Toolchain, differences, segment_type, tag,
    violations,
};

const PAGE: u64 = 4096;

/// A file to break.
pub(crate) struct Subject {
    pub(crate) original: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Subject {
    pub(crate) fn image(&self) -> Image<'_> {
        Image::parse(&self.original).unwrap()
    }

    pub(crate) fn put(&mut self, offset: u64, len: usize, value: u64) {
        let at = usize::try_from(offset).unwrap();
        self.bytes[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    }

    /// The number and the header of the first segment of a type.
    pub(crate) fn segment(&self, kind: u32) -> (u64, Segment) {
        let image = self.image();
        let mut segments = image.segments.iter().zip(0..);
        let (segment, index) = segments.find(|(segment, _)| segment.kind == kind).unwrap();
        (index, *segment)
    }

    /// Sets a field of a program header, by its place in the header.
    pub(crate) fn set_segment(&mut self, kind: u32, field: u64, value: u64) {
        let at = self.image().phoff + self.segment(kind).0 * 56 + field;
        self.put(at, if field < 8 { 4 } else { 8 }, value);
    }

    /// Sets a field of a section header, by its place in the header.
    pub(crate) fn set_section(&mut self, name: &str, field: u64, value: u64) {
        let image = self.image();
        let index = image
            .sections
            .iter()
            .position(|section| section.name == name)
            .unwrap();
        let at = image.shoff + index as u64 * 64 + field;
        self.put(at, if field == 40 { 4 } else { 8 }, value);
    }

    /// Sets the value of the first entry of the dynamic section with this tag.
    pub(crate) fn set_entry(&mut self, tag: u64, value: u64) {
        let start = self.segment(segment_type::DYNAMIC).1.offset;
        let image = self.image();
        let entries = Linking::read(&image).unwrap().entries;
        let index = entries.iter().position(|entry| entry.0 == tag).unwrap();
        self.put(start + 16 * index as u64 + 8, 8, value);
    }

    /// Sets bytes of a section.
    pub(crate) fn set_content(&mut self, name: &str, offset: u64, len: usize, value: u64) {
        let at = self.image().section(name).unwrap().offset + offset;
        self.put(at, len, value);
    }
}

/// Field offsets in a program header of 64 bits.
pub(crate) const OFFSET: u64 = 8;
pub(crate) const VADDR: u64 = 16;
pub(crate) const FILESZ: u64 = 32;
pub(crate) const MEMSZ: u64 = 40;
pub(crate) const ALIGN: u64 = 48;

pub(crate) type Damage = fn(&mut Subject);

pub(crate) const RULES: &[(&str, Damage)] = &[
    ("ALIGN_POW2", |it| {
        it.set_segment(segment_type::LOAD, ALIGN, 0x3000);
    }),
    ("ALIGN_LT_PAGE", |it| {
        it.set_segment(segment_type::LOAD, ALIGN, 16);
    }),
    ("ALIGN_MIXED", |it| {
        it.set_segment(segment_type::LOAD, ALIGN, 0x20_0000);
    }),
    ("LOAD_CONGRUENCE", |it| {
        it.set_segment(segment_type::LOAD, VADDR, 0x100);
    }),
    ("FILESZ_GT_MEMSZ", |it| {
        it.set_segment(segment_type::LOAD, MEMSZ, 1);
    }),
    ("LOAD_PAST_EOF", |it| {
        it.set_segment(segment_type::LOAD, FILESZ, 1 << 30);
    }),
    ("LOAD_OVERLAP", |it| {
        it.set_segment(segment_type::LOAD, MEMSZ, 1 << 20);
    }),
    ("LOAD_ORDER", |it| {
        it.set_segment(segment_type::LOAD, VADDR, 1 << 30);
    }),
    ("PHT_ALIGN", |it| it.put(32, 8, 68)),
    ("PHT_UNMAPPED", |it| {
        it.set_segment(segment_type::LOAD, FILESZ, 64);
    }),
    ("PHDR_SIZE", |it| {
        it.set_segment(segment_type::PHDR, FILESZ, 56);
    }),
    ("PHDR_VADDR", |it| {
        it.set_segment(segment_type::PHDR, VADDR, 0x80);
    }),
    ("PHDR_OFF", |it| {
        it.set_segment(segment_type::PHDR, OFFSET, 0x80);
    }),
    ("SEG_OFF", |it| {
        it.set_segment(segment_type::INTERP, OFFSET, 0x80);
    }),
    ("NOTE_BAD", |it| {
        it.set_content(".note.gnu.build-id", 0, 4, 1000);
    }),
    ("RELRO_RANGE", |it| {
        it.set_segment(segment_type::GNU_RELRO, VADDR, 1 << 40);
    }),
    ("DYN_NOT_RELRO", |it| {
        it.set_segment(segment_type::GNU_RELRO, MEMSZ, 8);
    }),
    ("DUPLICATE", |it| {
        it.set_segment(segment_type::NOTE, 0, segment_type::TLS.into());
    }),
    ("STRTAB_RANGE", |it| it.set_entry(tag::STRSZ, 1 << 30)),
    ("STRTAB_TERM", |it| it.set_entry(tag::STRSZ, 2)),
    ("STR_OOB", |it| it.set_entry(tag::NEEDED, 1 << 20)),
    ("NEEDED_GARBAGE", |it| it.set_entry(tag::NEEDED, 0)),
    ("VERNEED_ORPHAN", |it| it.set_entry(tag::NEEDED, 1)),
    ("VERNEED_BAD", |it| {
        it.set_content(".gnu.version_r", 0, 2, 7);
    }),
    ("VERNAUX_HASH", |it| {
        it.set_content(".gnu.version_r", 16, 4, 7);
    }),
    ("SYMTAB_NULL", |it| it.set_content(".dynsym", 0, 4, 1)),
    ("SYMTAB_RANGE", |it| it.set_entry(tag::SYMTAB, 1 << 30)),
    ("GNUHASH_MISMATCH", |it| {
        it.set_content(".dynsym", 24 * 40, 4, 1);
    }),
    ("TABLE_RANGE", |it| it.set_entry(tag::RELA, 1 << 30)),
    ("SEC_OOB", |it| it.set_section(".comment", 24, 1 << 30)),
    ("SEC_ADDR", |it| it.set_section(".dynstr", 24, 0x40)),
    ("SEC_ALIGN", |it| it.set_section(".dynstr", 48, 1 << 20)),
    ("SEC_OVERLAP", |it| it.set_section(".dynstr", 32, 1 << 12)),
    ("SEC_DYN_MISMATCH", |it| {
        it.set_section(".gnu.version", 16, 0x40);
    }),
    ("STRSZ_MISMATCH", |it| it.set_section(".dynstr", 32, 4)),
    ("DYN_SEC_MISMATCH", |it| {
        it.set_section(".dynamic", 16, 0x40);
    }),
    ("SH_LINK", |it| it.set_section(".dynsym", 40, 1)),
];

/// Rules of the pair: what an edit must leave alone.
const DIFFERENCES: &[(&str, Damage)] = &[
    ("SEGMENT_CHANGED", |it| {
        it.set_segment(segment_type::GNU_STACK, 4, 7);
    }),
    ("DYN_LEFT_RELRO", |it| {
        it.set_segment(segment_type::GNU_RELRO, MEMSZ, 8);
    }),
    ("NOTES_CHANGED", |it| {
        it.set_content(".note.gnu.build-id", 20, 1, 0xff);
    }),
    ("BYTES_CHANGED", |it| it.set_content(".text", 5, 1, 0xcc)),
    ("BYTES_CHANGED", |it| {
        it.set_content(".debug_info", 5, 1, 0xcc);
    }),
    ("TAG_VALUE", |it| it.set_entry(tag::INIT_ARRAY, 0)),
    ("SYMBOL_NAME", |it| it.set_content(".dynsym", 24 * 20, 4, 1)),
    ("VERSIONS_CHANGED", |it| {
        it.set_content(".gnu.version_r", 24, 4, 1);
    }),
];

#[test]
fn each_rule_is_noticed() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let probe = toolchain.dir().join("probe");
    toolchain.link(Kind::Pie, Layout::Default, &probe);
    let original = fs_err::read(&probe).unwrap();
    let broken = |damage: Damage| {
        let mut subject = Subject {
            bytes: original.clone(),
            original: original.clone(),
        };
        damage(&mut subject);
        assert_ne!(subject.bytes, original);
        subject.bytes
    };
    let mut unnoticed = Vec::new();
    for (code, damage) in RULES {
        let found = violations(&broken(*damage), PAGE);
        if !found.iter().any(|violation| violation.code == *code) {
            unnoticed.push((*code, found));
        }
    }
    for (code, damage) in DIFFERENCES {
        let found = differences(&original, &broken(*damage));
        if !found.iter().any(|violation| violation.code == *code) {
            unnoticed.push((*code, found));
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
    assert!(violations(&original, PAGE).is_empty());
    assert!(differences(&original, &original).is_empty());
}
