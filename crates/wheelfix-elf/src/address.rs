//! Which file offset an address comes from.

use crate::error::ReadError;
use crate::program_header::ProgramHeader;

/// The smallest page of all machines: what a loader maps around a segment at least.
pub(crate) const PAGE: u64 = 4096;

/// The most segments that one table is looked for in: each turn goes over all of them.
const MAX_SEGMENTS: usize = 4;

/// The `PT_LOAD` segments, to translate addresses into file offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressMap {
    loads: Vec<ProgramHeader>,
    /// Length of the file in bytes.
    file_len: u64,
}

impl AddressMap {
    pub(crate) fn new(program_headers: &[ProgramHeader], file_len: u64) -> Self {
        Self {
            loads: program_headers
                .iter()
                .filter(|header| header.is_load())
                .copied()
                .collect(),
            file_len,
        }
    }

    /// Returns the file offset of `vaddr` and how many bytes from there on lie in memory as they do in the file.
    ///
    /// Loaders map whole pages, so that what lies in the file around a segment can be read too, where neither zeroed memory
    /// nor another segment has the page. patchelf leaves tables that stick out of their segment, or reach into the next.
    pub(crate) fn locate(&self, vaddr: u64) -> Option<(u64, u64)> {
        let (offset, mut len) = self.locate_in_one(vaddr)?;
        for _ in 1..MAX_SEGMENTS {
            let next = vaddr
                .checked_add(len)
                .and_then(|vaddr| self.locate_in_one(vaddr));
            match next.filter(|(next, _)| offset.checked_add(len) == Some(*next)) {
                Some((_, more)) => len += more,
                None => break,
            }
        }
        Some((offset, len))
    }

    fn locate_in_one(&self, vaddr: u64) -> Option<(u64, u64)> {
        let Some((offset, left)) = self.locate_in_segment(vaddr) else {
            return self.locate_in_pages(vaddr);
        };
        let more = self.locate_in_pages(vaddr);
        let more = more.filter(|(same, _)| *same == offset);
        Some((offset, more.map_or(left, |(_, more)| more.max(left))))
    }

    /// Like [`Self::locate`], by what segments say alone, without the rest of their pages.
    pub(crate) fn locate_in_segment(&self, vaddr: u64) -> Option<(u64, u64)> {
        self.loads.iter().find_map(|load| {
            let inside = vaddr.checked_sub(load.vaddr)?;
            let left = load.file_len.checked_sub(inside)?;
            let offset = load.offset.checked_add(inside)?;
            // No table ends behind the largest offset.
            let left = left.min(u64::MAX - offset);
            (left > 0).then_some((offset, left))
        })
    }

    /// Finds an address in the pages of the last segment that has it: a later one is mapped over those before it.
    fn locate_in_pages(&self, vaddr: u64) -> Option<(u64, u64)> {
        let first_page = |load: &ProgramHeader| load.vaddr - load.vaddr % PAGE;
        let pages_end = |end: u64| end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        let holds = |load: &ProgramHeader| {
            first_page(load) <= vaddr && vaddr < pages_end(load.memory_end())
        };
        let index = self.loads.iter().rposition(holds)?;
        let (load, later) = (self.loads.get(index)?, self.loads.get(index + 1..)?);
        let file_end = load.vaddr.checked_add(load.file_len)?;
        let end = if load.file_len == load.memory_len {
            pages_end(file_end)
        } else {
            file_end
        };
        let end = later
            .iter()
            .map(first_page)
            .filter(|start| vaddr < *start)
            .fold(end, u64::min);
        let offset = load.offset.checked_add(vaddr)?.checked_sub(load.vaddr)?;
        let left = end.saturating_sub(vaddr);
        let left = left.min(self.file_len.saturating_sub(offset));
        (left > 0).then_some((offset, left))
    }

    /// Returns the file offset of the `len` bytes at `vaddr`, all of which must be loaded in one piece.
    pub(crate) fn offset(
        &self,
        what: &'static str,
        vaddr: u64,
        len: u64,
    ) -> Result<u64, ReadError> {
        match self.locate(vaddr) {
            Some((offset, left)) if len <= left => Ok(offset),
            _ => Err(ReadError::Unmapped { what, vaddr, len }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program_header::SegmentKind;

    fn load(offset: u64, vaddr: u64, file_len: u64, memory_len: u64) -> ProgramHeader {
        ProgramHeader {
            kind: SegmentKind::LOAD,
            flags: 4,
            offset,
            vaddr,
            paddr: vaddr,
            file_len,
            memory_len,
            align: PAGE,
        }
    }

    fn offset(loads: &[ProgramHeader], vaddr: u64, len: u64) -> Option<u64> {
        AddressMap::new(loads, 0x10_0000)
            .offset("table", vaddr, len)
            .ok()
    }

    #[test]
    fn the_rest_of_a_page_is_mapped_too() {
        let loads = [load(0, 0x40_0000, 0x11d0, 0x11d0)];
        assert_eq!(offset(&loads, 0x40_0d38, 0x4b0), Some(0xd38), "sticks out");
        assert_eq!(offset(&loads, 0x40_11d0, 0xe30), Some(0x11d0), "behind it");
        assert_eq!(offset(&loads, 0x40_11d0, 0xe31), None, "the next page");
        let before = [load(0x1d00, 0x40_1d00, 0x100, 0x100)];
        assert_eq!(offset(&before, 0x40_1c00, 0x110), Some(0x1c00), "before it");
        assert_eq!(offset(&before, 0x40_0fff, 1), None);
    }

    #[test]
    fn zeroed_memory_is_not_of_the_file() {
        let loads = [load(0, 0x40_0000, 0x11d0, 0x11d8)];
        assert_eq!(offset(&loads, 0x40_0d38, 0x4b0), None);
        assert_eq!(offset(&loads, 0x40_11d0, 1), None);
    }

    #[test]
    fn a_table_may_reach_into_the_next_segment() {
        let next = load(0x1310, 0x40_0310, 0x200, 0x200);
        let loads = [load(0, 0x3f_f000, 0x1000, 0x1000), next];
        assert_eq!(offset(&loads, 0x3f_fc18, 0x6f0), Some(0xc18));
        let shifted = ProgramHeader {
            offset: 0x2310,
            ..next
        };
        assert_eq!(offset(&[loads[0], shifted], 0x3f_fc18, 0x6f0), None);
    }

    #[test]
    fn a_later_segment_has_its_whole_pages() {
        let loads = [
            load(0, 0x40_0000, 0x1100, 0x1100),
            load(0x3f00, 0x40_1f00, 0x200, 0x200),
        ];
        assert_eq!(offset(&loads, 0x40_1000, 8), Some(0x1000), "said outright");
        assert_eq!(offset(&loads, 0x40_1200, 8), Some(0x3200), "mapped over");
    }
}
