//! From the placed model to writes, in an order in which no copy reads what was overwritten before.

use std::ops::Range;

use crate::edit::error::EditError;
use crate::edit::layout::Layout;
use crate::edit::layout::addresses::Item;
use crate::edit::model::{Entry, Model, Value};
use crate::edit::plan::Data;
use crate::edit::strings::{Piece, PieceData, StringLayout};
use crate::edit::{headers, old_dynamic, rename, versions};
use crate::encoding::FieldWriter;
use crate::error::ReadError;
use crate::read::dynamic::DynamicEntry;
use crate::read::program_header::SegmentKind;
use crate::read::symbol_table::SymbolTable;
use crate::read::window::{Window, read_range};

/// A retired string table with at most this much left of it is wiped; of a longer one only what may name a path.
const MAX_WIPE: u64 = 1 << 15;

/// Adds all writes to the model.
pub(crate) fn emit(
    model: &mut Model<'_>,
    strings: &StringLayout,
    offsets: &[u64],
    placement: &Layout,
    symbols: Option<&SymbolTable>,
) -> Result<(), EditError> {
    emit_strings(model, strings, placement)?;
    emit_items(model, placement);
    wipe_old_strings(model, placement)?;
    wipe_old_interpreter(model, placement);
    emit_block(model, placement)?;
    emit_interpreter(model, placement);
    if let Some(symbols) = symbols {
        rename::emit(model, symbols, offsets)?;
    }
    versions::emit(model, offsets)?;
    for field in model.text_fields.clone() {
        let offset = offsets.get(field.text).copied().unwrap_or_default();
        let mut writer = FieldWriter::new(model.encoding());
        writer.u32(string_offset(offset)?);
        model.put(
            model.moved_offset(field.offset),
            field.what,
            Data::Bytes(writer.finish()),
        );
    }
    emit_dynamic(model, offsets, placement)?;
    headers::emit(model)
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

fn emit_strings(
    model: &mut Model<'_>,
    strings: &StringLayout,
    placement: &Layout,
) -> Result<(), ReadError> {
    let (to, len) = placement.strings;
    let from = strings.old().offset;
    let mut pieces: Vec<Piece> = strings.pieces(len);
    if to == from {
        for piece in pieces {
            match piece.data {
                PieceData::Old(_) => {}
                PieceData::New(bytes) => model.put_changed(to + piece.at, "strings", &bytes)?,
                PieceData::Zeros(len) => put_zeros(model, to + piece.at, len)?,
            }
        }
        let old_len = strings.old().len;
        if len < old_len && to + old_len <= model.new_len {
            put_zeros(model, to + len, old_len - len)?;
        }
        return Ok(());
    }
    // Where the two places overlap, the end comes first if the table moves up.
    if to > from {
        pieces.reverse();
    }
    for piece in pieces {
        let data = match piece.data {
            PieceData::Old(len) => Data::Copy {
                from: from + piece.at,
                len,
            },
            PieceData::New(bytes) => Data::Bytes(bytes),
            PieceData::Zeros(len) => Data::Zeros(len),
        };
        model.put(to + piece.at, "strings", data);
    }
    let (end, old_end) = (to + len, from + strings.old().len);
    if from < end && end < old_end && old_end <= model.new_len {
        model.put(end, "retired strings", Data::Zeros(old_end - end));
    }
    Ok(())
}

/// Wipes a range, unless it is zero already.
fn put_zeros(model: &mut Model<'_>, offset: u64, len: u64) -> Result<(), ReadError> {
    let old = read_range(model.source, "strings", offset, len)?;
    let Some(first) = old.iter().position(|byte| *byte != 0) else {
        return Ok(());
    };
    let last = old.iter().rposition(|byte| *byte != 0).unwrap_or(first);
    model.put(
        offset + first as u64,
        "retired strings",
        Data::Zeros((last - first + 1) as u64),
    );
    Ok(())
}

fn emit_items(model: &mut Model<'_>, placement: &Layout) {
    let mut end = placement.start;
    for (item, offset) in &placement.items {
        if *offset > end {
            model.put(end, "padding", Data::Zeros(offset - end));
        }
        end = *offset;
        match item {
            Item::Table(index, _) => {
                let Some(section) = model.elf.sections.get(*index) else {
                    continue;
                };
                model.put(
                    *offset,
                    "table",
                    Data::Copy {
                        from: section.offset,
                        len: section.len,
                    },
                );
                end += section.len;
            }
            Item::Interpreter => {
                let bytes = model.interpreter.clone().unwrap_or_default();
                end += bytes.len() as u64;
                model.put(*offset, "interpreter", Data::Bytes(bytes));
            }
            // Written with the entries of the dynamic section, and with the strings.
            Item::Dynamic => end += (model.capacity * model.encoding().dynamic_entry_len()) as u64,
            Item::Strings => end += placement.strings.1,
            Item::ProgramHeaders => {
                end += model.program_headers.len() as u64
                    * model.encoding().program_header_len() as u64;
            }
        }
    }
    for (index, offset) in &placement.into_old_strings {
        if let Some(section) = model.elf.sections.get(*index) {
            model.put(
                *offset,
                "table",
                Data::Copy {
                    from: section.offset,
                    len: section.len,
                },
            );
        }
    }
}

/// Wipes what is left of a string table that has moved: Nix takes a path in there for a reference.
fn wipe_old_strings(model: &mut Model<'_>, placement: &Layout) -> Result<(), EditError> {
    let old = model.strings;
    let moved_away = placement.strings.0 != old.offset && old.offset < placement.start;
    if !moved_away {
        return Ok(());
    }
    let limit = placement.shift.as_ref().map_or(0, |shift| shift.limit);
    let tables = placement
        .into_old_strings
        .iter()
        .filter_map(|(index, offset)| {
            model
                .elf
                .sections
                .get(*index)
                .map(|section| offset + section.len)
        });
    let start = tables.fold(old.offset.max(limit), u64::max);
    // From there on everything is laid out anew, perhaps over the end of the old table.
    let end = (old.offset + old.len).min(placement.start);
    let dead = start..end.max(start);
    if dead.end - dead.start <= MAX_WIPE {
        model.put(
            dead.start,
            "retired strings",
            Data::Zeros(dead.end - dead.start),
        );
        return Ok(());
    }
    for range in named_strings(model)? {
        let (from, to) = (
            (old.offset + range.start).max(dead.start),
            (old.offset + range.end).min(dead.end),
        );
        if from < to {
            model.put(from, "retired strings", Data::Zeros(to - from));
        }
    }
    Ok(())
}

/// Returns the ranges of the old table that hold strings of the dynamic section and of versions, ascending and apart.
fn named_strings(model: &Model<'_>) -> Result<Vec<Range<u64>>, EditError> {
    let mut window = Window::new(model.source);
    let mut ranges = Vec::new();
    for entry in model
        .dynamic
        .array
        .entries
        .iter()
        .filter(|entry| entry.tag.is_string())
    {
        let text = model
            .strings
            .bytes(&mut window, "dynamic string", entry.value)?;
        ranges.push(entry.value..entry.value + text.len() as u64);
    }
    for needs in &model.dynamic.version_needs {
        ranges
            .push(needs.file_offset.into()..u64::from(needs.file_offset) + needs.file.len() as u64);
    }
    ranges.sort_by_key(|range: &Range<u64>| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    Ok(merged)
}

/// Wipes the old interpreter's name, if the new one lies elsewhere.
fn wipe_old_interpreter(model: &mut Model<'_>, placement: &Layout) {
    let Some(old) = model
        .interpreter_place()
        .filter(|_| placement.moves_interpreter())
    else {
        return;
    };
    if old.offset < placement.start {
        let len = old.file_len.min(placement.start - old.offset);
        model.put(old.offset, "retired interpreter", Data::Zeros(len));
    }
}

/// Writes the interpreter's name over the old one, which may have slid up with the notes.
fn emit_interpreter(model: &mut Model<'_>, placement: &Layout) {
    let (Some(bytes), Some(segment)) = (
        model.interpreter.clone(),
        model.segment_mut(SegmentKind::INTERP).copied(),
    ) else {
        return;
    };
    if placement.moves_interpreter() {
        return;
    }
    let rest = segment.file_len.saturating_sub(bytes.len() as u64);
    let end = segment.offset + bytes.len() as u64;
    model.put(segment.offset, "interpreter", Data::Bytes(bytes));
    model.put(end, "interpreter", Data::Zeros(rest));
}

fn emit_block(model: &mut Model<'_>, placement: &Layout) -> Result<(), ReadError> {
    let Some(shift) = &placement.shift else {
        return Ok(());
    };
    let Range { start, end } = shift.range;
    let bytes = read_range(model.source, "notes", start, end - start)?;
    let headers = model.program_headers.len() as u64 * model.encoding().program_header_len() as u64;
    let headers_end = model.program_headers_offset + headers;
    let to = start + shift.distance;
    model.put(
        headers_end,
        "padding",
        Data::Zeros(to.saturating_sub(headers_end)),
    );
    model.put(to, "notes", Data::Bytes(bytes));
    Ok(())
}

fn emit_dynamic(
    model: &mut Model<'_>,
    offsets: &[u64],
    placement: &Layout,
) -> Result<(), EditError> {
    if model.dynamic.strings.is_none() {
        return Ok(());
    }
    let old = &model.dynamic.array;
    let capacity = model.capacity;
    let entries = encode(model, &model.entries, capacity, offsets)?;
    let new_place = placement
        .items
        .iter()
        .find(|(item, _)| *item == Item::Dynamic);
    match new_place {
        None => model.put_changed(old.offset, "dynamic section", &entries)?,
        Some((_, offset)) => model.put(*offset, "dynamic section", Data::Bytes(entries)),
    }
    let retires = new_place.map(|_| (old.offset, old.capacity));
    if let Some((offset, capacity)) = model.retired.or(retires) {
        let left = old_dynamic::entries(&model.entries, capacity);
        let left = encode(model, &left, capacity, offsets)?;
        model.put_changed(offset, "retired dynamic section", &left)?;
    }
    Ok(())
}

fn encode(
    model: &Model<'_>,
    entries: &[Entry],
    capacity: usize,
    offsets: &[u64],
) -> Result<Vec<u8>, EditError> {
    let mut writer = FieldWriter::new(model.encoding());
    for entry in entries {
        let value = match entry.value {
            Value::Number(number) => number,
            Value::Text(text) => offsets.get(text).copied().unwrap_or_default(),
        };
        let value = model.check_word("entry of the dynamic section", Some(value))?;
        DynamicEntry {
            tag: entry.tag,
            value,
        }
        .write(&mut writer);
    }
    let mut bytes = writer.finish();
    bytes.resize(capacity * model.encoding().dynamic_entry_len(), 0);
    Ok(bytes)
}
