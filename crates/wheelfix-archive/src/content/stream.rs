//! The content of a member piece by piece, inflated by zlib-rs in constant memory.

use flate2::{Decompress, FlushDecompress, Status};

use crate::content::ContentError;
use crate::zip::{Member, Method, ZipArchive};

/// The content of a member in pieces, without its checksum.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    /// Data that is not read yet.
    data: &'a [u8],
    data_len: u64,
    /// `None` for a stored member.
    inflate: Option<Box<Decompress>>,
    /// Length of the content as stated.
    expected: u64,
    /// Number of bytes given out.
    got: u64,
    must_use_all: bool,
    is_done: bool,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(archive: &'a ZipArchive, member: &Member) -> Self {
        let data = archive.compressed(member);
        let inflate = match member.method {
            Method::Stored => None,
            Method::Deflated => Some(Box::new(Decompress::new(false))),
        };
        Self {
            data,
            data_len: data.len() as u64,
            inflate,
            expected: member.len,
            got: 0,
            must_use_all: member.has_descriptor,
            is_done: false,
        }
    }

    /// Reads the next bytes into `buffer`; 0 only at the end, whose place has been compared then.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ContentError> {
        if buffer.is_empty() || self.is_done {
            return Ok(0);
        }
        let Some(mut inflate) = self.inflate.take() else {
            return self.read_stored(buffer);
        };
        let read = self.read_deflated(&mut inflate, buffer);
        self.inflate = Some(inflate);
        read
    }

    fn read_stored(&mut self, buffer: &mut [u8]) -> Result<usize, ContentError> {
        let len = buffer.len().min(self.data.len());
        let (taken, rest) = self.data.split_at(len);
        for (to, from) in buffer.iter_mut().zip(taken) {
            *to = *from;
        }
        self.data = rest;
        self.count(len)?;
        if len == 0 {
            self.finish()?;
        }
        Ok(len)
    }

    fn read_deflated(
        &mut self,
        inflate: &mut Decompress,
        buffer: &mut [u8],
    ) -> Result<usize, ContentError> {
        loop {
            let (used, made) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(self.data, buffer, FlushDecompress::None)
                .map_err(|_| ContentError::Corrupt)?;
            let used = usize::try_from(inflate.total_in() - used).unwrap_or(usize::MAX);
            let made = usize::try_from(inflate.total_out() - made).unwrap_or(usize::MAX);
            self.data = self.data.get(used..).unwrap_or_default();
            self.count(made)?;
            if status == Status::StreamEnd && made == 0 {
                self.finish()?;
                return Ok(0);
            }
            if 0 < made {
                return Ok(made);
            }
            if used == 0 {
                // No progress: the data ends within the stream.
                return Err(ContentError::Corrupt);
            }
        }
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
        let left = self.data.len() as u64;
        if self.must_use_all && left != 0 {
            return Err(ContentError::Surplus {
                expected: self.data_len,
                got: self.data_len - left,
            });
        }
        Ok(())
    }
}
