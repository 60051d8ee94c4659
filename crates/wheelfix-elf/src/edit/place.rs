//! Where everything goes that has to move: one decision for the string table, the dynamic section, the interpreter's name
//! and the tables that make room for a program header.

use crate::dynamic_tag::Tag;
use crate::edit::displace::Displacement;
use crate::edit::error::EditError;
use crate::edit::model::{Entry, Model};
use crate::edit::plan::{Data, Warning};
use crate::edit::slot::{self, Slot};
use crate::edit::strings::StringLayout;
use crate::edit::tail::Tail;
use crate::edit::vacate::Vacated;
use crate::program_header::{PF_R, PF_W, ProgramHeader, SegmentKind};
use crate::section_header::{SHF_ALLOC, SHF_WRITE, SHT_PROGBITS, SectionHeader};

/// No linker aligns a table further; a damaged file may say so, and would grow by as much.
const MAX_TABLE_ALIGN: u64 = 4096;

/// Something that lies in the last segment, or will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Item {
    /// The dynamic section, with room for some more entries.
    Dynamic,
    /// A section that only the tag refers to.
    Table(usize, Tag),
    /// The interpreter's name.
    Interpreter,
    /// The string table; always the last, so that it can grow.
    Strings,
    /// The program headers with the new one, where they cannot grow at their place; always the first.
    ProgramHeaders,
}

/// What lies where.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// The new place of the strings: file offset and length. The same offset as before if they do not move.
    pub(crate) strings: (u64, u64),
    /// The items with their file offsets, in order.
    pub(crate) items: Vec<(Item, u64)>,
    /// Where the items start.
    pub(crate) start: u64,
    /// What slides up behind the program headers.
    pub(crate) displacement: Option<Displacement>,
    /// Tables that move into the place of the old strings: section, its new file offset.
    pub(crate) into_old_strings: Vec<(usize, u64)>,
}

/// Unused entries that a moved dynamic section gets.
const SPARE_ENTRIES: usize = 8;
/// Nothing with a program header of its own may lie at the first byte of a `PT_LOAD`: LLVM's tools take one of the two for
/// the parent of the other, and it may be the wrong one.
const LEAD: u64 = 16;

/// What has to leave its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Moves {
    strings: bool,
    interpreter: bool,
    dynamic: bool,
}

