//! Rules for the program headers.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::encoding::Fields;
use crate::error::ReadError;
use crate::read::image::PAGE;
use crate::read::program_header::{ProgramHeader, SegmentKind};
use crate::read::window::Window;
use crate::verify::elf_image::ElfImage;
use crate::verify::rule::{Report, Rule};

pub(crate) fn check(elf_image: &ElfImage<'_>, report: &mut Report) -> Result<(), ReadError> {
    let at = elf_image.header.program_headers_offset;
    if elf_image.loads().next().is_none() {
        report.add(Rule::NoLoad, at, "there is no PT_LOAD");
        return Ok(());
    }
    check_order(elf_image, report);
    check_counts(elf_image, report);
    for load in elf_image.loads() {
        check_load(elf_image, load, report);
    }
    check_neighbours(elf_image, report);
    check_table(elf_image, report);
    for header in &elf_image.program_headers {
        check_part(elf_image, header, report)?;
    }
    Ok(())
}

fn check_order(elf_image: &ElfImage<'_>, report: &mut Report) {
    let mut loads = false;
    for header in &elf_image.program_headers {
        loads |= header.is_load();
        let rule = match header.kind {
            SegmentKind::PHDR => Rule::PhdrOrder,
            SegmentKind::INTERP => Rule::InterpOrder,
            _ => continue,
        };
        let detail = || format!("{} comes after a PT_LOAD", header.kind);
        report.check(!loads, rule, elf_image.header_offset(header), detail);
    }
}

fn check_counts(elf_image: &ElfImage<'_>, report: &mut Report) {
    for (kind, rule) in [
        (SegmentKind::PHDR, Rule::DupPhdr),
        (SegmentKind::INTERP, Rule::DupInterp),
        (SegmentKind::DYNAMIC, Rule::DupDynamic),
        (SegmentKind::GNU_STACK, Rule::DupGnuStack),
        (SegmentKind::GNU_RELRO, Rule::DupRelro),
        (SegmentKind::TLS, Rule::DupTls),
    ] {
        let mut same = elf_image
            .program_headers
            .iter()
            .filter(|header| header.kind == kind);
        if let Some(second) = same.nth(1) {
            report.add(
                rule,
                elf_image.header_offset(second),
                format!("a second {kind}"),
            );
        }
    }
}

fn check_load(elf_image: &ElfImage<'_>, load: &ProgramHeader, report: &mut Report) {
    let &ProgramHeader {
        offset,
        vaddr,
        align,
        file_len,
        memory_len,
        ..
    } = load;
    let at = elf_image.header_offset(load);
    let distance = vaddr.wrapping_sub(offset);
    if align > 1 {
        report.check(align.is_power_of_two(), Rule::AlignPow2, at, || {
            format!("alignment {align:#x}")
        });
        let place =
            || format!("address {vaddr:#x} and offset {offset:#x} differ modulo {align:#x}");
        report.check(
            distance.is_multiple_of(align),
            Rule::LoadCongruence,
            at,
            place,
        );
    }
    let place = || format!("address {vaddr:#x} and offset {offset:#x} differ modulo {PAGE:#x}");
    report.check(
        distance.is_multiple_of(PAGE),
        Rule::PageCongruence,
        at,
        place,
    );
    let small = || format!("alignment {align:#x} is not a multiple of {PAGE:#x}");
    report.check(align.is_multiple_of(PAGE), Rule::AlignLtPage, at, small);
    let longer = || format!("{file_len:#x} bytes in the file, {memory_len:#x} in memory");
    report.check(file_len <= memory_len, Rule::FileszGtMemsz, at, longer);
    let end = offset.checked_add(file_len);
    let past = || {
        format!(
            "{file_len:#x} bytes at {offset:#x}, the file has {:#x}",
            elf_image.file_len
        )
    };
    report.check(
        end.is_some_and(|end| end <= elf_image.file_len),
        Rule::LoadPastEof,
        at,
        past,
    );
    check_sections(elf_image, load, report);
}

