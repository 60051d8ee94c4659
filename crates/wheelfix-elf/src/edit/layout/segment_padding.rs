//! Room behind a segment that its last page has anyway: strings and the interpreter's name go there where no program header
//! can be had for a segment of their own. Neither the file nor the number of headers grows.

use crate::edit::layout::places::Layout;
use crate::error::ReadError;
use crate::read::program_header::{PF_W, PF_X, ProgramHeader};
use crate::read::window::read_range;

/// The alignment of strings that follow code or data.
const ALIGN: u64 = 16;

/// Unused bytes behind a segment that is not writable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentPadding {
    /// Number of the segment's program header.
    pub(crate) load: usize,
    /// File offset at which strings can begin.
    pub(crate) start: u64,
    /// File offset of the first byte that is in use again, or whose address is.
    pub(crate) limit: u64,
}

impl SegmentPadding {
    /// Finds room for `len` bytes: rather where nothing is executable.
    pub(crate) fn find(layout: &Layout<'_>, len: u64) -> Result<Option<Self>, ReadError> {
        let mut loads: Vec<(usize, &ProgramHeader)> = loads(layout).collect();
        loads.sort_by_key(|(_, load)| load.flags & PF_X);
        for (index, load) in loads {
            let start = load.file_end().next_multiple_of(ALIGN);
            if let Some(padding) = Self::behind(layout, index, start)?
                && padding.holds(len)
            {
                return Ok(Some(padding));
            }
        }
        Ok(None)
    }

    /// Finds room for the program headers of a program: where addresses are as far from offsets as in the first segment.
    pub(crate) fn for_headers(layout: &Layout<'_>, len: u64) -> Result<Option<Self>, ReadError> {
        let distance = |load: &ProgramHeader| load.vaddr.wrapping_sub(load.offset);
        let mut all = layout
            .tables
            .program_headers
            .iter()
            .filter(|header| header.is_load());
        let first = all.next().map(distance);
        for (index, load) in loads(layout).filter(|(_, load)| Some(distance(load)) == first) {
            let start = load.file_end().next_multiple_of(ALIGN);
            if let Some(padding) = Self::behind(layout, index, start)?
                && padding.holds(len)
            {
                return Ok(Some(padding));
            }
        }
        Ok(None)
    }

    /// Finds the room that the strings of the file are in, and what follows them, if an earlier edit put them there. It
    /// begins with the interpreter's name if that moves and lies before them.
    pub(crate) fn with_strings(
        layout: &Layout<'_>,
        interpreter_moves: bool,
    ) -> Result<Option<Self>, ReadError> {
        let strings = layout.edits.strings;
        let Some(index) = layout.edits.strings_section() else {
            return Ok(None);
        };
        // Linkers number sections by their addresses.
        let moved =
            layout.edits.elf.sections.iter().skip(index).any(|section| {
                section.is_alloc() && section.len != 0 && section.vaddr < strings.vaddr
            });
        let end = strings.offset.saturating_add(strings.len);
        let mut loads = loads(layout);
        match loads
            .find(|(_, load)| moved && load.offset < strings.offset && load.file_end() == end)
        {
            Some((index, _)) => {
                let interpreter = layout.interpreter_place();
                let adjoins = |interp: &ProgramHeader| {
                    interpreter_moves && interp.file_end() == strings.offset
                };
                let interpreter = interpreter.filter(adjoins);
                let start = interpreter.map_or(strings.offset, |interp| interp.offset);
                Self::behind(layout, index, start)
            }
            None => Ok(None),
        }
    }

    /// Whether as many bytes fit.
    pub(crate) fn holds(&self, len: u64) -> bool {
        self.start
            .checked_add(len)
            .is_some_and(|end| end <= self.limit)
    }

    /// The unused bytes from `start` on, which lies at the end of a segment or behind it. `None` if
    /// there are none.
    fn behind(layout: &Layout<'_>, index: usize, start: u64) -> Result<Option<Self>, ReadError> {
        let Some(load) = layout.tables.program_headers.get(index) else {
            return Ok(None);
        };
        let end = load.file_end();
        let Some(limit) = limit(layout, load).filter(|limit| start < *limit) else {
            return Ok(None);
        };
        let bytes = read_range(
            layout.edits.source,
            "room behind a segment",
            end,
            limit - end,
        )?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count() as u64;
        let limit = end + zeros;
        Ok((start < limit).then_some(Self {
            load: index,
            start,
            limit,
        }))
    }
}

/// The segments that strings may be in: not writable, and all of them in the file.
fn loads<'m>(layout: &'m Layout<'_>) -> impl Iterator<Item = (usize, &'m ProgramHeader)> {
    let headers = layout.tables.program_headers.iter().enumerate();
    headers.filter(|(_, load)| {
        load.is_load()
            && load.flags & PF_W == 0
            && load.file_len != 0
            && load.file_len == load.memory_len
    })
}

/// File offset up to which a segment can grow: nothing else uses the bytes up to there, nor a page
/// of memory that they would take.
fn limit(layout: &Layout<'_>, load: &ProgramHeader) -> Option<u64> {
    let page = layout.edits.elf.header.machine.max_page_len()?;
    let end = load.file_end();
    let encoding = layout.edits.encoding();
    let table = |offset: u64, count: usize, len: usize| (offset, count as u64 * len as u64);
    let sections = layout.tables.sections.iter();
    let others = layout.tables.program_headers.iter();
    let mut used: Vec<(u64, u64)> = sections
        .filter(|section| section.has_bytes())
        .map(|section| (section.offset, section.len))
        .chain(others.map(|other| (other.offset, other.file_len)))
        .collect();
    used.push(table(
        layout.section_headers_offset,
        layout.tables.sections.len(),
        encoding.section_header_len(),
    ));
    used.push(table(
        layout.program_headers_offset,
        layout.tables.program_headers.len(),
        encoding.program_header_len(),
    ));
    // Strings may reach out of their segment, where no section says so.
    used.push((layout.edits.strings.offset, layout.edits.strings.len));
    let mut limit = layout.edits.elf.file_len;
    for (offset, len) in used.into_iter().filter(|(_, len)| *len != 0) {
        if end <= offset {
            limit = limit.min(offset);
        } else if end < offset.saturating_add(len) {
            return None;
        }
    }
    let memory_end = load.memory_end();
    for other in layout
        .tables
        .program_headers
        .iter()
        .filter(|other| other.is_load())
    {
        if memory_end <= other.vaddr && other.memory_len != 0 {
            let first_page = other.vaddr - other.vaddr % page;
            limit = limit.min(end.checked_add(first_page.checked_sub(memory_end)?)?);
        }
    }
    Some(limit)
}
