//! The bytes of an archive: a mapped file, or memory.

use std::io;
use std::ops::Deref;
use std::path::Path;

use crate::map::ReadMap;

/// All bytes of an archive.
#[derive(Debug)]
pub(crate) enum Bytes {
    Mapped(ReadMap),
    Owned(Vec<u8>),
}

impl Bytes {
    /// The file at `path`; nothing of it is read yet.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        // An empty file cannot be mapped.
        if file.metadata()?.len() == 0 {
            return Ok(Self::Owned(Vec::new()));
        }
        let map = ReadMap::new(file.file()).map_err(|error| {
            let text = format!("failed to map file `{}`: {error}", path.display());
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}
