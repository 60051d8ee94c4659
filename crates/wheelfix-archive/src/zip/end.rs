//! The end of central directory record, its zip64 form, and what may follow it.
//!
//! APPNOTE 4.3.14 to 4.3.16.

use crate::zip::fault::{ZipFault, ZipProblem};
use crate::zip::fields::{Fields, slice};

const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_LEN: usize = 22;
const LOCATOR_SIGNATURE: u32 = u32::from_le_bytes(*b"PK\x06\x07");
const LOCATOR_LEN: u64 = 20;
const ZIP64_SIGNATURE: u32 = u32::from_le_bytes(*b"PK\x06\x06");
/// Length of the record without extensible data, which nobody writes.
const ZIP64_LEN: u64 = 56;
/// The length of the record as it states it: without the signature and this field.
const ZIP64_STATED_LEN: u64 = ZIP64_LEN - 12;

/// Most NUL bytes after the archive: padding to a block or a page.
const MAX_PADDING: usize = 64 << 10;
/// Length of the part of the file in which the end record must lie.
const MAX_TAIL: usize = END_LEN + u16::MAX as usize + MAX_PADDING;

/// Second halves of the signatures that follow `PK` in zip structures.
const SIGNATURES: [[u8; 2]; 6] = [[1, 2], [3, 4], [5, 6], [6, 6], [6, 7], [7, 8]];

/// Where the central directory is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// File offset of the first entry.
    pub(crate) directory_offset: u64,
    /// File offset after the last entry; not before `directory_offset`.
    pub(crate) directory_limit: u64,
    /// Number of entries as stated.
    pub(crate) count: u64,
}

/// The fields of the two end records that say the same.
struct Stated {
    count: u64,
    directory_len: u64,
    directory_offset: u64,
    /// Whether the numbers of disks are left to the zip64 record.
    leaves_disks: bool,
}

/// Finds the end record of an archive and checks that everything binds to it.
pub(crate) fn find(bytes: &[u8]) -> Result<End, ZipFault> {
    let len = bytes.len() as u64;
    let fault = |offset, problem| ZipFault::archive(offset, problem);
    let offset = find_signature(bytes).ok_or_else(|| fault(len, ZipProblem::NoEnd))?;
    let here = |problem| fault(offset, problem);

    let mut fields = Fields::at(bytes, offset).ok_or_else(|| here(ZipProblem::NoEnd))?;
    let (plain, comment_len) = plain_record(&mut fields).ok_or_else(|| here(ZipProblem::NoEnd))?;
    check_tail(bytes, offset, fields.rest(), comment_len).map_err(here)?;
    let plain = plain.map_err(here)?;

    let locator_offset = offset.saturating_sub(LOCATOR_LEN);
    let locator = slice(bytes, locator_offset, LOCATOR_LEN)
        .map(Fields::new)
        .filter(|locator| locator.clone().u32() == Some(LOCATOR_SIGNATURE));
    let (stated, end) = match locator {
        Some(locator) => {
            let stated = zip64_record(bytes, locator, locator_offset)
                .map_err(|problem| fault(locator_offset, problem))?;
            check_same(&plain, &stated).map_err(here)?;
            (stated, locator_offset - ZIP64_LEN)
        }
        None if plain.needs_zip64() => return Err(here(ZipProblem::Zip64Missing)),
        None => (plain, offset),
    };
    let got = stated.directory_offset.saturating_add(stated.directory_len);
    if got != end {
        return Err(here(ZipProblem::DirectoryEnd { expected: end, got }));
    }
    Ok(End {
        directory_offset: stated.directory_offset,
        directory_limit: end,
        count: stated.count,
    })
}

/// The offset of the last end record's signature in the part of the file where it may be.
fn find_signature(bytes: &[u8]) -> Option<u64> {
    let tail_offset = bytes.len().saturating_sub(MAX_TAIL);
    let tail = bytes.get(tail_offset..)?;
    let at = tail
        .windows(4)
        .rposition(|window| window == END_SIGNATURE)?;
    Some((tail_offset + at) as u64)
}

/// Reads the record up to its comment: what it says, and the length of the comment. `None` if it is
/// truncated.
fn plain_record(fields: &mut Fields<'_>) -> Option<(Result<Stated, ZipProblem>, u16)> {
    fields.u32()?;
    let disk = fields.u16()?;
    let directory_disk = fields.u16()?;
    let count_here = fields.u16()?;
    let count = fields.u16()?;
    let directory_len = fields.u32()?;
    let directory_offset = fields.u32()?;
    let comment_len = fields.u16()?;
    let disks = disk.max(directory_disk);
    let stated = if disks != 0 && disks != u16::MAX || count_here != count {
        Err(ZipProblem::SeveralParts)
    } else {
        Ok(Stated {
            count: count.into(),
            directory_len: directory_len.into(),
            directory_offset: directory_offset.into(),
            leaves_disks: disks != 0,
        })
    };
    Some((stated, comment_len))
}

