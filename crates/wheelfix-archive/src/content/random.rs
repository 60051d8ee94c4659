//! Any part of a member, with as little inflating as the reads allow.
//!
//! The parts of a library that an ELF reader wants lie at its start (headers, symbols), behind its
//! segments (the dynamic section) and, once a tool has edited it, at the end of the file (strings).
//! So the start is inflated as far as it is read, and so is the end. A read of what is between
//! inflates the whole.

use std::cell::RefCell;

use crate::content::tail::Tail;
use crate::content::{Content, ContentError, Stream};
use crate::zip::{Member, Method, ZipArchive, fields};

/// The start is inflated in pieces of so many bytes.
const PIECE: u64 = 256 << 10;

/// The start is this part of the whole: in `libtensorflow_cc.so.2`, which shows the most symbols, what
/// comes behind their names is at a tenth.
const HEAD_SHARE: u64 = 8;

/// How many tails are tried, each longer than the one before, until the whole is inflated.
const MAX_TAILS: u32 = 3;

/// Reads any part of a member; see [`ZipArchive::random_reader`].
///
/// The bytes are those that [`read`](ZipArchive::read) gives, but neither the checksum nor what is
/// between the parts is looked at: who packs a member can make its end look other than it is.
/// Whoever relies on the content reads it whole.
#[derive(Debug)]
pub struct RandomReader<'a> {
    archive: &'a ZipArchive,
    member: &'a Member,
    state: RefCell<State<'a>>,
}

#[derive(Debug)]
struct State<'a> {
    stream: Stream<'a>,
    /// The start of the content, as far as the stream was read.
    head: Vec<u8>,
    rest: Rest,
    /// Number of tails that were looked for.
    tails: u32,
}

/// The content behind the start, as far as it is inflated.
#[derive(Debug)]
enum Rest {
    Untouched,
    Tail(Tail),
    Whole(Content),
}

impl<'a> RandomReader<'a> {
    pub(crate) fn new(archive: &'a ZipArchive, member: &'a Member) -> Self {
        let state = State {
            stream: Stream::new(archive, member),
            head: Vec::new(),
            rest: Rest::Untouched,
            tails: 0,
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
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), ContentError> {
        let len = buffer.len() as u64;
        let end = offset.saturating_add(len);
        if self.member.len < end {
            return Err(ContentError::TooShort {
                expected: end,
                got: self.member.len,
            });
        }
        if self.member.method == Method::Stored {
            let data = self.archive.compressed(self.member);
            return copy(fields::slice(data, offset, len), buffer);
        }
        let mut state = self.state.borrow_mut();
        if end <= self.member.len / HEAD_SHARE {
            state.grow_head(end, self.member.len)?;
            return copy(fields::slice(&state.head, offset, len), buffer);
        }
        if !state.rest.has(offset) {
            state.tails += 1;
            state.rest = self.rest(state.tails, offset)?;
        }
        copy(state.rest.get(offset, len), buffer)
    }

    /// Inflates the rest of the content, at least from `offset` on.
    fn rest(&self, tails: u32, offset: u64) -> Result<Rest, ContentError> {
        if tails <= MAX_TAILS {
            let data = self.archive.compressed(self.member);
            if let Some(tail) = Tail::find(data, self.member.len, offset) {
                return Ok(Rest::Tail(tail));
            }
        }
        let whole = self.archive.inflate_whole(self.member, u64::MAX)?;
        Ok(Rest::Whole(whole))
    }
}

impl State<'_> {
    /// Inflates the start of a member of `len` bytes up to `end`.
    fn grow_head(&mut self, end: u64, len: u64) -> Result<(), ContentError> {
        let had = self.head.len();
        if end <= had as u64 {
            return Ok(());
        }
        let wanted = end.next_multiple_of(PIECE).min(len);
        self.head
            .resize(usize::try_from(wanted).unwrap_or(usize::MAX), 0);
        let grown = self
            .stream
            .fill(self.head.get_mut(had..).unwrap_or_default());
        if grown.is_err() {
            self.head.truncate(had);
        }
        grown
    }
}

impl Rest {
    fn has(&self, offset: u64) -> bool {
        match self {
            Self::Untouched => false,
            Self::Tail(tail) => tail.get(offset).is_some(),
            Self::Whole(_) => true,
        }
    }

    fn get(&self, offset: u64, len: u64) -> Option<&[u8]> {
        match self {
            Self::Untouched => None,
            Self::Tail(tail) => fields::slice(tail.get(offset)?, 0, len),
            Self::Whole(content) => fields::slice(content, offset, len),
        }
    }
}

fn copy(from: Option<&[u8]>, buffer: &mut [u8]) -> Result<(), ContentError> {
    let copied = from.map(|from| buffer.copy_from_slice(from));
    copied.ok_or(ContentError::Corrupt)
}
