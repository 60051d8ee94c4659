//! Symbols of sections that moved: their addresses follow.

use crate::edit::error::EditError;
use crate::edit::layout::Layout;
use crate::edit::plan::Data;
use crate::edit::writes::Writes;
use crate::encoding::{Class, FieldWriter};
use crate::read::section_header::{SHT_DYNSYM, SHT_SYMTAB, SectionHeader};
use crate::read::symbol::{RawSymbol, SHN_LORESERVE, SymbolKind};
use crate::read::window::{check_range, read_range};

/// How much of a table is read at once, in bytes: a multiple of both symbol lengths.
const BLOCK: u64 = 24 * 4096;

/// Adds the writes that correct the symbols, in the symbol tables that sections name.
pub(crate) fn adjust(writes: &mut Writes<'_>) -> Result<(), EditError> {
    let layout = writes.layout;
    let moves = |(old, new): (&SectionHeader, &SectionHeader)| old.vaddr != new.vaddr;
    if !layout
        .edits
        .elf
        .sections
        .iter()
        .zip(&layout.tables.sections)
        .any(moves)
    {
        return Ok(());
    }
    let tables: Vec<usize> = (0..layout.edits.elf.sections.len())
        .filter(|index| {
            layout
                .edits
                .elf
                .sections
                .get(*index)
                .is_some_and(|table| is_symbol_table(layout, table))
        })
        .collect();
    for index in tables {
        adjust_table(writes, index)?;
    }
    Ok(())
}

fn is_symbol_table(layout: &Layout<'_>, section: &SectionHeader) -> bool {
    matches!(section.kind, SHT_SYMTAB | SHT_DYNSYM)
        && section.entry_len == layout.edits.encoding().symbol_len() as u64
}

fn adjust_table(writes: &mut Writes<'_>, index: usize) -> Result<(), EditError> {
    let layout = writes.layout;
    let symbol_len = layout.edits.encoding().symbol_len();
    let (Some(old), Some(new)) = (
        layout.edits.elf.sections.get(index),
        layout.tables.sections.get(index),
    ) else {
        return Ok(());
    };
    let (old_offset, new_offset) = (old.offset, new.offset);
    let is_dynamic = old.kind == SHT_DYNSYM;
    let len = old.len - old.len % symbol_len as u64;
    check_range("symbol table", old_offset, len, layout.edits.elf.file_len)?;
    let mut at = 0;
    while at < len {
        let block = read_range(
            layout.edits.source,
            "symbol table",
            old_offset + at,
            (len - at).min(BLOCK),
        )?;
        let places = (at..).step_by(symbol_len);
        for (symbol, place) in block.chunks_exact(symbol_len).zip(places) {
            let Some(symbol) = RawSymbol::parse(layout.edits.encoding(), symbol) else {
                continue;
            };
            let mut place = place;
            if is_dynamic {
                let index = u32::try_from(place / symbol_len as u64).unwrap_or_default();
                let index = writes.symbol_moves.get(&index).copied().unwrap_or(index);
                place = u64::from(index) * symbol_len as u64;
            }
            adjust_symbol(writes, symbol, new_offset + place)?;
        }
        at += block.len() as u64;
    }
    Ok(())
}

fn adjust_symbol(writes: &mut Writes<'_>, symbol: RawSymbol, offset: u64) -> Result<(), EditError> {
    let layout = writes.layout;
    if symbol.section == 0 || symbol.section >= SHN_LORESERVE {
        return Ok(());
    }
    let index = usize::from(symbol.section);
    let (Some(old), Some(new)) = (
        layout.edits.elf.sections.get(index),
        layout.tables.sections.get(index),
    ) else {
        return Ok(());
    };
    // Some releases of patchelf number sections anew and leave the numbers in symbols as they were.
    let is_inside = (old.vaddr..=old.memory_end()).contains(&symbol.value);
    if old.vaddr == new.vaddr || !is_inside {
        return Ok(());
    }
    let (value_at, section_at) = match layout.edits.encoding().class {
        Class::Elf32 => (4, 14),
        Class::Elf64 => (8, 6),
    };
    let mut fields = FieldWriter::new(layout.edits.encoding());
    let is_section = SymbolKind(symbol.info & 0xf) == SymbolKind::SECTION;
    if let (Some(retired), false, true) = (
        layout.retired_dynamic,
        is_section,
        layout.edits.dynamic_section() == Some(index),
    ) {
        // `_DYNAMIC`: code has its address, so it stays with the old place.
        fields.u16(u16::try_from(retired).unwrap_or_default());
        writes.put(offset + section_at, "symbol", Data::Bytes(fields.finish()));
        return Ok(());
    }
    let value = symbol.value.wrapping_add(new.vaddr.wrapping_sub(old.vaddr));
    let value = layout
        .edits
        .check_word("symbol", Some(value & layout.edits.encoding().max_word()))?;
    fields.word(value);
    writes.put(offset + value_at, "symbol", Data::Bytes(fields.finish()));
    Ok(())
}
