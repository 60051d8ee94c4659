//! The new places of all that has to move: one decision for the string table, the dynamic section,
//! the interpreter's name and the tables that make room for a program header.

pub(crate) mod addresses;
pub(crate) mod last_segment;
pub(crate) mod phdr_space;
pub(crate) mod reuse_segment;
pub(crate) mod segment_padding;
pub(crate) mod segment_start;
pub(crate) mod shift_sections;

use crate::edit::error::EditError;
use crate::edit::layout::addresses::{Item, Place, assign_addresses, enter};
use crate::edit::layout::last_segment::LastSegment;
use crate::edit::layout::phdr_space::{PhdrSpace, Reach};
use crate::edit::layout::reuse_segment::ReusedSegment;
use crate::edit::layout::segment_padding::SegmentPadding;
use crate::edit::layout::segment_start::SegmentStart;
use crate::edit::layout::shift_sections::SectionShift;
use crate::edit::model::Model;
use crate::edit::old_dynamic;
use crate::edit::plan::{Data, Warning};
use crate::edit::strings::StringLayout;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::{PF_R, PF_W, ProgramHeader, SegmentKind};

/// The new places of the parts that move.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The new place of the strings: file offset and length. The same offset as before if they do not move.
    pub(crate) strings: (u64, u64),
    /// The items with their file offsets, in order.
    pub(crate) items: Vec<(Item, u64)>,
    /// File offset from which on everything is laid out anew. The end of the file if nothing is.
    pub(crate) start: u64,
    /// The sections that make room for a program header. `None` if none have to.
    pub(crate) shift: Option<SectionShift>,
    /// Tables that move into the place of the old strings: section, its new file offset.
    pub(crate) into_old_strings: Vec<(usize, u64)>,
}

