//! Rules for the section headers.

use crate::read::dynamic_tag::Tag;
use crate::read::section_header::{
    SHF_TLS, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERNEED,
    SHT_GNU_VERSYM, SHT_HASH, SHT_NOBITS, SHT_STRTAB, SectionHeader,
};
use crate::verify::elf_image::{ElfImage, Linking};
use crate::verify::rule::{Report, Rule};

/// Sections of dynamic linking, by type, with the entry that has their address.
const TYPED: [(u32, Tag); 6] = [
    (SHT_DYNSYM, Tag::SYMTAB),
    (SHT_GNU_HASH, Tag::GNU_HASH),
    (SHT_HASH, Tag::HASH),
    (SHT_GNU_VERSYM, Tag::VERSYM),
    (SHT_GNU_VERNEED, Tag::VERNEED),
    (SHT_GNU_VERDEF, Tag::VERDEF),
];

/// Sections of dynamic linking that share their types with others, by name.
const NAMED: [(&str, Tag); 3] = [
    (".rela.dyn", Tag::RELA),
    (".relr.dyn", Tag::RELR),
    (".init_array", Tag::INIT_ARRAY),
];

/// Checks each section, and the sections with each other.
pub(crate) fn check(elf_image: &ElfImage<'_>, report: &mut Report) {
    let count = elf_image.sections.len();
    let table = elf_image.header.section_headers_offset;
    let entry_len = elf_image.encoding().section_header_len() as u64;
    let table_end = table.saturating_add(count as u64 * entry_len);
    for (section, index) in elf_image.sections.iter().zip(0..).skip(1) {
        let at = table + index * entry_len;
        check_section(elf_image, section, at, report);
        let linked = usize::try_from(section.link).is_ok_and(|link| link < count);
        let detail = || {
            format!(
                "{}: sh_link is {}, there are {count} sections",
                section.name, section.link
            )
        };
        report.check(linked, Rule::ShLinkRange, at, detail);
        let apart =
            !section.has_bytes() || table_end <= section.offset || section.file_end() <= table;
        report.check(apart, Rule::ShtOverSec, at, || {
            format!("the section headers overlap {}", section.name)
        });
    }
    let mut loaded: Vec<&SectionHeader> = elf_image
        .sections
        .iter()
        .filter(|section| section.is_alloc() && section.has_bytes())
        .collect();
    loaded.sort_by_key(|section| section.offset);
    for pair in loaded.windows(2) {
        let [first, second] = pair else { continue };
        let detail = || format!("{} overlaps {}", first.name, second.name);
        report.check(
            first.file_end() <= second.offset,
            Rule::SecOverlap,
            second.offset,
            detail,
        );
    }
}

fn check_section(elf_image: &ElfImage<'_>, section: &SectionHeader, at: u64, report: &mut Report) {
    let SectionHeader {
        name,
        vaddr,
        offset,
        len,
        align,
        ..
    } = section;
    if section.has_bytes() {
        let end = offset.checked_add(*len);
        let detail = || {
            format!(
                "{name}: {len:#x} bytes at {offset:#x}, the file has {:#x}",
                elf_image.file_len
            )
        };
        report.check(
            end.is_some_and(|end| end <= elf_image.file_len),
            Rule::SecOob,
            at,
            detail,
        );
    }
    if !section.is_alloc() {
        return;
    }
    if section.has_bytes() {
        let place = elf_image.locate(*vaddr, *len);
        let detail = || format!("{name}: address {vaddr:#x} does not lead to offset {offset:#x}");
        report.check(place == Some(*offset), Rule::SecAddr, at, detail);
    } else if section.kind == SHT_NOBITS && section.flags & SHF_TLS == 0 && *len != 0 {
        let inside = elf_image.segment_of(*vaddr, *len).is_some();
        report.check(inside, Rule::SecAddr, at, || {
            format!("{name}: address {vaddr:#x} is in no segment")
        });
    }
    let aligned = *align <= 1 || vaddr.is_multiple_of(*align);
    report.check(aligned, Rule::SecAlign, at, || {
        format!("{name}: address {vaddr:#x}, alignment {align}")
    });
}

