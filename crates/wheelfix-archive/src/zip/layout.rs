//! How the members lie in the file: one after the other, from its first byte to the central
//! directory, so that a reader that goes forward sees the same members.

use crate::fault::printable;
use crate::zip::central::Entry;
use crate::zip::fault::{Faults, ZipFault, ZipProblem};
use crate::zip::fields::{Fields, slice};

const DESCRIPTOR_SIGNATURE: u32 = u32::from_le_bytes(*b"PK\x07\x08");

/// Where a member lies in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent<'a> {
    pub(crate) entry: &'a Entry<'a>,
    /// File offset of its data, after the local header.
    pub(crate) data_offset: u64,
    /// File offset after its data.
    pub(crate) data_end: u64,
    /// Whether a data descriptor follows the data.
    pub(crate) has_descriptor: bool,
    /// Whether the local header has a zip64 record, which makes a descriptor's lengths 64 bits wide.
    pub(crate) has_zip64: bool,
}

/// Checks that the members fill the file from its start to `directory_offset`.
pub(crate) fn check(
    bytes: &[u8],
    extents: &[Extent<'_>],
    directory_offset: u64,
    faults: &mut Faults,
) {
    let mut ordered: Vec<&Extent<'_>> = extents.iter().collect();
    ordered.sort_by_key(|extent| extent.entry.header_offset);
    let mut previous: Option<&Extent<'_>> = None;
    for extent in ordered.iter().copied() {
        check_gap(
            bytes,
            previous,
            extent.entry.header_offset,
            faults,
            Some(extent),
        );
        previous = Some(extent);
    }
    check_gap(bytes, previous, directory_offset, faults, None);
}

/// Checks what lies between a member and the `next` structure at offset `next_offset`: a data
/// descriptor if there is to be one, else nothing.
fn check_gap(
    bytes: &[u8],
    previous: Option<&Extent<'_>>,
    next_offset: u64,
    faults: &mut Faults,
    next: Option<&Extent<'_>>,
) {
    let Some(previous) = previous else {
        if next_offset != 0 {
            let problem = ZipProblem::PrependedData { got: next_offset };
            faults.push(ZipFault::archive(0, problem));
        }
        return;
    };
    let end = previous.data_end;
    let Some(gap) = next_offset.checked_sub(end) else {
        faults.push(match next {
            Some(next) => {
                let other = printable(previous.entry.name);
                next.entry
                    .fault_at_header(ZipProblem::Overlap { other, end })
            }
            None => previous.entry.fault_at_header(ZipProblem::DataEnd {
                expected: next_offset,
                got: end,
            }),
        });
        return;
    };
    if previous.has_descriptor {
        let descriptor = slice(bytes, end, gap).unwrap_or_default();
        if previous.repeats(descriptor) != Some(true) {
            let problem = ZipProblem::Descriptor;
            faults.push(ZipFault::member(previous.entry.name, end, problem));
        }
    } else if gap != 0 {
        faults.push(ZipFault::archive(end, ZipProblem::Gap { got: gap }));
    }
}

impl Extent<'_> {
    /// Whether a data descriptor, with or without its signature, says what the entry says.
    ///
    /// `None` if it has another length than the two that are possible.
    fn repeats(&self, descriptor: &[u8]) -> Option<bool> {
        let lengths = if self.has_zip64 { 16 } else { 8 };
        let mut fields = Fields::new(descriptor);
        match descriptor.len().checked_sub(4 + lengths)? {
            0 => {}
            4 if fields.u32()? == DESCRIPTOR_SIGNATURE => {}
            _ => return None,
        }
        let crc32 = fields.u32()?;
        let mut length = || {
            if self.has_zip64 {
                fields.u64()
            } else {
                fields.u32().map(u64::from)
            }
        };
        let (compressed_len, len) = (length()?, length()?);
        Some(
            (crc32, compressed_len, len)
                == (self.entry.crc32, self.entry.compressed_len, self.entry.len),
        )
    }
}
