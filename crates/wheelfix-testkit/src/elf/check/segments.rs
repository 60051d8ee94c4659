//! Rules of the program header table.

use super::Report;
use crate::elf::image::{Image, Segment, segment_type};

pub(super) fn check(image: &Image<'_>, page: u64, report: &mut Report) {
    report.check(
        image.phoff.is_multiple_of(image.word_size()),
        "PHT_ALIGN",
        || format!("e_phoff {:#x}", image.phoff),
    );
    if image.loads().next().is_none() {
        report.bad("NO_LOAD", "nothing to load");
        return;
    }
    check_order(image, report);
    for load in image.loads() {
        check_load(image, load, page, report);
    }
    check_neighbours(image, page, report);
    check_table(image, report);
    for segment in &image.segments {
        check_segment(image, segment, page, report);
    }
}

fn check_order(image: &Image<'_>, report: &mut Report) {
    let mut seen_load = false;
    for segment in &image.segments {
        match segment.kind {
            segment_type::LOAD => seen_load = true,
            segment_type::PHDR if seen_load => report.bad("PHDR_ORDER", "PT_PHDR after a PT_LOAD"),
            segment_type::INTERP if seen_load => {
                report.bad("INTERP_ORDER", "PT_INTERP after a PT_LOAD");
            }
            _ => {}
        }
    }
    for (kind, name) in [
        (segment_type::PHDR, "PHDR"),
        (segment_type::INTERP, "INTERP"),
        (segment_type::DYNAMIC, "DYNAMIC"),
        (segment_type::TLS, "TLS"),
        (segment_type::GNU_STACK, "GNU_STACK"),
        (segment_type::GNU_RELRO, "GNU_RELRO"),
    ] {
        let count = image.segments_of(kind).count();
        report.check(count < 2, "DUPLICATE", || format!("{count} PT_{name}"));
    }
}

fn check_load(image: &Image<'_>, load: &Segment, page: u64, report: &mut Report) {
    let Segment {
        offset,
        vaddr,
        filesz,
        memsz,
        align,
        ..
    } = *load;
    let difference = vaddr.wrapping_sub(offset);
    report.check(align <= 1 || align.is_power_of_two(), "ALIGN_POW2", || {
        format!("{align:#x}")
    });
    report.check(
        align <= 1 || difference.is_multiple_of(align),
        "LOAD_CONGRUENCE",
        || format!("vaddr {vaddr:#x}, offset {offset:#x}, p_align {align:#x}"),
    );
    report.check(difference.is_multiple_of(page), "PAGE_CONGRUENCE", || {
        format!("vaddr {vaddr:#x}, offset {offset:#x}, page {page:#x}")
    });
    report.check(align.is_multiple_of(page), "ALIGN_LT_PAGE", || {
        format!("p_align {align:#x}, which glibc before 2.35 refuses")
    });
    report.check(filesz <= memsz, "FILESZ_GT_MEMSZ", || {
        format!("{filesz:#x} > {memsz:#x}")
    });
    report.check(
        offset.saturating_add(filesz) <= image.len(),
        "LOAD_PAST_EOF",
        || format!("{offset:#x}+{filesz:#x} > {:#x}", image.len()),
    );
}

fn check_neighbours(image: &Image<'_>, page: u64, report: &mut Report) {
    let aligns: Vec<u64> = image.loads().map(|load| load.align).collect();
    report.check(
        aligns.iter().all(|align| *align == aligns[0]),
        "ALIGN_MIXED",
        || format!("{aligns:#x?}"),
    );
    let mut loads: Vec<&Segment> = image.loads().collect();
    report.check(
        loads.is_sorted_by_key(|load| load.vaddr),
        "LOAD_ORDER",
        || "addresses do not ascend".to_owned(),
    );
    loads.sort_by_key(|load| load.vaddr);
    for pair in loads.windows(2) {
        let (end, next) = (pair[0].vaddr.saturating_add(pair[0].memsz), pair[1].vaddr);
        report.check(end <= next, "LOAD_OVERLAP", || {
            format!("{end:#x} > {next:#x}")
        });
        let shares_page = end <= next && next / page < end.div_ceil(page);
        report.check(!shares_page, "PAGE_OVERLAP", || {
            format!("{end:#x} and {next:#x}")
        });
    }
}

