//! The content of a member: inflated, and compared with the length and the checksum that the archive
//! states.
//!
//! Whole members go through libdeflate, which needs all of the output at once and is the fastest;
//! pieces go through zlib-rs, which needs 40 KiB. A stream that ends before its data does is a fault:
//! a reader that goes forward may take what is behind it for the next member.

mod stream;
mod whole;

use std::io::{self, Read};

pub(crate) use crate::content::stream::Stream;
pub use crate::content::whole::Content;
use data_encoding::HEXLOWER;

use crate::libdeflate::{Decoder, Failure};
use crate::zip::{Member, Method, ZipArchive};

/// Why the content of a member is not what the archive says.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The caller wanted it in memory, but it is too large for that.
    #[error("content has {got} bytes, limit is {expected}")]
    TooLarge {
        /// The caller's limit, in bytes.
        expected: u64,
        /// Length as stated, in bytes.
        got: u64,
    },
    /// The compressed data is broken.
    #[error("compressed data is corrupt")]
    Corrupt,
    /// The content is shorter than the archive says.
    #[error("content ends early: expected {expected} bytes, got {got}")]
    TooShort {
        /// Length as stated, in bytes.
        expected: u64,
        /// Number of bytes there are.
        got: u64,
    },
    /// The content is longer than the archive says.
    #[error("content is longer than the {expected} bytes stated")]
    TooLong {
        /// Length as stated, in bytes.
        expected: u64,
    },
    /// The compressed data ends before the place where it should.
    #[error("compressed data ends early: expected {expected} bytes, got {got}")]
    Surplus {
        /// Length as stated, in bytes.
        expected: u64,
        /// Number of bytes used.
        got: u64,
    },
    /// The checksum differs.
    #[error("crc32 mismatch: expected {expected:08x}, got {got:08x}")]
    Crc32 {
        /// Checksum as stated.
        expected: u32,
        /// Checksum of the content.
        got: u32,
    },
    /// The digest differs from the one that the caller expects.
    #[error("sha256 mismatch: expected {}, got {}", HEXLOWER.encode(.expected), HEXLOWER.encode(.got))]
    Sha256 {
        /// Digest that the caller expects.
        expected: [u8; 32],
        /// Digest of the content.
        got: [u8; 32],
    },
}

impl ZipArchive {
    /// Reads a member whole, if it has at most `limit` bytes.
    pub fn read(&self, member: &Member, limit: u64) -> Result<Vec<u8>, ContentError> {
        let too_large = ContentError::TooLarge {
            expected: limit,
            got: member.len,
        };
        if limit < member.len {
            return Err(too_large);
        }
        let Ok(len) = usize::try_from(member.len) else {
            return Err(too_large);
        };
        let mut content = vec![0; len];
        self.inflate_into(member, &mut Inflater::new(), &mut content)?;
        compare_crc32(member.crc32, crc32fast::hash(&content))?;
        Ok(content)
    }

    /// Reads the first `len` bytes of a member, or all if it has fewer.
    ///
    /// The checksum is of the whole member, so it is compared only if that is what was read.
    pub fn read_prefix(&self, member: &Member, len: u64) -> Result<Vec<u8>, ContentError> {
        if member.len <= len {
            return self.read(member, len);
        }
        let mut content = Vec::new();
        let mut reader = self.reader(member).take(len);
        match reader.read_to_end(&mut content) {
            Ok(_) => Ok(content),
            Err(error) => Err(error.downcast().unwrap_or(ContentError::Corrupt)),
        }
    }

    /// A reader of the content of a member, in constant memory.
    ///
    /// Its errors hold a [`ContentError`]. The last read, which gives 0, has compared the length and
    /// the checksum.
    pub fn reader(&self, member: &Member) -> MemberReader<'_> {
        MemberReader {
            stream: Stream::new(self, member),
            crc32: crc32fast::Hasher::new(),
            expected: member.crc32,
        }
    }

    /// Reads a member into `content`, whose length must be the member's. The checksum is left to the
    /// caller, who may have to go through the content anyway.
    pub(crate) fn inflate_into(
        &self,
        member: &Member,
        inflater: &mut Inflater,
        content: &mut [u8],
    ) -> Result<(), ContentError> {
        let expected = member.len;
        let data = self.compressed(member);
        let got = match member.method {
            Method::Stored if data.len() == content.len() => {
                content.copy_from_slice(data);
                expected
            }
            Method::Stored => data.len() as u64,
            Method::Deflated => inflater.inflate(data, content)?,
        };
        if got == expected {
            Ok(())
        } else {
            Err(ContentError::TooShort { expected, got })
        }
    }
}

/// Inflates whole members.
pub(crate) struct Inflater(Decoder);

impl Inflater {
    pub(crate) fn new() -> Self {
        Self(Decoder::new())
    }

    /// Inflates `data`, all of which the stream must take; gives the number of bytes written to
    /// `content`.
    fn inflate(&mut self, data: &[u8], content: &mut [u8]) -> Result<u64, ContentError> {
        match self.0.inflate(data, content) {
            Ok(inflated) if inflated.used == data.len() => Ok(inflated.made as u64),
            Ok(inflated) => Err(ContentError::Surplus {
                expected: data.len() as u64,
                got: inflated.used as u64,
            }),
            Err(Failure::Corrupt) => Err(ContentError::Corrupt),
            Err(Failure::TooLong) => Err(ContentError::TooLong {
                expected: content.len() as u64,
            }),
        }
    }
}

/// Compares the stated checksum with that of the content.
pub(crate) fn compare_crc32(expected: u32, got: u32) -> Result<(), ContentError> {
    if expected == got {
        Ok(())
    } else {
        Err(ContentError::Crc32 { expected, got })
    }
}

/// Reads the content of a member piece by piece; see [`ZipArchive::reader`].
#[derive(Debug)]
pub struct MemberReader<'a> {
    stream: Stream<'a>,
    crc32: crc32fast::Hasher,
    expected: u32,
}

impl Read for MemberReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buffer).map_err(invalid_data)?;
        if len == 0 && !buffer.is_empty() {
            let got = self.crc32.clone().finalize();
            compare_crc32(self.expected, got).map_err(invalid_data)?;
        }
        self.crc32.update(buffer.get(..len).unwrap_or_default());
        Ok(len)
    }
}

fn invalid_data(error: ContentError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
