//! Making the writes of a plan, so that an error on the way leaves the file as it was.

use std::io;

use fs_err::os::unix::fs::FileExt as _;

use crate::edit::{Data, Plan, Write};

/// How much is copied at once, in bytes.
const BLOCK: usize = 1 << 16;

/// Why the writes of a plan were not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The file is not the one that the plan was made for.
    #[error("the file has changed since it was read: it had {expected} bytes, now it has {got}")]
    Changed {
        /// The length that the plan was made for.
        expected: u64,
        /// The length now.
        got: u64,
    },
    /// A write failed; the file is as it was.
    #[error("write of {what} at {offset:#x}, {len} bytes, failed; the file was restored")]
    Write {
        /// The name of the written part, such as `string`.
        what: &'static str,
        /// Its file offset.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A write failed, and so did the attempt to undo those before it. The file is damaged.
    #[error("the file could not be restored after a write failed ({first}); it is damaged")]
    Undo {
        /// Why the write failed.
        first: io::Error,
        /// Why the undoing failed.
        source: io::Error,
    },
}

/// A plan whose writes were made, with what is needed to take them back.
#[derive(Debug)]
#[must_use = "the writes stay, but can no longer be taken back"]
pub struct Applied {
    /// The overwritten bytes with their file offsets, in the order of the writes.
    overwritten: Vec<(u64, Vec<u8>)>,
    old_len: u64,
}

impl Plan {
    /// Makes the writes in `file`, which must be open for reading and writing.
    pub fn apply(&self, file: &fs_err::File) -> Result<Applied, ApplyError> {
        let whole = |source| ApplyError::Write {
            what: "the file",
            offset: 0,
            len: self.old_len,
            source,
        };
        let got = file.metadata().map_err(whole)?.len();
        if got != self.old_len {
            return Err(ApplyError::Changed {
                expected: self.old_len,
                got,
            });
        }
        let mut applied = Applied {
            overwritten: Vec::new(),
            old_len: self.old_len,
        };
        for write in &self.writes {
            if let Err(source) = applied.write(file, write) {
                applied.take_back(file, &source)?;
                let Write { what, offset, .. } = *write;
                return Err(ApplyError::Write {
                    what,
                    offset,
                    len: write.len(),
                    source,
                });
            }
        }
        let kept = self.new_len.min(self.old_len);
        let result = applied
            .save(file, kept, self.old_len)
            .and_then(|()| file.set_len(self.new_len));
        if let Err(source) = result {
            applied.take_back(file, &source)?;
            return Err(ApplyError::Write {
                what: "the length",
                offset: self.new_len,
                len: 0,
                source,
            });
        }
        Ok(applied)
    }
}

impl Applied {
    /// Takes the writes back: the file is as it was before them.
    pub fn undo(self, file: &fs_err::File) -> io::Result<()> {
        for (offset, bytes) in self.overwritten.iter().rev() {
            file.write_all_at(bytes, *offset)?;
        }
        file.set_len(self.old_len)
    }

    fn take_back(&mut self, file: &fs_err::File, first: &io::Error) -> Result<(), ApplyError> {
        let all = Self {
            overwritten: std::mem::take(&mut self.overwritten),
            old_len: self.old_len,
        };
        let first = || io::Error::new(first.kind(), first.to_string());
        all.undo(file).map_err(|source| ApplyError::Undo {
            first: first(),
            source,
        })
    }

    /// Keeps the bytes of a range, as far as the file had them before all writes.
    fn save(&mut self, file: &fs_err::File, start: u64, end: u64) -> io::Result<()> {
        let len = end.min(self.old_len).saturating_sub(start);
        if len == 0 {
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start)?;
        self.overwritten.push((start, bytes));
        Ok(())
    }

    fn write(&mut self, file: &fs_err::File, write: &Write) -> io::Result<()> {
        self.save(file, write.offset, write.end())?;
        match &write.data {
            Data::Bytes(bytes) => file.write_all_at(bytes, write.offset),
            Data::Copy { from, len } => copy(file, *from, write.offset, *len),
            Data::Zeros(len) => {
                let zeros = vec![0; BLOCK];
                in_blocks(*len, |at, count| {
                    file.write_all_at(zeros.get(..count).unwrap_or_default(), write.offset + at)
                })
            }
        }
    }
}

/// Copies bytes within a file; the places may overlap.
fn copy(file: &fs_err::File, from: u64, to: u64, len: u64) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    let mut block = |at: u64, count: usize| {
        let buffer = buffer.get_mut(..count).unwrap_or_default();
        file.read_exact_at(buffer, from + at)?;
        file.write_all_at(buffer, to + at)
    };
    if to <= from || from + len <= to {
        return in_blocks(len, block);
    }
    // The end is copied first, since the beginning of the new place covers the end of the old one.
    let mut end = len;
    while end > 0 {
        let count = usize::try_from(end).unwrap_or(BLOCK).min(BLOCK);
        end -= count as u64;
        block(end, count)?;
    }
    Ok(())
}

fn in_blocks(len: u64, mut block: impl FnMut(u64, usize) -> io::Result<()>) -> io::Result<()> {
    let mut at = 0;
    while at < len {
        let count = usize::try_from(len - at).unwrap_or(BLOCK).min(BLOCK);
        block(at, count)?;
        at += count as u64;
    }
    Ok(())
}