/// Checks the comment, which `rest` begins with, and what follows it.
fn check_tail(bytes: &[u8], offset: u64, rest: &[u8], comment_len: u16) -> Result<(), ZipProblem> {
    if is_in_comment(bytes, offset) {
        return Err(ZipProblem::ZipInComment);
    }
    let Some((comment, padding)) = rest.split_at_checked(comment_len.into()) else {
        return Err(ZipProblem::CommentTruncated {
            expected: comment_len.into(),
            got: rest.len() as u64,
        });
    };
    let looks_like_zip = comment.windows(4).any(|window| match window {
        [b'P', b'K', rest @ ..] => SIGNATURES.iter().any(|signature| signature == rest),
        _ => false,
    });
    if looks_like_zip {
        return Err(ZipProblem::ZipInComment);
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err(ZipProblem::TrailingData {
            got: padding.len() as u64,
        });
    }
    Ok(())
}

/// Whether an earlier record claims the record at `offset` as part of its comment.
fn is_in_comment(bytes: &[u8], offset: u64) -> bool {
    let Ok(offset) = usize::try_from(offset) else {
        return false;
    };
    let first = offset.saturating_sub(MAX_TAIL);
    let before = bytes.get(first..offset).unwrap_or_default();
    before.windows(END_LEN).enumerate().any(|(at, window)| {
        let [b'P', b'K', 5, 6, .., low, high] = window else {
            return false;
        };
        let comment_len = usize::from(u16::from_le_bytes([*low, *high]));
        offset < first + at + END_LEN + comment_len
    })
}

/// Reads the zip64 record that must lie directly before its locator.
fn zip64_record(
    bytes: &[u8],
    mut locator: Fields<'_>,
    locator_offset: u64,
) -> Result<Stated, ZipProblem> {
    let malformed = || ZipProblem::Zip64Malformed;
    locator.u32().ok_or_else(malformed)?;
    let disk = locator.u32().ok_or_else(malformed)?;
    let got = locator.u64().ok_or_else(malformed)?;
    let disks = locator.u32().ok_or_else(malformed)?;
    if disk != 0 || 1 < disks {
        return Err(ZipProblem::SeveralParts);
    }
    let expected = locator_offset
        .checked_sub(ZIP64_LEN)
        .ok_or_else(malformed)?;
    if got != expected {
        return Err(ZipProblem::Zip64Offset { expected, got });
    }
    let mut fields = Fields::at(bytes, expected).ok_or_else(malformed)?;
    zip64_fields(&mut fields).ok_or_else(malformed)
}

/// Reads the zip64 record; `None` if a field has a value that it cannot have.
fn zip64_fields(fields: &mut Fields<'_>) -> Option<Stated> {
    let signature = fields.u32()?;
    let stated_len = fields.u64()?;
    fields.u16()?; // version made by
    fields.u16()?; // version needed
    let disk = fields.u32()?;
    let directory_disk = fields.u32()?;
    let count_here = fields.u64()?;
    let count = fields.u64()?;
    let is_known = signature == ZIP64_SIGNATURE && stated_len == ZIP64_STATED_LEN;
    let is_whole = disk == 0 && directory_disk == 0 && count_here == count;
    if !is_known || !is_whole {
        return None;
    }
    Some(Stated {
        count,
        directory_len: fields.u64()?,
        directory_offset: fields.u64()?,
        leaves_disks: false,
    })
}

/// Checks that the plain record says the same as the zip64 one, or leaves it to that.
fn check_same(plain: &Stated, zip64: &Stated) -> Result<(), ZipProblem> {
    for (field, plain, zip64, unset) in [
        (
            "the number of entries",
            plain.count,
            zip64.count,
            u64::from(u16::MAX),
        ),
        (
            "the length of the central directory",
            plain.directory_len,
            zip64.directory_len,
            u64::from(u32::MAX),
        ),
        (
            "the offset of the central directory",
            plain.directory_offset,
            zip64.directory_offset,
            u64::from(u32::MAX),
        ),
    ] {
        if plain != zip64 && plain != unset {
            return Err(ZipProblem::EndsDiffer {
                field,
                zip64,
                plain,
            });
        }
    }
    Ok(())
}

impl Stated {
    /// Whether a field has the value that stands for "see the zip64 record".
    fn needs_zip64(&self) -> bool {
        let max = u64::from(u32::MAX);
        self.count == u64::from(u16::MAX)
            || self.directory_len == max
            || self.directory_offset == max
            || self.leaves_disks
    }
}
