//! Local headers, which must repeat what the central directory says.
//!
//! APPNOTE 4.3.7.

use crate::fault::printable;
use crate::zip::central::{Entry, FLAG_DESCRIPTOR, FLAGS_LEVEL, ZIP64_VERSION};
use crate::zip::extra::Extra;
use crate::zip::fault::{Faults, ZipProblem};
use crate::zip::fields::Fields;
use crate::zip::layout::Extent;

const SIGNATURE: u32 = u32::from_le_bytes(*b"PK\x03\x04");
const LEN: u64 = 30;

/// A local header.
struct Local<'a> {
    version: u16,
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_len: u32,
    len: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

/// Checks the local header of every entry. Gives the extents of all members whose header is there,
/// in the order of the entries.
pub(crate) fn check<'a>(
    bytes: &'a [u8],
    entries: &'a [Entry<'a>],
    faults: &mut Faults,
) -> Vec<Extent<'a>> {
    let mut extents = Vec::with_capacity(entries.len());
    for entry in entries {
        match extent(bytes, entry, faults) {
            Ok(extent) => extents.push(extent),
            Err(problem) => faults.push(entry.fault_at_header(problem)),
        }
    }
    extents
}

fn extent<'a>(
    bytes: &'a [u8],
    entry: &'a Entry<'a>,
    faults: &mut Faults,
) -> Result<Extent<'a>, ZipProblem> {
    let local = Fields::at(bytes, entry.header_offset)
        .and_then(read)
        .ok_or(ZipProblem::LocalMissing)?;
    local.check(entry, faults);
    let extra = Extra::parse(local.extra)?;
    extra.check_name(entry.name)?;
    local.check_lengths(entry, &extra, faults)?;
    let variable = local.name.len() as u64 + local.extra.len() as u64;
    let data_offset = entry.header_offset + LEN + variable;
    Ok(Extent {
        entry,
        data_offset,
        data_end: data_offset.saturating_add(entry.compressed_len),
        has_descriptor: entry.flags & FLAG_DESCRIPTOR != 0,
        has_zip64: extra.has_zip64(),
    })
}

fn read(mut fields: Fields<'_>) -> Option<Local<'_>> {
    if fields.u32()? != SIGNATURE {
        return None;
    }
    let version = fields.u16()?;
    let flags = fields.u16()?;
    let method = fields.u16()?;
    fields.u32()?; // time and date
    let crc32 = fields.u32()?;
    let compressed_len = fields.u32()?;
    let len = fields.u32()?;
    let name_len = fields.u16()?;
    let extra_len = fields.u16()?;
    Some(Local {
        version,
        flags,
        method,
        crc32,
        compressed_len,
        len,
        name: fields.take(name_len)?,
        extra: fields.take(extra_len)?,
    })
}

impl Local<'_> {
    fn check(&self, entry: &Entry<'_>, faults: &mut Faults) {
        if self.name != entry.name {
            let got = printable(self.name);
            faults.push(entry.fault_at_header(ZipProblem::LocalName { got }));
        }
        let mut compare = |field, expected: u16, got: u16| {
            if expected != got {
                let (expected, got) = (expected.into(), got.into());
                faults.push(entry.fault_at_header(ZipProblem::LocalField {
                    field,
                    expected,
                    got,
                }));
            }
        };
        compare(
            "flags",
            entry.flags & !FLAGS_LEVEL,
            self.flags & !FLAGS_LEVEL,
        );
        compare("method", entry.method, self.method);
        // Writers that learn of zip64 late raise the version in the central directory alone.
        if !(entry.extra.has_zip64() && entry.version == ZIP64_VERSION) {
            compare("version", entry.version, self.version);
        }
    }

    /// Checks what depends on the zip64 record, which must have both lengths if one is left to it.
    ///
    /// Bazel's writer always has one, so it may also repeat what the header says: readers that look
    /// at it and readers that do not see the same; in nightly wheels of torch for AMD one has a
    /// single length. How long a data descriptor is depends on it, so that it may not be there to no
    /// purpose where one follows.
    fn check_lengths(
        &self,
        entry: &Entry<'_>,
        extra: &Extra<'_>,
        faults: &mut Faults,
    ) -> Result<(), ZipProblem> {
        let is_left = self.len == u32::MAX || self.compressed_len == u32::MAX;
        let repeats = extra.has_zip64() && entry.flags & FLAG_DESCRIPTOR == 0;
        let lengths = [entry.len, entry.compressed_len];
        let mut fields = if repeats && !is_left && extra.repeats_one_of(lengths) {
            Fields::new(&[])
        } else {
            extra.zip64(if is_left || repeats { 16 } else { 0 })?
        };
        let mut resolve = |value: u32| match fields.u64() {
            Some(zip64) if value == u32::MAX => zip64,
            Some(zip64) if zip64 != u64::from(value) => u64::MAX,
            _ => value.into(),
        };
        let (len, compressed_len) = (resolve(self.len), resolve(self.compressed_len));
        let is_blank = self.crc32 == 0 && len == 0 && compressed_len == 0;
        if entry.flags & FLAG_DESCRIPTOR != 0 && is_blank {
            return Ok(());
        }
        for (field, expected, got) in [
            ("crc32", entry.crc32.into(), self.crc32.into()),
            ("compressed length", entry.compressed_len, compressed_len),
            ("length", entry.len, len),
        ] {
            if expected != got {
                faults.push(entry.fault_at_header(ZipProblem::LocalField {
                    field,
                    expected,
                    got,
                }));
            }
        }
        Ok(())
    }
}
