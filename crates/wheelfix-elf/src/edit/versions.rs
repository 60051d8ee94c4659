//! Version needs of removed libraries go, and symbols lose their versions.

use std::collections::BTreeSet;

use crate::edit::edits::{Edits, TextField};
use crate::edit::error::EditError;
use crate::edit::layout::Layout;
use crate::edit::plan::Data;
use crate::edit::writes::{Writes, string_offset};
use crate::encoding::FieldWriter;
use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::Dynamic;
use crate::read::section_header::{SHT_GNU_VERNEED, SHT_PROGBITS};
use crate::read::symbol_table::SymbolTable;
use crate::read::versions::{NEED_LEN, VER_FLG_WEAK, VersionNeeds};
use crate::read::window::read_range;

/// How much of the version table is read at once, in bytes.
const BLOCK: u64 = 1 << 16;
/// The version of a symbol that has none.
const VER_NDX_GLOBAL: u16 = 1;

/// Finds the symbols that are to lose their version.
pub(crate) fn find_cleared(edits: &mut Edits<'_>, table: &SymbolTable, names: &BTreeSet<String>) {
    if !table.is_versioned() {
        return;
    }
    for symbol in table.iter() {
        let version = symbol
            .version
            .map_or(0, super::super::symbol::VersionIndex::number);
        let wanted = std::str::from_utf8(symbol.name).is_ok_and(|name| names.contains(name));
        if wanted && version > VER_NDX_GLOBAL {
            edits.cleared_symbols.insert(symbol.index);
        }
    }
    if !edits.cleared_symbols.is_empty() {
        edits.summary.push(format!(
            "symbols without version: {}",
            edits.cleared_symbols.len()
        ));
    }
}

/// Changes the entries and the section headers for the version needs that go.
pub(crate) fn change(edits: &mut Edits<'_>) {
    let kept = edits
        .removed_needs
        .iter()
        .filter(|removed| !**removed)
        .count();
    if kept == edits.removed_needs.len() {
        return;
    }
    edits.tables.set_number(Tag::VERNEEDNUM, kept as u64);
    let vaddr = edits.tables.number(Tag::VERNEED);
    if kept == 0 {
        edits
            .tables
            .entries
            .retain(|entry| !matches!(entry.tag, Tag::VERNEED | Tag::VERNEEDNUM));
    }
    for section in edits
        .tables
        .sections
        .iter_mut()
        .filter(|section| section.kind == SHT_GNU_VERNEED)
    {
        if Some(section.vaddr) == vaddr {
            section.info = u32::try_from(kept).unwrap_or_default();
            // GNU's tools refuse a table of versions without any.
            if kept == 0 {
                (section.kind, section.link) = (SHT_PROGBITS, 0);
            }
        }
    }
}

/// Adds the writes: the needs that stay, close together, and the symbols that have no version any more.
pub(crate) fn emit(writes: &mut Writes<'_>, offsets: &[u64]) -> Result<(), EditError> {
    let layout = writes.layout;
    let dynamic = layout.edits.dynamic;
    let pairs = || {
        dynamic
            .version_needs
            .iter()
            .zip(layout.edits.removed_needs.clone())
    };
    let removed: Vec<&VersionNeeds> = pairs()
        .filter_map(|(needs, removed)| removed.then_some(needs))
        .collect();
    let kept: Vec<&VersionNeeds> = pairs()
        .filter_map(|(needs, removed)| (!removed).then_some(needs))
        .collect();
    if !removed.is_empty() {
        emit_needs(writes, &kept, offsets)?;
    }
    let numbers: BTreeSet<u16> = removed
        .iter()
        .flat_map(|needs| &needs.versions)
        .map(|version| version.index & 0x7fff)
        .collect();
    if numbers.is_empty() && layout.edits.cleared_symbols.is_empty() {
        return Ok(());
    }
    emit_version_table(writes, dynamic, &numbers)
}

