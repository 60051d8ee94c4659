//! The entries of the central directory, and what is checked about each alone.
//!
//! APPNOTE 4.3.12.

use crate::zip::Method;
use crate::zip::end::End;
use crate::zip::extra::Extra;
use crate::zip::fault::{Faults, ZipFault, ZipProblem};
use crate::zip::fields::{Fields, slice};
use crate::zip::limits::Limits;

const SIGNATURE: u32 = u32::from_le_bytes(*b"PK\x01\x02");

/// Newest version of the format that we know, times ten.
const MAX_VERSION: u16 = 63;
/// Version for zip64.
pub(crate) const ZIP64_VERSION: u16 = 45;

pub(crate) const FLAG_ENCRYPTED: u16 = 1;
pub(crate) const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_STRONG_ENCRYPTION: u16 = 1 << 6;
pub(crate) const FLAG_UTF8: u16 = 1 << 11;
const FLAG_MASKED: u16 = 1 << 13;
/// Hints of the compressor about how hard it tried.
pub(crate) const FLAGS_LEVEL: u16 = 0b110;

const TYPE_MASK: u32 = 0o170_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_SYMLINK: u32 = 0o120_000;

/// Most bytes that one byte of deflate data can stand for.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// An entry of the central directory, with the values of its zip64 record in place.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    /// File offset of the entry itself.
    pub(crate) offset: u64,
    pub(crate) version: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed_len: u64,
    pub(crate) len: u64,
    /// File offset of the local header.
    pub(crate) header_offset: u64,
    /// Unix mode with the file type; 0 if there is none.
    mode: u32,
    /// As in the archive: a directory's ends in a slash.
    pub(crate) name: &'a [u8],
    pub(crate) extra: Extra<'a>,
}

/// Parses the central directory.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    end: &End,
    limits: &Limits,
) -> Result<Vec<Entry<'a>>, Faults> {
    let fault = |offset, problem| Faults::from(ZipFault::archive(offset, problem));
    if limits.members < end.count {
        return Err(fault(
            end.directory_offset,
            ZipProblem::TooManyMembers {
                expected: limits.members,
                got: end.count,
            },
        ));
    }
    let mut fields = slice(
        bytes,
        end.directory_offset,
        end.directory_limit - end.directory_offset,
    )
    .map(Fields::new)
    .ok_or_else(|| fault(end.directory_offset, ZipProblem::NoEnd))?;
    let mut faults = Faults::default();
    let mut entries = Vec::new();
    let mut got = 0;
    while !fields.rest().is_empty() {
        let offset = end.directory_limit - fields.rest().len() as u64;
        match entry(&mut fields, offset) {
            // Surplus entries are counted, not kept.
            Some(Ok(entry)) if got < end.count => entries.push(entry),
            Some(Ok(_)) => {}
            Some(Err(fault)) => faults.push(fault),
            None => return Err(fault(offset, ZipProblem::EntryMalformed { index: got })),
        }
        got += 1;
    }
    faults.into_result()?;
    if got != end.count {
        return Err(fault(
            end.directory_offset,
            ZipProblem::EntryCount {
                expected: end.count,
                got,
            },
        ));
    }
    Ok(entries)
}

/// Reads one entry; `None` if there is none.
fn entry<'a>(fields: &mut Fields<'a>, offset: u64) -> Option<Result<Entry<'a>, ZipFault>> {
    if fields.u32()? != SIGNATURE {
        return None;
    }
    fields.u16()?; // version made by
    let version = fields.u16()?;
    let flags = fields.u16()?;
    let method = fields.u16()?;
    fields.u32()?; // time and date
    let crc32 = fields.u32()?;
    let compressed_len = fields.u32()?;
    let len = fields.u32()?;
    let name_len = fields.u16()?;
    let extra_len = fields.u16()?;
    let comment_len = fields.u16()?;
    let disk = fields.u16()?;
    fields.u16()?; // internal attributes
    let mode = fields.u32()? >> 16;
    let header_offset = fields.u32()?;
    let name = fields.take(name_len)?;
    let extra = fields.take(extra_len)?;
    fields.take(comment_len)?;

    let fault = |problem| ZipFault::member(name, offset, problem);
    let finish = |extra| {
        let entry = Entry {
            offset,
            version,
            flags,
            method,
            crc32,
            compressed_len: compressed_len.into(),
            len: len.into(),
            header_offset: header_offset.into(),
            mode,
            name,
            extra,
        };
        entry.resolve_zip64(disk)
    };
    Some(Extra::parse(extra).and_then(finish).map_err(fault))
}

