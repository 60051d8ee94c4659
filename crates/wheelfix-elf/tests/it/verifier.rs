//! The verifier that users see finds what is wrong with a file: each of its rules is broken by hand.

use std::collections::BTreeSet;

use wheelfix_elf::{Rule, verify};
use wheelfix_testkit::elf::{Kind, Layout, Linking, Platform, Toolchain, segment_type, tag};

use crate::rules::{Damage, FILESZ, MEMSZ, OFFSET, RULES, Subject, VADDR};

impl Subject {
    /// Sets a field of a program header, by the number of the segment among those that are loaded.
    fn set_load(&mut self, number: usize, field: u64, value: u64) {
        let image = self.image();
        let loads = image.segments.iter().zip(0..);
        let mut loads = loads.filter(|(segment, _)| segment.kind == segment_type::LOAD);
        let at = image.phoff + 56 * loads.nth(number).unwrap().1 + field;
        self.put(at, if field < 8 { 4 } else { 8 }, value);
    }

    /// Gives the first segment of a type another one.
    fn set_kind(&mut self, from: u32, to: u32) {
        self.set_segment(from, 0, to.into());
    }

    /// Makes another one of the first entry of the dynamic section with a tag.
    fn set_tag(&mut self, from: u64, to: u64, value: u64) {
        let start = self.segment(segment_type::DYNAMIC).1.offset;
        let entries = Linking::read(&self.image()).unwrap().entries;
        let index = entries.iter().position(|entry| entry.0 == from).unwrap();
        self.put(start + 16 * index as u64, 8, to);
        self.put(start + 16 * index as u64 + 8, 8, value);
    }

    /// Moves the program headers behind everything else, into the last segment.
    fn move_program_headers(&mut self) {
        let image = self.image();
        let (start, end) = (image.phoff, image.pht_end());
        let last = *image.loads().last().unwrap();
        let end_of_file = image.len().next_multiple_of(8);
        let len = end_of_file + (end - start) - last.offset;
        self.set_load(3, FILESZ, len);
        self.set_load(3, MEMSZ, len);
        // Kernels before 5.18 take the distance of the first segment for that of the last.
        self.set_load(3, VADDR, last.vaddr + 0x1000);
        let [from, to] = [start, end].map(|offset| usize::try_from(offset).unwrap());
        let headers = self.bytes[from..to].to_vec();
        self.bytes.resize(usize::try_from(end_of_file).unwrap(), 0);
        self.bytes.extend(headers);
        self.put(32, 8, end_of_file);
    }
}

