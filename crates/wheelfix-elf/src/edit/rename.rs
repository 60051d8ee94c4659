//! New names of dynamic symbols.
//!
//! A GNU hash table wants the symbols of one bucket side by side. A new name means another bucket, so that symbols change
//! places; their versions go with them, and relocations get the new numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::edit::plan::Data;
use crate::edit::relocations;
use crate::edit::writes::{Writes, string_offset};
use crate::encoding::FieldWriter;
use crate::read::dynamic_tag::Tag;
use crate::read::hash::{GnuHash, gnu_hash, sysv_hash};
use crate::read::symbol_table::{SymbolTable, read_hashes};
use crate::read::window::read_range;

/// Tables that have numbers of symbols in them and that we do not rewrite.
const UNSUPPORTED: [(Tag, &str); 4] = [
    (Tag::SYMTAB_SHNDX, "DT_SYMTAB_SHNDX"),
    (Tag::SYMINFO, "DT_SYMINFO"),
    (Tag::GNU_CONFLICT, "DT_GNU_CONFLICT"),
    (Tag::CREL, "DT_CREL"),
];

/// Finds the symbols that get new names.
pub(crate) fn find(
    edits: &mut Edits<'_>,
    table: &SymbolTable,
    names: &BTreeMap<String, String>,
) -> Result<(), EditError> {
    let mut kept: BTreeSet<&[u8]> = BTreeSet::new();
    for symbol in table.iter() {
        let new = std::str::from_utf8(symbol.name)
            .ok()
            .and_then(|name| names.get(name));
        match new {
            Some(new) if new.as_bytes() != symbol.name => {
                let text = edits.text(new);
                edits.renamed_symbols.insert(symbol.index, text);
            }
            _ => {
                kept.insert(symbol.name);
            }
        }
    }
    for text in edits.renamed_symbols.values() {
        if let Some(name) = edits
            .texts
            .get(*text)
            .filter(|name| kept.contains(name.as_slice()))
        {
            return Err(EditError::SymbolExists {
                name: String::from_utf8_lossy(name).into_owned(),
            });
        }
    }
    if !edits.renamed_symbols.is_empty() {
        edits
            .summary
            .push(format!("symbols renamed: {}", edits.renamed_symbols.len()));
    }
    Ok(())
}

/// The symbols with their new names.
struct Renaming<'m> {
    names: Vec<&'m [u8]>,
    /// For each new number, the old one.
    order: Vec<u32>,
}

impl<'m> Renaming<'m> {
    /// Gives the symbols their new names and, as a GNU hash table wants it, their order.
    fn new(edits: &'m Edits<'_>, table: &'m SymbolTable, gnu: Option<&GnuHash>) -> Self {
        let count = u32::try_from(table.len()).unwrap_or(u32::MAX);
        let name = |index: u32| {
            let text = edits.renamed_symbols.get(&index);
            let new = text.and_then(|text| edits.texts.get(*text));
            let old = || table.get(index).map_or(&b""[..], |symbol| symbol.name);
            new.map_or_else(old, Vec::as_slice)
        };
        let mut renaming = Self {
            names: (0..count).map(name).collect(),
            order: (0..count).collect(),
        };
        if let Some(gnu) = gnu {
            sort(&mut renaming, gnu);
        }
        renaming
    }

    /// The symbols that have another number: old and new.
    fn moved(&self) -> BTreeMap<u32, u32> {
        let numbers = self.order.iter().copied().zip(0..);
        numbers.filter(|(old, new)| old != new).collect()
    }

    fn name(&self, new_index: u32) -> &[u8] {
        let old = self
            .order
            .get(new_index as usize)
            .copied()
            .unwrap_or_default();
        self.names.get(old as usize).copied().unwrap_or_default()
    }
}

/// Adds the writes, and enters where the symbols have gone.
pub(crate) fn emit(
    writes: &mut Writes<'_>,
    table: &SymbolTable,
    offsets: &[u64],
) -> Result<(), EditError> {
    let layout = writes.layout;
    let edits = layout.edits;
    if edits.renamed_symbols.is_empty() {
        return Ok(());
    }
    let (gnu, sysv) = read_hashes(edits.elf, edits.dynamic, edits.source)?;
    let renaming = Renaming::new(edits, table, gnu.as_ref());
    let moved = renaming.moved();
    let mut unsupported = UNSUPPORTED.iter().filter(|_| !moved.is_empty());
    let there = unsupported.find(|(tag, _)| layout.tables.number(*tag).is_some());
    if let Some((_, what)) = there {
        return Err(EditError::Unsupported { what });
    }
    emit_symbols(writes, table, &renaming, offsets)?;
    emit_versions(writes, &renaming)?;
    if let Some(gnu) = &gnu {
        let bytes = gnu.rebuild(|index| gnu_hash(renaming.name(index)));
        let place = layout.moved_offset(gnu.offset);
        writes.put(place, "GNU hash table", Data::Bytes(bytes));
    }
    if let Some(sysv) = &sysv {
        let bytes = sysv.rebuild(&moved, |index| sysv_hash(renaming.name(index)));
        let place = layout.moved_offset(sysv.offset);
        writes.put(place, "hash table", Data::Bytes(bytes));
    }
    emit_relocations(writes, &moved)?;
    writes.symbol_moves = moved;
    Ok(())
}

