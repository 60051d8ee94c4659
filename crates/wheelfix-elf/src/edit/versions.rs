//! Version needs of removed libraries go, and symbols lose their versions.

use std::collections::BTreeSet;

use crate::dynamic_tag::Tag;
use crate::edit::emit::string_offset;
use crate::edit::error::EditError;
use crate::edit::model::Model;
use crate::edit::plan::Data;
use crate::elf::Dynamic;
use crate::encoding::FieldWriter;
use crate::error::ReadError;
use crate::section_header::{SHT_GNU_VERNEED, SHT_PROGBITS};
use crate::symbol_table::SymbolTable;
use crate::versions::{NEED_LEN, VersionNeeds};
use crate::window::read_range;

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
        let version = symbol.version.map_or(0, |version| version.number());
        let named = std::str::from_utf8(symbol.name).is_ok_and(|name| names.contains(name));
        if named && version > VER_NDX_GLOBAL {
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
    let places = || {
        all.iter().flat_map(|needs| {
            std::iter::once(needs.offset).chain(needs.versions.iter().map(|it| it.offset))
        })
    };
    let start = places().min().unwrap_or_default();
    let end = places().max().unwrap_or_default() + NEED_LEN;
    let mut writer = FieldWriter::new(model.encoding());
    for (needs, index) in kept.iter().zip(1..) {
        let renamed = model
            .text_fields
            .iter()
            .find(|field| field.offset == needs.offset + 4);
        let renamed = renamed.and_then(|field| offsets.get(field.text));
        let file = renamed.map_or(Ok(needs.file_offset), |offset| string_offset(*offset))?;
        let count = needs.versions.len();
        let next = if index == kept.len() {
            0
        } else {
            (1 + count) * NEED_LEN as usize
        };
        let half = |number: usize| u16::try_from(number).unwrap_or_default();
        let word = |number: usize| u32::try_from(number).unwrap_or_default();
        let aux = if count == 0 {
            0
        } else {
            word(NEED_LEN as usize)
        };
        writer
            .u16(1)
            .u16(half(count))
            .u32(file)
            .u32(aux)
            .u32(word(next));
        for (version, index) in needs.versions.iter().zip(1..) {
            let next = if index == count {
                0
            } else {
                word(NEED_LEN as usize)
            };
            let flags = if version.weak { 2 } else { 0 };
            writer
                .u32(version.hash)
                .u16(flags)
                .u16(version.index)
                .u32(version.name_offset)
                .u32(next);
        }
    }
    model
        .text_fields
        .retain(|field| !all.iter().any(|needs| field.offset == needs.offset + 4));
    let mut bytes = writer.finish();
    let len = usize::try_from(end - start).unwrap_or(usize::MAX);
    // Structures that share bytes would need more room apart.
    if bytes.len() > len || len > 1 << 24 {
        return Err(EditError::Unsupported {
            what: "version needs that overlap",
        });
    }
    bytes.resize(len, 0);
    model.put(
        model.moved_offset(start),
        "version needs",
        Data::Bytes(bytes),
    );
    Ok(())
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
    let offset = model
        .elf
        .address_map()
        .offset("DT_VERSYM", vaddr, len.max(1))?;
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
