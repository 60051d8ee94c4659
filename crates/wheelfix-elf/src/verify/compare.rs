//! Properties that no edit changes, whatever was asked for: checked by reading both files.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::encoding::Encoding;
use crate::error::ReadError;
use crate::load::{Edited, LoaderKind, any_refusal, refusal_of_edited};
use crate::read::dynamic::StringTable;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::Elf;
use crate::read::image::Image;
use crate::read::program_header::{PF_W, ProgramHeader, SegmentKind};
use crate::read::section_header::SectionHeader;
use crate::read::symbol_table::{read_hashes, symbol_count};
use crate::read::window::read_range;
use crate::source::Source;
use crate::verify::Names;
use crate::verify::rule::{Report, Rule, Violation};

/// Entries that an edit may add, remove or change.
const EDITED: [Tag; 9] = [
    Tag::NEEDED,
    Tag::SONAME,
    Tag::RPATH,
    Tag::RUNPATH,
    Tag::FLAGS_1,
    Tag::DEBUG,
    // Hints, dropped where their room is needed.
    Tag::RELACOUNT,
    Tag::RELCOUNT,
    Tag::STRSZ,
];

/// Entries that go or change with the last needed version of a removed library.
const VERSIONS: [Tag; 3] = [Tag::VERNEED, Tag::VERNEEDNUM, Tag::VERSYM];

pub(crate) fn compare(
    before: &dyn Source,
    after: &dyn Source,
    names: Names,
    touched: &[Range<u64>],
) -> Result<Vec<Violation>, ReadError> {
    let (old, new) = (Elf::read(&before)?, Elf::read(&after)?);
    let mut report = Report::default();
    let identity = |elf: &Elf| {
        let header = &elf.header;
        (
            header.encoding,
            header.object_type,
            header.machine,
            header.machine_flags,
            header.entry,
            header.abi_version,
        )
    };
    let detail = || "kind, machine, flags or entry changed".to_owned();
    report.check(
        identity(&old) == identity(&new),
        Rule::ChangedHeader,
        0,
        detail,
    );
    compare_segments(&old, &new, &mut report);
    let detail = || format!("{:?} became {:?}", old.notes.build_id, new.notes.build_id);
    report.check(
        old.notes.build_id == new.notes.build_id,
        Rule::ChangedBuildId,
        0,
        detail,
    );
    compare_tags(&old, &new, &mut report);
    compare_tables((&old, before), (&new, after), names, &mut report)?;
    let sections = |elf: &Elf| -> Vec<u32> {
        elf.sections
            .iter()
            .map(|section| section.name_offset)
            .collect()
    };
    let detail = || "sections are gone or have other names".to_owned();
    report.check(
        sections(&new).starts_with(&sections(&old)),
        Rule::ChangedSections,
        0,
        detail,
    );
    compare_loaded(&old, &new, &mut report);
    let edited = Edited {
        old: &old,
        new: &new,
        source: after,
        touched,
    };
    compare_admission(&edited, before, &mut report)?;
    Ok(report.violations)
}

/// Checks that each loader takes the file that took it before. What it did not like then may stay: of several faults it
/// sees the first.
fn compare_admission(
    edited: &Edited<'_>,
    before: &dyn Source,
    report: &mut Report,
) -> Result<(), ReadError> {
    for loader in [LoaderKind::Glibc, LoaderKind::Musl] {
        let Some(refusal) = refusal_of_edited(edited, loader)? else {
            continue;
        };
        let known = any_refusal(edited.old, before, loader)?;
        let is_new = known.is_none_or(|known| refusal.condition < known.condition);
        report.check(!is_new, Rule::ChangedAdmission, 0, || {
            format!("{loader} does not load the file: {refusal}")
        });
    }
    Ok(())
}

/// Checks that each section that was loaded is loaded, be it only by the pages around a segment.
fn compare_loaded(old: &Elf, new: &Elf, report: &mut Report) {
    let images = (old.image(), new.image());
    let is_loaded = |image: &Image, section: &SectionHeader| {
        image
            .locate(section.vaddr)
            .is_some_and(|(offset, left)| offset == section.offset && section.len <= left)
    };
    for (before, after) in old.sections.iter().zip(&new.sections) {
        let counts = before.is_alloc() && before.has_bytes() && after.has_bytes();
        let lost = counts && is_loaded(images.0, before) && !is_loaded(images.1, after);
        report.check(!lost, Rule::ChangedSections, after.offset, || {
            format!("{} is not loaded any more", after.name)
        });
    }
}

