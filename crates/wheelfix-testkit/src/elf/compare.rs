//! The parts of a file that an edit must leave alone: a comparison of before and after.

use std::collections::BTreeMap;

use super::check::{Report, Violation, segment_notes};
use super::image::{Image, Section, Segment, segment_type};
use super::linking::{Linking, tag};

/// Sections that an edit of dynamic linking may change or move.
const EDITABLE: &[&str] = &[
    ".interp",
    ".dynamic",
    ".dynstr",
    ".dynsym",
    ".gnu.hash",
    ".hash",
    ".gnu.version",
    ".gnu.version_r",
    ".gnu.version_d",
];

/// Tags that edits add, remove or give another value.
const EDITED_TAGS: &[u64] = &[
    tag::NEEDED,
    tag::SONAME,
    tag::RPATH,
    tag::RUNPATH,
    tag::FLAGS_1,
    tag::RELACOUNT,
    tag::RELCOUNT,
    tag::DEBUG,
];

/// Tags whose value is an address or size of something that an edit may move.
const MOVED_TAGS: &[u64] = &[
    tag::STRTAB,
    tag::STRSZ,
    tag::SYMTAB,
    tag::HASH,
    tag::GNU_HASH,
    tag::VERSYM,
    tag::VERNEED,
    tag::VERDEF,
    tag::RELA,
    tag::REL,
    tag::JMPREL,
    tag::RELR,
];

/// Rules that the pair of files breaks, whatever editor was at work.
pub fn violations(before: &[u8], after: &[u8]) -> Vec<Violation> {
    let mut report = Report::default();
    match (Image::parse(before), Image::parse(after)) {
        (Ok(before), Ok(after)) => {
            compare_segments(&before, &after, &mut report);
            compare_memory(&before, &after, &mut report);
            compare_unloaded(&before, &after, &mut report);
            if let (Some(before), Some(after)) = (Linking::read(&before), Linking::read(&after)) {
                compare_linking(&before, &after, &mut report);
            }
        }
        (Err(text), _) | (_, Err(text)) => report.bad("PARSE", text),
    }
    report.violations
}

/// Rules of the layout that survives `strip`; patchelf breaks them.
pub fn layout_violations(before: &[u8], after: &[u8]) -> Vec<Violation> {
    let mut report = Report::default();
    if let (Ok(before), Ok(after)) = (Image::parse(before), Image::parse(after)) {
        report.check(after.phoff == before.phoff, "PHT_MOVED", || {
            format!("{:#x}", after.phoff)
        });
        for load in new_loads(&before, &after) {
            let shares = |other: &&Segment| {
                other.kind != segment_type::LOAD && other.filesz > 0 && other.offset == load.offset
            };
            let parent = after.segments.iter().find(shares);
            report.check(parent.is_none(), "LOAD_SHARES_OFFSET", || {
                format!("{parent:x?}")
            });
        }
        let sectionless = |image: &Image<'_>| -> Vec<u64> {
            let has_section = |load: &&Segment| {
                let inside = |section: &Section| {
                    section.flags & 2 != 0
                        && load.vaddr <= section.addr
                        && section.addr < load.vaddr.saturating_add(load.memsz)
                };
                image.sections.iter().any(inside)
            };
            let loads = image.loads().filter(|load| !has_section(load));
            loads.map(|load| load.vaddr).collect()
        };
        let known = sectionless(&before);
        for vaddr in sectionless(&after) {
            let new = !before.sections.is_empty() && !known.contains(&vaddr);
            report.check(!new, "LOAD_SECTIONLESS", || format!("{vaddr:#x}"));
        }
    }
    report.violations
}

fn new_loads<'a>(before: &'a Image<'_>, after: &'a Image<'_>) -> impl Iterator<Item = &'a Segment> {
    after
        .loads()
        .filter(|load| !before.loads().any(|old| old.vaddr == load.vaddr))
}

fn compare_segments(before: &Image<'_>, after: &Image<'_>, report: &mut Report) {
    for kind in [
        segment_type::GNU_STACK,
        segment_type::GNU_RELRO,
        segment_type::TLS,
    ] {
        let memory = |image: &Image<'_>| -> Vec<(u32, u64, u64, u64)> {
            let key = |segment: &Segment| {
                let Segment {
                    flags,
                    vaddr,
                    filesz,
                    memsz,
                    ..
                } = *segment;
                (flags, vaddr, filesz, memsz)
            };
            image.segments_of(kind).map(key).collect()
        };
        report.check(memory(before) == memory(after), "SEGMENT_CHANGED", || {
            format!(
                "type {kind:#x}: {:x?}, was {:x?}",
                memory(after),
                memory(before)
            )
        });
    }
    for old in before.loads().filter(|old| old.filesz < old.memsz) {
        let new = after.loads().find(|new| new.vaddr == old.vaddr);
        let kept = new.is_some_and(|new| new.filesz == old.filesz && new.memsz == old.memsz);
        report.check(kept, "BSS_CHANGED", || format!("{new:x?}, was {old:x?}"));
    }
    compare_relro(before, after, report);
    // A loader reads properties by a segment of their own.
    let notes = |image: &Image<'_>| {
        let properties = image.segments_of(segment_type::GNU_PROPERTY);
        let segments = image.segments_of(segment_type::NOTE).chain(properties);
        let mut notes: Vec<_> = segments
            .filter_map(|segment| segment_notes(image, segment))
            .flatten()
            .collect();
        notes.sort();
        notes.dedup();
        notes
    };
    report.check(notes(before) == notes(after), "NOTES_CHANGED", || {
        format!("{:x?}, were {:x?}", notes(after), notes(before))
    });
}

