//! Which file offset an address comes from.

use crate::error::ReadError;
use crate::program_header::ProgramHeader;

/// The `PT_LOAD` segments, to translate addresses into file offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressMap {
    loads: Vec<ProgramHeader>,
}

impl AddressMap {
    pub(crate) fn new(program_headers: &[ProgramHeader]) -> Self {
        Self {
            loads: program_headers
                .iter()
                .filter(|header| header.is_load())
                .copied()
                .collect(),
        }
    }

    /// Returns the file offset of `vaddr` and how many bytes from there on come from the same segment of the file.
    pub(crate) fn locate(&self, vaddr: u64) -> Option<(u64, u64)> {
        self.loads.iter().find_map(|load| {
            let inside = vaddr.checked_sub(load.vaddr)?;
            let left = load.file_len.checked_sub(inside)?;
            (left > 0).then_some((load.offset.checked_add(inside)?, left))
        })
    }

    /// Returns the file offset of the `len` bytes at `vaddr`, all of which must come from one segment of the file.
    pub(crate) fn offset(
        &self,
        what: &'static str,
        vaddr: u64,
        len: u64,
    ) -> Result<u64, ReadError> {
        match self.locate(vaddr) {
            Some((offset, left)) if len <= left => Ok(offset),
            _ => Err(ReadError::Unmapped { what, vaddr, len }),
        }
    }
}
