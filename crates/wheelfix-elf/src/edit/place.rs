//! The new places of all that has to move: one decision for the string table, the dynamic section,
//! the interpreter's name and the tables that make room for a program header.

use crate::dynamic_tag::Tag;
use crate::edit::displace::Displacement;
use crate::edit::error::EditError;
use crate::edit::lay::{Item, Place, enter, lay};
use crate::edit::model::Model;
use crate::edit::origin::Origin;
use crate::edit::plan::{Data, Warning};
use crate::edit::retire;
use crate::edit::slack::Slack;
use crate::edit::slot::{self, Reach, Slot};
use crate::edit::strings::StringLayout;
use crate::edit::tail::Tail;
use crate::edit::vacate::{self, Vacated};
use crate::program_header::{PF_R, PF_W, ProgramHeader, SegmentKind};

/// The new places of the parts that move.
#[derive(Debug)]
pub(crate) struct Placement {
    /// The new place of the strings: file offset and length. The same offset as before if they do not move.
    pub(crate) strings: (u64, u64),
    /// The items with their file offsets, in order.
    pub(crate) items: Vec<(Item, u64)>,
    /// File offset from which on everything is laid out anew. The end of the file if nothing is.
    pub(crate) start: u64,
    /// The sections that make room for a program header. `None` if none have to.
    pub(crate) displacement: Option<Displacement>,
    /// Tables that move into the place of the old strings: section, its new file offset.
    pub(crate) into_old_strings: Vec<(usize, u64)>,
}

/// Nothing with a program header of its own may lie at the first byte of a `PT_LOAD`: LLVM's tools take one of the two for
/// the parent of the other, and it may be the wrong one.
const LEAD: u64 = 16;

/// The parts that have to leave their places.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Moves {
    pub(crate) strings: bool,
    pub(crate) interpreter: bool,
    pub(crate) dynamic: bool,
}

impl Moves {
    /// The length of what moves, if all of it may lie behind a segment that is there: texts.
    fn text_len(self, model: &Model<'_>, strings: &StringLayout) -> Option<u64> {
        let name = model.interpreter.iter().filter(|_| self.interpreter);
        let name: u64 = name.map(|bytes| bytes.len() as u64).sum();
        let strings = if self.strings { strings.content_len } else { 0 };
        (!self.dynamic).then_some(name + strings)
    }

    fn items(self, tables: Vec<Item>) -> Vec<Item> {
        let mut items = Vec::new();
        items.extend(self.dynamic.then_some(Item::Dynamic));
        items.extend(tables);
        items.extend(self.interpreter.then_some(Item::Interpreter));
        items.extend(self.strings.then_some(Item::Strings));
        items
    }
}

/// Decides on the places and changes the tables of the model accordingly.
pub(crate) fn place(model: &mut Model<'_>, strings: &StringLayout) -> Result<Placement, EditError> {
    let placement = find_places(model, strings)?;
    vacate::retire_empty(model);
    if model.program_headers_offset != model.encoding().header_len() as u64 {
        model.warnings.push(Warning::ProgramHeadersAtEnd);
    }
    Ok(placement)
}

fn find_places(model: &mut Model<'_>, strings: &StringLayout) -> Result<Placement, EditError> {
    let dynamic = !fit_entries(model);
    let tail = Tail::find(model)?;
    let room = model
        .elf
        .program_header(SegmentKind::INTERP)
        .map_or(0, |segment| segment.file_len);
    let too_long = model
        .interpreter
        .as_ref()
        .is_some_and(|bytes| bytes.len() as u64 > room);
    let settled = match &tail {
        None => Slack::with_strings(model, too_long)?,
        Some(_) => None,
    };
    let moves = Moves {
        strings: tail.as_ref().is_some_and(|tail| tail.has_strings)
            || settled.is_some() && strings.content_len != strings.old().len
            || strings.content_len > strings.old().len
            || model.strings_stick_out(),
        interpreter: tail.as_ref().is_some_and(|tail| tail.has_interpreter) || too_long,
        dynamic,
    };
    let placement = Placement {
        strings: (model.strings.offset, model.strings.len),
        items: Vec::new(),
        start: model.elf.file_len,
        displacement: None,
        into_old_strings: Vec::new(),
    };
    if moves == Moves::default() {
        if model.dynamic.strings.is_some() {
            model.summary.push("strings: in place".to_owned());
        }
        return Ok(placement);
    }
    if dynamic {
        model
            .summary
            .push("dynamic section: moves, no entry is free".to_owned());
        model.warnings.push(Warning::DynamicNotRelro);
    }
    if let Some(slack) = settled
        && moves.strings
        && let Some(len) = moves.text_len(model, strings)
        && slack.holds(len)
    {
        return fill(model, strings, moves, slack, placement);
    }
    match tail.filter(|tail| !dynamic || tail.can_be_writable(model)) {
        Some(tail) => extend(model, strings, moves, &tail, placement),
        None => append(model, strings, moves, placement),
    }
}

