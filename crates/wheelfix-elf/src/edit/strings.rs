//! The string table after the edits: which bytes stay, which are retired, where new strings go.
//!
//! The result depends on the strings that are in use and on the new ones alone, not on how the file came to be. So a
//! second edit gives what it would have given without the first.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::ReadError;
use crate::read::dynamic::StringTable;
use crate::read::window::Window;

/// A string table with new strings.
#[derive(Debug)]
pub(crate) struct StringLayout {
    table: StringTable,
    /// Ranges of the old table that nothing refers to, ascending; they become zero or hold new strings.
    dead: Vec<Range<u64>>,
    /// New strings, by their offset.
    added: BTreeMap<u64, Vec<u8>>,
    /// Where the content ends, in bytes from the start of the table.
    pub(crate) content_len: u64,
    /// Length of the old table that is still in use.
    live_len: u64,
}

/// A part of the new table.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Piece {
    /// Offset in the table.
    pub(crate) at: u64,
    pub(crate) data: PieceData,
}

#[derive(Debug, Eq, PartialEq)]
pub(crate) enum PieceData {
    /// This many bytes of the old table, from the same offset.
    Old(u64),
    Zeros(u64),
    New(Vec<u8>),
}

/// The strings of a table that something refers to.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Offsets of the strings in use.
    pub(crate) offsets: Vec<u32>,
    /// Whether these are all there are. If not, no string is retired.
    pub(crate) complete: bool,
    /// Strings in use that a new string may share, by text. Never the name of a symbol.
    pub(crate) named: BTreeMap<Vec<u8>, u64>,
}

impl StringLayout {
    /// The table of a file that has none, and gets none.
    pub(crate) fn absent(table: StringTable) -> Self {
        Self {
            table,
            dead: Vec::new(),
            added: BTreeMap::new(),
            content_len: 0,
            live_len: 0,
        }
    }

    /// Finds the parts of the table that are not in use.
    pub(crate) fn new(
        window: &mut Window<'_>,
        table: StringTable,
        references: &mut References,
    ) -> Result<Self, ReadError> {
        let mut layout = Self {
            table,
            dead: Vec::new(),
            added: BTreeMap::new(),
            content_len: 0,
            live_len: 0,
        };
        references.offsets.push(0);
        references.offsets.sort_unstable();
        references.offsets.dedup();
        let mut end = 0;
        for offset in references.offsets.iter().map(|offset| u64::from(*offset)) {
            if offset >= table.len {
                let (got, offset) = (offset, table.offset);
                return Err(ReadError::StringOffset {
                    what: "dynamic string",
                    got,
                    offset,
                    len: table.len,
                });
            }
            if offset < end {
                continue;
            }
            if offset > end {
                layout.dead.push(end..offset);
            }
            let limit = table.offset.saturating_add(table.len);
            end =
                window.find_nul("dynamic string", table.offset + offset, limit)? + 1 - table.offset;
        }
        if !references.complete {
            layout.dead.clear();
            end = table.len;
        }
        layout.live_len = end;
        layout.content_len = end;
        Ok(layout)
    }

    /// Gives `text` a place and returns its offset: an equal string, the first retired range that is long enough, or the
    /// end of the table.
    pub(crate) fn add(&mut self, text: &[u8], references: &References) -> u64 {
        if text.is_empty() {
            return 0;
        }
        if let Some(offset) = references.named.get(text) {
            return *offset;
        }
        if let Some((offset, _)) = self
            .added
            .iter()
            .find(|(_, bytes)| bytes.strip_suffix(b"\0") == Some(text))
        {
            return *offset;
        }
        let mut bytes = text.to_vec();
        bytes.push(0);
        let len = bytes.len() as u64;
        let offset = if let Some(range) = self
            .dead
            .iter_mut()
            .find(|range| range.end - range.start >= len)
        {
            let offset = range.start;
            range.start += len;
            offset
        } else {
            let offset = self.content_len;
            self.content_len += len;
            offset
        };
        self.added.insert(offset, bytes);
        offset
    }

