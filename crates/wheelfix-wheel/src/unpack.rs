//! A wheel unpacked as it is, without installing it: every file under its name in the archive.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use wheelfix_archive::{
    Digest, ExtractError, ExtractItem, MemberPath, Observer, TarKind, TarMember, Written, extract,
};
use wheelfix_format::{HashAlgorithm, RecordHash};

use crate::digest::differs;
use crate::wheel::Wheel;

/// Something that was unpacked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unpacked {
    /// Where it is, relative to the directory that was unpacked to.
    pub path: MemberPath,
    /// Its kind.
    pub kind: UnpackedKind,
}

/// The kind of something that was unpacked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnpackedKind {
    /// A regular file.
    File {
        /// Its length in bytes.
        len: u64,
        /// Whether it may be executed.
        executable: bool,
        /// Its digest; `None` if it was not computed.
        sha256: Option<[u8; 32]>,
    },
    /// A directory that has an entry of its own.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it leads, relative to the directory that it is in.
        target: String,
    },
    /// Another name of a file.
    HardLink {
        /// The other name.
        target: MemberPath,
    },
}

/// Why a wheel could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Files could not be written, or hold something else than they should.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Files whose hash is another than `RECORD`'s, and not SHA-256.
    #[error("hash differs from RECORD: `{}`", .0.join("`, `"))]
    Hash(Vec<String>),
}

impl Wheel {
    /// Unpacks every file below the existing directory `root`, and compares each with its hash by
    /// `RECORD`. Gives the files in the order of the archive.
    ///
    /// Nothing is undone after an error: `root` is a staging directory of the caller, who drops it.
    pub fn unpack(
        &self,
        root: &Path,
        threads: NonZeroUsize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Unpacked>, UnpackError> {
        let hashes: Vec<Option<&RecordHash>> = self.members().map(|member| member.hash).collect();
        let items: Vec<_> = self
            .members()
            .map(|member| ExtractItem {
                archive: self.archive(),
                member: member.file,
                dst: member.file.path.clone(),
                executable: member.file.executable,
                digest: expected(member.hash),
                prioritized: false,
            })
            .collect();
        let watcher = Watcher {
            meter: Meter { progress },
            hashes: &hashes,
            wrong: Mutex::default(),
        };
        let extracted = extract(&items, root, threads, &watcher)?;
        let mut wrong = watcher
            .wrong
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if !wrong.is_empty() {
            wrong.sort();
            return Err(UnpackError::Hash(wrong));
        }
        let unpacked = items
            .into_iter()
            .zip(extracted)
            .map(|(item, extracted)| Unpacked {
                path: item.dst,
                kind: UnpackedKind::File {
                    len: extracted.len,
                    executable: item.executable,
                    sha256: extracted.sha256,
                },
            });
        Ok(unpacked.collect())
    }
}

/// SHA-256 is compared while extracting; of the longer hashes see [`Watcher`].
fn expected(hash: Option<&RecordHash>) -> Digest {
    let sha256 = hash.filter(|hash| hash.algorithm() == HashAlgorithm::Sha256);
    match sha256.and_then(|hash| hash.digest().try_into().ok()) {
        Some(digest) => Digest::Expect(digest),
        None => Digest::Compute,
    }
}

/// Passes on how many bytes were written.
pub(crate) struct Meter<'a> {
    pub(crate) progress: &'a (dyn Fn(u64) + Sync),
}

impl Observer for Meter<'_> {
    fn progress(&self, len: u64) {
        (self.progress)(len);
    }
}

/// Compares the hashes that the archive reader does not know.
struct Watcher<'a> {
    meter: Meter<'a>,
    /// For each file.
    hashes: &'a [Option<&'a RecordHash>],
    wrong: Mutex<Vec<String>>,
}

impl Observer for Watcher<'_> {
    fn progress(&self, len: u64) {
        self.meter.progress(len);
    }

    fn written(&self, file: Written<'_>) {
        let hash = self.hashes.get(file.index).copied().flatten();
        if differs(hash, file.content) {
            let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
            wrong.push(file.item.member.path.to_string());
        }
    }
}

impl From<TarMember> for Unpacked {
    fn from(member: TarMember) -> Self {
        let kind = match member.kind {
            TarKind::File { len, executable } => UnpackedKind::File {
                len,
                executable,
                sha256: None,
            },
            TarKind::Directory => UnpackedKind::Directory,
            TarKind::Symlink(target) => UnpackedKind::Symlink { target },
            TarKind::HardLink(target) => UnpackedKind::HardLink { target },
        };
        Self {
            path: member.path,
            kind,
        }
    }
}
