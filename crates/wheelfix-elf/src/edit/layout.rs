//! The new places of all that has to move: one decision for the string table, the dynamic section,
//! the interpreter's name and the tables that make room for a program header.

pub(crate) mod addresses;
pub(crate) mod last_segment;
pub(crate) mod phdr_space;
pub(crate) mod places;
pub(crate) mod retired_dynamic;
pub(crate) mod reuse_segment;
pub(crate) mod segment_padding;
pub(crate) mod segment_start;
pub(crate) mod shift_sections;

pub(crate) use places::Layout;

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::edit::layout::addresses::{Item, Place, assign_addresses, enter};
use crate::edit::layout::last_segment::LastSegment;
use crate::edit::layout::phdr_space::{PhdrSpace, Reach};
use crate::edit::layout::reuse_segment::ReusedSegment;
use crate::edit::layout::segment_padding::SegmentPadding;
use crate::edit::layout::segment_start::SegmentStart;
use crate::edit::plan::Warning;
use crate::edit::strings::StringLayout;
use crate::read::dynamic_tag::Tag;
use crate::read::program_header::{PF_R, PF_W, ProgramHeader, SegmentKind};

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
    fn text_len(self, layout: &Layout<'_>, strings: &StringLayout) -> Option<u64> {
        let name = layout
            .tables
            .interpreter
            .iter()
            .filter(|_| self.interpreter);
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

/// Finds places for all that the edits make.
pub(crate) fn place<'e>(
    edits: &'e Edits<'e>,
    strings: &StringLayout,
) -> Result<Layout<'e>, EditError> {
    let mut layout = Layout::unmoved(edits);
    find_places(&mut layout, strings)?;
    reuse_segment::retire_empty(&mut layout);
    if layout.program_headers_offset != edits.encoding().header_len() as u64 {
        layout.warnings.push(Warning::ProgramHeadersAtEnd);
    }
    Ok(layout)
}

fn find_places(layout: &mut Layout<'_>, strings: &StringLayout) -> Result<(), EditError> {
    let dynamic = !fit_entries(layout);
    let last_segment = LastSegment::find(layout)?;
    let room = layout
        .interpreter_place()
        .map_or(0, |segment| segment.file_len);
    let too_long = layout
        .tables
        .interpreter
        .as_ref()
        .is_some_and(|bytes| bytes.len() as u64 > room);
    let in_padding = match &last_segment {
        None => SegmentPadding::with_strings(layout, too_long)?,
        Some(_) => None,
    };
    let moves = Moves {
        strings: last_segment
            .as_ref()
            .is_some_and(|last_segment| last_segment.has_strings)
            || in_padding.is_some() && strings.content_len != strings.old().len
            || strings.content_len > strings.old().len
            || layout.edits.strings_stick_out(),
        interpreter: last_segment
            .as_ref()
            .is_some_and(|last_segment| last_segment.has_interpreter)
            || too_long,
        dynamic,
    };
    if moves == Moves::default() {
        if layout.edits.dynamic.strings.is_some() {
            layout.summary.push("strings: in place".to_owned());
        }
        return Ok(());
    }
    if dynamic {
        layout
            .summary
            .push("dynamic section: moves, no entry is free".to_owned());
        layout.warnings.push(Warning::DynamicNotRelro);
    }
    if let Some(padding) = in_padding
        && moves.strings
        && let Some(len) = moves.text_len(layout, strings)
        && padding.holds(len)
    {
        return fill(layout, strings, moves, padding);
    }
    match last_segment.filter(|last_segment| !dynamic || last_segment.can_be_writable(layout)) {
        Some(last_segment) => extend(layout, strings, moves, &last_segment),
        None => append(layout, strings, moves),
    }
}

/// Makes the entries fit the place of the dynamic section, by dropping one that is a mere hint if need be.
///
/// glibc and musl process relative relocations without `DT_RELACOUNT` too (`elf_machine_rela` in glibc's
/// `sysdeps/*/dl-machine.h`).
fn fit_entries(layout: &mut Layout<'_>) -> bool {
    if layout.tables.entries.len() < layout.capacity {
        return true;
    }
    let is_hint = |tag: Tag| matches!(tag, Tag::RELACOUNT | Tag::RELCOUNT);
    let hint = layout
        .tables
        .entries
        .iter()
        .position(|entry| is_hint(entry.tag));
    let Some(hint) = hint.filter(|_| layout.tables.entries.len() == layout.capacity) else {
        return false;
    };
    let entry = layout.tables.entries.remove(hint);
    layout
        .summary
        .push(format!("{}: dropped, its entry is needed", entry.tag));
    true
}

