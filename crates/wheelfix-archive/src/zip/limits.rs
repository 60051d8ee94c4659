//! How much an archive may ask for: the guard against compression bombs.

use crate::zip::central::Entry;
use crate::zip::fault::{Faults, ZipFault, ZipProblem};

/// The most that an archive may unpack to.
///
/// Archives are refused here for their stated sizes and numbers alone; a member that holds more
/// than its entry says is found when it is inflated, without a byte more being written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Most bytes of all members together.
    pub total: u64,
    /// Most bytes of all members together for each byte of the archive, once they are more than
    /// [`free`](Self::free). Deflate reaches 1032; of the real wheels we know, the densest has 10.
    pub ratio: u64,
    /// Most bytes of all members together for which the ratio does not matter.
    pub free: u64,
    /// Most members.
    pub members: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 64 << 30,
            ratio: 200,
            free: 64 << 20,
            members: 1 << 20,
        }
    }
}

impl Limits {
    /// No limit at all, for archives that are trusted.
    pub const NONE: Self = Self {
        total: u64::MAX,
        ratio: u64::MAX,
        free: u64::MAX,
        members: u64::MAX,
    };

    pub(crate) fn check(&self, entries: &[Entry<'_>], faults: &mut Faults) {
        let sum = |len: fn(&Entry<'_>) -> u64| entries.iter().map(len).fold(0, u64::saturating_add);
        let total = sum(|entry| entry.len);
        let compressed = sum(|entry| entry.compressed_len);
        if self.total < total {
            faults.push(ZipFault::archive(
                0,
                ZipProblem::TotalTooLarge {
                    expected: self.total,
                    got: total,
                },
            ));
        } else if self.free < total && compressed.saturating_mul(self.ratio) < total {
            faults.push(ZipFault::archive(
                0,
                ZipProblem::RatioTooLarge {
                    expected: self.ratio,
                    got: total / compressed.max(1),
                    total,
                },
            ));
        }
    }
}
