//! The checksum and the digest of a content that passes by in pieces.

use sha2::{Digest as _, Sha256};

use crate::content::{ContentError, compare_crc32};
use crate::extract::{Digest, Extracted};
use crate::zip::Member;

/// Computes what an item asks for.
#[derive(Clone, Debug)]
pub(crate) struct Checksums {
    crc32: crc32fast::Hasher,
    /// `None` if the digest is not wanted, or is computed elsewhere.
    sha256: Option<Sha256>,
}

impl Checksums {
    pub(crate) fn new(digest: Digest) -> Self {
        Self {
            crc32: crc32fast::Hasher::new(),
            sha256: match digest {
                Digest::Skip => None,
                Digest::Compute | Digest::Expect(_) => Some(Sha256::new()),
            },
        }
    }

    /// The next piece.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.crc32.update(piece);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(piece);
        }
    }

    /// Compares the sums of the whole content with those expected.
    pub(crate) fn finish(self, member: &Member, digest: Digest) -> Result<Extracted, ContentError> {
        let sha256 = self.sha256.map(|sha256| sha256.finalize().into());
        check(member, self.crc32.finalize(), digest, sha256)
    }
}

/// Compares sums with those expected.
pub(crate) fn check(
    member: &Member,
    crc32: u32,
    digest: Digest,
    sha256: Option<[u8; 32]>,
) -> Result<Extracted, ContentError> {
    compare_crc32(member.crc32, crc32)?;
    if let (Digest::Expect(expected), Some(got)) = (digest, sha256)
        && expected != got
    {
        return Err(ContentError::Sha256 { expected, got });
    }
    Ok(Extracted {
        len: member.len,
        sha256,
    })
}
