//! The memory that a loader makes of a file: which bytes lie at an address, and what may be done with them.

use crate::program_header::{PF_R, PF_W, PF_X};
use crate::source::Source;

/// Bytes next to each other that come from one place and have one protection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Piece {
    start: u64,
    /// First address behind it.
    end: u64,
    /// File offset of the first byte; `None` for zeroes.
    offset: Option<u64>,
    /// `PF_R`, `PF_W`, `PF_X`.
    flags: u32,
}

/// The memory of one object, by address before relocation. An address that is in no piece cannot be touched: nothing is
/// mapped there, or it is behind the end of the file, where the kernel sends `SIGBUS`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    /// Sorted; none overlaps another.
    pieces: Vec<Piece>,
}

/// Smallest page of all machines, which most kernels use.
pub(crate) const PAGE: u64 = 4096;

/// The page that an address is on.
pub(crate) fn page_start(vaddr: u64) -> u64 {
    vaddr - vaddr % PAGE
}

/// First address of a page from `vaddr` on. `None` behind the last page.
pub(crate) fn page_end(vaddr: u64) -> Option<u64> {
    vaddr.checked_next_multiple_of(PAGE)
}

impl Image {
    /// Maps a range of the file, both ends at pages, over whatever is there: `mmap` with `MAP_FIXED`.
    ///
    /// The last page that the file has a byte of is filled up with zeroes; no page behind it can be touched.
    pub(crate) fn map_file(&mut self, range: [u64; 2], offset: u64, flags: u32, file_len: u64) {
        let [start, end] = range;
        self.unmap(start, end);
        let here = file_len.saturating_sub(offset).min(end - start);
        let there = page_end(here).unwrap_or(here).min(end - start);
        self.insert(start, start + here, Some(offset), flags);
        self.insert(start + here, start + there, None, flags);
    }

    /// Maps zeroes over whatever is there.
    pub(crate) fn map_zeroes(&mut self, start: u64, end: u64, flags: u32) {
        self.unmap(start, end);
        self.insert(start, end, None, flags);
    }

    /// Fills a range with zeroes that is mapped already; whether it was mapped.
    pub(crate) fn zero(&mut self, start: u64, end: u64) -> bool {
        let Some(flags) = self.piece(start).map(|piece| piece.flags) else {
            return start == end;
        };
        if !self.is_mapped(start, end.saturating_sub(start), 0) {
            return false;
        }
        self.map_zeroes(start, end, flags);
        true
    }

    /// Lets what is read be written, too, as for relocations of code (`DT_TEXTREL`).
    pub(crate) fn make_writable(&mut self) {
        for piece in &mut self.pieces {
            piece.flags |= PF_W;
        }
    }

    fn insert(&mut self, start: u64, end: u64, offset: Option<u64>, flags: u32) {
        if start < end {
            let at = self.pieces.partition_point(|piece| piece.start < start);
            let piece = Piece {
                start,
                end,
                offset,
                flags,
            };
            self.pieces.insert(at, piece);
        }
    }

    fn unmap(&mut self, start: u64, end: u64) {
        let mut kept = Vec::with_capacity(self.pieces.len() + 2);
        for piece in &self.pieces {
            if piece.end <= start || end <= piece.start {
                kept.push(*piece);
                continue;
            }
            if piece.start < start {
                kept.push(Piece {
                    end: start,
                    ..*piece
                });
            }
            if end < piece.end {
                kept.push(Piece {
                    start: end,
                    offset: piece.offset.map(|offset| offset + (end - piece.start)),
                    ..*piece
                });
            }
        }
        self.pieces = kept;
    }

