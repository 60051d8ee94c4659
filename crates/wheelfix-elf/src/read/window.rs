//! Small reads of a [`Source`] through one buffer, every length checked against the file first.

use memchr::memchr;

use crate::error::ReadError;
use crate::source::Source;

/// How much is read at once when little is asked for, in bytes.
const BLOCK: u64 = 4096;

/// How much is read at once when a whole table is passed through, in bytes.
const SCAN_BLOCK: u64 = 1 << 16;

/// The longest string that is read, in bytes: far above any path or name, far below what hurts.
pub(crate) const MAX_STRING: u64 = 1 << 20;

/// All strings of one file together; so that a hostile file cannot name one long string many thousand times.
const MAX_STRINGS_TOTAL: u64 = 16 << 20;

/// A source with a buffer around the place that was read last.
pub(crate) struct Window<'a> {
    source: &'a dyn Source,
    start: u64,
    bytes: Vec<u8>,
    strings_len: u64,
}

impl<'a> Window<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self {
            source,
            start: 0,
            bytes: Vec::new(),
            strings_len: 0,
        }
    }

    pub(crate) fn source(&self) -> &'a dyn Source {
        self.source
    }

    /// Returns `len` bytes from file offset `offset`. Meant for structures, not for whole tables.
    pub(crate) fn bytes(
        &mut self,
        what: &'static str,
        offset: u64,
        len: u64,
    ) -> Result<&[u8], ReadError> {
        if self.buffered(offset, len).is_none() {
            let file_len = self.source.file_len();
            check_range(what, offset, len, file_len)?;
            // Strings and structures are often looked up backwards too.
            let start = if len < BLOCK {
                offset - offset % BLOCK
            } else {
                offset
            };
            let block = (offset + len - start).max(BLOCK).min(file_len - start);
            // A source that holds only a prefix may have the bytes asked for, but not a whole block.
            (self.start, self.bytes) = match read_range(self.source, what, start, block) {
                Ok(bytes) => (start, bytes),
                Err(_) => (offset, read_range(self.source, what, offset, len)?),
            };
        }
        self.buffered(offset, len).ok_or(ReadError::Truncated {
            what,
            offset,
            len,
            file_len: self.source.file_len(),
        })
    }

    /// Returns the bytes of the string at file offset `offset`, without its NUL, which must come before `end`.
    pub(crate) fn string(
        &mut self,
        what: &'static str,
        offset: u64,
        end: u64,
    ) -> Result<Vec<u8>, ReadError> {
        let limit = end.saturating_sub(offset).min(MAX_STRING);
        let mut string = Vec::new();
        while (string.len() as u64) < limit {
            let done = string.len() as u64;
            let len = (limit - done).min(256);
            let bytes = self.bytes(what, offset + done, len)?;
            if let Some(text) = memchr(0, bytes).and_then(|len| bytes.get(..len)) {
                string.extend_from_slice(text);
                self.count_string(what, offset, string.len() as u64)?;
                return Ok(string);
            }
            string.extend_from_slice(bytes);
        }
        Err(ReadError::Unterminated {
            what,
            offset,
            len: limit,
        })
    }

    /// Like [`Self::string`], as text.
    pub(crate) fn text(
        &mut self,
        what: &'static str,
        offset: u64,
        end: u64,
    ) -> Result<String, ReadError> {
        String::from_utf8(self.string(what, offset, end)?)
            .map_err(|_| ReadError::NotUtf8 { what, offset })
    }

    /// Returns the bytes of the string at file offset `offset`, without its NUL, which must come before `end`. Meant for
    /// passing through a whole table: much is read at once, and the string is not copied.
    pub(crate) fn scan_string(
        &mut self,
        what: &'static str,
        offset: u64,
        end: u64,
    ) -> Result<&[u8], ReadError> {
        let limit = end.saturating_sub(offset).min(MAX_STRING);
        let mut len = self.rest(offset).min(limit);
        loop {
            let found = match self.buffered(offset, len) {
                Some(bytes) => memchr(0, bytes),
                None => None,
            };
            if let Some(found) = found {
                return self.bytes(what, offset, found as u64);
            }
            if len >= limit {
                return Err(ReadError::Unterminated {
                    what,
                    offset,
                    len: limit,
                });
            }
            // The string begins the buffer, so that no part of it has to be read again.
            len = (len * 2).max(SCAN_BLOCK).min(limit);
            self.bytes(what, offset, len)?;
        }
    }

    /// Returns the file offset of the first NUL from `offset` on, which must come before `end`.
    pub(crate) fn find_nul(
        &mut self,
        what: &'static str,
        offset: u64,
        end: u64,
    ) -> Result<u64, ReadError> {
        let mut at = offset;
        while at < end {
            let len = match self.rest(at) {
                0 => (end - at).min(SCAN_BLOCK),
                rest => (end - at).min(rest),
            };
            let bytes = self.bytes(what, at, len)?;
            if let Some(len) = memchr(0, bytes) {
                return Ok(at + len as u64);
            }
            at += len;
        }
        Err(ReadError::Unterminated {
            what,
            offset,
            len: end.saturating_sub(offset),
        })
    }

    /// How many bytes from `offset` on are in the buffer.
    fn rest(&self, offset: u64) -> u64 {
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start {
            0
        } else {
            end.saturating_sub(offset)
        }
    }

    fn count_string(&mut self, what: &'static str, offset: u64, len: u64) -> Result<(), ReadError> {
        self.strings_len += len;
        if self.strings_len > MAX_STRINGS_TOTAL {
            let got = self.strings_len;
            return Err(ReadError::StringsTooLong {
                what,
                offset,
                got,
                limit: MAX_STRINGS_TOTAL,
            });
        }
        Ok(())
    }

    fn buffered(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(start..end)
    }
}