/// Checks that the sections and the dynamic section say the same.
pub(crate) fn check_tags(elf_image: &ElfImage<'_>, linking: &Linking, report: &mut Report) {
    if elf_image.sections.is_empty() {
        return;
    }
    let typed = TYPED
        .iter()
        .map(|(kind, tag)| (find(elf_image, |section| section.kind == *kind), *tag));
    let named = NAMED
        .iter()
        .map(|(name, tag)| (find(elf_image, |section| section.name == *name), *tag));
    for (section, tag) in typed.chain(named) {
        let (Some((index, section)), Some(vaddr)) = (section, linking.get(tag)) else {
            continue;
        };
        // BOLT keeps copies of sections under other addresses.
        let twin = elf_image
            .sections
            .iter()
            .any(|other| other.kind == section.kind && other.vaddr == vaddr);
        let detail = || {
            format!(
                "{} is at {:#x}, {tag} says {vaddr:#x}",
                section.name, section.vaddr
            )
        };
        report.check(
            twin,
            Rule::SecDynMismatch,
            header_offset(elf_image, index),
            detail,
        );
    }
    check_strings(elf_image, linking, report);
    let dynamic = &linking.segment;
    if let Some((index, section)) = find(elf_image, |section| section.kind == SHT_DYNAMIC) {
        let same = (section.vaddr, section.offset) == (dynamic.vaddr, dynamic.offset);
        let detail = || {
            format!(
                "{} is at {:#x}, PT_DYNAMIC at {:#x}",
                section.name, section.vaddr, dynamic.vaddr
            )
        };
        report.check(
            same,
            Rule::DynSecMismatch,
            header_offset(elf_image, index),
            detail,
        );
    }
}

/// Checks the section of the string table, and those that name it.
fn check_strings(elf_image: &ElfImage<'_>, linking: &Linking, report: &mut Report) {
    let strings = linking.strings;
    let is_strings = |section: &SectionHeader| {
        section.kind == SHT_STRTAB
            && section.is_alloc()
            && section.vaddr == strings.vaddr
            && section.has_bytes()
    };
    let Some((index, section)) = find(elf_image, is_strings) else {
        let at = linking.entry_offset(elf_image.encoding(), Tag::STRTAB);
        report.add(
            Rule::SecDynMismatch,
            at,
            format!("no section has the string table at {:#x}", strings.vaddr),
        );
        return;
    };
    let detail = || format!("{} bytes, DT_STRSZ says {}", section.len, strings.len);
    report.check(
        section.len == strings.len,
        Rule::StrszMismatch,
        header_offset(elf_image, index),
        detail,
    );
    let users = [SHT_DYNSYM, SHT_DYNAMIC, SHT_GNU_VERNEED, SHT_GNU_VERDEF];
    for (user, place) in elf_image.sections.iter().zip(0..) {
        if users.contains(&user.kind) && user.is_alloc() {
            let detail = || {
                format!(
                    "{}: sh_link is {}, the strings are in section {index}",
                    user.name, user.link
                )
            };
            report.check(
                usize::try_from(user.link) == Ok(index),
                Rule::ShLink,
                header_offset(elf_image, place),
                detail,
            );
        }
    }
}

fn find<'s>(
    elf_image: &'s ElfImage<'_>,
    is_wanted: impl Fn(&SectionHeader) -> bool,
) -> Option<(usize, &'s SectionHeader)> {
    elf_image
        .sections
        .iter()
        .enumerate()
        .find(|(_, section)| is_wanted(section))
}

/// File offset of a section header.
fn header_offset(elf_image: &ElfImage<'_>, index: usize) -> u64 {
    elf_image.header.section_headers_offset
        + (index * elf_image.encoding().section_header_len()) as u64
}
