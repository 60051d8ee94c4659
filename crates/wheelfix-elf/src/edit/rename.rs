//! New names of dynamic symbols.
//!
//! A GNU hash table wants the symbols of one bucket side by side. A new name means another bucket, so that symbols change
//! places; their versions go with them, and relocations get the new numbers.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::emit::string_offset;
use crate::edit::error::EditError;
use crate::edit::model::Model;
use crate::edit::plan::Data;
use crate::edit::relocations;
use crate::encoding::FieldWriter;
use crate::read::dynamic_tag::Tag;
use crate::read::hash::{GnuHash, gnu_hash, sysv_hash};
use crate::read::symbol_table::SymbolTable;
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
    model: &mut Model<'_>,
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
                let text = model.text(new);
                model.renamed_symbols.insert(symbol.index, text);
            }
            _ => {
                kept.insert(symbol.name);
            }
        }
    }
    for text in model.renamed_symbols.values() {
        if let Some(name) = model
            .texts
            .get(*text)
            .filter(|name| kept.contains(name.as_slice()))
        {
            return Err(EditError::SymbolExists {
                name: String::from_utf8_lossy(name).into_owned(),
            });
        }
    }
    if !model.renamed_symbols.is_empty() {
        model
            .summary
            .push(format!("symbols renamed: {}", model.renamed_symbols.len()));
    }
    Ok(())
}

/// The symbols with their new names.
struct Renaming<'m> {
    names: Vec<&'m [u8]>,
    /// For each new number, the old one.
    order: Vec<u32>,
}

impl Renaming<'_> {
    fn name(&self, new_index: u32) -> &[u8] {
        let old = self
            .order
            .get(new_index as usize)
            .copied()
            .unwrap_or_default();
        self.names.get(old as usize).copied().unwrap_or_default()
    }
}

/// Adds the writes, and enters into the model where the symbols have gone.
pub(crate) fn emit(
    model: &mut Model<'_>,
    table: &SymbolTable,
    offsets: &[u64],
) -> Result<(), EditError> {
    if model.renamed_symbols.is_empty() {
        return Ok(());
    }
    let (gnu, sysv) =
        crate::read::symbol_table::read_hashes(model.elf, model.dynamic, model.source)?;
    let (renamed, texts) = (model.renamed_symbols.clone(), model.texts.clone());
    let count = u32::try_from(table.len()).unwrap_or(u32::MAX);
    let name = |index: u32| {
        let text = renamed
            .get(&index)
            .and_then(|text| texts.get(*text))
            .map(Vec::as_slice);
        text.unwrap_or_else(|| {
            table
                .get(index)
                .map_or(b"".as_slice(), |symbol| symbol.name)
        })
    };
    let mut renaming = Renaming {
        names: (0..count).map(name).collect(),
        order: (0..count).collect(),
    };
    if let Some(gnu) = &gnu {
        sort(&mut renaming, gnu);
    }
    let moved: BTreeMap<u32, u32> = renaming
        .order
        .iter()
        .zip(0..)
        .filter(|(old, new)| *old != new)
        .map(|(old, new)| (*old, new))
        .collect();
    if !moved.is_empty()
        && let Some((_, what)) = UNSUPPORTED
            .iter()
            .find(|(tag, _)| model.number(*tag).is_some())
    {
        return Err(EditError::Unsupported { what });
    }
    emit_symbols(model, table, &renaming, offsets)?;
    emit_versions(model, &renaming)?;
    if let Some(gnu) = &gnu {
        let bytes = gnu.rebuild(|index| gnu_hash(renaming.name(index)));
        model.put(
            model.moved_offset(gnu.offset),
            "GNU hash table",
            Data::Bytes(bytes),
        );
    }
    if let Some(sysv) = &sysv {
        let bytes = sysv.rebuild(&moved, |index| sysv_hash(renaming.name(index)));
        model.put(
            model.moved_offset(sysv.offset),
            "hash table",
            Data::Bytes(bytes),
        );
    }
    emit_relocations(model, &moved)?;
    model.symbol_moves = moved;
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
    model: &mut Model<'_>,
    table: &SymbolTable,
    renaming: &Renaming<'_>,
    offsets: &[u64],
) -> Result<(), EditError> {
    let Some(vaddr) = model.dynamic.array.get(Tag::SYMTAB) else {
        return Ok(());
    };
    let symbol_len = model.encoding().symbol_len() as u64;
    let offset = model
        .elf
        .image()
        .place("DT_SYMTAB", vaddr, table.len() as u64 * symbol_len)?;
    for (old, new) in renaming.order.iter().zip(0_u64..) {
        let text = model.renamed_symbols.get(old).copied();
        if text.is_none() && u64::from(*old) == new {
            continue;
        }
        let mut bytes = read_range(
            model.source,
            "symbol",
            offset + u64::from(*old) * symbol_len,
            symbol_len,
        )?;
        if let Some(text) = text {
            let mut writer = FieldWriter::new(model.encoding());
            writer.u32(string_offset(
                offsets.get(text).copied().unwrap_or_default(),
            )?);
            let name = writer.finish();
            bytes.splice(..name.len(), name);
        }
        model.put(
            model.moved_offset(offset + new * symbol_len),
            "symbol",
            Data::Bytes(bytes),
        );
    }
    Ok(())
}

fn emit_versions(model: &mut Model<'_>, renaming: &Renaming<'_>) -> Result<(), EditError> {
    let Some(vaddr) = model.dynamic.array.get(Tag::VERSYM) else {
        return Ok(());
    };
    let len = renaming.order.len() as u64 * 2;
    let offset = model.elf.image().place("DT_VERSYM", vaddr, len.max(1))?;
    let old = read_range(model.source, "DT_VERSYM", offset, len)?;
    let mut new = Vec::with_capacity(old.len());
    for index in &renaming.order {
        let at = *index as usize * 2;
        new.extend(old.get(at..at + 2).unwrap_or_default());
    }
    if new != old {
        model.put(
            model.moved_offset(offset),
            "symbol versions",
            Data::Bytes(new),
        );
    }
    Ok(())
}

/// Gives the relocations the new numbers of their symbols.
fn emit_relocations(model: &mut Model<'_>, moved: &BTreeMap<u32, u32>) -> Result<(), EditError> {
    if moved.is_empty() {
        return Ok(());
    }
    let encoding = model.encoding();
    let mut changes = Vec::new();
    relocations::visit(model, &mut |relocation| {
        if let Some(new) = moved.get(&relocation.symbol) {
            let mut writer = FieldWriter::new(encoding);
            writer.word(
                u64::from(*new) << relocations::symbol_shift(encoding.class) | relocation.kind,
            );
            changes.push((relocation.info_offset, writer.finish()));
        }
    })?;
    for (offset, bytes) in changes {
        model.put(model.moved_offset(offset), "relocation", Data::Bytes(bytes));
    }
    Ok(())
}
