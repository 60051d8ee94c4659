//! A tar archive of source code, compressed as a whole, which unpacks to one directory.
//!
//! Only archives are accepted that Python's `tarfile` accepts with its `data` filter, which PEP 721
//! prescribes for source distributions, and not all of them: names are never repaired, and whatever
//! other readers are known to take differently is refused. The directory can only be known by
//! reading everything, so it is read once and unpacked on the way; after the first fault the rest
//! is only checked.
//!
//! Modes become 0644 or 0755. Links are made last, when it is known where each leads.
//!
//! <https://peps.python.org/pep-0721/>,
//! <https://docs.python.org/3/library/tarfile.html#tarfile.data_filter>,
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06>

mod decode;
mod extension;
pub(crate) mod fault;
mod header;
mod links;
mod read;
mod unpack;

use std::io::{self, Read};
use std::path::Path;

use crate::bytes::Bytes;
use crate::member_path::MemberPath;
use crate::tar::fault::TarFaults;
use crate::zip::limits::Limits;

/// A tar archive that is open, but not yet read.
#[derive(Debug)]
pub struct TarArchive {
    bytes: Bytes,
    compression: Compression,
    limits: Limits,
}

/// How a tar archive is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// `.tar.gz`
    Gzip,
    /// `.tar.bz2`
    Bzip2,
    /// `.tar.xz`
    Xz,
    /// `.tar.zst`
    Zstd,
    /// `.tar`, not at all
    None,
}

/// A member of a [`TarArchive`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TarMember {
    /// Where it is unpacked to.
    pub path: MemberPath,
    /// Its kind.
    pub kind: TarKind,
}

/// The kind of a member of a [`TarArchive`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TarKind {
    /// A regular file.
    File {
        /// Length of its content in bytes.
        len: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link to this target, which is relative to the directory that the link is in.
    Symlink(String),
    /// Another name of a file that comes before it.
    HardLink(MemberPath),
}

/// Why a tar archive could not be read or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The archive could not be opened, or a file not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is refused.
    #[error(transparent)]
    Refused(#[from] TarFaults),
}

impl TarArchive {
    /// Opens the archive at `path`.
    pub fn open(path: &Path, compression: Compression, limits: &Limits) -> Result<Self, TarError> {
        let bytes = Bytes::open(path)?;
        Ok(Self {
            bytes,
            compression,
            limits: *limits,
        })
    }

    /// The archive whose content is `bytes`.
    pub fn from_bytes(bytes: Vec<u8>, compression: Compression, limits: &Limits) -> Self {
        Self {
            bytes: Bytes::Owned(bytes),
            compression,
            limits: *limits,
        }
    }

    /// Reads all members in their order. The visitor may read the content of each; after an error of
    /// its own nothing more is read.
    ///
    /// That a member was visited does not say that the archive is right: only the result does.
    pub fn visit(
        &self,
        visitor: &mut dyn FnMut(&TarMember, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), TarError> {
        let result = read::read(self, visitor);
        self.bytes.check()?;
        result
    }

    /// Unpacks everything below the existing directory `root`; gives the members in their order.
    /// Tells how many more bytes were written.
    ///
    /// Nothing is undone after an error: the directory is a staging directory of the caller, who drops
    /// it.
    pub fn unpack(&self, root: &Path, progress: &dyn Fn(u64)) -> Result<Vec<TarMember>, TarError> {
        unpack::unpack(self, root, progress)
    }
}
