//! The bytes of files.

use std::io::{self, Read as _};
use std::path::Path;

use fs_err as fs;
use sha2::{Digest as _, Sha256};
use wheelfix_elf::{FileSource, Source as _};

/// How much of a file is read at once, in bytes.
const CHUNK: u64 = 1 << 20;

/// Whether two files hold the same bytes.
pub fn same_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (FileSource::open(a)?, FileSource::open(b)?);
    let len = a.file_len();
    Ok(len == b.file_len() && same_range(&a, 0, &b, 0, len)?)
}

/// Whether two ranges of one length hold the same bytes; what lies outside of a file is like nothing.
pub(crate) fn same_range(
    a: &FileSource,
    at_a: u64,
    b: &FileSource,
    at_b: u64,
    len: u64,
) -> io::Result<bool> {
    let is_inside = |source: &FileSource, at: u64| {
        let end = at.checked_add(len);
        end.is_some_and(|end| end <= source.file_len())
    };
    if !is_inside(a, at_a) || !is_inside(b, at_b) {
        return Ok(false);
    }
    let mut done = 0;
    while done < len {
        let size = usize::try_from(CHUNK.min(len - done)).unwrap_or(usize::MAX);
        let (mut of_a, mut of_b) = (vec![0; size], vec![0; size]);
        a.read_exact_at(&mut of_a, at_a + done)?;
        b.read_exact_at(&mut of_b, at_b + done)?;
        if of_a != of_b {
            return Ok(false);
        }
        done += size as u64;
    }
    Ok(true)
}

/// The hash of a file, in hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let (mut file, mut bytes) = (fs::File::open(path)?, Vec::new());
    while 0 < file.by_ref().take(CHUNK).read_to_end(&mut bytes)? {
        hasher.update(&bytes);
        bytes.clear();
    }
    let digits = hasher.finalize().into_iter();
    Ok(digits
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat())
}
