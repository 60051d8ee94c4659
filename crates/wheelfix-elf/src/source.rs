//! Where the bytes of an ELF file come from: positional reads of a file or of memory.

use std::fmt;
use std::io;

use fs_err::os::unix::fs::FileExt as _;

/// Bytes that can be read at any offset.
///
/// Nothing is mapped and nothing is read ahead: reading the dynamic data of a 500 MB library touches a few kilobytes.
pub trait Source {
    /// Length of the whole file in bytes.
    fn file_len(&self) -> u64;

    /// Fills `buffer` with the bytes that start at file offset `offset`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl<S: Source + ?Sized> Source for &S {
    fn file_len(&self) -> u64 {
        (**self).file_len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buffer, offset)
    }
}

impl Source for [u8] {
    fn file_len(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        copy_from(self, buffer, offset).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Source for Vec<u8> {
    fn file_len(&self) -> u64 {
        self.as_slice().file_len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buffer, offset)
    }
}

/// An open file; its length is the one it had when the value was made.
#[derive(Debug)]
pub struct FileSource {
    file: fs_err::File,
    file_len: u64,
}

impl FileSource {
    /// Takes an open file.
    pub fn new(file: fs_err::File) -> io::Result<Self> {
        let file_len = file.metadata()?.len();
        Ok(Self { file, file_len })
    }

    /// Opens the file at `path` for reading.
    pub fn open(path: &std::path::Path) -> io::Result<Self> {
        Self::new(fs_err::File::open(path)?)
    }

    /// The open file.
    pub fn file(&self) -> &fs_err::File {
        &self.file
    }

    /// Gives the open file back.
    pub fn into_file(self) -> fs_err::File {
        self.file
    }
}

impl Source for FileSource {
    fn file_len(&self) -> u64 {
        self.file_len
    }

    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = match self.file.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            buffer = buffer.get_mut(count..).unwrap_or_default();
            offset += count as u64;
        }
        Ok(())
    }
}

/// The first bytes of a longer file, for a reader that has not inflated all of it.
///
/// A read past the bytes at hand is an error that says how many there are.
#[derive(Clone, Copy)]
pub struct Prefix<'a> {
    /// The bytes at hand, from file offset 0.
    pub bytes: &'a [u8],
    /// Length of the whole file in bytes.
    pub file_len: u64,
}

impl fmt::Debug for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({} of {} bytes)", self.bytes.len(), self.file_len)
    }
}

impl Source for Prefix<'_> {
    fn file_len(&self) -> u64 {
        self.file_len
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        copy_from(self.bytes, buffer, offset).ok_or_else(|| {
            let text = format!(
                "only the first {} bytes of the file are at hand",
                self.bytes.len()
            );
            io::Error::new(io::ErrorKind::UnexpectedEof, text)
        })
    }
}

fn copy_from(bytes: &[u8], buffer: &mut [u8], offset: u64) -> Option<()> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(buffer.len())?;
    buffer.copy_from_slice(bytes.get(start..end)?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &dyn Source, offset: u64, len: usize, want: Result<&[u8], &str>) {
        let mut buffer = vec![0; len];
        let got = source
            .read_exact_at(&mut buffer, offset)
            .map(|()| buffer)
            .map_err(|error| error.to_string());
        assert_eq!(
            got.as_deref(),
            want.map_err(str::to_owned).as_ref().copied()
        );
    }

    #[test]
    fn memory_is_read_within_its_bounds() {
        let bytes = b"0123456789".to_vec();
        check(&bytes, 8, 2, Ok(b"89"));
        check(&bytes, 10, 0, Ok(b""));
        check(&bytes, 9, 2, Err("unexpected end of file"));
        check(&bytes, u64::MAX, 1, Err("unexpected end of file"));
    }

    #[test]
    fn a_prefix_says_how_much_is_at_hand() {
        let prefix = Prefix {
            bytes: b"0123",
            file_len: 100,
        };
        assert_eq!(prefix.file_len(), 100);
        check(&prefix, 1, 3, Ok(b"123"));
        check(
            &prefix,
            2,
            3,
            Err("only the first 4 bytes of the file are at hand"),
        );
    }

    #[test]
    fn a_file_is_read_at_any_offset() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), b"0123456789").unwrap();
        let source = FileSource::open(file.path()).unwrap();
        assert_eq!(source.file_len(), 10);
        check(&source, 4, 3, Ok(b"456"));
        check(&source, 9, 2, Err("unexpected end of file"));
    }
}