fn compare_segments(old: &Elf, new: &Elf, report: &mut Report) {
    let at = new.header.program_headers_offset;
    let loads = |elf: &Elf| -> Vec<ProgramHeader> {
        elf.program_headers
            .iter()
            .filter(|header| header.is_load())
            .copied()
            .collect()
    };
    let new_loads = loads(new);
    let old_loads = loads(old);
    let last = old_loads.iter().map(|load| load.vaddr).max();
    for load in old_loads {
        let same = new_loads
            .iter()
            .find(|other| (other.vaddr, other.offset) == (load.vaddr, load.offset));
        let same = same.map(|other| {
            let mended = load.is_misaligned() && !other.is_misaligned();
            let align = if mended { load.align } else { other.align };
            let opened = other.flags == load.flags | PF_W && load.covers_dynamic(old);
            let flags = if opened { load.flags } else { other.flags };
            ProgramHeader {
                flags,
                align,
                ..*other
            }
        });
        let kept = same.is_some_and(|other| {
            let is_last = last == Some(load.vaddr);
            let may_grow = load.file_len == load.memory_len
                && (is_last || load.flags & PF_W == 0 && other.flags == load.flags);
            let fits = other.file_len == other.memory_len && other.align == load.align;
            other == load || may_grow && fits && (is_last || holds_sections(new, &load, &other))
        });
        let empty = !old.sections.is_empty() && is_vacated(old, new, &load);
        report.check(kept || empty, Rule::ChangedLoad, at, || {
            format!("the segment at {:#x} changed or is gone", load.vaddr)
        });
    }
    for kind in [
        SegmentKind::GNU_RELRO,
        SegmentKind::TLS,
        SegmentKind::GNU_EH_FRAME,
    ] {
        let same = old.program_header(kind) == new.program_header(kind);
        report.check(same, Rule::ChangedSegment, at, || format!("{kind} changed"));
    }
    // The flags of the stack are what an edit may ask for.
    let stack = |elf: &Elf| {
        elf.program_header(SegmentKind::GNU_STACK)
            .map(|stack| (stack.memory_len, stack.align))
    };
    let added = stack(old).is_none() && stack(new) == Some((0, 1));
    let same = stack(old) == stack(new);
    report.check(same || added, Rule::ChangedSegment, at, || {
        "PT_GNU_STACK changed".to_owned()
    });
}

/// Whether all sections at addresses that a segment had are in what it is now.
fn holds_sections(new: &Elf, old: &ProgramHeader, load: &ProgramHeader) -> bool {
    let mut sections = new.sections.iter();
    sections.all(|section| {
        let inside = section.is_alloc()
            && section.len != 0
            && section.vaddr < old.memory_end()
            && old.vaddr < section.memory_end();
        !inside || section.memory_end() <= load.memory_end()
    })
}

/// Whether no section is left in a segment: such a one may be retired.
fn is_vacated(old: &Elf, new: &Elf, load: &ProgramHeader) -> bool {
    old.sections
        .iter()
        .zip(&new.sections)
        .all(|(before, after)| {
            let inside = before.is_alloc()
                && before.len != 0
                && before.vaddr < load.pages().end
                && load.pages().start < before.memory_end();
            !inside || after.offset != before.offset
        })
}

fn compare_tags(old: &Elf, new: &Elf, report: &mut Report) {
    let mut counts: BTreeMap<(Tag, u64), i64> = BTreeMap::new();
    for (elf, step) in [(old, 1), (new, -1)] {
        for entry in elf
            .dynamic
            .iter()
            .flat_map(|dynamic| &dynamic.array.entries)
        {
            if EDITED.contains(&entry.tag) {
                continue;
            }
            // Tables may move; that they are the same at the new place is checked by their own rules.
            let movable = Tag::ADDRESSES.contains(&entry.tag);
            let value = if movable || VERSIONS.contains(&entry.tag) {
                0
            } else {
                entry.value
            };
            *counts.entry((entry.tag, value)).or_default() += step;
        }
    }
    let needs = |elf: &Elf| {
        elf.dynamic
            .as_ref()
            .map_or(0, |dynamic| dynamic.version_needs.len())
    };
    let fewer_needs = needs(new) < needs(old);
    for ((tag, _), count) in counts {
        let expected = count == 0 || fewer_needs && VERSIONS.contains(&tag);
        let at = new
            .dynamic
            .as_ref()
            .map_or(0, |dynamic| dynamic.array.offset);
        report.check(expected, Rule::ChangedTags, at, || {
            format!("{tag} was added, removed or changed")
        });
    }
}

