//! The content of a member piece by piece, inflated by zlib-rs in constant memory.

use std::io::Read as _;

use flate2::{Decompress, FlushDecompress, Status};

use crate::content::ContentError;
use crate::zip::{Member, Method, ZipArchive};

/// The content of a member in pieces, without its checksum.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    source: Source<'a>,
    data_len: u64,
    /// Length of the content as stated.
    expected: u64,
    /// Number of bytes given out.
    got: u64,
    is_done: bool,
}

/// Data that is not read yet.
#[derive(Debug)]
enum Source<'a> {
    Stored(&'a [u8]),
    Deflated(Deflated<'a>),
}

/// The content that deflated data inflates to.
#[derive(Debug)]
struct Deflated<'a> {
    inflate: Box<Decompress>,
    /// The data that is not read yet.
    data: &'a [u8],
    /// Whether the stream has ended.
    is_done: bool,
}

impl<'a> Deflated<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            inflate: Box::new(Decompress::new(false)),
            data,
            is_done: false,
        }
    }

    /// Reads the next bytes; 0 where the stream ends, or the data does before that.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ContentError> {
        loop {
            let (used, made) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(self.data, buffer, FlushDecompress::None)
                .map_err(|_| ContentError::Corrupt)?;
            let used = usize::try_from(self.inflate.total_in() - used).unwrap_or(usize::MAX);
            let made = usize::try_from(self.inflate.total_out() - made).unwrap_or(usize::MAX);
            self.data = self.data.get(used..).unwrap_or_default();
            self.is_done = status == Status::StreamEnd;
            if 0 < made || self.is_done || used == 0 {
                return Ok(made);
            }
        }
    }
}

impl<'a> Stream<'a> {
    pub(crate) fn new(archive: &'a ZipArchive, member: &Member) -> Self {
        let data = archive.compressed(member);
        let source = match member.method {
            Method::Stored => Source::Stored(data),
            Method::Deflated => Source::Deflated(Deflated::new(data)),
        };
        Self {
            source,
            data_len: data.len() as u64,
            expected: member.len,
            got: 0,
            is_done: false,
        }
    }

    /// Reads the next bytes into `buffer`; 0 only at the end, whose place has been compared then.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ContentError> {
        if buffer.is_empty() || self.is_done {
            return Ok(0);
        }
        let (len, is_end) = match &mut self.source {
            Source::Stored(data) => {
                let len = data.read(buffer).unwrap_or_default();
                (len, len == 0)
            }
            Source::Deflated(deflated) => {
                let len = deflated.read(buffer)?;
                (len, deflated.is_done)
            }
        };
        self.count(len)?;
        match (len, is_end) {
            (0, true) => self.finish()?,
            // The data ends within the stream.
            (0, false) => return Err(ContentError::Corrupt),
            _ => {}
        }
        Ok(len)
    }

    /// Fills `piece` with the next bytes, of which so many must be left.
    pub(crate) fn fill(&mut self, mut piece: &mut [u8]) -> Result<(), ContentError> {
        while !piece.is_empty() {
            let len = self.read(piece)?;
            if len == 0 {
                return Err(ContentError::TooShort {
                    expected: self.expected,
                    got: self.got,
                });
            }
            piece = piece.get_mut(len..).unwrap_or_default();
        }
        Ok(())
    }

    /// Checks that nothing is left. Where a stream ends shows only on a read that has room.
    pub(crate) fn end(&mut self) -> Result<(), ContentError> {
        while self.read(&mut [0])? != 0 {}
        Ok(())
    }

    fn count(&mut self, len: usize) -> Result<(), ContentError> {
        self.got += len as u64;
        if self.expected < self.got {
            return Err(ContentError::TooLong {
                expected: self.expected,
            });
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ContentError> {
        self.is_done = true;
        if self.got != self.expected {
            return Err(ContentError::TooShort {
                expected: self.expected,
                got: self.got,
            });
        }
        let left = match &self.source {
            Source::Stored(data) => data.len() as u64,
            Source::Deflated(deflated) => deflated.data.len() as u64,
        };
        if left != 0 {
            return Err(ContentError::Surplus {
                expected: self.data_len,
                got: self.data_len - left,
            });
        }
        Ok(())
    }
}
