//! The contents of a wheel compared with `RECORD`, without unpacking.

use rayon::prelude::*;
use wheelfix_archive::{ContentError, Member};
use wheelfix_format::RecordHash;

use crate::digest::hash_of;
use crate::{Wheel, WheelMember};

/// A member whose content is not what the archive or `RECORD` says.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {problem}")]
pub struct ContentFault {
    /// Path in the archive.
    pub path: String,
    /// The problem.
    pub problem: ContentProblem,
}

/// A problem of the content of a member.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentProblem {
    /// It cannot be inflated, or its length or checksum is not the archive's.
    #[error(transparent)]
    Archive(#[from] ContentError),
    /// Its hash is not that in `RECORD`.
    #[error("hash mismatch: `RECORD` has {expected}, the content {got}")]
    Hash {
        /// By `RECORD`.
        expected: RecordHash,
        /// By the content.
        got: RecordHash,
    },
}

/// Larger members are not inflated into memory; the largest real library has some 1 GB.
const MAX_LEN: u64 = 4 << 30;

impl Wheel {
    /// Inflates every member and compares it with the archive's checksum and with its hash in `RECORD`,
    /// in parallel on the current thread pool. All faults are reported, in the order of the paths.
    pub fn verify_contents(&self) -> Vec<ContentFault> {
        let mut members: Vec<WheelMember<'_>> = self.members().collect();
        members.sort_by_key(|member| std::cmp::Reverse(member.file.len));
        let faults = members.par_iter().with_max_len(1).filter_map(|member| {
            let problem = self.verify_content(member.file, member.hash).err()?;
            let path = member.file.path.to_string();
            Some(ContentFault { path, problem })
        });
        let mut faults: Vec<ContentFault> = faults.collect();
        faults.sort_by(|a, b| a.path.cmp(&b.path));
        faults
    }

    fn verify_content(
        &self,
        member: &Member,
        expected: Option<&RecordHash>,
    ) -> Result<(), ContentProblem> {
        let content = self.archive().read_whole(member, MAX_LEN)?;
        let Some(expected) = expected else {
            return Ok(());
        };
        match hash_of(expected.algorithm(), &content) {
            Some(got) if got != *expected => Err(ContentProblem::Hash {
                expected: expected.clone(),
                got,
            }),
            _ => Ok(()),
        }
    }
}
