//! Version needs of removed libraries go, and symbols lose their versions.

use std::collections::BTreeSet;

use crate::edit::emit::string_offset;
use crate::edit::error::EditError;
use crate::edit::model::{Model, TextField};
use crate::edit::plan::Data;
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
pub(crate) fn find_cleared(model: &mut Model<'_>, table: &SymbolTable, names: &BTreeSet<String>) {
    if !table.is_versioned() {
        return;
    }
    for symbol in table.iter() {
        let version = symbol
            .version
            .map_or(0, super::super::symbol::VersionIndex::number);
        let wanted = std::str::from_utf8(symbol.name).is_ok_and(|name| names.contains(name));
        if wanted && version > VER_NDX_GLOBAL {
            model.cleared_symbols.insert(symbol.index);
        }
    }
    if !model.cleared_symbols.is_empty() {
        model.summary.push(format!(
            "symbols without version: {}",
            model.cleared_symbols.len()
        ));
    }
}

/// Changes the entries and the section headers for the version needs that go.
pub(crate) fn change(model: &mut Model<'_>) {
    let kept = model
        .removed_needs
        .iter()
        .filter(|removed| !**removed)
        .count();
    if kept == model.removed_needs.len() {
        return;
    }
    model.set_number(Tag::VERNEEDNUM, kept as u64);
    let vaddr = model.number(Tag::VERNEED);
    if kept == 0 {
        model
            .entries
            .retain(|entry| !matches!(entry.tag, Tag::VERNEED | Tag::VERNEEDNUM));
    }
    for section in model
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
pub(crate) fn emit(model: &mut Model<'_>, offsets: &[u64]) -> Result<(), EditError> {
    let dynamic = model.dynamic;
    let pairs = || {
        dynamic
            .version_needs
            .iter()
            .zip(model.removed_needs.clone())
    };
    let removed: Vec<&VersionNeeds> = pairs()
        .filter_map(|(needs, removed)| removed.then_some(needs))
        .collect();
    let kept: Vec<&VersionNeeds> = pairs()
        .filter_map(|(needs, removed)| (!removed).then_some(needs))
        .collect();
    if !removed.is_empty() {
        emit_needs(model, &kept, offsets)?;
    }
    let numbers: BTreeSet<u16> = removed
        .iter()
        .flat_map(|needs| &needs.versions)
        .map(|version| version.index & 0x7fff)
        .collect();
    if numbers.is_empty() && model.cleared_symbols.is_empty() {
        return Ok(());
    }
    emit_version_table(model, dynamic, &numbers)
}

fn emit_needs(
    model: &mut Model<'_>,
    kept: &[&VersionNeeds],
    offsets: &[u64],
) -> Result<(), EditError> {
    let all = &model.dynamic.version_needs;
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
    let mut writer = FieldWriter::new(model.encoding());
    for (needs, left) in kept.iter().zip((0..kept.len()).rev()) {
        let is_field = |field: &&TextField| field.offset == needs.offset + 4;
        let renamed = model
            .text_fields
            .iter()
            .find(is_field)
            .and_then(|field| offsets.get(field.text));
        let file = renamed.map_or(Ok(needs.file_offset), |offset| string_offset(*offset))?;
        write_needs(&mut writer, needs, file, left == 0);
    }
    model
        .text_fields
        .retain(|field| !all.iter().any(|needs| field.offset == needs.offset + 4));
    let mut bytes = writer.finish();
    bytes.resize(usize::try_from(len).unwrap_or(bytes.len()), 0);
    model.put(
        model.moved_offset(start),
        "version needs",
        Data::Bytes(bytes),
    );
    Ok(())
}

/// Writes the structures of one library, one after the other.
fn write_needs(writer: &mut FieldWriter, needs: &VersionNeeds, file: u32, last: bool) {
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
    writer.u16(1).u16(count).u32(file).u32(aux).u32(next);
    for (version, left) in needs.versions.iter().zip((0..count).rev()) {
        let flags = if version.weak { VER_FLG_WEAK } else { 0 };
        let next = if left == 0 { 0 } else { LEN };
        writer
            .u32(version.hash)
            .u16(flags)
            .u16(version.index)
            .u32(version.name_offset)
            .u32(next);
    }
}

fn emit_version_table(
    model: &mut Model<'_>,
    dynamic: &Dynamic,
    numbers: &BTreeSet<u16>,
) -> Result<(), EditError> {
    let Some(vaddr) = dynamic.array.get(Tag::VERSYM) else {
        return Ok(());
    };
    let len = model.symbol_count.saturating_mul(2);
    let offset = model.elf.image().place("DT_VERSYM", vaddr, len.max(1))?;
    let encoding = model.encoding();
    let mut writer = FieldWriter::new(encoding);
    writer.u16(VER_NDX_GLOBAL);
    let none = writer.finish();
    let mut at = 0;
    while at < len {
        let block = read_block(model, offset + at, (len - at).min(BLOCK))?;
        for (bytes, place) in block.chunks_exact(2).zip((at..).step_by(2)) {
            let number = encoding.u16_at(bytes, 0).unwrap_or_default() & 0x7fff;
            let Ok(index) = u32::try_from(place / 2) else {
                break;
            };
            if model.cleared_symbols.contains(&index) || numbers.contains(&number) {
                let index = model.symbol_moves.get(&index).copied().unwrap_or(index);
                let place = model.moved_offset(offset + u64::from(index) * 2);
                model.put(place, "symbol version", Data::Bytes(none.clone()));
            }
        }
        at += block.len() as u64;
    }
    Ok(())
}

fn read_block(model: &Model<'_>, offset: u64, len: u64) -> Result<Vec<u8>, ReadError> {
    read_range(model.source, "DT_VERSYM", offset, len)
}
