//! The end of a large deflated member, inflated without what is before it.
//!
//! Deflate can only be read forward, since data may be copied from the 32 KiB before. But its blocks
//! carry their own codes: one begins somewhere near the end, and can be found, since hardly any other
//! place has a header that makes sense with blocks behind it that make sense, too. What is before it
//! is not known. So it is inflated twice, behind two histories that differ in every byte: where both
//! give the same 32 KiB, everything after them is what the whole would have given. This is how
//! parallel readers of gzip begin in the middle: <https://arxiv.org/abs/1905.07224>.

use crate::content::Inflater;
use crate::content::stream::Deflated;
use crate::content::whole::Content;

/// Data is copied from at most so far back.
const HISTORY: usize = HISTORY_LEN as usize;
const HISTORY_LEN: u16 = 32 << 10;

/// A block is begun after at most so many bytes, as the encoders in use make them.
const SEARCHED: usize = 512 << 10;

/// A place from which so much can be inflated is the beginning of a block: a wrong one nearly
/// always fails at the end of its first block, or of the second.
const LONG: Limit = Limit {
    data: 256 << 10,
    content: 16 << 20,
    trials: 8,
};

/// Most places fail at once, so little is tried first. In wheels the beginning of a block is among
/// the first 300 that look like one.
const SHORT: Limit = Limit {
    data: 4 << 10,
    content: 256 << 10,
    trials: 2000,
};

/// How much is inflated from a place in bytes of data and of content, and from how many places.
struct Limit {
    data: usize,
    content: usize,
    trials: usize,
}

/// A tail is looked for from at least so many bytes before the end.
const MIN_GUESS: u64 = 1 << 20;

/// The last part of a member.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Position in the member of the first byte that is known.
    start: u64,
    /// Position in the member of the first byte of `content`.
    base: u64,
    content: Content,
    /// Number of bytes in `content`, which is larger.
    len: usize,
}

impl Tail {
    /// Finds the tail of a member of `len` bytes from `offset` or a bit before it; `None` if that is
    /// no less work than to inflate the whole, or does not succeed.
    pub(crate) fn find(data: &[u8], len: u64, offset: u64) -> Option<Self> {
        let wanted = len.checked_sub(offset)?;
        let share = (data.len() as u64).saturating_mul(wanted) / len.max(1);
        // The end of a library, names above all, is often packed more tightly than code.
        let guess = MIN_GUESS.max(share / 2);
        let tail = Self::last(data, guess, len)?;
        if tail.start <= offset {
            return Some(tail);
        }
        let made = (tail.len as u64).max(1);
        let needed = guess.saturating_mul(wanted) / made;
        let guess = needed + needed / 8 + 2 * MIN_GUESS;
        Self::last(data, guess, len).filter(|tail| tail.start <= offset)
    }

    /// The tail from the last `guess` bytes of the data.
    fn last(data: &[u8], guess: u64, len: u64) -> Option<Self> {
        let from = data.len().checked_sub(usize::try_from(guess).ok()?)?;
        if from < data.len() / 2 {
            return None;
        }
        Self::from(data, from, len)
    }

    /// The tail from the first block that begins after the byte `from` of the data.
    fn from(data: &[u8], from: usize, len: u64) -> Option<Self> {
        let history = History::new(false);
        let start = first_block(&history, data, from)?;
        let mut stream = start.behind(&history, data, data.len());
        let len = usize::try_from(len).ok()?;
        let mut content = Content::new(len.checked_add(2 * HISTORY)?)?;
        let mut inflater = Inflater::new();
        // Deflated data within the content has blocks, too, the last of which ends before the data
        // does: that is refused.
        let made = inflater.inflate(&stream, &mut content).ok()?;
        let made = usize::try_from(made).ok()?;
        let other = start.prefix(&History::new(true), data);
        stream.get_mut(..other.len())?.copy_from_slice(&other);
        let known = known_from(&stream, content.get(..made)?)?;
        let base = len.checked_sub(made)?;
        Some(Self {
            start: (base + known) as u64,
            base: base as u64,
            content,
            len: made,
        })
    }

    /// The bytes at a position in the member, up to its end; `None` if that is before the tail.
    pub(crate) fn get(&self, offset: u64) -> Option<&[u8]> {
        if offset < self.start {
            return None;
        }
        let at = usize::try_from(offset - self.base).ok()?;
        self.content.get(at..self.len)
    }
}

/// The bytes that are taken to be before a place.
struct History {
    /// The other history is this one with all bits turned.
    is_other: bool,
    /// A stored block.
    block: Vec<u8>,
}

impl History {
    fn new(is_other: bool) -> Self {
        let mut block = vec![0];
        block.extend(HISTORY_LEN.to_le_bytes());
        block.extend((!HISTORY_LEN).to_le_bytes());
        let bytes = (0..=u8::MAX).cycle().take(HISTORY);
        block.extend(bytes.map(|byte| if is_other { !byte } else { byte }));
        Self { is_other, block }
    }
}

/// A bit of the data: its byte, and its number in that.
#[derive(Clone, Copy)]
struct Place {
    byte: usize,
    bit: u8,
}