    /// Returns the new table, `len` bytes long, as parts in order.
    pub(crate) fn pieces(&self, len: u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let zeros = self.dead.iter().filter(|range| !range.is_empty());
        let mut changes: Vec<Piece> = zeros
            .map(|range| Piece {
                at: range.start,
                data: PieceData::Zeros(range.end - range.start),
            })
            .chain(self.added.iter().map(|(at, bytes)| Piece {
                at: *at,
                data: PieceData::New(bytes.clone()),
            }))
            .collect();
        if len > self.content_len {
            changes.push(Piece {
                at: self.content_len,
                data: PieceData::Zeros(len - self.content_len),
            });
        }
        changes.sort_by_key(|piece| piece.at);
        let mut at = 0;
        for piece in changes {
            if piece.at > at {
                pieces.push(Piece {
                    at,
                    data: PieceData::Old(piece.at - at),
                });
            }
            at = piece.at + piece.len();
            pieces.push(piece);
        }
        if at < self.live_len {
            pieces.push(Piece {
                at,
                data: PieceData::Old(self.live_len - at),
            });
        }
        pieces
    }

    /// The table as it was.
    pub(crate) fn old(&self) -> StringTable {
        self.table
    }
}

impl Piece {
    pub(crate) fn len(&self) -> u64 {
        match &self.data {
            PieceData::Old(len) | PieceData::Zeros(len) => *len,
            PieceData::New(bytes) => bytes.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies the pieces to the old table.
    fn render(old: &[u8], layout: &StringLayout, len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in layout.pieces(len) {
            let at = usize::try_from(piece.at).unwrap();
            assert_eq!(bytes.len(), at, "pieces follow each other");
            match piece.data {
                PieceData::Old(len) => bytes.extend(&old[at..at + usize::try_from(len).unwrap()]),
                PieceData::Zeros(len) => bytes.resize(at + usize::try_from(len).unwrap(), 0),
                PieceData::New(new) => bytes.extend(new),
            }
        }
        bytes
    }

    #[track_caller]
    fn check(old: &[u8], live: &[u32], new: &[&str], want: &[u8]) {
        let bytes = old.to_vec();
        let table = StringTable {
            offset: 0,
            vaddr: 0,
            len: old.len() as u64,
        };
        let mut references = References {
            offsets: live.to_vec(),
            complete: true,
            named: BTreeMap::new(),
        };
        let mut layout =
            StringLayout::new(&mut Window::new(&bytes), table, &mut references).unwrap();
        for text in new {
            let offset = usize::try_from(layout.add(text.as_bytes(), &references)).unwrap();
            let result = render(old, &layout, layout.content_len);
            assert!(
                result[offset..].starts_with(format!("{text}\0").as_bytes()),
                "{text} at {offset}"
            );
        }
        let len = layout.content_len;
        let got = render(old, &layout, len);
        assert_eq!(
            got.escape_ascii().to_string(),
            want.escape_ascii().to_string()
        );
    }

    #[test]
    fn new_strings_go_to_the_end() {
        check(
            b"\0one\0two\0",
            &[1, 5],
            &["three", "four", "three"],
            b"\0one\0two\0three\0four\0",
        );
    }

    #[test]
    fn a_retired_string_is_wiped_or_reused() {
        check(b"\0one\0two\0", &[5], &[], b"\0\0\0\0\0two\0");
        check(b"\0one\0two\0", &[5], &["x"], b"\0x\0\0\0two\0");
        check(b"\0one\0two\0", &[5], &["abc"], b"\0abc\0two\0");
        check(b"\0one\0two\0", &[5], &["long"], b"\0\0\0\0\0two\0long\0");
    }

    #[test]
    fn what_is_unused_at_the_end_goes() {
        check(b"\0one\0two\0\0\0\0", &[1], &[], b"\0one\0");
        check(b"\0one\0two\0", &[1], &["three"], b"\0one\0three\0");
        check(b"\0one\0", &[], &[], b"\0");
    }

    #[test]
    fn the_shared_end_of_a_retired_string_stays() {
        check(b"\0libz.so\0x\0", &[4, 9], &[], b"\0\0\0\0z.so\0x\0");
        check(b"\0libz.so\0x\0", &[4, 9], &["ab"], b"\0ab\0z.so\0x\0");
    }

    #[test]
    fn an_offset_outside_of_the_table_is_refused() {
        let bytes = b"\0one\0".to_vec();
        let table = StringTable {
            offset: 0,
            vaddr: 0,
            len: 5,
        };
        let mut references = References {
            offsets: vec![5],
            complete: true,
            named: BTreeMap::new(),
        };
        let error =
            StringLayout::new(&mut Window::new(&bytes), table, &mut references).unwrap_err();
        let want =
            "dynamic string: string offset 0x5 is outside of the string table of 5 bytes at 0x0";
        assert_eq!(error.to_string(), want);
    }
}