/// Checks what else is in a segment.
fn check_sections(elf_image: &ElfImage<'_>, load: &ProgramHeader, report: &mut Report) {
    let at = elf_image.header_offset(load);
    // Of the ELF header `strip` takes care itself; patchelf puts it into a segment of its own. And program headers that lie
    // elsewhere, it breaks in any case.
    let table = elf_image.header.program_headers_offset;
    let holds_header = load.offset == 0 || load.offset <= table && table < load.file_end();
    if !elf_image.sections.is_empty() && load.memory_len != 0 && !holds_header {
        let mut sections = elf_image
            .sections
            .iter()
            .filter(|section| section.is_alloc() && section.len != 0);
        let inside = sections.any(|section| {
            load.vaddr <= section.vaddr && section.memory_end() <= load.memory_end()
        });
        let detail = || format!("the segment at {:#x} holds no section", load.vaddr);
        report.check(inside, Rule::LoadNoSection, at, detail);
    }
    let kinds = [
        SegmentKind::DYNAMIC,
        SegmentKind::INTERP,
        SegmentKind::NOTE,
        SegmentKind::PHDR,
    ];
    let shared = elf_image.program_headers.iter().find(|header| {
        kinds.contains(&header.kind)
            && header.file_len != 0
            && header.offset == load.offset
            && load.file_len != 0
    });
    if let Some(other) = shared {
        let detail = format!(
            "{} and PT_LOAD begin at the same offset {:#x}",
            other.kind, load.offset
        );
        report.add(Rule::LoadShared, at, detail);
    }
}

fn check_neighbours(elf_image: &ElfImage<'_>, report: &mut Report) {
    let mut loads: Vec<&ProgramHeader> = elf_image.loads().collect();
    let aligns: BTreeSet<u64> = loads.iter().map(|load| load.align).collect();
    if aligns.len() > 1 {
        let list: Vec<String> = aligns.iter().map(|align| format!("{align:#x}")).collect();
        let at = elf_image.header.program_headers_offset;
        report.add(
            Rule::AlignMixed,
            at,
            format!("alignments {}", list.join(", ")),
        );
    }
    for pair in loads.windows(2) {
        let [first, second] = pair else { continue };
        let detail = || format!("{:#x} comes after {:#x}", second.vaddr, first.vaddr);
        report.check(
            first.vaddr <= second.vaddr,
            Rule::LoadOrder,
            elf_image.header_offset(second),
            detail,
        );
    }
    loads.sort_by_key(|load| load.vaddr);
    for pair in loads.windows(2) {
        let [first, second] = pair else { continue };
        let (end, start) = (first.memory_end(), second.vaddr);
        let at = elf_image.header_offset(second);
        if end > start {
            report.add(
                Rule::LoadOverlap,
                at,
                format!("begins at {start:#x}, the one before ends at {end:#x}"),
            );
        } else if end.div_ceil(PAGE) > start / PAGE {
            report.add(
                Rule::PageOverlap,
                at,
                format!("{end:#x} and {start:#x} are on one page"),
            );
        }
    }
}

/// Checks the place of the program headers.
fn check_table(elf_image: &ElfImage<'_>, report: &mut Report) {
    let at = elf_image.header.program_headers_offset;
    let len =
        elf_image.program_headers.len() as u64 * elf_image.encoding().program_header_len() as u64;
    let end = at.saturating_add(len);
    check_zeroed(elf_image, at..end, report);
    let covers = |load: &&ProgramHeader| load.offset <= at && end <= load.file_end();
    let Some(load) = elf_image.loads().find(covers) else {
        report.add(
            Rule::PhtUnmapped,
            at,
            "the program headers are in no segment",
        );
        return;
    };
    let vaddr = load.vaddr.wrapping_add(at - load.offset);
    if let Some(first) = elf_image.loads().next() {
        let old = first.vaddr.wrapping_sub(first.offset).wrapping_add(at);
        let detail = || format!("loaded at {vaddr:#x}, old kernels say {old:#x}");
        report.check(vaddr == old, Rule::PhtOldKernel, at, detail);
    }
    for section in elf_image
        .sections
        .iter()
        .filter(|section| section.is_alloc() && section.has_bytes())
    {
        let apart = end <= section.offset || section.file_end() <= at;
        report.check(apart, Rule::PhtOverSec, at, || {
            format!("the program headers overlap {}", section.name)
        });
    }
    let Some(header) = elf_image.first(SegmentKind::PHDR) else {
        return;
    };
    let place = elf_image.header_offset(header);
    let detail = || format!("offset {:#x}, the table is at {at:#x}", header.offset);
    report.check(header.offset == at, Rule::PhdrOff, place, detail);
    let detail = || format!("length {}, the table has {len}", header.file_len);
    report.check(
        header.file_len == len && header.memory_len == len,
        Rule::PhdrSize,
        place,
        detail,
    );
    let detail = || format!("address {:#x}, the table is at {vaddr:#x}", header.vaddr);
    report.check(header.vaddr == vaddr, Rule::PhdrVaddr, place, detail);
}