    fn piece(&self, vaddr: u64) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.start <= vaddr);
        let piece = self.pieces.get(after.checked_sub(1)?)?;
        (vaddr < piece.end).then_some(piece)
    }

    /// Whether `len` bytes from an address on are mapped, with at least these `flags`.
    pub(crate) fn is_mapped(&self, vaddr: u64, len: u64, flags: u32) -> bool {
        let Some(end) = vaddr.checked_add(len) else {
            return false;
        };
        let mut at = vaddr;
        while at < end {
            match self.piece(at) {
                Some(piece) if piece.flags & flags == flags && piece.flags != 0 => at = piece.end,
                _ => return false,
            }
        }
        true
    }

    /// Whether there is code at an address: bytes of the file that can be run.
    pub(crate) fn is_code(&self, vaddr: u64) -> bool {
        let piece = self.piece(vaddr);
        piece.is_some_and(|piece| piece.flags & PF_X != 0 && piece.offset.is_some())
    }

    /// Whether `len` bytes from an address on can be read. What can be written or run can be read, too, on the machines
    /// that wheels are for.
    pub(crate) fn is_readable(&self, vaddr: u64, len: u64) -> bool {
        self.is_mapped(vaddr, len, 0)
    }

    /// Whether `len` bytes from an address on can be written.
    pub(crate) fn is_writable(&self, vaddr: u64, len: u64) -> bool {
        self.is_mapped(vaddr, len, PF_W)
    }

    /// The bounds of the memory around an address that can be written.
    pub(crate) fn writable_run(&self, vaddr: u64) -> Option<[u64; 2]> {
        let piece = self.piece(vaddr).filter(|piece| piece.flags & PF_W != 0)?;
        Some([piece.start, piece.end])
    }

    /// The protection at an address. `None` if nothing is there.
    pub(crate) fn flags(&self, vaddr: u64) -> Option<u32> {
        self.piece(vaddr).map(|piece| piece.flags)
    }

    /// How many bytes can be read from an address on.
    pub(crate) fn left(&self, vaddr: u64) -> u64 {
        let mut at = vaddr;
        while let Some(piece) = self.piece(at).filter(|piece| piece.flags != 0) {
            at = piece.end;
        }
        at - vaddr
    }

    /// File offset of the byte at an address. `None` if it is not from the file.
    pub(crate) fn offset(&self, vaddr: u64) -> Option<u64> {
        let piece = self.piece(vaddr)?;
        piece.offset?.checked_add(vaddr - piece.start)
    }

    /// The `len` bytes at an address, none of which may be out of reach. `None` also if the file cannot be read.
    pub(crate) fn read(&self, source: &dyn Source, vaddr: u64, len: u64) -> Option<Vec<u8>> {
        if !self.is_readable(vaddr, len) {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        let mut at = vaddr;
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let piece = self.piece(at)?;
            let here = usize::try_from(piece.end - at)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (now, later) = rest.split_at_mut(here);
            if let Some(offset) = piece.offset {
                source
                    .read_exact_at(now, offset.checked_add(at - piece.start)?)
                    .ok()?;
            }
            at += here as u64;
            rest = later;
        }
        Some(bytes)
    }
}

/// A protection as `r-x`.
pub(crate) fn protection(flags: u32) -> String {
    let letter = |flag, letter| if flags & flag != 0 { letter } else { '-' };
    [letter(PF_R, 'r'), letter(PF_W, 'w'), letter(PF_X, 'x')]
        .iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_mappings_lie_over_earlier_ones_and_files_end_with_a_page() {
        let bytes: Vec<u8> = (0..6000_u32).map(|at| (at % 251) as u8).collect();
        let mut image = Image::default();
        image.map_file([0, 3 * PAGE], 0, PF_R, 6000);
        assert_eq!(image.left(0), 2 * PAGE);
        assert_eq!(
            image.read(&bytes, 5999, 3).unwrap(),
            [(5999 % 251) as u8, 0, 0]
        );
        assert!(!image.is_readable(2 * PAGE, 1), "behind the file");
        image.map_zeroes(PAGE, 4 * PAGE, PF_R | PF_W);
        assert_eq!(
            image.read(&bytes, PAGE - 1, 2).unwrap(),
            [(4095 % 251) as u8, 0]
        );
        assert!(image.is_writable(PAGE, 3 * PAGE) && !image.is_writable(PAGE - 1, 2));
        assert!(image.zero(16, 32) && !image.zero(4 * PAGE - 1, 4 * PAGE + 1));
        assert_eq!((image.offset(15), image.offset(16)), (Some(15), None));
        assert_eq!(image.offset(32), Some(32));
        assert!(!image.is_readable(u64::MAX, 2));
    }
}