/// Makes the entries fit the place of the dynamic section, by dropping one that is a mere hint if need be.
///
/// glibc and musl process relative relocations without `DT_RELACOUNT` too (`elf_machine_rela` in glibc's
/// `sysdeps/*/dl-machine.h`).
fn fit_entries(model: &mut Model<'_>) -> bool {
    if model.entries.len() < model.capacity {
        return true;
    }
    let is_hint = |tag: Tag| matches!(tag, Tag::RELACOUNT | Tag::RELCOUNT);
    let hint = model.entries.iter().position(|entry| is_hint(entry.tag));
    let Some(hint) = hint.filter(|_| model.entries.len() == model.capacity) else {
        return false;
    };
    let entry = model.entries.remove(hint);
    model
        .summary
        .push(format!("{}: dropped, its entry is needed", entry.tag));
    true
}

/// Lays the items out at the end of the last segment.
fn extend(
    model: &mut Model<'_>,
    strings: &StringLayout,
    moves: Moves,
    tail: &Tail,
    mut placement: Placement,
) -> Result<Placement, EditError> {
    let kind = SegmentKind::LOAD;
    let load = model
        .program_headers
        .get(tail.load)
        .copied()
        .ok_or(EditError::NoProgramHeader { kind })?;
    let items = moves.items(Vec::new());
    let mut start = tail.start;
    if !(tail.has_strings || tail.has_interpreter) {
        start = start.next_multiple_of(16);
    }
    if moves.dynamic {
        start = retire::add_section(model, start);
    }
    let what = if tail.has_strings {
        "grows at the end of the file"
    } else {
        "appended to it"
    };
    model.summary.push(format!("last segment: {what}"));
    placement.start = start;
    if start == load.offset && items.first().is_some_and(|item| item.has_segment()) {
        start += LEAD;
    }
    let vaddr = model.check_word("last segment", load.vaddr.checked_add(start - load.offset))?;
    let end = lay(
        model,
        strings,
        &items,
        Place {
            offset: start,
            vaddr,
            len: 0,
        },
        &mut placement,
    )?;
    if let Some(header) = model.program_headers.get_mut(tail.load) {
        header.file_len = end - load.offset;
        header.memory_len = header.file_len;
        if moves.dynamic {
            header.flags |= PF_W;
        }
    }
    model.new_len = end;
    Ok(placement)
}

/// Lays texts out behind a segment, in its last page.
fn fill(
    model: &mut Model<'_>,
    strings: &StringLayout,
    moves: Moves,
    slack: Slack,
    mut placement: Placement,
) -> Result<Placement, EditError> {
    let Some(load) = model.program_headers.get(slack.load).copied() else {
        let kind = SegmentKind::LOAD;
        return Err(EditError::NoProgramHeader { kind });
    };
    let first = Place {
        offset: slack.start,
        vaddr: load.vaddr + (slack.start - load.offset),
        len: 0,
    };
    let items = moves.items(Vec::new());
    if (slack.start..slack.limit).contains(&model.strings.offset) {
        placement.start = slack.start;
    }
    let end = lay(model, strings, &items, first, &mut placement)?;
    if let Some(header) = model.program_headers.get_mut(slack.load) {
        header.file_len = end - load.offset;
        header.memory_len = header.file_len;
    }
    model
        .summary
        .push("texts: in the last page of a segment".to_owned());
    Ok(placement)
}

