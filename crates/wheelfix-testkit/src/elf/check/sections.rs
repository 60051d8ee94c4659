//! Rules of the section header table, which `strip` and debuggers go by.

use super::Report;
use crate::elf::image::{Image, Section, segment_type};
use crate::elf::linking::{Linking, tag};

/// Sections whose address a dynamic tag repeats.
pub(in crate::elf) const TABLES: &[(&str, u64)] = &[
    (".dynstr", tag::STRTAB),
    (".dynsym", tag::SYMTAB),
    (".gnu.hash", tag::GNU_HASH),
    (".hash", tag::HASH),
    (".gnu.version", tag::VERSYM),
    (".gnu.version_r", tag::VERNEED),
    (".gnu.version_d", tag::VERDEF),
    (".rela.dyn", tag::RELA),
    (".rel.dyn", tag::REL),
    (".relr.dyn", tag::RELR),
    (".init_array", tag::INIT_ARRAY),
];

pub(super) fn check(image: &Image<'_>, linking: Option<&Linking<'_>>, report: &mut Report) {
    if image.sections.is_empty() {
        return;
    }
    report.check(
        image.shoff.is_multiple_of(image.word_size()),
        "SHT_ALIGN",
        || format!("e_shoff {:#x}", image.shoff),
    );
    for section in image.sections.iter().skip(1) {
        check_section(image, section, report);
    }
    check_overlaps(image, report);
    if let Some(linking) = linking {
        check_tags(image, linking, report);
    }
    check_links(image, report);
}

fn check_section(image: &Image<'_>, section: &Section, report: &mut Report) {
    let Section {
        name,
        addr,
        offset,
        size,
        align,
        ..
    } = section;
    if section.has_bytes() {
        let inside = offset.saturating_add(*size) <= image.len();
        report.check(inside, "SEC_OOB", || {
            format!("{name} {offset:#x}+{size:#x}")
        });
    }
    if section.is_loaded() {
        let mapped = image.file_offset(*addr, *size);
        report.check(mapped == Some(*offset), "SEC_ADDR", || {
            format!("{name}: {addr:#x} is {mapped:#x?}, sh_offset {offset:#x}")
        });
        let aligned = *align < 2 || addr.is_multiple_of(*align);
        report.check(aligned, "SEC_ALIGN", || {
            format!("{name} {addr:#x}, align {align}")
        });
    }
}

fn check_overlaps(image: &Image<'_>, report: &mut Report) {
    let mut loaded: Vec<&Section> = image
        .sections
        .iter()
        .skip(1)
        .filter(|section| section.is_loaded())
        .collect();
    loaded.sort_by_key(|section| section.offset);
    for pair in loaded.windows(2) {
        let apart = pair[0].offset.saturating_add(pair[0].size) <= pair[1].offset;
        report.check(apart, "SEC_OVERLAP", || {
            format!("{}, {}", pair[0].name, pair[1].name)
        });
    }
    let sht_end = image.shoff + image.shnum * image.section_entry_size();
    for section in image
        .sections
        .iter()
        .skip(1)
        .filter(|section| section.has_bytes())
    {
        let end = section.offset.saturating_add(section.size);
        let over_segments =
            section.is_loaded() && section.offset < image.pht_end() && image.phoff < end;
        report.check(!over_segments, "PHT_OVER_SEC", || section.name.clone());
        let over_sections = section.offset < sht_end && image.shoff < end;
        report.check(!over_sections, "SHT_OVER_SEC", || section.name.clone());
    }
}

fn check_tags(image: &Image<'_>, linking: &Linking<'_>, report: &mut Report) {
    for (name, tag) in TABLES {
        if let (Some(section), Some(addr)) = (image.section(name), linking.first(*tag)) {
            report.check(section.addr == addr, "SEC_DYN_MISMATCH", || {
                format!("{name}: sh_addr {:#x}, tag {addr:#x}", section.addr)
            });
        }
    }
    if let (Some(section), Some(size)) = (image.section(".dynstr"), linking.first(tag::STRSZ)) {
        report.check(section.size == size, "STRSZ_MISMATCH", || {
            format!("sh_size {}, DT_STRSZ {size}", section.size)
        });
    }
    if let (Some(section), Some(segment)) = (
        image.section(".dynamic"),
        image.segments_of(segment_type::DYNAMIC).next(),
    ) {
        let same = (section.addr, section.offset) == (segment.vaddr, segment.offset);
        report.check(same, "DYN_SEC_MISMATCH", || {
            format!("section {:#x}, segment {:#x}", section.addr, segment.vaddr)
        });
    }
}

fn check_links(image: &Image<'_>, report: &mut Report) {
    let Some(strings) = image
        .sections
        .iter()
        .position(|section| section.name == ".dynstr")
    else {
        return;
    };
    for name in [".dynsym", ".dynamic", ".gnu.version_r", ".gnu.version_d"] {
        if let Some(section) = image.section(name) {
            report.check(section.link as usize == strings, "SH_LINK", || {
                format!("{name} links to {}, .dynstr is {strings}", section.link)
            });
        }
    }
}