/// Checks that the symbols are the same ones, and, unless they are looked up anyway, have the same names and hash tables.
fn compare_tables(
    (old, before): (&Elf, &dyn Source),
    (new, after): (&Elf, &dyn Source),
    names: Names,
    report: &mut Report,
) -> Result<(), ReadError> {
    let (Some(old_dynamic), Some(new_dynamic)) = (&old.dynamic, &new.dynamic) else {
        return Ok(());
    };
    let (old_gnu, old_sysv) = read_hashes(old, old_dynamic, before)?;
    let (new_gnu, new_sysv) = read_hashes(new, new_dynamic, after)?;
    let old_count = symbol_count(old, old_dynamic, old_gnu.as_ref(), old_sysv.as_ref());
    let new_count = symbol_count(new, new_dynamic, new_gnu.as_ref(), new_sysv.as_ref());
    let detail = || format!("{old_count} became {new_count}");
    report.check(old_count == new_count, Rule::ChangedSymbolCount, 0, detail);
    if names == Names::Check {
        return Ok(());
    }
    let same_gnu = match (&old_gnu, &new_gnu) {
        (Some(old), Some(new)) => old.equals(new),
        (old, new) => old.is_none() && new.is_none(),
    };
    let same_sysv = match (&old_sysv, &new_sysv) {
        (Some(old), Some(new)) => old.equals(new),
        (old, new) => old.is_none() && new.is_none(),
    };
    let detail = || "a hash table changed".to_owned();
    report.check(same_gnu && same_sysv, Rule::ChangedSymbol, 0, detail);
    let symbols = (
        Symbols::find(old, before, old_count)?,
        Symbols::find(new, after, new_count)?,
    );
    match symbols {
        (Some(old), Some(new)) => compare_symbols(&old, &new, report),
        _ => Ok(()),
    }
}

/// Where the symbols and their names are.
struct Symbols<'s> {
    source: &'s dyn Source,
    encoding: Encoding,
    offset: u64,
    len: u64,
    strings: StringTable,
}

impl<'s> Symbols<'s> {
    fn find(elf: &Elf, source: &'s dyn Source, count: u64) -> Result<Option<Self>, ReadError> {
        let encoding = elf.header.encoding;
        let Some(dynamic) = &elf.dynamic else {
            return Ok(None);
        };
        let (Some(vaddr), Some(strings)) = (dynamic.array.get(Tag::SYMTAB), dynamic.strings) else {
            return Ok(None);
        };
        let len = count.saturating_mul(encoding.symbol_len() as u64);
        let offset = elf.image().place("DT_SYMTAB", vaddr, len)?;
        Ok(Some(Self {
            source,
            encoding,
            offset,
            len,
            strings,
        }))
    }

    fn block(&self, at: u64) -> Result<Vec<u8>, ReadError> {
        let len = (self.len - at).min(24 * 2048);
        read_range(self.source, "DT_SYMTAB", self.offset + at, len)
    }
}

/// Checks that each symbol has the same name: the same offset, and the same bytes there.
fn compare_symbols(
    old: &Symbols<'_>,
    new: &Symbols<'_>,
    report: &mut Report,
) -> Result<(), ReadError> {
    let changed = changed_strings(old, new)?;
    let symbol_len = old.encoding.symbol_len();
    let mut at = 0;
    while at < old.len.min(new.len) {
        let (one, other) = (old.block(at)?, new.block(at)?);
        let pairs = one
            .chunks_exact(symbol_len)
            .zip(other.chunks_exact(symbol_len));
        for ((one, other), place) in pairs.zip((new.offset + at..).step_by(symbol_len)) {
            let (name, new_name) = (old.encoding.u32_at(one, 0), new.encoding.u32_at(other, 0));
            let name_offset = u64::from(name.unwrap_or_default());
            let touched = changed.iter().any(|range| range.contains(&name_offset));
            let detail =
                || format!("the symbol with its name at {name_offset:#x} has another name");
            report.check(
                name == new_name && !touched,
                Rule::ChangedSymbol,
                place,
                detail,
            );
        }
        at += one.len() as u64;
    }
    Ok(())
}

/// Returns the ranges of string offsets at which a string starts that is no longer what it was.
fn changed_strings(old: &Symbols<'_>, new: &Symbols<'_>) -> Result<Vec<Range<u64>>, ReadError> {
    const BLOCK: u64 = 1 << 16;
    let mut ranges: Vec<Range<u64>> = Vec::new();
    // Where the last string began that was seen to be whole so far.
    let mut string_start = 0;
    let mut at = 0;
    while at < old.strings.len {
        let len = (old.strings.len - at).min(BLOCK);
        let one = read_range(old.source, "DT_STRTAB", old.strings.offset + at, len)?;
        let left = new.strings.len.saturating_sub(at).min(len);
        let other = read_range(
            new.source,
            "DT_STRTAB",
            new.strings.offset.saturating_add(at),
            left,
        )?;
        if one != other {
            for (index, byte) in one.iter().enumerate() {
                let place = at + index as u64;
                if other.get(index) != Some(byte) {
                    match ranges.last_mut() {
                        Some(last) if string_start <= last.end => last.end = place + 1,
                        _ => ranges.push(string_start..place + 1),
                    }
                }
                if *byte == 0 {
                    string_start = place + 1;
                }
            }
        } else if let Some(last) = one.iter().rposition(|byte| *byte == 0) {
            string_start = at + last as u64 + 1;
        }
        at += len;
    }
    Ok(ranges)
}
