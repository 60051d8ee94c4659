//! A place for one more program header. The table itself never moves, or `strip` destroys the file: GNU strip writes it
//! right behind the ELF header, eu-strip where the sections end.

use std::fmt;
use std::ops::Range;

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::edit::layout::places::Layout;
use crate::edit::layout::segment_padding::SegmentPadding;
use crate::edit::layout::shift_sections::SectionShift;
use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::{PF_R, PF_W, ProgramHeader, SegmentKind};
use crate::read::section_header::SHF_TLS;
use crate::read::window::read_range;

/// Where the program header of a new segment goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PhdrSpace {
    /// In place of this one, which is `PT_NULL`, or says nothing that another one does not say.
    Replace(usize),
    /// Behind the last one, where the file has unused bytes.
    Free,
    /// Behind the last one, after what is there has moved.
    Shift(SectionShift),
    /// With all others behind a segment, in its last page; `strip` breaks such a file, too.
    SegmentPadding(SegmentPadding),
    /// With all others in the new segment: the last resort, since `strip` breaks such a file.
    End(Reach),
}

/// How far from the first segment the program headers at the end of a file are in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// As far as in the file, so that every kernel finds those of a program.
    AsInFile,
    /// Wherever the new segment is: loaders find those of a library there, and Linux from 5.18 on those of a program.
    Anywhere,
}

impl fmt::Display for PhdrSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replace(_) => "program header: in place of one that is not needed",
            Self::Free => "program header: in unused room",
            Self::Shift(_) => "program header: behind the others, after what was there has moved",
            Self::SegmentPadding(_) => "program headers: in the last page of a segment",
            Self::End(_) => "program headers: in the new segment",
        })
    }
}

/// The most bytes that the file of a program grows by so that every kernel finds its program headers at the end.
const MAX_HOLE: u64 = 1 << 16;

/// Finds a place.
pub(crate) fn find(layout: &Layout<'_>, interpreter_moves: bool) -> Result<PhdrSpace, EditError> {
    if let Some(index) = layout.tables.segment(SegmentKind::NULL) {
        return Ok(PhdrSpace::Replace(index));
    }
    let entry_len = layout.edits.encoding().program_header_len() as u64;
    let end = table_end(layout);
    let fits = first_load_covers(layout, end + entry_len);
    if fits && !layout.tables.sections.is_empty() && is_unused(layout, end, end + entry_len)? {
        return Ok(PhdrSpace::Free);
    }
    if let Some(index) = redundant(layout) {
        return Ok(PhdrSpace::Replace(index));
    }
    // Without section headers it is not known what follows the table.
    if fits
        && !layout.tables.sections.is_empty()
        && let Some(shift) = SectionShift::find(layout, end, interpreter_moves)?
    {
        return Ok(PhdrSpace::Shift(shift));
    }
    Ok(find_elsewhere(layout)?)
}

/// Adds `PT_GNU_STACK` for a stack that is not executable, in place of a header that is not needed or in unused room.
pub(crate) fn add_stack(edits: &mut Edits<'_>) -> Result<(), EditError> {
    let kind = SegmentKind::GNU_STACK;
    match find(&Layout::unmoved(edits), false)? {
        PhdrSpace::Replace(index) => drop(edits.tables.program_headers.remove(index)),
        PhdrSpace::Free => {}
        PhdrSpace::Shift(_) | PhdrSpace::SegmentPadding(_) | PhdrSpace::End(_) => {
            return Err(EditError::NoProgramHeader { kind });
        }
    }
    edits.tables.program_headers.push(ProgramHeader {
        kind,
        flags: PF_R | PF_W,
        offset: 0,
        vaddr: 0,
        paddr: 0,
        file_len: 0,
        memory_len: 0,
        align: 1,
    });
    let len =
        edits.tables.program_headers.len() as u64 * edits.encoding().program_header_len() as u64;
    if let Some(header) = edits.tables.segment_mut(SegmentKind::PHDR) {
        (header.file_len, header.memory_len) = (len, len);
    }
    edits.summary.push(format!("{kind}: added"));
    Ok(())
}

/// Finds another place for all program headers, which `strip` may break.
///
/// A loader finds those of a library in whatever segment they are. For a program, kernels before 5.18 compute their address
/// from the first segment (`fs/binfmt_elf.c`), so that file and memory have to be as far apart there as here: at the end of
/// the file that takes as many bytes as the program has zeroed memory. Where these are many, only later kernels start it.
fn find_elsewhere(layout: &Layout<'_>) -> Result<PhdrSpace, ReadError> {
    if !layout.edits.elf.is_program() {
        return Ok(PhdrSpace::End(Reach::Anywhere));
    }
    let loads = || {
        layout
            .tables
            .program_headers
            .iter()
            .filter(|header| header.is_load())
    };
    let page = layout.edits.elf.header.machine.max_page_len().unwrap_or(1);
    let align = loads().map(|header| header.align).fold(page, u64::max);
    let memory_end = loads().map(ProgramHeader::memory_end).max();
    let base = memory_end.and_then(|end| end.checked_next_multiple_of(align));
    let offset = layout.edits.elf.file_len;
    let place = base.and_then(|base| program_place(layout, offset, base));
    let growth = place.map_or(u64::MAX, |(at, _)| at - offset);
    if page < growth {
        let len = layout.program_headers_len(1);
        if let Some(padding) = SegmentPadding::for_headers(layout, len)? {
            return Ok(PhdrSpace::SegmentPadding(padding));
        }
    }
    Ok(PhdrSpace::End(if growth <= MAX_HOLE {
        Reach::AsInFile
    } else {
        Reach::Anywhere
    }))
}