/// Checks that loaders that go by pages find the program headers: without `PT_PHDR`, glibc takes them from the first
/// segment whose pages hold them (`elf/dl-load.h`).
fn check_zeroed(elf_image: &ElfImage<'_>, table: Range<u64>, report: &mut Report) {
    if elf_image.first(SegmentKind::PHDR).is_some() {
        return;
    }
    let largest = elf_image.header.machine.max_page_len().unwrap_or(PAGE);
    for page in BTreeSet::from([PAGE, largest]) {
        let holds = |load: &&ProgramHeader| {
            let start = load.offset - load.offset % page;
            let end = load.file_end().checked_next_multiple_of(page);
            start <= table.start && end.is_none_or(|end| table.end <= end)
        };
        let zeroed =
            |load: &ProgramHeader| load.file_len != load.memory_len && load.file_end() < table.end;
        if let Some(load) = elf_image.loads().find(holds).filter(|load| zeroed(load)) {
            let detail = format!(
                "the pages of the segment at {:#x} hold the program headers, but not its bytes",
                load.vaddr
            );
            report.add(Rule::PhtZeroed, elf_image.header_offset(load), detail);
            return;
        }
    }
}

/// Checks a program header that names a part of a segment.
fn check_part(
    elf_image: &ElfImage<'_>,
    header: &ProgramHeader,
    report: &mut Report,
) -> Result<(), ReadError> {
    let at = elf_image.header_offset(header);
    let located = matches!(
        header.kind,
        SegmentKind::DYNAMIC
            | SegmentKind::INTERP
            | SegmentKind::NOTE
            | SegmentKind::TLS
            | SegmentKind::GNU_EH_FRAME
            | SegmentKind::GNU_PROPERTY
    );
    if located
        && header.file_len != 0
        && elf_image.locate(header.vaddr, header.file_len) != Some(header.offset)
    {
        let &ProgramHeader {
            kind,
            vaddr,
            offset,
            ..
        } = header;
        report.add(
            Rule::SegOff,
            at,
            format!("{kind}: address {vaddr:#x} does not lead to offset {offset:#x}"),
        );
    }
    match header.kind {
        SegmentKind::GNU_RELRO => {
            let end = header.vaddr.saturating_add(header.memory_len);
            let covers = |load: &ProgramHeader| {
                let load_end = load
                    .memory_end()
                    .checked_next_multiple_of(PAGE.max(load.align))
                    .unwrap_or(u64::MAX);
                load.vaddr <= header.vaddr && end <= load_end
            };
            let detail = || format!("{:#x}..{end:#x} is in no segment", header.vaddr);
            report.check(elf_image.loads().any(covers), Rule::RelroRange, at, detail);
        }
        SegmentKind::NOTE => check_notes(elf_image, header, report)?,
        SegmentKind::INTERP => {
            let mut window = Window::new(elf_image.source);
            let text = window.string("PT_INTERP", header.offset, header.file_end());
            report.take(Rule::InterpTerm, at, text)?;
        }
        _ => {}
    }
    Ok(())
}

fn check_notes(
    elf_image: &ElfImage<'_>,
    header: &ProgramHeader,
    report: &mut Report,
) -> Result<(), ReadError> {
    let mut window = Window::new(elf_image.source);
    let align = if header.align == 8 { 8 } else { 4 };
    let end = header.file_end();
    let mut at = header.offset;
    // A note takes 12 bytes at least, so that this ends.
    while at.checked_add(12).is_some_and(|head_end| head_end <= end) {
        let Some(bytes) = report.take(Rule::NoteBad, at, window.bytes("note", at, 12))? else {
            break;
        };
        let mut fields = Fields::new(elf_image.encoding(), bytes);
        let (Some(owner_len), Some(len)) = (fields.u32(), fields.u32()) else {
            break;
        };
        let data = at + 12 + u64::from(owner_len).next_multiple_of(4);
        let data_end = data + u64::from(len);
        if data_end > end || owner_len > 256 {
            report.add(
                Rule::NoteBad,
                at,
                format!("a note of {owner_len} and {len} bytes does not fit PT_NOTE"),
            );
            break;
        }
        at = header.offset + (data_end - header.offset).next_multiple_of(align);
    }
    Ok(())
}
