//! Mending what earlier tools left: segments that hold no section, and those that do not lie at their alignment.
//!
//! patchelf before 0.19 left segments without a section behind. GNU strip moves them out of step with the others, so that
//! the file no longer loads. Nothing refers to them, so that `PT_NULL` can take their place; this is checked here.
//!
//! patchelf 0.18 gives a segment the alignment of the others and puts it at the next page all the same, which glibc before
//! 2.35 does not load.
//!
//! patchelf before 0.17 puts the dynamic section of a program where the next segment begins on the same page: the kernel
//! maps that one over it, read-only, and the program ends with SIGSEGV as soon as the loader writes there.

use std::ops::Range;

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::edit::relocations;
use crate::read::dynamic_tag::Tag;
use crate::read::image::PAGE;
use crate::read::program_header::{PF_W, ProgramHeader};
use crate::read::symbol_table::SymbolTable;

/// Turns the dead segments into `PT_NULL`, and mends alignments and protections.
pub(crate) fn heal(edits: &mut Edits<'_>, symbols: &SymbolTable) -> Result<(), EditError> {
    mend_alignments(edits);
    mend_dynamic(edits);
    if edits.tables.sections.is_empty() {
        return Ok(());
    }
    let dead = |index: &usize| {
        edits
            .tables
            .program_headers
            .get(*index)
            .is_some_and(|load| is_dead(edits, load, symbols))
    };
    let candidates: Vec<usize> = (1..edits.tables.program_headers.len())
        .filter(dead)
        .collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let ranges: Vec<Range<u64>> = candidates
        .iter()
        .filter_map(|index| edits.tables.program_headers.get(*index))
        .map(memory)
        .collect();
    let relocated = relocated(edits, &ranges)?;
    for ((index, range), relocated) in candidates.into_iter().zip(ranges).zip(relocated) {
        if relocated {
            continue;
        }
        if let Some(header) = edits.tables.program_headers.get_mut(index) {
            *header = ProgramHeader::NULL;
        }
        edits.summary.push(format!(
            "segment at {:#x} without sections: retired",
            range.start
        ));
    }
    Ok(())
}

/// Lowers each alignment that address and offset of its segment do not agree with to the largest that they do.
///
/// Loaders place a file by the largest alignment of all. One that a section asks for, and no other segment, stays.
pub(crate) fn mend_alignments(edits: &mut Edits<'_>) {
    let loads = || {
        edits
            .tables
            .program_headers
            .iter()
            .filter(|load| load.is_load())
    };
    let sound = loads().filter(|load| !load.is_misaligned());
    let kept = sound.map(|load| load.align).fold(PAGE, u64::max);
    let wanted = |load: &ProgramHeader| {
        let inside = edits.tables.sections.iter().filter(|section| {
            section.is_alloc() && load.vaddr <= section.vaddr && section.vaddr < load.memory_end()
        });
        inside.map(|section| section.align).fold(PAGE, u64::max)
    };
    let mut mended = Vec::new();
    for (index, load) in edits.tables.program_headers.iter().enumerate() {
        let distance = load.vaddr.wrapping_sub(load.offset);
        let most: u64 = 1 << distance.trailing_zeros().min(63);
        // Of a number that is no power of two, the largest that is not above it.
        let align = most.min(load.align).checked_ilog2();
        let align = align.map_or(0, |log| 1 << log);
        if load.is_misaligned() && PAGE <= align && wanted(load) <= kept.max(align) {
            mended.push((index, align));
        }
    }
    for (index, align) in mended {
        if let Some(load) = edits.tables.program_headers.get_mut(index) {
            let line = format!(
                "segment at {:#x}: alignment {:#x} -> {align:#x}",
                load.vaddr, load.align
            );
            load.align = align;
            edits.summary.push(line);
            edits.mends_alignments = true;
        }
    }
}

/// Lets the loader write to the dynamic section where a segment without code is mapped over it.
pub(crate) fn mend_dynamic(edits: &mut Edits<'_>) {
    let elf = edits.elf;
    let loads = edits.tables.program_headers.iter_mut();
    for load in loads.filter(|load| load.covers_dynamic(elf)) {
        load.flags |= PF_W;
        edits.summary.push(format!(
            "segment at {:#x}: writable, as the dynamic section on its first page is",
            load.vaddr
        ));
    }
}

fn memory(header: &ProgramHeader) -> Range<u64> {
    header.pages()
}

/// Whether a segment holds nothing that the headers, the dynamic section or a symbol refer to.
fn is_dead(edits: &Edits<'_>, load: &ProgramHeader, symbols: &SymbolTable) -> bool {
    let range = memory(load);
    let inside = |vaddr: u64| range.contains(&vaddr);
    let by_section = edits.tables.sections.iter().any(|section| {
        section.is_alloc()
            && section.len != 0
            && section.vaddr < range.end
            && range.start < section.memory_end()
    });
    let by_segment = edits.tables.program_headers.iter().any(|header| {
        !header.is_load()
            && header.memory_len != 0
            && header.vaddr < range.end
            && range.start < header.memory_end()
    });
    let by_tag = Tag::ADDRESSES
        .iter()
        .any(|tag| edits.tables.number(*tag).is_some_and(inside));
    let table = edits.elf.header.program_headers_offset;
    let by_table = load.offset <= table && table < load.file_end();
    let by_symbol = symbols
        .iter()
        .any(|symbol| symbol.is_defined() && inside(symbol.value));
    let is_used = by_section || by_segment || by_tag || by_table || by_symbol;
    load.is_load() && !range.is_empty() && !is_used && !inside(edits.elf.header.entry)
}

/// For each range: whether a relocation has its place there, or leads there.
fn relocated(edits: &Edits<'_>, ranges: &[Range<u64>]) -> Result<Vec<bool>, EditError> {
    let mut found = vec![false; ranges.len()];
    relocations::visit(edits, &mut |relocation| {
        for (range, found) in ranges.iter().zip(&mut found) {
            *found |= range.contains(&relocation.vaddr) || range.contains(&relocation.addend);
        }
    })?;
    Ok(found)
}
