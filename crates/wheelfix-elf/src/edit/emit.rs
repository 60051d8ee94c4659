//! From the layout to writes, in an order in which no copy reads what was overwritten before.

use std::ops::Range;

use crate::edit::edits::TextField;
use crate::edit::error::EditError;
use crate::edit::layout::Layout;
use crate::edit::layout::addresses::Item;
use crate::edit::plan::{Data, Write};
use crate::edit::strings::{Piece, PieceData, StringLayout};
use crate::edit::tables::{Entry, Value};
use crate::edit::writes::{Writes, string_offset};
use crate::edit::{headers, old_dynamic, rename, symbols, versions};
use crate::encoding::FieldWriter;
use crate::error::ReadError;
use crate::read::dynamic::DynamicEntry;
use crate::read::program_header::SegmentKind;
use crate::read::symbol_table::SymbolTable;
use crate::read::window::{Window, read_range};

/// A retired string table with at most this much left of it is wiped; of a longer one only what may name a path.
const MAX_WIPE: u64 = 1 << 15;

/// Writes all that differs from the file as it is.
pub(crate) fn emit(
    layout: &Layout<'_>,
    strings: &StringLayout,
    offsets: &[u64],
    symbols: Option<&SymbolTable>,
) -> Result<Vec<Write>, EditError> {
    let writes = &mut Writes::new(layout);
    if let Some(headers) = &layout.retired_section_headers {
        let len = headers.end - headers.start;
        writes.put(headers.start, "retired section headers", Data::Zeros(len));
    }
    emit_strings(writes, strings)?;
    emit_items(writes);
    wipe_old_strings(writes)?;
    wipe_old_interpreter(writes);
    emit_block(writes)?;
    emit_interpreter(writes);
    if let Some(symbols) = symbols {
        rename::emit(writes, symbols, offsets)?;
    }
    versions::emit(writes, offsets)?;
    emit_text_fields(writes, offsets)?;
    emit_dynamic(writes, offsets)?;
    headers::emit(writes)?;
    symbols::adjust(writes)?;
    Ok(std::mem::take(&mut writes.list))
}

/// Writes the offsets of new strings, but for those of version needs that were written anew.
fn emit_text_fields(writes: &mut Writes<'_>, offsets: &[u64]) -> Result<(), EditError> {
    let layout = writes.layout;
    let edits = layout.edits;
    let is_written = |field: &TextField| {
        let mut needs = edits.dynamic.version_needs.iter();
        edits.removes_needs() && needs.any(|needs| field.offset == needs.offset + 4)
    };
    for field in edits.text_fields.iter().filter(|field| !is_written(field)) {
        let offset = offsets.get(field.text).copied().unwrap_or_default();
        let mut fields = FieldWriter::new(edits.encoding());
        fields.u32(string_offset(offset)?);
        let place = layout.moved_offset(field.offset);
        writes.put(place, field.what, Data::Bytes(fields.finish()));
    }
    Ok(())
}