impl Layout {
    /// Whether the interpreter's name leaves its place.
    pub(crate) fn moves_interpreter(&self) -> bool {
        let mut items = self.items.iter();
        items.any(|(item, _)| *item == Item::Interpreter)
    }
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
pub(crate) fn place(model: &mut Model<'_>, strings: &StringLayout) -> Result<Layout, EditError> {
    let placement = find_places(model, strings)?;
    reuse_segment::retire_empty(model);
    if model.program_headers_offset != model.encoding().header_len() as u64 {
        model.warnings.push(Warning::ProgramHeadersAtEnd);
    }
    Ok(placement)
}

fn find_places(model: &mut Model<'_>, strings: &StringLayout) -> Result<Layout, EditError> {
    let dynamic = !fit_entries(model);
    let last_segment = LastSegment::find(model)?;
    let room = model
        .interpreter_place()
        .map_or(0, |segment| segment.file_len);
    let too_long = model
        .interpreter
        .as_ref()
        .is_some_and(|bytes| bytes.len() as u64 > room);
    let in_padding = match &last_segment {
        None => SegmentPadding::with_strings(model, too_long)?,
        Some(_) => None,
    };
    let moves = Moves {
        strings: last_segment
            .as_ref()
            .is_some_and(|last_segment| last_segment.has_strings)
            || in_padding.is_some() && strings.content_len != strings.old().len
            || strings.content_len > strings.old().len
            || model.strings_stick_out(),
        interpreter: last_segment
            .as_ref()
            .is_some_and(|last_segment| last_segment.has_interpreter)
            || too_long,
        dynamic,
    };
    let placement = Layout {
        strings: (model.strings.offset, model.strings.len),
        items: Vec::new(),
        start: model.elf.file_len,
        shift: None,
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
    if let Some(padding) = in_padding
        && moves.strings
        && let Some(len) = moves.text_len(model, strings)
        && padding.holds(len)
    {
        return fill(model, strings, moves, padding, placement);
    }
    match last_segment.filter(|last_segment| !dynamic || last_segment.can_be_writable(model)) {
        Some(last_segment) => extend(model, strings, moves, &last_segment, placement),
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
    last_segment: &LastSegment,
    mut placement: Layout,
) -> Result<Layout, EditError> {
    let kind = SegmentKind::LOAD;
    let load = model
        .program_headers
        .get(last_segment.load)
        .copied()
        .ok_or(EditError::NoProgramHeader { kind })?;
    let items = moves.items(Vec::new());
    let mut start = last_segment.start;
    if !(last_segment.has_strings || last_segment.has_interpreter) {
        start = start.next_multiple_of(16);
    }
    if moves.dynamic {
        start = old_dynamic::add_section(model, start);
    }
    let what = if last_segment.has_strings {
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
    let end = assign_addresses(
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
    if let Some(header) = model.program_headers.get_mut(last_segment.load) {
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
    padding: SegmentPadding,
    mut placement: Layout,
) -> Result<Layout, EditError> {
    let Some(load) = model.program_headers.get(padding.load).copied() else {
        let kind = SegmentKind::LOAD;
        return Err(EditError::NoProgramHeader { kind });
    };
    let first = Place {
        offset: padding.start,
        vaddr: load.vaddr + (padding.start - load.offset),
        len: 0,
    };
    let items = moves.items(Vec::new());
    if (padding.start..padding.limit).contains(&model.strings.offset) {
        placement.start = padding.start;
    }
    let end = assign_addresses(model, strings, &items, first, &mut placement)?;
    if let Some(header) = model.program_headers.get_mut(padding.load) {
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
    mut placement: Layout,
) -> Result<Layout, EditError> {
    let mut tables = Vec::new();
    let space = if let Some(reused) = ReusedSegment::find(model, moves) {
        if reused.interpreter {
            moves.interpreter = true;
            model.keep_interpreter()?;
        }
        tables = reused.tables;
        PhdrSpace::Replace(reused.load)
    } else {
        let mut space = phdr_space::find(model, moves.interpreter)?;
        if is_last_resort(&space) && !moves.interpreter && model.interpreter_section().is_some() {
            // The name may be what is in the way.
            let other = phdr_space::find(model, true)?;
            if !is_last_resort(&other) {
                moves.interpreter = true;
                model.keep_interpreter()?;
                space = other;
            }
        }
        if is_last_resort(&space)
            && let Some(len) = moves.text_len(model, strings)
            && let Some(padding) = SegmentPadding::find(model, len)?
        {
            return fill(model, strings, moves, padding, placement);
        }
        space
    };
    if space == PhdrSpace::End(Reach::Anywhere) && model.elf.is_program() {
        model.warnings.push(Warning::NeedsLinux518);
    }
    model.summary.push(space.to_string());
    match &space {
        PhdrSpace::Shift(shift) => {
            moves.strings |= shift.strings;
            tables = shift.apply(model, moves.strings, &mut placement);
        }
        PhdrSpace::SegmentPadding(padding) => put_headers_behind(model, *padding),
        PhdrSpace::End(_) => tables.insert(0, Item::ProgramHeaders),
        PhdrSpace::Free | PhdrSpace::Replace(_) => {}
    }
    let mut items = moves.items(tables);
    items.sort_by_key(|item| *item != Item::ProgramHeaders);
    let mut start = make_way(model, &space);
    if moves.dynamic {
        start = old_dynamic::add_section(model, start);
    }
    let segment_start = SegmentStart::find(model, start, &space)?;
    placement.start = segment_start.offset;
    let mut first = Place {
        offset: segment_start.offset,
        vaddr: segment_start.vaddr,
        len: 0,
    };
    if items.first().is_some_and(|item| item.has_segment()) {
        (first.offset, first.vaddr) = (first.offset + LEAD, first.vaddr + LEAD);
    }
    model.new_len = assign_addresses(model, strings, &items, first, &mut placement)?;
    let flags = if moves.dynamic { PF_R | PF_W } else { PF_R };
    insert_load(model, &space, segment_start, flags);
    Ok(placement)
}

/// Moves the program headers, with one more, behind a segment that is there.
fn put_headers_behind(model: &mut Model<'_>, padding: SegmentPadding) {
    let count = model.program_headers.len() as u64 + 1;
    let len = count * model.encoding().program_header_len() as u64;
    if let Some(load) = model.program_headers.get_mut(padding.load) {
        let (offset, inside) = (padding.start, padding.start - load.offset);
        let vaddr = load.vaddr + inside;
        load.file_len = inside + len;
        load.memory_len = load.file_len;
        enter(model, Item::ProgramHeaders, Place { offset, vaddr, len });
    }
}

/// Whether there is no place for a program header that `strip` keeps.
fn is_last_resort(space: &PhdrSpace) -> bool {
    matches!(space, PhdrSpace::SegmentPadding(_) | PhdrSpace::End(_))
}

/// Moves the section headers to the end of the file if the program headers, or what they displace, will reach into them:
/// Go's linker puts them there. Returns where the file ends then.
fn make_way(model: &mut Model<'_>, space: &PhdrSpace) -> u64 {
    let end = model.elf.file_len;
    let table_end = phdr_space::table_end(model);
    let limit = match space {
        PhdrSpace::Free => table_end + model.encoding().program_header_len() as u64,
        PhdrSpace::Shift(shift) => shift.limit,
        PhdrSpace::Replace(_) | PhdrSpace::SegmentPadding(_) | PhdrSpace::End(_) => return end,
    };
    let Some(headers) = phdr_space::section_headers(model)
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
fn insert_load(model: &mut Model<'_>, space: &PhdrSpace, segment_start: SegmentStart, flags: u32) {
    let SegmentStart {
        offset,
        vaddr,
        align,
    } = segment_start;
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
    if let PhdrSpace::Replace(index) = space {
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