/// Rules beyond those that the tests' own checks have as well.
const MORE: &[(&str, Damage)] = &[
    ("NO_LOAD", |it| {
        for number in 0..4 {
            it.set_load(number, 0, 0);
        }
    }),
    ("PHDR_ORDER", |it| {
        it.set_kind(segment_type::GNU_STACK, segment_type::PHDR);
        it.set_kind(segment_type::PHDR, segment_type::NULL);
    }),
    ("INTERP_ORDER", |it| {
        it.set_kind(segment_type::GNU_STACK, segment_type::INTERP);
        it.set_kind(segment_type::INTERP, segment_type::NULL);
    }),
    ("DUP_PHDR", |it| {
        it.set_kind(segment_type::GNU_STACK, segment_type::PHDR);
    }),
    ("DUP_INTERP", |it| {
        it.set_kind(segment_type::GNU_STACK, segment_type::INTERP);
    }),
    ("DUP_DYNAMIC", |it| {
        it.set_kind(segment_type::GNU_STACK, segment_type::DYNAMIC);
    }),
    ("DUP_GNU_STACK", |it| {
        it.set_kind(segment_type::NOTE, segment_type::GNU_STACK);
    }),
    ("DUP_RELRO", |it| {
        it.set_kind(segment_type::NOTE, segment_type::GNU_RELRO);
    }),
    ("DUP_TLS", |it| {
        it.set_kind(segment_type::NOTE, segment_type::TLS);
    }),
    ("PAGE_CONGRUENCE", |it| {
        it.set_segment(segment_type::LOAD, VADDR, 0x100);
    }),
    ("PAGE_OVERLAP", |it| {
        let end = it.segment(segment_type::LOAD).1.memsz;
        it.set_load(1, VADDR, end + 8);
    }),
    ("LOAD_NO_SECTION", |it| it.set_load(1, VADDR, 1 << 30)),
    ("LOAD_SHARED", |it| {
        let text = *it.image().loads().nth(1).unwrap();
        it.set_segment(segment_type::INTERP, OFFSET, text.offset);
        it.set_segment(segment_type::INTERP, VADDR, text.vaddr);
    }),
    ("PHT_ZEROED", |it| {
        it.set_kind(segment_type::PHDR, segment_type::NULL);
        it.set_load(0, FILESZ, 128);
    }),
    ("PHT_OLDKERNEL", Subject::move_program_headers),
    ("INTERP_TERM", |it| {
        it.set_segment(segment_type::INTERP, FILESZ, 5);
    }),
    ("DYN_UNMAPPED", |it| {
        it.set_segment(segment_type::DYNAMIC, VADDR, 1 << 40);
    }),
    ("DYN_RO", |it| it.set_load(3, 4, 4)),
    ("DYN_NOTERM", |it| {
        it.set_segment(segment_type::DYNAMIC, FILESZ, 48);
    }),
    ("TAG_UNMAPPED", |it| it.set_entry(tag::SYMTAB, 1 << 30)),
    ("GNUHASH_BAD", |it| it.set_content(".gnu.hash", 8, 4, 3)),
    ("GNUHASH_LOST", |it| it.set_content(".gnu.hash", 16, 8, 0)),
    ("VERSYM_RANGE", |it| it.set_entry(tag::VERSYM, 1 << 30)),
    ("VERSYM_UNKNOWN", |it| {
        it.set_content(".gnu.version", 40, 2, 77);
    }),
    ("RELA_RANGE", |it| it.set_entry(tag::RELA, 1 << 30)),
    ("REL_RANGE", |it| {
        it.set_tag(tag::RELACOUNT, tag::REL, 1 << 30);
        it.set_tag(tag::FLAGS_1, tag::RELSZ, 16);
    }),
    ("RELR_RANGE", |it| {
        it.set_tag(tag::RELACOUNT, tag::RELR, 1 << 30);
        it.set_tag(tag::FLAGS_1, tag::RELRSZ, 16);
    }),
    ("JMPREL_RANGE", |it| it.set_entry(tag::JMPREL, 1 << 30)),
    ("INIT_ARRAY_RANGE", |it| {
        it.set_entry(tag::INIT_ARRAY, 1 << 30);
    }),
    ("FINI_ARRAY_RANGE", |it| {
        it.set_entry(tag::FINI_ARRAY, 1 << 30);
    }),
    ("SHT_ALIGN", |it| {
        let start = usize::try_from(it.image().shoff).unwrap();
        let headers = it.bytes[start..].to_vec();
        it.bytes.extend([0; 4]);
        let end = it.bytes.len() as u64;
        it.bytes.extend(headers);
        it.put(40, 8, end);
    }),
    ("PHT_OVER_SEC", |it| it.set_section(".dynstr", 24, 0x40)),
    ("SHT_OVER_SEC", |it| {
        let shoff = it.image().shoff;
        it.set_section(".comment", 24, shoff);
    }),
    ("SH_LINK_RANGE", |it| it.set_section(".dynsym", 40, 999)),
];

/// Rules for the System V hash table.
const OF_HASH: &[(&str, Damage)] = &[
    ("HASH_BAD", |it| it.set_content(".hash", 0, 4, 1 << 30)),
    ("HASH_LOST", |it| {
        for bucket in 0..60 {
            it.set_content(".hash", 8 + 4 * bucket, 4, 0);
        }
    }),
];

/// Rules for a library that defines versions.
const OF_VERSIONS: &[(&str, Damage)] = &[
    ("VERDEF_BAD", |it| it.set_content(".gnu.version_d", 0, 2, 7)),
    ("VERDEF_HASH", |it| {
        it.set_content(".gnu.version_d", 8, 4, 1);
    }),
];

/// Rules of the tests' own checks that have other names here, or none.
const OTHERS: [&str; 2] = ["DUPLICATE", "TABLE_RANGE"];

#[test]
fn each_rule_is_noticed() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let probe = toolchain.dir().join("probe");
    let mut noticed = BTreeSet::new();
    let mut unnoticed = Vec::new();
    for (kind, layout, damages) in [
        (Kind::Pie, Layout::Default, RULES),
        (Kind::Pie, Layout::Default, MORE),
        (Kind::Pie, Layout::SysvHash, OF_HASH),
        (Kind::Library, Layout::Default, OF_VERSIONS),
    ] {
        toolchain.link(kind, layout, &probe);
        let original = fs_err::read(&probe).unwrap();
        assert_eq!(verify(&original).unwrap(), [], "as linked");
        for (code, damage) in damages.iter().filter(|(code, _)| !OTHERS.contains(code)) {
            let mut subject = Subject {
                bytes: original.clone(),
                original: original.clone(),
            };
            damage(&mut subject);
            match verify(&subject.bytes) {
                Ok(found) if found.iter().any(|violation| violation.rule.code() == *code) => {
                    noticed.insert(*code);
                }
                other => unnoticed.push(format!("{code}: {other:?}")),
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
    // The rules about a pair of files are for edits.
    let missing: Vec<&str> = Rule::ALL
        .iter()
        .map(|rule| rule.code())
        .filter(|code| !code.starts_with("CHANGED_") && !noticed.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