fn emit_needs(
    writes: &mut Writes<'_>,
    kept: &[&VersionNeeds],
    offsets: &[u64],
) -> Result<(), EditError> {
    let layout = writes.layout;
    let all = &layout.edits.dynamic.version_needs;
    let versions = |needs: &[&VersionNeeds]| -> u64 {
        needs.iter().map(|needs| needs.versions.len() as u64).sum()
    };
    let len = (all.len() as u64 + versions(&all.iter().collect::<Vec<_>>())) * NEED_LEN;
    let places = || {
        all.iter().flat_map(|needs| {
            needs
                .versions
                .iter()
                .map(|it| it.offset)
                .chain([needs.offset])
        })
    };
    let start = all.first().map_or(0, |needs| needs.offset);
    // Linkers put them side by side; what is between them otherwise must not be overwritten.
    let dense = places().min() == Some(start)
        && places()
            .max()
            .is_some_and(|last| last - start + NEED_LEN == len);
    if !dense {
        return Err(EditError::Unsupported {
            what: "version needs that are not side by side",
        });
    }
    let mut fields = FieldWriter::new(layout.edits.encoding());
    for (needs, left) in kept.iter().zip((0..kept.len()).rev()) {
        let is_field = |field: &&TextField| field.offset == needs.offset + 4;
        let renamed = layout
            .edits
            .text_fields
            .iter()
            .find(is_field)
            .and_then(|field| offsets.get(field.text));
        let file = renamed.map_or(Ok(needs.file_offset), |offset| string_offset(*offset))?;
        write_needs(&mut fields, needs, file, left == 0);
    }
    let mut bytes = fields.finish();
    bytes.resize(usize::try_from(len).unwrap_or(bytes.len()), 0);
    writes.put(
        layout.moved_offset(start),
        "version needs",
        Data::Bytes(bytes),
    );
    Ok(())
}

/// Writes the structures of one library, one after the other.
fn write_needs(fields: &mut FieldWriter, needs: &VersionNeeds, file: u32, last: bool) {
    const LEN: u32 = 16;
    const _: () = assert!(LEN as u64 == NEED_LEN, "both structures have this length");
    // There were as many before, and their number fitted.
    let count = u16::try_from(needs.versions.len()).unwrap_or(u16::MAX);
    let aux = if count == 0 { 0 } else { LEN };
    let next = if last {
        0
    } else {
        LEN + LEN * u32::from(count)
    };
    fields.u16(1).u16(count).u32(file).u32(aux).u32(next);
    for (version, left) in needs.versions.iter().zip((0..count).rev()) {
        let flags = if version.weak { VER_FLG_WEAK } else { 0 };
        let next = if left == 0 { 0 } else { LEN };
        fields
            .u32(version.hash)
            .u16(flags)
            .u16(version.index)
            .u32(version.name_offset)
            .u32(next);
    }
}

fn emit_version_table(
    writes: &mut Writes<'_>,
    dynamic: &Dynamic,
    numbers: &BTreeSet<u16>,
) -> Result<(), EditError> {
    let layout = writes.layout;
    let Some(vaddr) = dynamic.array.get(Tag::VERSYM) else {
        return Ok(());
    };
    let len = layout.edits.symbol_count.saturating_mul(2);
    let offset = layout
        .edits
        .elf
        .image()
        .place("DT_VERSYM", vaddr, len.max(1))?;
    let encoding = layout.edits.encoding();
    let mut fields = FieldWriter::new(encoding);
    fields.u16(VER_NDX_GLOBAL);
    let none = fields.finish();
    let mut at = 0;
    while at < len {
        let block = read_block(layout, offset + at, (len - at).min(BLOCK))?;
        for (bytes, place) in block.chunks_exact(2).zip((at..).step_by(2)) {
            let number = encoding.u16_at(bytes, 0).unwrap_or_default() & 0x7fff;
            let Ok(index) = u32::try_from(place / 2) else {
                break;
            };
            if layout.edits.cleared_symbols.contains(&index) || numbers.contains(&number) {
                let index = writes.symbol_moves.get(&index).copied().unwrap_or(index);
                let place = layout.moved_offset(offset + u64::from(index) * 2);
                writes.put(place, "symbol version", Data::Bytes(none.clone()));
            }
        }
        at += block.len() as u64;
    }
    Ok(())
}

fn read_block(layout: &Layout<'_>, offset: u64, len: u64) -> Result<Vec<u8>, ReadError> {
    read_range(layout.edits.source, "DT_VERSYM", offset, len)
}
