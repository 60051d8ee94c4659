//! SHA-256 digests of files, as RECORD lists them.

use std::cmp::Reverse;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use wheelfix_elf::Source;

/// Bytes read at a time: large enough for few system calls, small enough for the second cache level.
const BUFFER_LEN: usize = 256 * 1024;

/// The hash and the size of a file, as its row in RECORD has them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileDigest {
    /// SHA-256 of the content.
    pub(crate) sha256: [u8; 32],
    /// In bytes.
    pub(crate) len: u64,
}

impl FileDigest {
    /// The digest of bytes in memory.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self {
            sha256: Sha256::digest(bytes).into(),
            len: bytes.len() as u64,
        }
    }

    /// SHA-256 in hexadecimal.
    pub(crate) fn hex(&self) -> String {
        HEXLOWER.encode(&self.sha256)
    }

    /// The digest of a file, read in constant memory.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = fs_err::File::open(path)?;
        let mut buffer = vec![0; BUFFER_LEN];
        let (mut hasher, mut len) = (Sha256::new(), 0);
        loop {
            let count = file.read(&mut buffer)?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                break;
            };
            hasher.update(read);
            len += read.len() as u64;
        }
        Ok(Self {
            sha256: hasher.finalize().into(),
            len,
        })
    }

    /// The digest of a file of which only what is read is known, in constant memory.
    pub(crate) fn of_source(source: &impl Source) -> io::Result<Self> {
        let mut buffer = vec![0; BUFFER_LEN];
        let (mut hasher, len) = (Sha256::new(), source.file_len());
        let mut offset = 0;
        while offset < len {
            let count = usize::try_from(len - offset).unwrap_or(BUFFER_LEN);
            let count = count.min(BUFFER_LEN);
            let part = buffer.get_mut(..count).unwrap_or_default();
            source.read_exact_at(part, offset)?;
            hasher.update(part);
            offset += count as u64;
        }
        Ok(Self {
            sha256: hasher.finalize().into(),
            len,
        })
    }

    /// The digests of files, several at a time, the largest first: nobody waits for one at the end.
    pub(crate) fn of_files(paths: Vec<PathBuf>) -> Vec<(PathBuf, io::Result<Self>)> {
        let len = |path: &PathBuf| fs_err::metadata(path).map_or(0, |metadata| metadata.len());
        let mut files: Vec<_> = paths
            .into_iter()
            .map(|path| (Reverse(len(&path)), path))
            .collect();
        files.sort();
        let files = files.into_par_iter().with_max_len(1);
        let digest = |(_, path): (_, PathBuf)| {
            let digest = Self::of_file(&path);
            (path, digest)
        };
        files.map(digest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_and_bytes_agree() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for len in [0, 1, BUFFER_LEN, BUFFER_LEN + 1] {
            let bytes = vec![7; len];
            fs_err::write(file.path(), &bytes).unwrap();
            let digest = FileDigest::of_file(file.path()).unwrap();
            assert_eq!(digest, FileDigest::of_bytes(&bytes));
            assert_eq!(digest.len, len as u64);
        }
    }

    #[test]
    fn each_of_several_files_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..5)
            .map(|number| dir.path().join(format!("{number}")))
            .collect();
        for (number, path) in paths.iter().enumerate() {
            fs_err::write(path, vec![1; number * 1000]).unwrap();
        }
        fs_err::remove_file(&paths[3]).unwrap();
        let digests = FileDigest::of_files(paths);
        assert_eq!(digests.len(), 5);
        for (path, digest) in digests {
            match FileDigest::of_file(&path) {
                Ok(want) => assert_eq!(digest.unwrap(), want),
                Err(error) => assert_eq!(digest.unwrap_err().to_string(), error.to_string()),
            }
        }
    }
}
