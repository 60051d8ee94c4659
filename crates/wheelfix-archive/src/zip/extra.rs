//! Extra fields of headers: a list of records, of which two kinds change what is read.
//!
//! APPNOTE 4.5 and 4.6.9.

use std::collections::BTreeSet;

use crate::fault::printable;
use crate::zip::fault::ZipProblem;
use crate::zip::fields::Fields;

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;

/// The records that matter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extra<'a> {
    /// Content of the zip64 record.
    zip64: Option<&'a [u8]>,
    /// Content of the Info-ZIP Unicode path record.
    unicode_path: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// Parses an extra field, which its records must fill.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ZipProblem> {
        let mut extra = Self::default();
        let mut seen = BTreeSet::new();
        let mut fields = Fields::new(bytes);
        // zipalign fills up with zeros.
        while !matches!(fields.rest(), [] | [0] | [0, 0] | [0, 0, 0]) {
            let (id, content) = record(&mut fields).ok_or(ZipProblem::ExtraMalformed)?;
            if !seen.insert(id) {
                return Err(ZipProblem::ExtraDuplicate(id));
            }
            match id {
                ZIP64 => extra.zip64 = Some(content),
                UNICODE_PATH => extra.unicode_path = Some(content),
                _ => {}
            }
        }
        Ok(extra)
    }

    /// The fields of the zip64 record, which must be `len` bytes long; if that is 0, there must be
    /// none.
    pub(crate) fn zip64(&self, len: u64) -> Result<Fields<'a>, ZipProblem> {
        let content = self.zip64.unwrap_or_default();
        if content.len() as u64 != len || (len == 0 && self.zip64.is_some()) {
            return Err(ZipProblem::ExtraZip64 {
                expected: len,
                got: content.len() as u64,
            });
        }
        Ok(Fields::new(content))
    }

    /// Whether there is a zip64 record that says nothing new: it is empty, or has one of these lengths.
    pub(crate) fn repeats_one_of(&self, lengths: [u64; 2]) -> bool {
        let is = |content: &[u8]| lengths.iter().any(|len| len.to_le_bytes() == *content);
        self.zip64
            .is_some_and(|content| content.is_empty() || is(content))
    }

    /// Whether there is a zip64 record.
    pub(crate) fn has_zip64(&self) -> bool {
        self.zip64.is_some()
    }

    /// Checks that no other name is given; readers differ in which one they take.
    pub(crate) fn check_name(&self, name: &[u8]) -> Result<(), ZipProblem> {
        let Some(content) = self.unicode_path else {
            return Ok(());
        };
        // Version (1 byte), checksum of the other name (4 bytes), name.
        let (header, unicode) = content
            .split_at_checked(5)
            .ok_or(ZipProblem::ExtraMalformed)?;
        let [1, checksum @ ..] = header else {
            return Err(ZipProblem::ExtraMalformed);
        };
        if unicode != name || *checksum != crc32fast::hash(name).to_le_bytes() {
            return Err(ZipProblem::ExtraName {
                got: printable(unicode),
            });
        }
        Ok(())
    }
}

fn record<'a>(fields: &mut Fields<'a>) -> Option<(u16, &'a [u8])> {
    let id = fields.u16()?;
    let len = fields.u16()?;
    Some((id, fields.take(len)?))
}
