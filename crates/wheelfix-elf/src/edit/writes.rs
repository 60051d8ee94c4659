//! The writes that turn the file into the edited one.

use std::collections::BTreeMap;

use crate::edit::error::EditError;
use crate::edit::layout::Layout;
use crate::edit::plan::{Data, Write};
use crate::error::ReadError;
use crate::read::window::read_range;

/// The writes of a file whose parts all have their places.
pub(crate) struct Writes<'l> {
    pub(crate) layout: &'l Layout<'l>,
    pub(crate) list: Vec<Write>,
    /// Symbols that have another number: old and new.
    pub(crate) symbol_moves: BTreeMap<u32, u32>,
}

impl<'l> Writes<'l> {
    pub(crate) fn new(layout: &'l Layout<'l>) -> Self {
        Self {
            layout,
            list: Vec::new(),
            symbol_moves: BTreeMap::new(),
        }
    }

    /// Adds a write.
    pub(crate) fn put(&mut self, offset: u64, what: &'static str, data: Data) {
        let write = Write { offset, what, data };
        if !write.is_empty() {
            self.list.push(write);
        }
    }

    /// Adds a write of what differs from the file as it is. No earlier write may touch the place.
    pub(crate) fn put_changed(
        &mut self,
        offset: u64,
        what: &'static str,
        bytes: &[u8],
    ) -> Result<(), ReadError> {
        let len = bytes.len() as u64;
        let kept = self
            .layout
            .edits
            .elf
            .file_len
            .saturating_sub(offset)
            .min(len);
        let old = read_range(
            self.layout.edits.source,
            what,
            offset.min(self.layout.edits.elf.file_len),
            kept,
        )?;
        let differs = |(new, old): (&u8, &u8)| new != old;
        let Some(first) = bytes
            .iter()
            .zip(&old)
            .position(differs)
            .or((kept < len).then_some(old.len()))
        else {
            return Ok(());
        };
        let last = if kept < len {
            None
        } else {
            bytes.iter().zip(&old).rposition(differs)
        };
        let last = last.unwrap_or(bytes.len().saturating_sub(1));
        let changed = bytes.get(first..=last).unwrap_or_default().to_vec();
        self.put(offset + first as u64, what, Data::Bytes(changed));
        Ok(())
    }
}

/// Checks that a string can be referred to from a version or a symbol, which have 4 bytes for it.
pub(crate) fn string_offset(offset: u64) -> Result<u32, EditError> {
    let limit = u32::MAX.into();
    u32::try_from(offset).map_err(|_| EditError::AddressSpace {
        what: "string",
        got: offset,
        limit,
    })
}
