//! Rules for the entries of the dynamic section and for the ranges that they name.

use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::SegmentKind;
use crate::read::window::Window;
use crate::verify::elf_image::{ElfImage, Linking};
use crate::verify::rule::{Report, Rule};

/// Tables whose address and length are entries, and which must come from the file as a whole.
const RANGES: [(Tag, Tag, Rule); 6] = [
    (Tag::RELA, Tag::RELASZ, Rule::RelaRange),
    (Tag::REL, Tag::RELSZ, Rule::RelRange),
    (Tag::JMPREL, Tag::PLTRELSZ, Rule::JmprelRange),
    (Tag::RELR, Tag::RELRSZ, Rule::RelrRange),
    (Tag::INIT_ARRAY, Tag::INIT_ARRAYSZ, Rule::InitArrayRange),
    (Tag::FINI_ARRAY, Tag::FINI_ARRAYSZ, Rule::FiniArrayRange),
];

pub(crate) fn check(
    elf_image: &ElfImage<'_>,
    linking: &Linking,
    report: &mut Report,
) -> Result<(), ReadError> {
    check_relro(elf_image, linking, report);
    check_strings(elf_image, linking, report)?;
    let at = |tag| linking.entry_offset(elf_image.encoding(), tag);
    for (tag, len_tag, rule) in RANGES {
        if let (Some(vaddr), Some(len @ 1..)) = (linking.get(tag), linking.get(len_tag)) {
            let detail =
                || format!("{len:#x} bytes at {vaddr:#x} are not in one segment of the file");
            report.check(
                elf_image.locate(vaddr, len).is_some(),
                rule,
                at(tag),
                detail,
            );
        }
    }
    for tag in Tag::ADDRESSES {
        let ranged = RANGES.iter().any(|(ranged, ..)| *ranged == tag);
        let Some(vaddr) = linking.get(tag).filter(|vaddr| *vaddr != 0 && !ranged) else {
            continue;
        };
        let detail = || format!("{tag}: address {vaddr:#x} is in no segment");
        report.check(
            elf_image.segment_of(vaddr, 1).is_some(),
            Rule::TagUnmapped,
            at(tag),
            detail,
        );
    }
    Ok(())
}

fn check_relro(elf_image: &ElfImage<'_>, linking: &Linking, report: &mut Report) {
    let Some(relro) = elf_image.first(SegmentKind::GNU_RELRO) else {
        return;
    };
    let segment = &linking.segment;
    let inside = relro.vaddr <= segment.vaddr && segment.memory_end() <= relro.memory_end();
    let detail = || format!("address {:#x} is outside of PT_GNU_RELRO", segment.vaddr);
    report.check(inside, Rule::DynNotRelro, segment.offset, detail);
}

fn check_strings(
    elf_image: &ElfImage<'_>,
    linking: &Linking,
    report: &mut Report,
) -> Result<(), ReadError> {
    let strings = linking.strings;
    let mut window = Window::new(elf_image.source);
    let last = strings.offset.saturating_add(strings.len).saturating_sub(1);
    let byte = window.bytes("DT_STRTAB", last, 1).map(|bytes| bytes == [0]);
    let ends = report.take(Rule::StrtabRange, strings.offset, byte)?;
    report.check(
        ends != Some(false) && strings.len > 0,
        Rule::StrtabTerm,
        last,
        || "the last byte of the string table is not NUL".to_owned(),
    );
    let len = elf_image.encoding().dynamic_entry_len() as u64;
    for (entry, index) in linking.array.entries.iter().zip(0..) {
        let at = linking.array.offset + index * len;
        if !entry.tag.is_string() {
            continue;
        }
        let text = strings.bytes(&mut window, "dynamic string", entry.value);
        let Some(text) = report.take(Rule::StrOob, at, text)? else {
            continue;
        };
        if entry.tag == Tag::NEEDED {
            let filler = text.starts_with(b"ZZZ") || text.starts_with(b"XXX");
            let good = !text.is_empty() && !filler && !text.iter().any(u8::is_ascii_control);
            report.check(good, Rule::NeededGarbage, at, || {
                format!("`{}`", text.escape_ascii())
            });
        }
    }
    Ok(())
}