impl Place {
    /// Whether so much can be inflated from here.
    fn inflates(self, history: &History, data: &[u8], limit: &Limit) -> bool {
        let end = data.len().min(self.byte + limit.data);
        let stream = self.behind(history, data, end);
        let mut pieces = Deflated::new(&stream);
        let mut piece = vec![0; HISTORY];
        for _ in 0..limit.content / HISTORY {
            match pieces.fill(&mut piece) {
                Err(_) => return false,
                // The last block is where the data ends and nowhere before.
                Ok(len) if len < piece.len() => return pieces.is_done == (end == data.len()),
                Ok(_) => {}
            }
        }
        true
    }

    /// A stream that begins with the history and goes on with the data from here up to a byte.
    fn behind(self, history: &History, data: &[u8], end: usize) -> Vec<u8> {
        let mut stream = self.prefix(history, data);
        stream.extend(data.get(self.byte + 1..end).unwrap_or_default());
        stream
    }

    /// A stream up to the first byte that is shared with the data: a stored block with the history,
    /// and blocks that take as many bits as there are before this one. So the data keep their places
    /// in bytes, on which stored blocks depend.
    fn prefix(self, history: &History, data: &[u8]) -> Vec<u8> {
        let mut stream = history.block.clone();
        let (mut bits, len) = self.filler(history);
        let mut whole = len / 8;
        while 0 < whole {
            stream.extend(bits.to_le_bytes().first());
            bits >>= 8;
            whole -= 1;
        }
        let first = data.get(self.byte).copied().unwrap_or_default();
        let kept = first & 0xff << self.bit;
        stream.extend(bits.to_le_bytes().first().map(|low| low | kept));
        stream
    }

    /// Blocks with the fixed codes that take a number of bits, which is this one's plus a multiple of
    /// eight; the bits, the first one lowest, and their number. Blocks without content take 10 bits. An
    /// odd number needs a byte whose code has 9 bits.
    fn filler(self, history: &History) -> (u64, u8) {
        const EMPTY: u64 = 0b010;
        const EMPTY_LEN: u8 = 10;
        /// The byte 144; its code, the highest bit first, is 110010000.
        const LITERAL: u64 = 0b1001_1010;
        const LITERAL_LEN: u8 = 19;
        /// The lowest bit of that byte.
        const LITERAL_LOW: u64 = 1 << 11;
        let (mut bits, mut len) = (0, 0);
        if self.bit % 2 == 1 {
            let low = u64::from(history.is_other) * LITERAL_LOW;
            (bits, len) = (LITERAL | low, LITERAL_LEN);
        }
        while len % 8 != self.bit {
            bits |= EMPTY << len;
            len += EMPTY_LEN;
        }
        (bits, len)
    }
}

/// The first place after the byte `from` where a block begins.
fn first_block(history: &History, data: &[u8], from: usize) -> Option<Place> {
    let end = data.len().min(from + SEARCHED);
    let likely = (from..end).flat_map(|byte| block_headers(data, byte));
    let likely = likely
        .take(SHORT.trials)
        .filter(|place| place.inflates(history, data, &SHORT));
    let mut likely = likely.take(LONG.trials);
    likely.find(|place| place.inflates(history, data, &LONG))
}

/// The bits of a byte at which a block with codes of its own may begin that is not the last one.
///
/// The header is as in RFC 1951, section 3.2.7: the numbers of codes are in range, and the code of the
/// code lengths is complete. <https://www.rfc-editor.org/rfc/rfc1951>
fn block_headers(data: &[u8], byte: usize) -> impl Iterator<Item = Place> {
    let bits = data.get(byte..).and_then(<[u8]>::first_chunk);
    let bits = u128::from_le_bytes(bits.copied().unwrap_or_default());
    let found = (0..8).filter(move |bit| is_block_header(bits >> bit));
    found.map(move |bit| Place { byte, bit })
}

fn is_block_header(bits: u128) -> bool {
    /// Neither the last block, nor stored, nor with the fixed codes.
    const KIND: u128 = 0b100;
    if bits & 0b111 != KIND || 29 < bits >> 3 & 31 || 29 < bits >> 8 & 31 {
        return false;
    }
    let number = 4 + (bits >> 13 & 15);
    let lens = (0..number).map(|at| bits >> (17 + 3 * at) & 7);
    let used = lens.filter(|len| *len != 0).map(|len| 128 >> len);
    used.sum::<u128>() == 128
}

/// How many of the bytes of `first` have to be skipped, so that the others are the same whatever the
/// history was; `stream` is the other one. `None` if that never comes to be.
fn known_from(stream: &[u8], first: &[u8]) -> Option<usize> {
    let mut pieces = Deflated::new(stream);
    let mut piece = vec![0; 2 * HISTORY];
    let mut end = 0;
    loop {
        let len = pieces.fill(&mut piece).ok()?;
        if len < piece.len() {
            return None;
        }
        end += len;
        let last = piece.get(len - HISTORY..len)?;
        // The first piece has the history itself.
        if first.get(end - HISTORY..end)? == last {
            return Some(end);
        }
    }
}
