//! Rules of the dynamic section and of the tables that it names.

use super::Report;
use crate::elf::image::{Image, segment_type};
use crate::elf::linking::{Linking, gnu_hash, system_v_hash, tag};

pub(super) fn check(image: &Image<'_>, linking: &Linking<'_>, report: &mut Report) {
    check_place(image, report);
    report.check(linking.terminated, "DYN_NOTERM", || "no DT_NULL".to_owned());
    check_strings(image, linking, report);
    check_symbols(image, linking, report);
    check_versions(linking, report);
    check_ranges(image, linking, report);
}

fn check_place(image: &Image<'_>, report: &mut Report) {
    let Some(dynamic) = image.segments_of(segment_type::DYNAMIC).next() else {
        return;
    };
    let end = dynamic.vaddr.saturating_add(dynamic.memsz);
    let load = image
        .loads()
        .find(|load| load.vaddr <= dynamic.vaddr && end <= load.vaddr.saturating_add(load.memsz));
    match load {
        None => report.bad("DYN_UNMAPPED", "PT_DYNAMIC is in no PT_LOAD"),
        Some(load) => report.check(load.flags & 2 != 0, "DYN_RO", || {
            "PT_DYNAMIC is in a read-only PT_LOAD, which glibc before 2.35 writes to".to_owned()
        }),
    }
    if let Some(relro) = image.segments_of(segment_type::GNU_RELRO).next() {
        let inside = relro.vaddr <= dynamic.vaddr && end <= relro.vaddr.saturating_add(relro.memsz);
        report.check(inside, "DYN_NOT_RELRO", || {
            ".dynamic stays writable".to_owned()
        });
    }
}

fn check_strings(image: &Image<'_>, linking: &Linking<'_>, report: &mut Report) {
    if linking.first(tag::STRTAB).is_some() {
        match linking.string_table() {
            None => report.bad("STRTAB_RANGE", "not in the file part of one PT_LOAD"),
            Some((offset, size)) => {
                let last = image.slice(offset + size.saturating_sub(1), 1);
                report.check(size > 0 && last == Some(&[0]), "STRTAB_TERM", || {
                    format!("{offset:#x}+{size:#x}")
                });
            }
        }
    }
    for kind in [tag::NEEDED, tag::SONAME, tag::RPATH, tag::RUNPATH] {
        for string in linking.strings(kind) {
            match string {
                None => report.bad("STR_OOB", format!("string of tag {kind}")),
                Some(text) => {
                    let garbage = kind == tag::NEEDED
                        && (text.is_empty()
                            || text.contains(['\x01', '\x02'])
                            || text.starts_with("ZZZ"));
                    report.check(!garbage, "NEEDED_GARBAGE", || text);
                }
            }
        }
    }
}

fn check_symbols(image: &Image<'_>, linking: &Linking<'_>, report: &mut Report) {
    if let Some(table) = linking.first(tag::SYMTAB) {
        let first = image
            .file_offset(table, image.symbol_size())
            .and_then(|offset| image.slice(offset, image.symbol_size()));
        report.check(first.is_some(), "SYMTAB_RANGE", || format!("{table:#x}"));
        let null = first.is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0));
        report.check(null, "SYMTAB_NULL", || {
            "the first symbol is not null".to_owned()
        });
    }
    if linking.first(tag::GNU_HASH).is_some() {
        let Some(table) = linking.gnu_hash() else {
            report.bad("GNUHASH_RANGE", "unmapped");
            return;
        };
        let count = linking.symbol_count().unwrap_or(0);
        for index in table.first_symbol..count {
            let Some(name) = linking.symbol_name(index) else {
                report.bad("STR_OOB", format!("name of symbol {index}"));
                return;
            };
            if table.chain(index).map(|hash| hash | 1) != Some(gnu_hash(&name) | 1) {
                report.bad("GNUHASH_MISMATCH", format!("symbol {index} `{name}`"));
                return;
            }
        }
    }
}

fn check_versions(linking: &Linking<'_>, report: &mut Report) {
    let needed = linking.strings(tag::NEEDED);
    match linking.version_needs() {
        None => report.bad("VERNEED_BAD", "unmapped or unknown version"),
        Some(needs) => {
            for need in needs {
                let known = needed.contains(&Some(need.file.clone()));
                report.check(known, "VERNEED_ORPHAN", || format!("`{}`", need.file));
                for (name, hash) in need.versions {
                    let good = system_v_hash(&name) == hash;
                    report.check(good, "VERNAUX_HASH", || format!("`{name}`"));
                }
            }
        }
    }
    if linking.version_definitions().is_none() {
        report.bad("VERDEF_BAD", "unmapped or unknown version");
    }
}

fn check_ranges(image: &Image<'_>, linking: &Linking<'_>, report: &mut Report) {
    for (addr, size, name) in [
        (tag::RELA, tag::RELASZ, "RELA"),
        (tag::REL, tag::RELSZ, "REL"),
        (tag::JMPREL, tag::PLTRELSZ, "JMPREL"),
        (tag::RELR, tag::RELRSZ, "RELR"),
    ] {
        if let (Some(addr), Some(size @ 1..)) = (linking.first(addr), linking.first(size)) {
            let mapped = image.file_offset(addr, size).is_some();
            report.check(mapped, "TABLE_RANGE", || {
                format!("DT_{name} {addr:#x}+{size:#x}")
            });
        }
    }
    for (addr, size, name) in [
        (tag::INIT_ARRAY, tag::INIT_ARRAYSZ, "INIT_ARRAY"),
        (tag::FINI_ARRAY, tag::FINI_ARRAYSZ, "FINI_ARRAY"),
    ] {
        if let (Some(addr), Some(size @ 1..)) = (linking.first(addr), linking.first(size)) {
            let end = addr.saturating_add(size);
            let mapped = image
                .loads()
                .any(|load| load.vaddr <= addr && end <= load.vaddr.saturating_add(load.memsz));
            report.check(mapped, "TABLE_RANGE", || {
                format!("DT_{name} {addr:#x}+{size:#x}")
            });
        }
    }
}
