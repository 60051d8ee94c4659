//! The last segment of the file, if it can grow: what repeated edits use again and again.

use std::ops::Range;

use crate::edit::layout::places::Layout;
use crate::error::ReadError;
use crate::read::program_header::{PF_R, PF_W};
use crate::read::window::read_range;

/// Zero bytes that earlier tools left at the end of the file.
const MAX_PADDING: u64 = 32;

/// A last segment that ends where the file ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LastSegment {
    /// Number of its program header.
    pub(crate) load: usize,
    /// File offset from which on everything is laid out anew.
    pub(crate) start: u64,
    /// Whether the string table is what lies at the end.
    pub(crate) has_strings: bool,
    /// Whether a new interpreter's name has its old place between `start` and the end.
    pub(crate) has_interpreter: bool,
}

impl LastSegment {
    /// Finds the tail. `None` if something follows the last segment in the file, or if it has memory without bytes.
    pub(crate) fn find(layout: &Layout<'_>) -> Result<Option<Self>, ReadError> {
        let loads = layout
            .tables
            .program_headers
            .iter()
            .enumerate()
            .filter(|(_, header)| header.is_load());
        let Some((load, header)) = loads.max_by_key(|(_, header)| header.vaddr) else {
            return Ok(None);
        };
        let end = header.file_end();
        let file_len = layout.edits.elf.file_len;
        if header.file_len != header.memory_len || header.file_len == 0 || end > file_len {
            return Ok(None);
        }
        let mut last_segment = Self {
            load,
            start: end,
            has_strings: false,
            has_interpreter: false,
        };
        let strings = layout.edits.strings.offset
            ..layout
                .edits
                .strings
                .offset
                .saturating_add(layout.edits.strings.len);
        let content_end = if header.offset <= strings.start && is_last(layout, &strings) {
            strings.end
        } else {
            end
        };
        if file_len - content_end > MAX_PADDING || !is_zero(layout, content_end..file_len)? {
            return Ok(None);
        }
        if content_end == strings.end {
            (last_segment.start, last_segment.has_strings) = (strings.start, true);
        }
        if let (Some(_), Some(interp)) = (&layout.tables.interpreter, layout.interpreter_place()) {
            let adjoins = interp.file_end() <= last_segment.start
                && last_segment.start - interp.file_end() < 16;
            if adjoins
                && header.offset <= interp.offset
                && layout.edits.elf.sections.iter().all(|section| {
                    !section.has_bytes()
                        || section.file_end() <= interp.offset
                        || section.offset >= last_segment.start
                        || section.offset == interp.offset
                })
            {
                (last_segment.start, last_segment.has_interpreter) = (interp.offset, true);
            }
        }
        Ok(Some(last_segment))
    }

    /// Whether the dynamic section may lie in the segment: it is writable, or can be made so.
    pub(crate) fn can_be_writable(&self, layout: &Layout<'_>) -> bool {
        let flags = layout
            .tables
            .program_headers
            .get(self.load)
            .map_or(0, |header| header.flags);
        flags & PF_W != 0 || flags == PF_R
    }
}

/// Whether nothing that is in use lies behind the range.
fn is_last(layout: &Layout<'_>, range: &Range<u64>) -> bool {
    let encoding = layout.edits.encoding();
    let sections_len = layout.tables.sections.len() as u64 * encoding.section_header_len() as u64;
    let headers_len = layout.program_headers_len(0);
    let tables = [
        (layout.section_headers_offset, sections_len),
        (layout.program_headers_offset, headers_len),
    ];
    tables
        .into_iter()
        .all(|(offset, len)| offset.saturating_add(len) <= range.start)
        && layout
            .edits
            .elf
            .sections
            .iter()
            .all(|section| !section.has_bytes() || section.offset < range.end)
        && layout
            .tables
            .program_headers
            .iter()
            .all(|header| header.file_len == 0 || header.offset < range.end)
}

fn is_zero(layout: &Layout<'_>, range: Range<u64>) -> Result<bool, ReadError> {
    let bytes = read_range(
        layout.edits.source,
        "end of the file",
        range.start,
        range.end - range.start,
    )?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}
