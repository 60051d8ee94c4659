//! The memory that a loader makes of a file: which bytes lie at an address, and what may be done with them.

use std::collections::BTreeMap;

use crate::error::ReadError;
use crate::read::program_header::{PF_R, PF_W, PF_X};
use crate::source::Source;

/// Bytes next to each other that come from one place and have one protection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Piece {
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
    /// By their first address; none overlaps another.
    pieces: BTreeMap<u64, Piece>,
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

    /// Takes a range of the file over whatever is there, byte by byte and without the rest of its pages: no loader does.
    pub(crate) fn map_bytes(&mut self, range: [u64; 2], offset: u64, flags: u32, file_len: u64) {
        let [start, end] = range;
        self.unmap(start, end);
        let here = file_len.saturating_sub(offset).min(end - start);
        self.insert(start, start + here, Some(offset), flags);
    }

    /// Maps zeroes over whatever is there.
    pub(crate) fn map_zeroes(&mut self, start: u64, end: u64, flags: u32) {
        self.unmap(start, end);
        self.insert(start, end, None, flags);
    }

    /// Fills a range with zeroes that is mapped already; whether it was mapped.
    pub(crate) fn zero(&mut self, start: u64, end: u64) -> bool {
        let Some(flags) = self.flags(start) else {
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
        for piece in self.pieces.values_mut() {
            piece.flags |= PF_W;
        }
    }

    fn insert(&mut self, start: u64, end: u64, offset: Option<u64>, flags: u32) {
        if start < end {
            let piece = Piece { end, offset, flags };
            self.pieces.insert(start, piece);
        }
    }

    fn unmap(&mut self, start: u64, end: u64) {
        if end <= start {
            return;
        }
        self.split(start);
        self.split(end);
        let inside: Vec<u64> = self.pieces.range(start..end).map(|it| *it.0).collect();
        for start in inside {
            self.pieces.remove(&start);
        }
    }

    /// Makes two pieces of one that reaches over an address.
    fn split(&mut self, at: u64) {
        let Some((start, piece)) = self.piece(at).filter(|(start, _)| *start < at) else {
            return;
        };
        let offset = piece.offset.map(|offset| offset + (at - start));
        self.pieces.insert(at, Piece { offset, ..piece });
        self.pieces.insert(start, Piece { end: at, ..piece });
    }

    /// The piece that holds an address, with its first one.
    fn piece(&self, vaddr: u64) -> Option<(u64, Piece)> {
        let (start, piece) = self.pieces.range(..=vaddr).next_back()?;
        (vaddr < piece.end).then_some((*start, *piece))
    }

    /// Whether `len` bytes from an address on are mapped, with at least these `flags`.
    pub(crate) fn is_mapped(&self, vaddr: u64, len: u64, flags: u32) -> bool {
        self.is_all(vaddr, len, |has| has & flags == flags && has != 0)
    }

    fn is_all(&self, vaddr: u64, len: u64, is_right: impl Fn(u32) -> bool) -> bool {
        let Some(end) = vaddr.checked_add(len) else {
            return false;
        };
        let mut at = vaddr;
        while at < end {
            match self.piece(at) {
                Some((_, piece)) if is_right(piece.flags) => at = piece.end,
                _ => return false,
            }
        }
        true
    }

    /// Whether there is code at an address: bytes of the file that can be run.
    pub(crate) fn is_code(&self, vaddr: u64) -> bool {
        let piece = self.piece(vaddr);
        piece.is_some_and(|(_, piece)| piece.flags & PF_X != 0 && piece.offset.is_some())
    }

    /// Whether `len` bytes from an address on can be read. What can be written can be read, too, on the machines that wheels
    /// are for; of what can be run that depends on the processor: those with protection keys refuse it.
    pub(crate) fn is_readable(&self, vaddr: u64, len: u64) -> bool {
        self.is_all(vaddr, len, is_read)
    }

    /// Whether `len` bytes from an address on can be written.
    pub(crate) fn is_writable(&self, vaddr: u64, len: u64) -> bool {
        self.is_mapped(vaddr, len, PF_W)
    }

    /// The bounds of the memory around an address that can be written.
    pub(crate) fn writable_run(&self, vaddr: u64) -> Option<[u64; 2]> {
        let (start, piece) = self.piece(vaddr)?;
        (piece.flags & PF_W != 0).then_some([start, piece.end])
    }

    /// Whether everything of another image is here, too, at the same addresses and with the same protection. What is not of
    /// the file there may be of it here.
    pub(crate) fn keeps(&self, other: &Self) -> bool {
        let is_kept = |at: u64, start: u64, piece: Piece| {
            let (here, same) = self.piece(at)?;
            let offset = |piece: Piece, start| piece.offset.map(|offset| offset + (at - start));
            let is_same = piece.offset.is_none() || offset(piece, start) == offset(same, here);
            (same.flags == piece.flags && is_same).then_some(same.end)
        };
        other.pieces.iter().all(|(start, piece)| {
            let mut at = *start;
            while at < piece.end {
                match is_kept(at, *start, *piece) {
                    Some(end) => at = end,
                    None => return false,
                }
            }
            true
        })
    }

    /// The protection at an address. `None` if nothing is there.
    pub(crate) fn flags(&self, vaddr: u64) -> Option<u32> {
        self.piece(vaddr).map(|(_, piece)| piece.flags)
    }

    /// How many bytes can be read from an address on.
    pub(crate) fn left(&self, vaddr: u64) -> u64 {
        let mut at = vaddr;
        while let Some((_, piece)) = self.piece(at).filter(|(_, piece)| is_read(piece.flags)) {
            at = piece.end;
        }
        at - vaddr
    }

    /// File offset of the byte at an address. `None` if it is not from the file.
    pub(crate) fn offset(&self, vaddr: u64) -> Option<u64> {
        let (start, piece) = self.piece(vaddr)?;
        piece.offset?.checked_add(vaddr - start)
    }

    /// File offset of the byte at an address, and how many bytes from there on lie in memory as they do in the file.
    ///
    /// Loaders map whole pages, so that what lies in the file around a segment can be read too, where neither zeroed memory
    /// nor a later segment has the page. patchelf leaves tables that stick out of their segment, or reach into the next.
    pub(crate) fn locate(&self, vaddr: u64) -> Option<(u64, u64)> {
        let offset = self.offset(vaddr)?;
        let mut at = vaddr;
        while let Some((start, piece)) = self.piece(at)
            && piece.offset.and_then(|here| here.checked_add(at - start))
                == offset.checked_add(at - vaddr)
        {
            at = piece.end;
        }
        Some((offset, at - vaddr))
    }

    /// File offset of the `len` bytes at an address, all of which must lie in the file in one piece.
    pub(crate) fn place(&self, what: &'static str, vaddr: u64, len: u64) -> Result<u64, ReadError> {
        match self.locate(vaddr) {
            Some((offset, left)) if len <= left => Ok(offset),
            _ => Err(ReadError::Unmapped { what, vaddr, len }),
        }
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
            let (start, piece) = self.piece(at)?;
            let here = usize::try_from(piece.end - at)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (now, later) = rest.split_at_mut(here);
            if let Some(offset) = piece.offset {
                source
                    .read_exact_at(now, offset.checked_add(at - start)?)
                    .ok()?;
            }
            at += here as u64;
            rest = later;
        }
        Some(bytes)
    }
}

fn is_read(flags: u32) -> bool {
    flags & (PF_R | PF_W) != 0
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
        let mut more = image.clone();
        more.map_file([8 * PAGE, 9 * PAGE], 0, PF_R, 6000);
        more.map_file([3 * PAGE, 4 * PAGE], PAGE, PF_R | PF_W, 6000);
        assert!(more.keeps(&image) && !image.keeps(&more));
        more.map_file([0, PAGE], PAGE, PF_R, 6000);
        assert!(!more.keeps(&image), "other bytes of the file");
    }
}