/// Checks that a range lies in the file.
pub(crate) fn check_range(
    what: &'static str,
    offset: u64,
    len: u64,
    file_len: u64,
) -> Result<(), ReadError> {
    match offset.checked_add(len) {
        Some(end) if end <= file_len => Ok(()),
        _ => Err(ReadError::Truncated {
            what,
            offset,
            len,
            file_len,
        }),
    }
}

/// Reads a whole range; it is allocated only after it was seen to lie in the file.
pub(crate) fn read_range(
    source: &dyn Source,
    what: &'static str,
    offset: u64,
    len: u64,
) -> Result<Vec<u8>, ReadError> {
    let file_len = source.file_len();
    check_range(what, offset, len, file_len)?;
    let size = usize::try_from(len).map_err(|_| ReadError::Truncated {
        what,
        offset,
        len,
        file_len,
    })?;
    let mut bytes = vec![0; size];
    match source.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        Err(source) => Err(ReadError::Io {
            what,
            offset,
            len,
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_before_the_end_of_their_table() {
        let mut bytes = vec![b'a'; 1000];
        bytes.push(0);
        let mut window = Window::new(&bytes);
        assert_eq!(window.string("s", 0, 1001).unwrap().len(), 1000);
        assert_eq!(window.string("s", 1000, 1001).unwrap(), b"");
        let error = window.string("s", 5, 1000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "s at 0x5 has no terminating NUL within 995 bytes"
        );
        let error = window.string("s", 7, 5000).unwrap_err().to_string();
        assert!(window.string("s", 7, 1001).is_ok(), "{error}");
    }

    #[test]
    fn a_claimed_length_is_checked_before_it_is_allocated() {
        let bytes = vec![0; 10];
        let error = read_range(&bytes, "table", 4, u64::MAX).unwrap_err();
        assert_eq!(
            error.to_string(),
            "table at 0x4 needs 18446744073709551615 bytes, but the file has 10"
        );
        let error = Window::new(&bytes).bytes("table", u64::MAX, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "table at 0xffffffffffffffff needs 1 bytes, but the file has 10"
        );
    }
}
