//! Symbols of sections that moved: their addresses follow.

use crate::edit::error::EditError;
use crate::edit::model::Model;
use crate::edit::plan::Data;
use crate::encoding::{Class, FieldWriter};
use crate::read::section_header::{SHT_DYNSYM, SHT_SYMTAB, SectionHeader};
use crate::read::symbol::{RawSymbol, SHN_LORESERVE, SymbolKind};
use crate::read::window::{check_range, read_range};

/// How much of a table is read at once, in bytes: a multiple of both symbol lengths.
const BLOCK: u64 = 24 * 4096;

/// Adds the writes that correct the symbols, in the symbol tables that sections name.
pub(crate) fn adjust(model: &mut Model<'_>) -> Result<(), EditError> {
    let moves = |(old, new): (&SectionHeader, &SectionHeader)| old.vaddr != new.vaddr;
    if !model.elf.sections.iter().zip(&model.sections).any(moves) {
        return Ok(());
    }
    let tables: Vec<usize> = (0..model.elf.sections.len())
        .filter(|index| {
            model
                .elf
                .sections
                .get(*index)
                .is_some_and(|table| is_symbol_table(model, table))
        })
        .collect();
    for index in tables {
        adjust_table(model, index)?;
    }
    Ok(())
}

fn is_symbol_table(model: &Model<'_>, section: &SectionHeader) -> bool {
    matches!(section.kind, SHT_SYMTAB | SHT_DYNSYM)
        && section.entry_len == model.encoding().symbol_len() as u64
}

fn adjust_table(model: &mut Model<'_>, index: usize) -> Result<(), EditError> {
    let symbol_len = model.encoding().symbol_len();
    let (Some(old), Some(new)) = (model.elf.sections.get(index), model.sections.get(index)) else {
        return Ok(());
    };
    let (old_offset, new_offset) = (old.offset, new.offset);
    let is_dynamic = old.kind == SHT_DYNSYM;
    let len = old.len - old.len % symbol_len as u64;
    check_range("symbol table", old_offset, len, model.elf.file_len)?;
    let mut at = 0;
    while at < len {
        let block = read_range(
            model.source,
            "symbol table",
            old_offset + at,
            (len - at).min(BLOCK),
        )?;
        let places = (at..).step_by(symbol_len);
        for (symbol, place) in block.chunks_exact(symbol_len).zip(places) {
            let Some(symbol) = RawSymbol::parse(model.encoding(), symbol) else {
                continue;
            };
            let mut place = place;
            if is_dynamic {
                let index = u32::try_from(place / symbol_len as u64).unwrap_or_default();
                let index = model.symbol_moves.get(&index).copied().unwrap_or(index);
                place = u64::from(index) * symbol_len as u64;
            }
            adjust_symbol(model, symbol, new_offset + place)?;
        }
        at += block.len() as u64;
    }
    Ok(())
}

fn adjust_symbol(model: &mut Model<'_>, symbol: RawSymbol, offset: u64) -> Result<(), EditError> {
    if symbol.section == 0 || symbol.section >= SHN_LORESERVE {
        return Ok(());
    }
    let index = usize::from(symbol.section);
    let (Some(old), Some(new)) = (model.elf.sections.get(index), model.sections.get(index)) else {
        return Ok(());
    };
    // Some releases of patchelf number sections anew and leave the numbers in symbols as they were.
    let is_inside = (old.vaddr..=old.memory_end()).contains(&symbol.value);
    if old.vaddr == new.vaddr || !is_inside {
        return Ok(());
    }
    let (value_at, section_at) = match model.encoding().class {
        Class::Elf32 => (4, 14),
        Class::Elf64 => (8, 6),
    };
    let mut writer = FieldWriter::new(model.encoding());
    let is_section = SymbolKind(symbol.info & 0xf) == SymbolKind::SECTION;
    if let (Some(retired), false, true) = (
        model.retired_dynamic,
        is_section,
        model.dynamic_section() == Some(index),
    ) {
        // `_DYNAMIC`: code has its address, so it stays with the old place.
        writer.u16(u16::try_from(retired).unwrap_or_default());
        model.put(offset + section_at, "symbol", Data::Bytes(writer.finish()));
        return Ok(());
    }
    let value = symbol.value.wrapping_add(new.vaddr.wrapping_sub(old.vaddr));
    let value = model.check_word("symbol", Some(value & model.encoding().max_word()))?;
    writer.word(value);
    model.put(offset + value_at, "symbol", Data::Bytes(writer.finish()));
    Ok(())
}