/// The dynamic section stays read-only after relocation, unless there is no room for its entries
/// where it was.
fn compare_relro(before: &Image<'_>, after: &Image<'_>, report: &mut Report) {
    let dynamic = |image: &Image<'_>| image.segments_of(segment_type::DYNAMIC).next().copied();
    let in_relro = |image: &Image<'_>| {
        let relro = image.segments_of(segment_type::GNU_RELRO).next();
        dynamic(image).zip(relro).is_some_and(|(dynamic, relro)| {
            relro.vaddr <= dynamic.vaddr
                && dynamic.vaddr + dynamic.memsz <= relro.vaddr + relro.memsz
        })
    };
    let entries = Linking::read(after).map_or(0, |linking| linking.entries.len() as u64);
    let slots = dynamic(before).map_or(0, |segment| segment.filesz / (2 * before.word_size()));
    let may_leave = slots < entries + 1;
    report.check(
        in_relro(after) || !in_relro(before) || may_leave,
        "DYN_LEFT_RELRO",
        || format!("there were {slots} slots for {entries} entries"),
    );
}

/// Every byte of memory that the edit has no business with is what it was.
fn compare_memory(before: &Image<'_>, after: &Image<'_>, report: &mut Report) {
    let notes: Vec<&str> = before
        .sections
        .iter()
        .filter(|section| section.kind == 7)
        .map(|section| section.name.as_str())
        .collect();
    for section in before
        .sections
        .iter()
        .skip(1)
        .filter(|section| section.is_loaded())
    {
        let name = section.name.as_str();
        if EDITABLE.contains(&name) || notes.contains(&name) {
            continue;
        }
        let old = before.slice(section.offset, section.size);
        let moved = name.starts_with(".rel");
        let addr = if moved {
            after
                .section(name)
                .map_or(section.addr, |section| section.addr)
        } else {
            section.addr
        };
        let new = after
            .file_offset(addr, section.size)
            .and_then(|offset| after.slice(offset, section.size));
        report.check(new.is_some() && old == new, "BYTES_CHANGED", || {
            format!("{name} at {addr:#x}: {}", first_difference(old, new))
        });
    }
}

/// Debug information, comments: by name, as they may move.
fn compare_unloaded(before: &Image<'_>, after: &Image<'_>, report: &mut Report) {
    let unloaded = |image: &Image<'_>| -> BTreeMap<(String, usize), (u64, u64)> {
        let mut sections = BTreeMap::new();
        for section in image.sections.iter().skip(1) {
            let edited = [".symtab", ".strtab", ".shstrtab"].contains(&section.name.as_str());
            if section.flags & 2 == 0 && section.has_bytes() && !edited {
                let nth = sections
                    .keys()
                    .filter(|(name, _): &&(String, usize)| *name == section.name);
                let key = (section.name.clone(), nth.count());
                sections.insert(key, (section.offset, section.size));
            }
        }
        sections
    };
    let (old, new) = (unloaded(before), unloaded(after));
    for (key, (offset, size)) in &old {
        let bytes = before.slice(*offset, *size);
        let now = new
            .get(key)
            .and_then(|(offset, size)| after.slice(*offset, *size));
        report.check(bytes == now, "BYTES_CHANGED", || {
            format!("{}: {}", key.0, first_difference(bytes, now))
        });
    }
}

fn first_difference(old: Option<&[u8]>, new: Option<&[u8]>) -> String {
    let (Some(old), Some(new)) = (old, new) else {
        return "not mapped".to_owned();
    };
    let at = old.iter().zip(new).position(|(old, new)| old != new);
    let at = at.unwrap_or(old.len().min(new.len()));
    format!(
        "{} bytes, were {}, first difference at {at:#x}",
        new.len(),
        old.len()
    )
}

fn compare_linking(before: &Linking<'_>, after: &Linking<'_>, report: &mut Report) {
    let (old, new) = (before.tag_counts(), after.tag_counts());
    for tag in old
        .keys()
        .chain(new.keys())
        .filter(|tag| !EDITED_TAGS.contains(tag))
    {
        report.check(old.get(tag) == new.get(tag), "TAG_COUNT", || {
            format!("{tag:#x}: {:?}, was {:?}", new.get(tag), old.get(tag))
        });
        if !MOVED_TAGS.contains(tag) {
            let values = |linking: &Linking<'_>| linking.all(*tag).collect::<Vec<_>>();
            report.check(values(before) == values(after), "TAG_VALUE", || {
                format!("{tag:#x}")
            });
        }
    }
    report.check(
        before.symbol_count() == after.symbol_count(),
        "SYMBOL_COUNT",
        || {
            format!(
                "{:?}, was {:?}",
                after.symbol_count(),
                before.symbol_count()
            )
        },
    );
    let (old, new) = (before.symbol_names(), after.symbol_names());
    let renamed = old.iter().zip(&new).find(|(old, new)| old != new);
    report.check(renamed.is_none(), "SYMBOL_NAME", || format!("{renamed:?}"));
    let versions = |linking: &Linking<'_>| {
        let needs = linking.version_needs().unwrap_or_default();
        let names = needs
            .into_iter()
            .map(|need| need.versions)
            .collect::<Vec<_>>();
        (names, linking.version_definitions())
    };
    report.check(
        versions(before) == versions(after),
        "VERSIONS_CHANGED",
        || format!("{:?}, were {:?}", versions(after), versions(before)),
    );
}