/// Decides on the places and changes the tables of the model accordingly.
pub(crate) fn place(model: &mut Model<'_>, strings: &StringLayout) -> Result<Placement, EditError> {
    let dynamic = !fit_entries(model);
    let tail = Tail::find(model)?;
    let interpreter_len = model
        .interpreter
        .as_ref()
        .map_or(0, |bytes| bytes.len() as u64);
    let segment = model.elf.program_header(SegmentKind::INTERP);
    let at_end = tail.as_ref().is_some_and(|tail| tail.has_interpreter);
    let interpreter = at_end || interpreter_len > segment.map_or(0, |segment| segment.file_len);
    let at_end = tail.as_ref().is_some_and(|tail| tail.has_strings);
    let moves = Moves {
        strings: at_end || strings.content_len > strings.old().len,
        interpreter,
        dynamic,
    };
    if moves
        == (Moves {
            strings: false,
            interpreter: false,
            dynamic: false,
        })
    {
        model.summary.push("strings: in place".to_owned());
        let (offset, len) = (model.strings.offset, model.strings.len);
        return Ok(Placement {
            strings: (offset, len),
            ..Placement::default()
        });
    }
    if dynamic {
        model
            .summary
            .push("dynamic section: moves, no entry is free".to_owned());
        model.warnings.push(Warning::DynamicNotRelro);
    }
    match tail.filter(|tail| !dynamic || tail.can_be_writable(model)) {
        Some(tail) => extend(model, strings, moves, &tail),
        None => append(model, strings, moves),
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
    if model.entries.len() > model.capacity {
        return false;
    }
    let hint = model
        .entries
        .iter()
        .position(|entry| matches!(entry.tag, Tag::RELACOUNT | Tag::RELCOUNT));
    let Some(hint) = hint else { return false };
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
) -> Result<Placement, EditError> {
    let load = model.program_headers.get(tail.load).copied();
    let load = load.ok_or(EditError::NoProgramHeader {
        kind: SegmentKind::LOAD,
    })?;
    let items = items(moves, Vec::new());
    let mut start = tail.start;
    let alone = items == [Item::Strings];
    if !(alone && tail.has_strings) {
        start = if tail.has_strings || tail.has_interpreter {
            start
        } else {
            start.next_multiple_of(16)
        };
        start = retire_dynamic(model, moves.dynamic, start);
    }
    let what = if tail.has_strings {
        "grow at the end of the file"
    } else {
        "appended to the last segment"
    };
    model.summary.push(format!("strings: {what}"));
    let lead = if start == load.offset && has_segment(items.first()) {
        LEAD
    } else {
        0
    };
    let vaddr = model.check_word("last segment", load.vaddr.checked_add(start - load.offset))?;
    let mut placement = Placement {
        start,
        ..Placement::default()
    };
    let end = lay(
        model,
        strings,
        &items,
        (start + lead, vaddr + lead),
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

/// Lays the items out in a new segment at the end of the file.
fn append(
    model: &mut Model<'_>,
    strings: &StringLayout,
    mut moves: Moves,
) -> Result<Placement, EditError> {
    let vacated = if moves.strings {
        Vacated::find(model)
    } else {
        None
    };
    let slot = match &vacated {
        Some(vacated) => Slot::Replace(vacated.load),
        None => slot::find(model, moves.interpreter)?,
    };
    let mut placement = Placement::default();
    let mut tables = Vec::new();
    if let Some(vacated) = vacated {
        tables.extend(
            vacated
                .tables
                .iter()
                .map(|(index, tag)| Item::Table(*index, *tag)),
        );
        if vacated.interpreter && !moves.interpreter {
            moves.interpreter = true;
            let path = model
                .elf
                .interpreter
                .iter()
                .flat_map(|path| path.bytes())
                .chain([0]);
            model.interpreter.get_or_insert_with(|| path.collect());
        }
    }
    match &slot {
        Slot::Displace(displacement) => {
            moves.strings |= displacement.strings;
            tables = displace(model, displacement, moves.strings, &mut placement);
        }
        Slot::Free => model
            .summary
            .push("program header: in unused room".to_owned()),
        Slot::Replace(index) => {
            let kind = model
                .program_headers
                .get(*index)
                .map_or(SegmentKind::NULL, |header| header.kind);
            model
                .summary
                .push(format!("program header: in place of {kind}"));
        }
        Slot::End => {
            model
                .summary
                .push("program headers: all in the new segment".to_owned());
            model.warnings.push(Warning::ProgramHeadersAtEnd);
        }
    }
    let mut items = items(moves, tables);
    if slot == Slot::End {
        items.insert(0, Item::ProgramHeaders);
    }
    model
        .summary
        .push("strings and tables: in a new read-only segment".to_owned());
    let start = retire_dynamic(model, moves.dynamic, model.elf.file_len);
    let origin = Origin::find(model, start, &slot)?;
    placement.start = origin.offset;
    let lead = if has_segment(items.first()) { LEAD } else { 0 };
    let first = (origin.offset + lead, origin.vaddr + lead);
    let end = lay(model, strings, &items, first, &mut placement)?;
    let flags = if moves.dynamic { PF_R | PF_W } else { PF_R };
    let Origin {
        offset,
        vaddr,
        align,
    } = origin;
    let len = end - offset;
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
    model.check_word("new segment", vaddr.checked_add(len))?;
    insert_load(model, &slot, load);
    model.new_len = end;
    Ok(placement)
}

/// Where a new segment starts.
struct Origin {
    offset: u64,
    vaddr: u64,
    align: u64,
}

impl Origin {
    /// Finds the first place behind `end` in the file and behind all segments in memory.
    ///
    /// The address agrees with the offset modulo the largest page of the machine, also if the file's own segments have a
    /// smaller alignment; that one the new segment shares.
    fn find(model: &Model<'_>, end: u64, slot: &Slot) -> Result<Self, EditError> {
        let what = "new segment";
        let machine = model.elf.header.machine;
        let page = machine
            .max_page_len()
            .ok_or(EditError::Machine { got: machine })?;
        let stays = |index: usize| *slot != Slot::Replace(index);
        let loads = || {
            let headers = model.program_headers.iter().enumerate();
            headers
                .filter(|(index, header)| header.is_load() && stays(*index))
                .map(|(_, header)| header)
        };
        let own = loads().map(|load| load.align).fold(1, u64::max);
        let align = if own > 1 { own } else { page };
        let distance = align.max(page);
        let memory_end = loads().map(ProgramHeader::memory_end).fold(0, u64::max);
        let base = model.check_word(what, memory_end.checked_next_multiple_of(distance))?;
        let offset = model.check_word(what, end.checked_next_multiple_of(16))?;
        if let (Slot::End, true) = (slot, model.elf.is_program()) {
            if let Some((offset, vaddr)) = slot::program_place(model, offset, base) {
                return Ok(Self {
                    offset,
                    vaddr: model.check_word(what, Some(vaddr))?,
                    align,
                });
            }
        }
        let vaddr = model.check_word(what, base.checked_add(offset % distance))?;
        Ok(Self {
            offset,
            vaddr,
            align,
        })
    }
}

fn insert_load(model: &mut Model<'_>, slot: &Slot, load: ProgramHeader) {
    if let Slot::Replace(index) = slot {
        model.program_headers.remove(*index);
    }
    let last = model
        .program_headers
        .iter()
        .rposition(ProgramHeader::is_load)
        .map_or(0, |index| index + 1);
    model.program_headers.insert(last, load);
    let len = model.program_headers.len() as u64 * model.encoding().program_header_len() as u64;
    for header in model
        .program_headers
        .iter_mut()
        .filter(|header| header.kind == SegmentKind::PHDR)
    {
        (header.file_len, header.memory_len) = (len, len);
    }
}

fn items(moves: Moves, tables: Vec<Item>) -> Vec<Item> {
    let mut items = Vec::new();
    items.extend(moves.dynamic.then_some(Item::Dynamic));
    items.extend(tables);
    items.extend(moves.interpreter.then_some(Item::Interpreter));
    items.extend(moves.strings.then_some(Item::Strings));
    items
}

fn has_segment(item: Option<&Item>) -> bool {
    matches!(
        item,
        Some(Item::Dynamic | Item::Interpreter | Item::ProgramHeaders)
    )
}

/// Gives each item its place and enters it into the tables. Returns where the last one ends.
fn lay(
    model: &mut Model<'_>,
    strings: &StringLayout,
    items: &[Item],
    (start, start_vaddr): (u64, u64),
    placement: &mut Placement,
) -> Result<u64, EditError> {
    let mut offset = start;
    placement.strings = (model.strings.offset, model.strings.len);
    for item in items {
        let (len, align) = match item {
            Item::Dynamic => {
                model.capacity = model.entries.len() + 1 + SPARE_ENTRIES;
                (
                    (model.capacity * model.encoding().dynamic_entry_len()) as u64,
                    16,
                )
            }
            Item::Table(index, _) => model.elf.sections.get(*index).map_or((0, 8), |table| {
                (table.len, table.align.clamp(8, MAX_TABLE_ALIGN))
            }),
            Item::Interpreter => (
                model
                    .interpreter
                    .as_ref()
                    .map_or(0, |bytes| bytes.len() as u64),
                1,
            ),
            Item::Strings => (strings.content_len, 1),
            Item::ProgramHeaders => {
                let count = model.program_headers.len() as u64 + 1;
                (count * model.encoding().program_header_len() as u64, 8)
            }
        };
        offset = model.check_word("new segment", offset.checked_next_multiple_of(align))?;
        let vaddr = model.check_word("new segment", start_vaddr.checked_add(offset - start))?;
        enter(model, *item, (offset, vaddr, len));
        if let Item::Table(index, _) = item {
            let old = model
                .elf
                .sections
                .get(*index)
                .map_or(0, |table| table.offset);
            model.moved.push((old, len, offset));
        }
        if *item == Item::Strings {
            placement.strings = (offset, len);
        }
        placement.items.push((*item, offset));
        offset = model.check_word("new segment", offset.checked_add(len))?;
    }
    model.check_word("new segment", start_vaddr.checked_add(offset - start))?;
    Ok(offset)
}

/// Enters the new place of an item into the sections, the program headers and the entries of the dynamic section.
fn enter(model: &mut Model<'_>, item: Item, (offset, vaddr, len): (u64, u64, u64)) {
    let (section, kind, tags) = match item {
        Item::Dynamic => (model.dynamic_section(), Some(SegmentKind::DYNAMIC), None),
        Item::Table(index, tag) => (Some(index), None, Some((tag, None))),
        Item::Interpreter => (model.interpreter_section(), Some(SegmentKind::INTERP), None),
        Item::Strings => (
            model.strings_section(),
            None,
            Some((Tag::STRTAB, Some(Tag::STRSZ))),
        ),
        Item::ProgramHeaders => {
            model.program_headers_offset = offset;
            (None, Some(SegmentKind::PHDR), None)
        }
    };
    if let Some(section) = section.and_then(|index| model.sections.get_mut(index)) {
        (section.offset, section.vaddr, section.len) = (offset, vaddr, len);
    }
    let header = kind.and_then(|kind| {
        model
            .program_headers
            .iter_mut()
            .find(|header| header.kind == kind)
    });
    if let Some(header) = header {
        (header.offset, header.vaddr, header.paddr) = (offset, vaddr, vaddr);
        (header.file_len, header.memory_len) = (len, len);
    }
    if let Some((tag, len_tag)) = tags {
        model.set_number(tag, vaddr);
        if let Some(len_tag) = len_tag {
            model.set_number(len_tag, len);
        }
    }
}

/// Slides the block up in the tables of the model, and moves what is in its way: into the place of the old strings as far
/// as that is free, the rest is returned.
fn displace(
    model: &mut Model<'_>,
    displacement: &Displacement,
    strings_move: bool,
    placement: &mut Placement,
) -> Vec<Item> {
    for index in &displacement.block {
        if let Some(section) = model.sections.get_mut(*index) {
            section.offset += displacement.distance;
            section.vaddr += displacement.distance;
        }
    }
    let range = &displacement.range;
    for header in &mut model.program_headers {
        let whole =
            range.start <= header.offset && header.file_end() <= range.end && header.file_len != 0;
        if whole && !header.is_load() && header.kind != SegmentKind::PHDR {
            header.offset += displacement.distance;
            header.vaddr += displacement.distance;
            header.paddr += displacement.distance;
        }
    }
    let old = model.strings;
    let mut free = old.offset.max(displacement.limit);
    let free_end = if strings_move {
        old.offset + old.len
    } else {
        free
    };
    let mut rest = Vec::new();
    for (index, tag) in &displacement.tables {
        let Some(section) = model.elf.sections.get(*index) else {
            continue;
        };
        let place = free.next_multiple_of(section.align.max(8));
        if place
            .checked_add(section.len)
            .is_some_and(|end| end <= free_end)
        {
            let vaddr = old.vaddr + (place - old.offset);
            enter(
                model,
                Item::Table(*index, *tag),
                (place, vaddr, section.len),
            );
            model.summary.push(format!(
                "{}: into the place of the old strings",
                section.name
            ));
            model.moved.push((section.offset, section.len, place));
            placement.into_old_strings.push((*index, place));
            free = place + section.len;
        } else {
            model
                .summary
                .push(format!("{}: into the new segment", section.name));
            rest.push(Item::Table(*index, *tag));
        }
    }
    model
        .summary
        .push("program header: behind the others, after what was there".to_owned());
    placement.displacement = Some(displacement.clone());
    rest
}

/// Gives the place that the dynamic section leaves a section of its own: code finds it through `_DYNAMIC`, and `strip`
/// would wipe what no section covers. Returns where the next thing may lie.
fn retire_dynamic(model: &mut Model<'_>, moves: bool, end: u64) -> u64 {
    let Some(section) = model
        .dynamic_section()
        .filter(|_| moves && model.retired.is_none())
        .and_then(|index| model.elf.sections.get(index))
    else {
        return end;
    };
    let retired = SectionHeader {
        name: section.name.trim_start_matches('.').to_owned(),
        // Without its first letter, the dot.
        name_offset: section.name_offset + u32::from(section.name.starts_with('.')),
        kind: SHT_PROGBITS,
        flags: SHF_ALLOC | SHF_WRITE,
        link: 0,
        info: 0,
        ..section.clone()
    };
    model.retired_dynamic = Some(model.sections.len());
    model.sections.push(retired);
    let entry_len = model.encoding().section_header_len() as u64;
    let old_end = model.section_headers_offset + model.elf.sections.len() as u64 * entry_len;
    if old_end > end || end - old_end > 8 || end != model.elf.file_len {
        model.section_headers_offset = end.next_multiple_of(8);
    }
    model.section_headers_offset + model.sections.len() as u64 * entry_len
}

/// Returns the entries for the place that the dynamic section has left: those of the new one, without the last needed
/// libraries if there is no room for them.
pub(crate) fn entries_for_old_place(entries: &[Entry], capacity: usize) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    while entries.len() >= capacity.max(1) {
        let needed = entries.iter().rposition(|entry| entry.tag == Tag::NEEDED);
        entries.remove(needed.unwrap_or(entries.len() - 1));
    }
    entries
}

/// Where the bytes of a table are copied from, as a write.
pub(crate) fn copy_of(section: &SectionHeader) -> Data {
    Data::Copy {
        from: section.offset,
        len: section.len,
    }
}
