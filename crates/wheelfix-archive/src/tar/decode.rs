//! The decompressed bytes of an archive, counted and limited.

use std::io::{self, BufRead, BufReader, Read};

use crate::tar::Compression;
use crate::tar::fault::TarProblem;
use crate::zip::limits::Limits;

/// Most memory that a decoder may take, in bytes: what `xz -9` asks for, doubled.
const MAX_MEMORY: u64 = 128 << 20;

/// Logarithm of the largest window of zstd that is accepted: as in its own tool, 128 MiB.
const MAX_WINDOW_LOG: u32 = 27;

/// The decompressed archive.
pub(super) struct Decoded<'a> {
    inner: Box<dyn BufRead + 'a>,
    kind: &'static str,
    /// Number of bytes given out.
    offset: u64,
    /// Most bytes by the total.
    total: u64,
    /// Most bytes by the ratio.
    by_ratio: u64,
    ratio: u64,
}

impl<'a> Decoded<'a> {
    /// Begins to decompress `bytes`.
    pub(super) fn new(
        bytes: &'a [u8],
        compression: Compression,
        limits: &Limits,
    ) -> Result<Self, TarProblem> {
        let kind = compression.name();
        let inner = decoder(bytes, compression).map_err(|error| corrupt(kind, &error))?;
        let by_ratio = (bytes.len() as u64).saturating_mul(limits.ratio);
        Ok(Self {
            inner,
            kind,
            offset: 0,
            total: limits.total,
            by_ratio: by_ratio.max(limits.free),
            ratio: limits.ratio,
        })
    }

    /// Number of bytes read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads up to the length of `buffer`; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TarProblem> {
        let len = loop {
            match self.inner.read(buffer) {
                Ok(len) => break len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(corrupt(self.kind, &error)),
            }
        };
        self.offset += len as u64;
        if self.total < self.offset {
            return Err(TarProblem::TotalTooLarge {
                expected: self.total,
            });
        }
        if self.by_ratio < self.offset {
            return Err(TarProblem::RatioTooLarge {
                expected: self.ratio,
            });
        }
        Ok(len)
    }

    /// Fills `buffer`; `false` if nothing is left.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, TarProblem> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(TarProblem::Truncated),
                len => filled += len,
            }
        }
        Ok(true)
    }
}

fn decoder<'a>(bytes: &'a [u8], compression: Compression) -> io::Result<Box<dyn BufRead + 'a>> {
    fn buffered<'a>(inner: impl Read + 'a) -> Box<dyn BufRead + 'a> {
        Box::new(BufReader::with_capacity(64 << 10, inner))
    }
    Ok(match compression {
        Compression::None => Box::new(bytes),
        Compression::Gzip => buffered(flate2::bufread::MultiGzDecoder::new(bytes)),
        Compression::Bzip2 => buffered(bzip2::bufread::MultiBzDecoder::new(bytes)),
        Compression::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, flags)?;
            buffered(liblzma::bufread::XzDecoder::new_stream(bytes, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            buffered(decoder)
        }
    })
}

fn corrupt(kind: &'static str, error: &io::Error) -> TarProblem {
    TarProblem::Corrupt {
        kind,
        reason: error.to_string(),
    }
}

impl Compression {
    /// The usual name.
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::None => "tar",
        }
    }
}