/// Lays the items out at the end of the last segment.
fn extend(
    layout: &mut Layout<'_>,
    strings: &StringLayout,
    moves: Moves,
    last_segment: &LastSegment,
) -> Result<(), EditError> {
    let kind = SegmentKind::LOAD;
    let load = layout
        .tables
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
        start = retired_dynamic::add_section(layout, start);
    }
    let what = if last_segment.has_strings {
        "grows at the end of the file"
    } else {
        "appended to it"
    };
    layout.summary.push(format!("last segment: {what}"));
    layout.start = start;
    if start == load.offset && items.first().is_some_and(|item| item.has_segment()) {
        start += LEAD;
    }
    let vaddr = layout
        .edits
        .check_word("last segment", load.vaddr.checked_add(start - load.offset))?;
    let end = assign_addresses(
        layout,
        strings,
        &items,
        Place {
            offset: start,
            vaddr,
            len: 0,
        },
    )?;
    if let Some(header) = layout.tables.program_headers.get_mut(last_segment.load) {
        header.file_len = end - load.offset;
        header.memory_len = header.file_len;
        if moves.dynamic {
            header.flags |= PF_W;
        }
    }
    layout.new_len = end;
    Ok(())
}

/// Lays texts out behind a segment, in its last page.
fn fill(
    layout: &mut Layout<'_>,
    strings: &StringLayout,
    moves: Moves,
    padding: SegmentPadding,
) -> Result<(), EditError> {
    let Some(load) = layout.tables.program_headers.get(padding.load).copied() else {
        let kind = SegmentKind::LOAD;
        return Err(EditError::NoProgramHeader { kind });
    };
    let first = Place {
        offset: padding.start,
        vaddr: load.vaddr + (padding.start - load.offset),
        len: 0,
    };
    let items = moves.items(Vec::new());
    if (padding.start..padding.limit).contains(&layout.edits.strings.offset) {
        layout.start = padding.start;
    }
    let end = assign_addresses(layout, strings, &items, first)?;
    if let Some(header) = layout.tables.program_headers.get_mut(padding.load) {
        header.file_len = end - load.offset;
        header.memory_len = header.file_len;
    }
    layout
        .summary
        .push("texts: in the last page of a segment".to_owned());
    Ok(())
}

/// Lays the items out in a new segment at the end of the file.
fn append(
    layout: &mut Layout<'_>,
    strings: &StringLayout,
    mut moves: Moves,
) -> Result<(), EditError> {
    let mut tables = Vec::new();
    let space = if let Some(reused) = ReusedSegment::find(layout, moves) {
        if reused.interpreter {
            moves.interpreter = true;
            layout.keep_interpreter()?;
        }
        tables = reused.tables;
        PhdrSpace::Replace(reused.load)
    } else {
        let space = roomy_phdr_space(layout, &mut moves)?;
        if is_last_resort(&space)
            && let Some(len) = moves.text_len(layout, strings)
            && let Some(padding) = SegmentPadding::find(layout, len)?
        {
            return fill(layout, strings, moves, padding);
        }
        space
    };
    if space == PhdrSpace::End(Reach::Anywhere) && layout.edits.elf.is_program() {
        layout.warnings.push(Warning::NeedsLinux518);
    }
    layout.summary.push(space.to_string());
    match &space {
        PhdrSpace::Shift(shift) => {
            moves.strings |= shift.strings;
            tables = shift.apply(layout, moves.strings);
        }
        PhdrSpace::SegmentPadding(padding) => put_headers_behind(layout, *padding),
        PhdrSpace::End(_) => tables.insert(0, Item::ProgramHeaders),
        PhdrSpace::Free | PhdrSpace::Replace(_) => {}
    }
    let mut items = moves.items(tables);
    items.sort_by_key(|item| *item != Item::ProgramHeaders);
    let mut start = make_way(layout, &space);
    if moves.dynamic {
        start = retired_dynamic::add_section(layout, start);
    }
    let segment_start = SegmentStart::find(layout, start, &space)?;
    layout.start = segment_start.offset;
    let mut first = Place {
        offset: segment_start.offset,
        vaddr: segment_start.vaddr,
        len: 0,
    };
    if items.first().is_some_and(|item| item.has_segment()) {
        (first.offset, first.vaddr) = (first.offset + LEAD, first.vaddr + LEAD);
    }
    layout.new_len = assign_addresses(layout, strings, &items, first)?;
    let flags = if moves.dynamic { PF_R | PF_W } else { PF_R };
    insert_load(layout, &space, segment_start, flags);
    Ok(())
}