/// Returns file offset and address of the first place from `offset` on at which a segment of a program can hold the
/// program headers. `base` is the lowest address that is free.
pub(crate) fn program_place(layout: &Layout<'_>, offset: u64, base: u64) -> Option<(u64, u64)> {
    let first = layout
        .tables
        .program_headers
        .iter()
        .find(|header| header.is_load())?;
    let distance = first.vaddr.checked_sub(first.offset)?;
    let offset = offset.max(base.checked_sub(distance)?);
    Some((offset, offset.checked_add(distance)?))
}

/// File offset of the first byte after the program headers.
pub(crate) fn table_end(layout: &Layout<'_>) -> u64 {
    let len = layout.program_headers_len(0);
    layout.program_headers_offset.saturating_add(len)
}

/// Whether the segment that holds the program headers reaches to `end` in the file.
pub(crate) fn first_load_covers(layout: &Layout<'_>, end: u64) -> bool {
    let start = layout.program_headers_offset;
    layout
        .tables
        .program_headers
        .iter()
        .any(|header| header.is_load() && header.offset <= start && end <= header.file_end())
}

/// Whether nothing refers to a range of the file, and its bytes are what tools fill unused room with.
fn is_unused(layout: &Layout<'_>, start: u64, end: u64) -> Result<bool, ReadError> {
    let overlaps =
        |offset: u64, len: u64| len != 0 && offset < end && start < offset.saturating_add(len);
    let by_section = layout
        .tables
        .sections
        .iter()
        .any(|section| section.has_bytes() && overlaps(section.offset, section.len));
    let mut segments = layout
        .tables
        .program_headers
        .iter()
        .filter(|header| !header.is_load());
    let by_segment = segments
        .any(|header| header.kind != SegmentKind::PHDR && overlaps(header.offset, header.file_len));
    let image = layout.edits.elf.image();
    let pointer = |tag: Tag| {
        layout
            .tables
            .number(tag)
            .and_then(|vaddr| image.locate(vaddr))
    };
    let by_tag = Tag::ADDRESSES
        .iter()
        .any(|tag| pointer(*tag).is_some_and(|(offset, _)| overlaps(offset, 1)));
    if by_section || by_segment || by_tag || has_memory(layout, start, end) {
        return Ok(false);
    }
    let bytes = read_range(
        layout.edits.source,
        "room after the program headers",
        start,
        end - start,
    )?;
    // The section headers can be anywhere: they make room.
    let headers = section_headers(layout).unwrap_or_default();
    // patchelf fills what it moved away with the letter Z, in older versions with X.
    let is_free = |(byte, at)| matches!(byte, &(0 | b'Z' | b'X')) || headers.contains(&at);
    Ok(bytes.iter().zip(start..).all(is_free))
}

/// Whether a section without bytes has addresses of a range of the file. patchelf moves such sections like others, and
/// `strip` makes room for them.
pub(crate) fn has_memory(layout: &Layout<'_>, start: u64, end: u64) -> bool {
    let mut loads = layout
        .edits
        .elf
        .program_headers
        .iter()
        .filter(|header| header.is_load());
    let Some(load) = loads.find(|load| load.offset <= start && end <= load.file_end()) else {
        return false;
    };
    let vaddr = |offset: u64| load.vaddr + (offset - load.offset);
    layout.tables.sections.iter().any(|section| {
        let in_memory = section.is_alloc() && section.flags & SHF_TLS == 0;
        let overlaps = section.vaddr < vaddr(end) && vaddr(start) < section.memory_end();
        in_memory && !section.has_bytes() && section.len != 0 && overlaps
    })
}

/// The range of the file that the section headers have. `None` without any.
pub(crate) fn section_headers(layout: &Layout<'_>) -> Option<Range<u64>> {
    let start = layout.section_headers_offset;
    let len =
        layout.tables.sections.len() as u64 * layout.edits.encoding().section_header_len() as u64;
    (len != 0).then(|| start..start.saturating_add(len))
}

/// Returns a program header that can be spared.
///
/// `PT_PHDR` of a library: glibc finds the table in the segment that holds it (`elf/dl-load.h` of 2.36, line 94), musl does
/// not look for it there. A `PT_NOTE` with the same bytes as `PT_GNU_PROPERTY`: glibc since 2.32 and the kernel use the
/// latter.
fn redundant(layout: &Layout<'_>) -> Option<usize> {
    if layout.edits.elf.interpreter.is_none()
        && !layout.edits.elf.is_program()
        && let Some(index) = layout.tables.segment(SegmentKind::PHDR)
    {
        return Some(index);
    }
    let property = layout
        .tables
        .program_headers
        .iter()
        .find(|header| header.kind == SegmentKind::GNU_PROPERTY)?;
    layout.tables.program_headers.iter().position(|header| {
        header.kind == SegmentKind::NOTE
            && (header.offset, header.file_len) == (property.offset, property.file_len)
    })
}