impl Entry<'_> {
    /// Puts the values of the zip64 record, which has exactly those that are left to it, in place.
    fn resolve_zip64(mut self, disk: u16) -> Result<Self, ZipProblem> {
        let is_left = |value: u64| value == u64::from(u32::MAX);
        let left = [self.len, self.compressed_len, self.header_offset].map(is_left);
        let left_disk = disk == u16::MAX;
        let count = left.iter().filter(|left| **left).count() as u64;
        let mut fields = self.extra.zip64(count * 8 + u64::from(left_disk) * 4)?;
        for (slot, left) in [
            &mut self.len,
            &mut self.compressed_len,
            &mut self.header_offset,
        ]
        .into_iter()
        .zip(left)
        {
            if left {
                *slot = fields.u64().ok_or(ZipProblem::ExtraMalformed)?;
            }
        }
        let disk = if left_disk {
            fields.u32().ok_or(ZipProblem::ExtraMalformed)?
        } else {
            disk.into()
        };
        if disk != 0 {
            return Err(ZipProblem::OtherPart(disk));
        }
        Ok(self)
    }

    /// Checks everything that is about this entry alone, apart from its name.
    pub(crate) fn check(&self, faults: &mut Faults) {
        for checked in [
            self.check_flags(),
            self.check_version(),
            self.check_method(),
            self.check_type(),
            self.extra.check_name(self.name),
        ] {
            if let Err(problem) = checked {
                faults.push(self.fault(problem));
            }
        }
    }

    /// A fault of this entry.
    pub(crate) fn fault(&self, problem: ZipProblem) -> ZipFault {
        ZipFault::member(self.name, self.offset, problem)
    }

    /// A fault of this entry, found at its local header.
    pub(crate) fn fault_at_header(&self, problem: ZipProblem) -> ZipFault {
        ZipFault::member(self.name, self.header_offset, problem)
    }

    /// Whether it is a directory.
    pub(crate) fn is_dir(&self) -> bool {
        self.name.ends_with(b"/")
    }

    /// Whether its Unix mode makes it a symbolic link.
    pub(crate) fn is_link(&self) -> bool {
        self.mode & TYPE_MASK == TYPE_SYMLINK
    }

    /// Whether it is a regular file that its mode lets anyone execute.
    ///
    /// As in pip and pypa/installer: the mode counts whatever system the archive says it is from, and
    /// only if it has the file type of a regular file.
    pub(crate) fn is_executable(&self) -> bool {
        self.mode & TYPE_MASK == TYPE_FILE && self.mode & 0o111 != 0
    }

    /// How its data is compressed.
    pub(crate) fn method(&self) -> Result<Method, ZipProblem> {
        match self.method {
            0 => Ok(Method::Stored),
            8 => Ok(Method::Deflated),
            number => Err(ZipProblem::Method {
                number,
                name: method_name(number),
            }),
        }
    }

    fn check_flags(&self) -> Result<(), ZipProblem> {
        if self.flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED) != 0 {
            return Err(ZipProblem::Encrypted);
        }
        let unknown = self.flags & !(FLAGS_LEVEL | FLAG_DESCRIPTOR | FLAG_UTF8);
        if unknown != 0 {
            return Err(ZipProblem::Flags(unknown));
        }
        Ok(())
    }

    fn check_version(&self) -> Result<(), ZipProblem> {
        // The upper byte is reserved, but some writers put their system there.
        let got = self.version & 0xff;
        if MAX_VERSION < got {
            return Err(ZipProblem::Version {
                expected: MAX_VERSION,
                got,
            });
        }
        Ok(())
    }

    fn check_method(&self) -> Result<(), ZipProblem> {
        let is_possible = match self.method()? {
            Method::Stored if self.flags & FLAG_DESCRIPTOR != 0 && self.len != 0 => {
                return Err(ZipProblem::StoredDescriptor);
            }
            Method::Stored => self.len == self.compressed_len,
            Method::Deflated => self.len <= self.compressed_len.saturating_mul(MAX_DEFLATE_RATIO),
        };
        if is_possible {
            Ok(())
        } else {
            Err(ZipProblem::Lengths {
                len: self.len,
                compressed_len: self.compressed_len,
            })
        }
    }

    fn check_type(&self) -> Result<(), ZipProblem> {
        match (self.mode & TYPE_MASK, self.is_dir()) {
            (TYPE_FILE, true) | (TYPE_DIRECTORY, false) => Err(ZipProblem::DirectoryName),
            // The text of a link becomes a file, as with every installer: nothing is followed.
            (0 | TYPE_FILE | TYPE_SYMLINK, false) => Ok(()),
            (0 | TYPE_DIRECTORY, true) if self.len == 0 => Ok(()),
            (0 | TYPE_DIRECTORY, true) => Err(ZipProblem::DirectoryContent(self.len)),
            (other, _) => Err(ZipProblem::FileType(other)),
        }
    }
}

/// Names of the methods of APPNOTE 4.4.5 that occur.
fn method_name(number: u16) -> &'static str {
    match number {
        1..=5 => "shrink or reduce",
        6 => "implode",
        9 => "deflate64",
        12 => "bzip2",
        14 => "lzma",
        20 | 93 => "zstd",
        95 => "xz",
        98 => "ppmd",
        99 => "aes encryption",
        _ => "unknown",
    }
}