fn emit_strings(writes: &mut Writes<'_>, strings: &StringLayout) -> Result<(), ReadError> {
    let layout = writes.layout;
    let (to, len) = layout.strings;
    let from = strings.old().offset;
    let mut pieces: Vec<Piece> = strings.pieces(len);
    if to == from {
        for piece in pieces {
            match piece.data {
                PieceData::Old(_) => {}
                PieceData::New(bytes) => writes.put_changed(to + piece.at, "strings", &bytes)?,
                PieceData::Zeros(len) => put_zeros(writes, to + piece.at, len)?,
            }
        }
        let old_len = strings.old().len;
        if len < old_len && to + old_len <= layout.new_len {
            put_zeros(writes, to + len, old_len - len)?;
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
        writes.put(to + piece.at, "strings", data);
    }
    let (end, old_end) = (to + len, from + strings.old().len);
    if from < end && end < old_end && old_end <= layout.new_len {
        writes.put(end, "retired strings", Data::Zeros(old_end - end));
    }
    Ok(())
}

/// Wipes a range, unless it is zero already.
fn put_zeros(writes: &mut Writes<'_>, offset: u64, len: u64) -> Result<(), ReadError> {
    let layout = writes.layout;
    let old = read_range(layout.edits.source, "strings", offset, len)?;
    let Some(first) = old.iter().position(|byte| *byte != 0) else {
        return Ok(());
    };
    let last = old.iter().rposition(|byte| *byte != 0).unwrap_or(first);
    writes.put(
        offset + first as u64,
        "retired strings",
        Data::Zeros((last - first + 1) as u64),
    );
    Ok(())
}

fn emit_items(writes: &mut Writes<'_>) {
    let layout = writes.layout;
    let mut end = layout.start;
    for (item, offset) in &layout.items {
        if *offset > end {
            writes.put(end, "padding", Data::Zeros(offset - end));
        }
        end = *offset;
        match item {
            Item::Table(index, _) => {
                let Some(section) = layout.edits.elf.sections.get(*index) else {
                    continue;
                };
                writes.put(
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
                let bytes = layout.tables.interpreter.clone().unwrap_or_default();
                end += bytes.len() as u64;
                writes.put(*offset, "interpreter", Data::Bytes(bytes));
            }
            // Written with the entries of the dynamic section, and with the strings.
            Item::Dynamic => {
                end += (layout.capacity * layout.edits.encoding().dynamic_entry_len()) as u64;
            }
            Item::Strings => end += layout.strings.1,
            Item::ProgramHeaders => {
                end += layout.program_headers_len(0);
            }
        }
    }
    for (index, offset) in &layout.into_old_strings {
        if let Some(section) = layout.edits.elf.sections.get(*index) {
            writes.put(
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
fn wipe_old_strings(writes: &mut Writes<'_>) -> Result<(), EditError> {
    let layout = writes.layout;
    let old = layout.edits.strings;
    let moved_away = layout.strings.0 != old.offset && old.offset < layout.start;
    if !moved_away {
        return Ok(());
    }
    let limit = layout.shift.as_ref().map_or(0, |shift| shift.limit);
    let tables = layout
        .into_old_strings
        .iter()
        .filter_map(|(index, offset)| {
            layout
                .edits
                .elf
                .sections
                .get(*index)
                .map(|section| offset + section.len)
        });
    let start = tables.fold(old.offset.max(limit), u64::max);
    // From there on everything is laid out anew, perhaps over the end of the old table.
    let end = (old.offset + old.len).min(layout.start);
    let dead = start..end.max(start);
    if dead.end - dead.start <= MAX_WIPE {
        writes.put(
            dead.start,
            "retired strings",
            Data::Zeros(dead.end - dead.start),
        );
        return Ok(());
    }
    for range in named_strings(layout)? {
        let (from, to) = (
            (old.offset + range.start).max(dead.start),
            (old.offset + range.end).min(dead.end),
        );
        if from < to {
            writes.put(from, "retired strings", Data::Zeros(to - from));
        }
    }
    Ok(())
}

/// Returns the ranges of the old table that hold strings of the dynamic section and of versions, ascending and apart.
fn named_strings(layout: &Layout<'_>) -> Result<Vec<Range<u64>>, EditError> {
    let mut window = Window::new(layout.edits.source);
    let mut ranges = Vec::new();
    for entry in layout
        .edits
        .dynamic
        .array
        .entries
        .iter()
        .filter(|entry| entry.tag.is_string())
    {
        let text = layout
            .edits
            .strings
            .bytes(&mut window, "dynamic string", entry.value)?;
        ranges.push(entry.value..entry.value + text.len() as u64);
    }
    for needs in &layout.edits.dynamic.version_needs {
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
fn wipe_old_interpreter(writes: &mut Writes<'_>) {
    let layout = writes.layout;
    let Some(old) = layout
        .interpreter_place()
        .filter(|_| layout.moves_interpreter())
    else {
        return;
    };
    if old.offset < layout.start {
        let len = old.file_len.min(layout.start - old.offset);
        writes.put(old.offset, "retired interpreter", Data::Zeros(len));
    }
}

/// Writes the interpreter's name over the old one, which may have slid up with the notes.
fn emit_interpreter(writes: &mut Writes<'_>) {
    let layout = writes.layout;
    let tables = &layout.tables;
    let headers = &tables.program_headers;
    let segment = headers.iter().find(|it| it.kind == SegmentKind::INTERP);
    let (Some(bytes), Some(segment)) = (tables.interpreter.clone(), segment) else {
        return;
    };
    if layout.moves_interpreter() {
        return;
    }
    let rest = segment.file_len.saturating_sub(bytes.len() as u64);
    let end = segment.offset + bytes.len() as u64;
    writes.put(segment.offset, "interpreter", Data::Bytes(bytes));
    writes.put(end, "interpreter", Data::Zeros(rest));
}

fn emit_block(writes: &mut Writes<'_>) -> Result<(), ReadError> {
    let layout = writes.layout;
    let Some(shift) = &layout.shift else {
        return Ok(());
    };
    let Range { start, end } = shift.range;
    let bytes = read_range(layout.edits.source, "notes", start, end - start)?;
    let headers_end = layout.program_headers_offset + layout.program_headers_len(0);
    let to = start + shift.distance;
    writes.put(
        headers_end,
        "padding",
        Data::Zeros(to.saturating_sub(headers_end)),
    );
    writes.put(to, "notes", Data::Bytes(bytes));
    Ok(())
}

fn emit_dynamic(writes: &mut Writes<'_>, offsets: &[u64]) -> Result<(), EditError> {
    let layout = writes.layout;
    if layout.edits.dynamic.strings.is_none() {
        return Ok(());
    }
    let old = &layout.edits.dynamic.array;
    let capacity = layout.capacity;
    let entries = encode(layout, &layout.tables.entries, capacity, offsets)?;
    let new_place = layout.items.iter().find(|(item, _)| *item == Item::Dynamic);
    match new_place {
        None => writes.put_changed(old.offset, "dynamic section", &entries)?,
        Some((_, offset)) => writes.put(*offset, "dynamic section", Data::Bytes(entries)),
    }
    let retires = new_place.map(|_| (old.offset, old.capacity));
    if let Some((offset, capacity)) = layout.edits.retired.or(retires) {
        let left = old_dynamic::entries(&layout.tables.entries, capacity);
        let left = encode(layout, &left, capacity, offsets)?;
        writes.put_changed(offset, "retired dynamic section", &left)?;
    }
    Ok(())
}

fn encode(
    layout: &Layout<'_>,
    entries: &[Entry],
    capacity: usize,
    offsets: &[u64],
) -> Result<Vec<u8>, EditError> {
    let mut fields = FieldWriter::new(layout.edits.encoding());
    for entry in entries {
        let value = match entry.value {
            Value::Number(number) => number,
            Value::Text(text) => offsets.get(text).copied().unwrap_or_default(),
        };
        let value = layout
            .edits
            .check_word("entry of the dynamic section", Some(value))?;
        DynamicEntry {
            tag: entry.tag,
            value,
        }
        .write(&mut fields);
    }
    let mut bytes = fields.finish();
    bytes.resize(capacity * layout.edits.encoding().dynamic_entry_len(), 0);
    Ok(bytes)
}
