//! Any part of a member, in bounded memory and with as little inflating as the order of the reads
//! allows.
//!
//! Deflate can only be read forward. What an ELF reader wants of a library lies at its start (headers,
//! symbols), at the end of its segments (the dynamic section) and, once a tool has edited it, at the
//! end of the file (strings). So the start is kept, and of the rest what was inflated last. A read
//! beyond inflates just as far as it has to; a read of what is no longer kept starts again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::content::{ContentError, Stream};
use crate::zip::{Member, Method, ZipArchive, fields};

/// Number of bytes that are inflated and kept together.
const PIECE: usize = 64 << 10;

/// Number of pieces at the start that are kept: 24 MiB. The string table of `libtriton.so`, one of the
/// largest, ends at 18 MiB.
const HEAD: u64 = 384;

/// Number of pieces of the rest that are kept: 8 MiB. The string table of `libtorch_cpu.so`, near its
/// end, has 5 MiB.
const RECENT: u64 = 128;

/// How often the content may be inflated before the reads are held to be malice.
const MAX_PASSES: u32 = 4;

/// Reads any part of a member; see [`ZipArchive::random_reader`].
///
/// Takes at most 32 MiB. The checksum of the archive is not compared, since it is of the whole member.
#[derive(Debug)]
pub struct RandomReader<'a> {
    archive: &'a ZipArchive,
    member: &'a Member,
    state: RefCell<State<'a>>,
}

#[derive(Debug)]
struct State<'a> {
    stream: Stream<'a>,
    /// What is kept, by the position among all pieces; each but the last has the full length.
    pieces: BTreeMap<u64, Vec<u8>>,
    /// Position of the piece that is inflated next.
    next: u64,
    passes: u32,
}

impl<'a> RandomReader<'a> {
    pub(crate) fn new(archive: &'a ZipArchive, member: &'a Member) -> Self {
        let state = State {
            stream: Stream::new(archive, member),
            pieces: BTreeMap::new(),
            next: 0,
            passes: 1,
        };
        Self {
            archive,
            member,
            state: RefCell::new(state),
        }
    }

    /// Length of the member in bytes.
    pub fn len(&self) -> u64 {
        self.member.len
    }

    /// Whether the member has no content.
    pub fn is_empty(&self) -> bool {
        self.member.len == 0
    }

    /// Fills `buffer` with the bytes that start at `offset`.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], offset: u64) -> Result<(), ContentError> {
        let end = offset.saturating_add(buffer.len() as u64);
        if self.member.len < end {
            return Err(ContentError::TooShort {
                expected: end,
                got: self.member.len,
            });
        }
        if self.member.method == Method::Stored {
            let data = self.archive.compressed(self.member);
            let stored = fields::slice(data, offset, buffer.len() as u64);
            let corrupt = ContentError::Corrupt;
            return stored
                .map(|stored| buffer.copy_from_slice(stored))
                .ok_or(corrupt);
        }
        let mut state = self.state.borrow_mut();
        let mut at = offset;
        while !buffer.is_empty() {
            let piece = state.piece(at / PIECE as u64, self)?;
            let rest = usize::try_from(at % PIECE as u64)
                .ok()
                .and_then(|skipped| piece.get(skipped..))
                .unwrap_or_default();
            let len = rest.len().min(buffer.len());
            let (filled, unfilled) = buffer.split_at_mut(len);
            filled.copy_from_slice(rest.get(..len).unwrap_or_default());
            buffer = unfilled;
            at += len as u64;
        }
        Ok(())
    }
}

impl<'a> State<'a> {
    /// The piece at a position, which is below the end of the member.
    fn piece(&mut self, position: u64, reader: &RandomReader<'a>) -> Result<&[u8], ContentError> {
        if position < self.next && !self.pieces.contains_key(&position) {
            self.restart(reader)?;
        }
        while self.next <= position {
            self.inflate(reader.member.len)?;
        }
        Ok(self.pieces.get(&position).map_or(&[], Vec::as_slice))
    }

    /// Starts again at the first byte.
    fn restart(&mut self, reader: &RandomReader<'a>) -> Result<(), ContentError> {
        if self.passes == MAX_PASSES {
            return Err(ContentError::TooScattered);
        }
        self.passes += 1;
        self.stream = Stream::new(reader.archive, reader.member);
        self.pieces.clear();
        self.next = 0;
        Ok(())
    }

    /// Inflates the next piece of a member of this length, in the place of one that is kept no more.
    fn inflate(&mut self, len: u64) -> Result<(), ContentError> {
        let dropped = self
            .next
            .checked_sub(RECENT)
            .filter(|dropped| HEAD <= *dropped);
        let mut piece = dropped
            .and_then(|dropped| self.pieces.remove(&dropped))
            .unwrap_or_default();
        let left = len.saturating_sub(self.next * PIECE as u64);
        piece.resize(
            usize::try_from(left).map_or(PIECE, |left| left.min(PIECE)),
            0,
        );
        self.stream.fill(&mut piece)?;
        self.pieces.insert(self.next, piece);
        self.next += 1;
        Ok(())
    }
}
