//! Where a new segment starts.

use crate::edit::error::EditError;
use crate::edit::layout::phdr_space::{self, PhdrSpace, Reach};
use crate::edit::layout::places::Layout;
use crate::read::program_header::{ProgramHeader, SegmentKind};

/// The first byte of a new segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentStart {
    pub(crate) offset: u64,
    pub(crate) vaddr: u64,
    /// `p_align`.
    pub(crate) align: u64,
}

impl SegmentStart {
    /// Finds the first place behind `end` in the file and behind all segments in memory.
    ///
    /// The address agrees with the offset modulo the largest page of the machine, also if the file's own segments have a
    /// smaller alignment; that one the new segment shares.
    pub(crate) fn find(
        layout: &Layout<'_>,
        end: u64,
        space: &PhdrSpace,
    ) -> Result<Self, EditError> {
        let what = "new segment";
        let machine = layout.edits.elf.header.machine;
        let page = machine
            .max_page_len()
            .ok_or(EditError::Machine { got: machine })?;
        let stays = |index: usize| *space != PhdrSpace::Replace(index);
        let loads = || {
            let headers = layout.tables.program_headers.iter().enumerate();
            headers
                .filter(|(index, header)| header.is_load() && stays(*index))
                .map(|(_, header)| header)
        };
        let aligned = loads().filter(|load| load.align.is_power_of_two());
        let own = aligned.map(|load| load.align).fold(1, u64::max);
        let align = if own > 1 { own } else { page };
        let distance = align.max(page);
        let memory_end = loads().map(ProgramHeader::memory_end).fold(0, u64::max);
        let base = layout
            .edits
            .check_word(what, memory_end.checked_next_multiple_of(distance))?;
        let mut offset = layout
            .edits
            .check_word(what, end.checked_next_multiple_of(16))?;
        if matches!(space, PhdrSpace::End(_)) && layout.tables.segment(SegmentKind::PHDR).is_none()
        {
            // Without PT_PHDR, glibc takes the first segment whose pages hold the program headers (`elf/dl-load.h`), although
            // the rest of its last page may have been zeroed.
            let pages = loads().map(|load| load.file_end().checked_next_multiple_of(page));
            let pages = pages.max().flatten();
            offset = layout.edits.check_word(what, pages)?.max(offset);
        }
        if *space == PhdrSpace::End(Reach::AsInFile)
            && let Some((offset, vaddr)) = phdr_space::program_place(layout, offset, base)
        {
            let vaddr = layout.edits.check_word(what, Some(vaddr))?;
            return Ok(Self {
                offset,
                vaddr,
                align,
            });
        }
        let vaddr = layout
            .edits
            .check_word(what, base.checked_add(offset % distance))?;
        Ok(Self {
            offset,
            vaddr,
            align,
        })
    }
}