/// Lays the items out in a new segment at the end of the file.
fn append(
    model: &mut Model<'_>,
    strings: &StringLayout,
    mut moves: Moves,
    mut placement: Placement,
) -> Result<Placement, EditError> {
    let mut tables = Vec::new();
    let slot = if let Some(vacated) = Vacated::find(model, moves) {
        if vacated.interpreter {
            moves.interpreter = true;
            model.keep_interpreter();
        }
        tables = vacated.tables;
        Slot::Replace(vacated.load)
    } else {
        let mut slot = slot::find(model, moves.interpreter)?;
        if is_last_resort(&slot) && !moves.interpreter && model.interpreter_section().is_some() {
            // The name may be what is in the way.
            let other = slot::find(model, true)?;
            if !is_last_resort(&other) {
                moves.interpreter = true;
                model.keep_interpreter();
                slot = other;
            }
        }
        if is_last_resort(&slot)
            && let Some(len) = moves.text_len(model, strings)
            && let Some(slack) = Slack::find(model, len)?
        {
            return fill(model, strings, moves, slack, placement);
        }
        slot
    };
    if slot == Slot::End(Reach::Anywhere) && model.elf.is_program() {
        model.warnings.push(Warning::NeedsLinux518);
    }
    model.summary.push(slot.to_string());
    match &slot {
        Slot::Displace(displacement) => {
            moves.strings |= displacement.strings;
            tables = displacement.apply(model, moves.strings, &mut placement);
        }
        Slot::Slack(slack) => put_headers_behind(model, *slack),
        Slot::End(_) => tables.insert(0, Item::ProgramHeaders),
        Slot::Free | Slot::Replace(_) => {}
    }
    let mut items = moves.items(tables);
    items.sort_by_key(|item| *item != Item::ProgramHeaders);
    let mut start = make_way(model, &slot);
    if moves.dynamic {
        start = retire::add_section(model, start);
    }
    let origin = Origin::find(model, start, &slot)?;
    placement.start = origin.offset;
    let mut first = Place {
        offset: origin.offset,
        vaddr: origin.vaddr,
        len: 0,
    };
    if items.first().is_some_and(|item| item.has_segment()) {
        (first.offset, first.vaddr) = (first.offset + LEAD, first.vaddr + LEAD);
    }
    model.new_len = lay(model, strings, &items, first, &mut placement)?;
    let flags = if moves.dynamic { PF_R | PF_W } else { PF_R };
    insert_load(model, &slot, origin, flags);
    Ok(placement)
}

/// Moves the program headers, with one more, behind a segment that is there.
fn put_headers_behind(model: &mut Model<'_>, slack: Slack) {
    let count = model.program_headers.len() as u64 + 1;
    let len = count * model.encoding().program_header_len() as u64;
    if let Some(load) = model.program_headers.get_mut(slack.load) {
        let (offset, inside) = (slack.start, slack.start - load.offset);
        let vaddr = load.vaddr + inside;
        load.file_len = inside + len;
        load.memory_len = load.file_len;
        enter(model, Item::ProgramHeaders, Place { offset, vaddr, len });
    }
}

/// Whether there is no place for a program header that `strip` keeps.
fn is_last_resort(slot: &Slot) -> bool {
    matches!(slot, Slot::Slack(_) | Slot::End(_))
}

/// Moves the section headers to the end of the file if the program headers, or what they displace, will reach into them:
/// Go's linker puts them there. Returns where the file ends then.
fn make_way(model: &mut Model<'_>, slot: &Slot) -> u64 {
    let end = model.elf.file_len;
    let table_end = slot::table_end(model);
    let limit = match slot {
        Slot::Free => table_end + model.encoding().program_header_len() as u64,
        Slot::Displace(displacement) => displacement.limit,
        Slot::Replace(_) | Slot::Slack(_) | Slot::End(_) => return end,
    };
    let Some(headers) = slot::section_headers(model)
        .filter(|headers| headers.start < limit && table_end < headers.end)
    else {
        return end;
    };
    let len = headers.end - headers.start;
    model.put(headers.start, "retired section headers", Data::Zeros(len));
    model.section_headers_offset = end.next_multiple_of(8);
    model.section_headers_offset + len
}

/// Enters a new segment behind the last one; it reaches to the end of the file.
fn insert_load(model: &mut Model<'_>, slot: &Slot, origin: Origin, flags: u32) {
    let Origin {
        offset,
        vaddr,
        align,
    } = origin;
    let len = model.new_len - offset;
    let kind = SegmentKind::LOAD;
    let load = ProgramHeader {
        kind,
        flags,
        offset,
        vaddr,
        paddr: vaddr,
        file_len: len,
        memory_len: len,
        align,
    };
    model.summary.push(format!(
        "segment: {len} bytes at {offset:#x}, address {vaddr:#x}"
    ));
    if let Slot::Replace(index) = slot {
        model.program_headers.remove(*index);
    }
    let last = model
        .program_headers
        .iter()
        .rposition(ProgramHeader::is_load);
    model
        .program_headers
        .insert(last.map_or(0, |index| index + 1), load);
    let len = model.program_headers.len() as u64 * model.encoding().program_header_len() as u64;
    if let Some(header) = model.segment_mut(SegmentKind::PHDR) {
        (header.file_len, header.memory_len) = (len, len);
    }
}
