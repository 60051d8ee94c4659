//! The bytes of an archive: a mapped file, or memory.

use std::fs::FileType;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::map::ReadMap;

/// All bytes of an archive.
#[derive(Debug)]
pub(crate) enum Bytes {
    Mapped { map: ReadMap, path: PathBuf },
    Owned(Vec<u8>),
}

impl Bytes {
    /// The file at `path`; nothing of it is read yet.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = open_regular(path)?;
        // An empty file cannot be mapped.
        if file.metadata()?.len() == 0 {
            return Ok(Self::Owned(Vec::new()));
        }
        let map = ReadMap::new(file.file()).map_err(|error| {
            let text = format!("failed to map file `{}`: {error}", path.display());
            io::Error::new(error.kind(), text)
        })?;
        let path = path.to_owned();
        Ok(Self::Mapped { map, path })
    }

    /// An error if some of the file could not be read so far, and zeros were taken for it.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self {
            Self::Mapped { map, path } if map.is_lost() => {
                let path = path.display();
                Err(io::Error::other(format!(
                    "failed to read file `{path}`: it was made shorter meanwhile, or its disk fails"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Opens a file for reading if it is a regular one: opening a pipe would wait for its other end, and
/// a device may have no end.
fn open_regular(path: &Path) -> io::Result<fs_err::File> {
    let check = |kind: FileType| {
        if kind.is_file() {
            return Ok(());
        }
        let text = format!("not a regular file: `{}`", path.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    };
    // Where this fails, opening fails too, with a better message.
    if let Ok(metadata) = fs_err::metadata(path) {
        check(metadata.file_type())?;
    }
    let file = fs_err::File::open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped { map, .. } => map,
            Self::Owned(bytes) => bytes,
        }
    }
}
