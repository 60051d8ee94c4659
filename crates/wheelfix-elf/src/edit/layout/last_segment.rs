//! The last segment of the file, if it can grow: what repeated edits use again and again.

use std::ops::Range;

use crate::edit::model::Model;
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
    pub(crate) fn find(model: &Model<'_>) -> Result<Option<Self>, ReadError> {
        let loads = model
            .program_headers
            .iter()
            .enumerate()
            .filter(|(_, header)| header.is_load());
        let Some((load, header)) = loads.max_by_key(|(_, header)| header.vaddr) else {
            return Ok(None);
        };
        let end = header.file_end();
        let file_len = model.elf.file_len;
        if header.file_len != header.memory_len || header.file_len == 0 || end > file_len {
            return Ok(None);
        }
        let mut last_segment = Self {
            load,
            start: end,
            has_strings: false,
            has_interpreter: false,
        };
        let strings = model.strings.offset..model.strings.offset.saturating_add(model.strings.len);
        let content_end = if header.offset <= strings.start && is_last(model, &strings) {
            strings.end
        } else {
            end
        };
        if file_len - content_end > MAX_PADDING || !is_zero(model, content_end..file_len)? {
            return Ok(None);
        }
        if content_end == strings.end {
            (last_segment.start, last_segment.has_strings) = (strings.start, true);
        }
        if let (Some(_), Some(interp)) = (&model.interpreter, model.interpreter_place()) {
            let adjoins = interp.file_end() <= last_segment.start
                && last_segment.start - interp.file_end() < 16;
            if adjoins
                && header.offset <= interp.offset
                && model.elf.sections.iter().all(|section| {
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
    pub(crate) fn can_be_writable(&self, model: &Model<'_>) -> bool {
        let flags = model
            .program_headers
            .get(self.load)
            .map_or(0, |header| header.flags);
        flags & PF_W != 0 || flags == PF_R
    }
}

/// Whether nothing that is in use lies behind the range.
fn is_last(model: &Model<'_>, range: &Range<u64>) -> bool {
    let encoding = model.encoding();
    let sections_len = model.sections.len() as u64 * encoding.section_header_len() as u64;
    let headers_len = model.program_headers.len() as u64 * encoding.program_header_len() as u64;
    let tables = [
        (model.section_headers_offset, sections_len),
        (model.program_headers_offset, headers_len),
    ];
    tables
        .into_iter()
        .all(|(offset, len)| offset.saturating_add(len) <= range.start)
        && model
            .elf
            .sections
            .iter()
            .all(|section| !section.has_bytes() || section.offset < range.end)
        && model
            .program_headers
            .iter()
            .all(|header| header.file_len == 0 || header.offset < range.end)
}

fn is_zero(model: &Model<'_>, range: Range<u64>) -> Result<bool, ReadError> {
    let bytes = read_range(
        model.source,
        "end of the file",
        range.start,
        range.end - range.start,
    )?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}