/// Finds room for the program headers; the name of the interpreter moves if it is what is in the way.
fn roomy_phdr_space(layout: &mut Layout<'_>, moves: &mut Moves) -> Result<PhdrSpace, EditError> {
    let space = phdr_space::find(layout, moves.interpreter)?;
    if is_last_resort(&space) && !moves.interpreter && layout.interpreter_section().is_some() {
        let other = phdr_space::find(layout, true)?;
        if !is_last_resort(&other) {
            moves.interpreter = true;
            layout.keep_interpreter()?;
            return Ok(other);
        }
    }
    Ok(space)
}

/// Moves the program headers, with one more, behind a segment that is there.
fn put_headers_behind(layout: &mut Layout<'_>, padding: SegmentPadding) {
    let len = layout.program_headers_len(1);
    if let Some(load) = layout.tables.program_headers.get_mut(padding.load) {
        let (offset, inside) = (padding.start, padding.start - load.offset);
        let vaddr = load.vaddr + inside;
        load.file_len = inside + len;
        load.memory_len = load.file_len;
        enter(layout, Item::ProgramHeaders, Place { offset, vaddr, len });
    }
}

/// Whether there is no place for a program header that `strip` keeps.
fn is_last_resort(space: &PhdrSpace) -> bool {
    matches!(space, PhdrSpace::SegmentPadding(_) | PhdrSpace::End(_))
}

/// Moves the section headers to the end of the file if the program headers, or what they displace, will reach into them:
/// Go's linker puts them there. Returns where the file ends then.
fn make_way(layout: &mut Layout<'_>, space: &PhdrSpace) -> u64 {
    let end = layout.edits.elf.file_len;
    let table_end = phdr_space::table_end(layout);
    let limit = match space {
        PhdrSpace::Free => table_end + layout.edits.encoding().program_header_len() as u64,
        PhdrSpace::Shift(shift) => shift.limit,
        PhdrSpace::Replace(_) | PhdrSpace::SegmentPadding(_) | PhdrSpace::End(_) => return end,
    };
    let Some(headers) = phdr_space::section_headers(layout)
        .filter(|headers| headers.start < limit && table_end < headers.end)
    else {
        return end;
    };
    let len = headers.end - headers.start;
    layout.retired_section_headers = Some(headers);
    layout.section_headers_offset = end.next_multiple_of(8);
    layout.section_headers_offset + len
}

/// Enters a new segment behind the last one; it reaches to the end of the file.
fn insert_load(
    layout: &mut Layout<'_>,
    space: &PhdrSpace,
    segment_start: SegmentStart,
    flags: u32,
) {
    let SegmentStart {
        offset,
        vaddr,
        align,
    } = segment_start;
    let len = layout.new_len - offset;
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
    layout.summary.push(format!(
        "segment: {len} bytes at {offset:#x}, address {vaddr:#x}"
    ));
    if let PhdrSpace::Replace(index) = space {
        layout.tables.program_headers.remove(*index);
    }
    let last = layout
        .tables
        .program_headers
        .iter()
        .rposition(ProgramHeader::is_load);
    layout
        .tables
        .program_headers
        .insert(last.map_or(0, |index| index + 1), load);
    let len = layout.program_headers_len(0);
    if let Some(header) = layout.tables.segment_mut(SegmentKind::PHDR) {
        (header.file_len, header.memory_len) = (len, len);
    }
}