/// The loader finds the table in memory.
fn check_table(image: &Image<'_>, report: &mut Report) {
    let (start, end) = (image.phoff, image.pht_end());
    let covering = image
        .loads()
        .find(|load| load.offset <= start && end <= load.offset.saturating_add(load.filesz));
    match (covering, image.loads().next()) {
        (Some(covering), Some(first)) => {
            let real = covering
                .vaddr
                .wrapping_add(start)
                .wrapping_sub(covering.offset);
            let old_kernel = first.vaddr.wrapping_sub(first.offset).wrapping_add(start);
            report.check(real == old_kernel, "PHT_OLDKERNEL", || {
                format!("AT_PHDR before Linux 5.18: {old_kernel:#x}, real: {real:#x}")
            });
        }
        _ => report.bad("PHT_UNMAPPED", "the program headers are in no PT_LOAD"),
    }
}

fn check_segment(image: &Image<'_>, segment: &Segment, page: u64, report: &mut Report) {
    let Segment {
        kind,
        offset,
        vaddr,
        filesz,
        memsz,
        ..
    } = *segment;
    match kind {
        segment_type::PHDR => {
            let size = image.pht_end() - image.phoff;
            report.check(offset == image.phoff, "PHDR_OFF", || format!("{offset:#x}"));
            report.check(filesz == size, "PHDR_SIZE", || {
                format!("{filesz}, table {size}")
            });
            let mapped = image.file_offset(vaddr, 1);
            report.check(mapped == Some(image.phoff), "PHDR_VADDR", || {
                format!("{vaddr:#x}")
            });
        }
        segment_type::DYNAMIC
        | segment_type::INTERP
        | segment_type::NOTE
        | segment_type::TLS
        | segment_type::GNU_EH_FRAME
        | segment_type::GNU_PROPERTY
            if filesz > 0 =>
        {
            let mapped = image.file_offset(vaddr, filesz);
            report.check(mapped == Some(offset), "SEG_OFF", || {
                format!("type {kind:#x}: {vaddr:#x} is {mapped:#x?}, p_offset {offset:#x}")
            });
        }
        segment_type::GNU_RELRO => {
            let end = vaddr.saturating_add(memsz);
            let inside = image.loads().any(|load| {
                let load_end = load.vaddr.saturating_add(load.memsz);
                load.vaddr <= vaddr && end <= load_end.next_multiple_of(page)
            });
            report.check(inside, "RELRO_RANGE", || format!("{vaddr:#x}+{memsz:#x}"));
        }
        _ => {}
    }
    if kind == segment_type::NOTE && notes(image, segment).is_none() {
        report.bad("NOTE_BAD", format!("PT_NOTE at {offset:#x}"));
    }
}

/// Type, owner and content of the notes of a segment; `None` if they are malformed.
pub(in crate::elf) fn notes(
    image: &Image<'_>,
    segment: &Segment,
) -> Option<Vec<(u32, String, Vec<u8>)>> {
    let align = if segment.align == 8 { 8 } else { 4 };
    let end = segment.offset.checked_add(segment.filesz)?;
    let mut at = segment.offset;
    let mut notes = Vec::new();
    while at + 12 <= end {
        let (name, content) = (u64::from(image.u32(at)?), u64::from(image.u32(at + 4)?));
        let content_at = at + 12 + name.next_multiple_of(4);
        if name > 64 || content_at + content > end {
            return None;
        }
        let owner = image
            .slice(at + 12, name)?
            .iter()
            .copied()
            .map(char::from)
            .collect();
        notes.push((
            image.u32(at + 8)?,
            owner,
            image.slice(content_at, content)?.to_vec(),
        ));
        at += (content_at - at + content).next_multiple_of(align);
    }
    Some(notes)
}