/// Puts the symbols that are in the hash table into the order of their new buckets.
fn sort(renaming: &mut Renaming<'_>, gnu: &GnuHash) {
    let buckets = gnu.bucket_count().max(1);
    let first = (gnu.first as usize).min(renaming.order.len());
    let names = &renaming.names;
    let bucket =
        |index: &u32| gnu_hash(names.get(*index as usize).copied().unwrap_or_default()) % buckets;
    if let Some(hashed) = renaming.order.get_mut(first..) {
        hashed.sort_by_key(|index| (bucket(index), *index));
    }
}

fn emit_symbols(
    writes: &mut Writes<'_>,
    table: &SymbolTable,
    renaming: &Renaming<'_>,
    offsets: &[u64],
) -> Result<(), EditError> {
    let layout = writes.layout;
    let Some(vaddr) = layout.edits.dynamic.array.get(Tag::SYMTAB) else {
        return Ok(());
    };
    let symbol_len = layout.edits.encoding().symbol_len() as u64;
    let offset =
        layout
            .edits
            .elf
            .image()
            .place("DT_SYMTAB", vaddr, table.len() as u64 * symbol_len)?;
    for (old, new) in renaming.order.iter().zip(0_u64..) {
        let text = layout.edits.renamed_symbols.get(old).copied();
        if text.is_none() && u64::from(*old) == new {
            continue;
        }
        let mut bytes = read_range(
            layout.edits.source,
            "symbol",
            offset + u64::from(*old) * symbol_len,
            symbol_len,
        )?;
        if let Some(text) = text {
            let mut fields = FieldWriter::new(layout.edits.encoding());
            fields.u32(string_offset(
                offsets.get(text).copied().unwrap_or_default(),
            )?);
            let name = fields.finish();
            bytes.splice(..name.len(), name);
        }
        writes.put(
            layout.moved_offset(offset + new * symbol_len),
            "symbol",
            Data::Bytes(bytes),
        );
    }
    Ok(())
}

fn emit_versions(writes: &mut Writes<'_>, renaming: &Renaming<'_>) -> Result<(), EditError> {
    let layout = writes.layout;
    let Some(vaddr) = layout.edits.dynamic.array.get(Tag::VERSYM) else {
        return Ok(());
    };
    let len = renaming.order.len() as u64 * 2;
    let offset = layout
        .edits
        .elf
        .image()
        .place("DT_VERSYM", vaddr, len.max(1))?;
    let old = read_range(layout.edits.source, "DT_VERSYM", offset, len)?;
    let mut new = Vec::with_capacity(old.len());
    for index in &renaming.order {
        let at = *index as usize * 2;
        new.extend(old.get(at..at + 2).unwrap_or_default());
    }
    if new != old {
        writes.put(
            layout.moved_offset(offset),
            "symbol versions",
            Data::Bytes(new),
        );
    }
    Ok(())
}

/// Gives the relocations the new numbers of their symbols.
fn emit_relocations(writes: &mut Writes<'_>, moved: &BTreeMap<u32, u32>) -> Result<(), EditError> {
    let layout = writes.layout;
    if moved.is_empty() {
        return Ok(());
    }
    let encoding = layout.edits.encoding();
    let mut changes = Vec::new();
    relocations::visit(layout.edits, &mut |relocation| {
        if let Some(new) = moved.get(&relocation.symbol) {
            let mut fields = FieldWriter::new(encoding);
            fields.word(
                u64::from(*new) << relocations::symbol_shift(encoding.class) | relocation.kind,
            );
            changes.push((relocation.info_offset, fields.finish()));
        }
    })?;
    for (offset, bytes) in changes {
        writes.put(
            layout.moved_offset(offset),
            "relocation",
            Data::Bytes(bytes),
        );
    }
    Ok(())
}
