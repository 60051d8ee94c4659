//! Rules for symbols, hash tables and versions.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::hash::{GnuHash, SysvHash, gnu_hash, sysv_hash};
use crate::read::section_header::SHT_DYNSYM;
use crate::read::symbol::RawSymbol;
use crate::read::versions::{Chain, VersionDefinition, VersionNeeds, VersionReader};
use crate::read::window::{Window, read_range};
use crate::verify::Names;
use crate::verify::elf_image::{ElfImage, Linking};
use crate::verify::rule::{Report, Rule};

/// How much of a table is read at once, in bytes: a multiple of both symbol lengths, and of 2.
const BLOCK: u64 = 24 * 2048;

pub(crate) fn check(
    elf_image: &ElfImage<'_>,
    linking: &Linking,
    names: Names,
    report: &mut Report,
) -> Result<(), ReadError> {
    let versions = check_versions(elf_image, linking, report)?;
    let encoding = elf_image.encoding();
    let at = |tag| linking.entry_offset(encoding, tag);
    let read_gnu = |vaddr| GnuHash::read(elf_image.source, encoding, &elf_image.image, vaddr);
    let read_sysv = |vaddr| {
        SysvHash::read(
            elf_image.source,
            encoding,
            elf_image.header.machine,
            &elf_image.image,
            vaddr,
        )
    };
    let gnu = match linking.get(Tag::GNU_HASH).map(read_gnu) {
        Some(table) => report.take(Rule::GnuHashBad, at(Tag::GNU_HASH), table)?,
        None => None,
    };
    let sysv = match linking.get(Tag::HASH).map(read_sysv) {
        Some(table) => report.take(Rule::HashBad, at(Tag::HASH), table)?,
        None => None,
    };
    let Some(vaddr) = linking.get(Tag::SYMTAB) else {
        return Ok(());
    };
    let count = count(elf_image, vaddr, gnu.as_ref(), sysv.as_ref());
    let len = count.saturating_mul(encoding.symbol_len() as u64);
    let Some(offset) = elf_image.locate(vaddr, len.max(1)) else {
        let detail = format!("{len:#x} bytes at {vaddr:#x} are not in one segment of the file");
        report.add(Rule::SymtabRange, at(Tag::SYMTAB), detail);
        return Ok(());
    };
    if names == Names::Check {
        let names = read_names(elf_image, offset, len, report)?;
        check_names(
            elf_image,
            linking,
            &names,
            (gnu.as_ref(), sysv.as_ref()),
            report,
        )?;
    }
    match linking.get(Tag::VERSYM) {
        Some(vaddr) => check_version_table(elf_image, vaddr, count, &versions, report),
        None => Ok(()),
    }
}

/// Returns how many symbols there are, the most that any table says.
fn count(
    elf_image: &ElfImage<'_>,
    vaddr: u64,
    gnu: Option<&GnuHash>,
    sysv: Option<&SysvHash>,
) -> u64 {
    let tables = elf_image
        .sections
        .iter()
        .filter(|section| section.kind == SHT_DYNSYM && section.vaddr == vaddr);
    let symbol_len = elf_image.encoding().symbol_len() as u64;
    let section = tables
        .map(|section| section.len / symbol_len)
        .max()
        .unwrap_or_default();
    let gnu = gnu.and_then(GnuHash::symbol_count).unwrap_or_default();
    section
        .max(gnu)
        .max(sysv.map_or(0, |table| table.chain_count))
}

/// The name of a symbol, as far as it is checked.
struct Name {
    /// Offset in the string table.
    offset: u32,
    index: u32,
    /// Whether other objects can bind to it.
    exported: bool,
}

/// Reads the names of all symbols, in the order of their offsets, so that the strings are passed through once.
fn read_names(
    elf_image: &ElfImage<'_>,
    offset: u64,
    len: u64,
    report: &mut Report,
) -> Result<Vec<Name>, ReadError> {
    let encoding = elf_image.encoding();
    let mut names = Vec::new();
    let mut at = 0;
    let mut index = 0;
    while at < len {
        let block = read_range(
            elf_image.source,
            "DT_SYMTAB",
            offset + at,
            (len - at).min(BLOCK),
        );
        let Some(block) = report.take(Rule::SymtabRange, offset + at, block)? else {
            break;
        };
        for bytes in block.chunks_exact(encoding.symbol_len()) {
            if index == 0 {
                let empty = bytes.iter().all(|byte| *byte == 0);
                report.check(empty, Rule::SymtabNull, offset, || {
                    "the first symbol is not empty".to_owned()
                });
            }
            if let Some(symbol) = RawSymbol::parse(encoding, bytes) {
                let exported = symbol.with_name(index, b"", None).is_exported();
                names.push(Name {
                    offset: symbol.name,
                    index,
                    exported,
                });
            }
            index += 1;
        }
        at += block.len() as u64;
    }
    names.sort_unstable_by_key(|name| (name.offset, name.index));
    Ok(names)
}

fn check_names(
    elf_image: &ElfImage<'_>,
    linking: &Linking,
    names: &[Name],
    (gnu, sysv): (Option<&GnuHash>, Option<&SysvHash>),
    report: &mut Report,
) -> Result<(), ReadError> {
    let strings = linking.strings;
    let end = strings.offset.saturating_add(strings.len);
    let mut window = Window::new(elf_image.source);
    let mut hashes: Option<(u32, u32, u32)> = None;
    for name in names {
        let at = strings.offset.saturating_add(name.offset.into());
        let (gnu_value, sysv_value) = match hashes {
            Some((offset, gnu, sysv)) if offset == name.offset => (gnu, sysv),
            _ => {
                let text = if u64::from(name.offset) < strings.len {
                    window.scan_string("symbol name", at, end)
                } else {
                    let (got, offset) = (name.offset.into(), strings.offset);
                    Err(ReadError::StringOffset {
                        what: "symbol name",
                        got,
                        offset,
                        len: strings.len,
                    })
                };
                let Some(text) = report.take(Rule::StrOob, at, text)? else {
                    continue;
                };
                let values = (
                    gnu_hash(text),
                    if sysv.is_some() { sysv_hash(text) } else { 0 },
                );
                hashes = Some((name.offset, values.0, values.1));
                values
            }
        };
        if let Some(table) = gnu {
            check_in_gnu(table, name, gnu_value, report);
        }
        if let Some(table) = sysv.filter(|_| name.exported) {
            let found = table
                .candidates(sysv_value)
                .any(|index| index == name.index);
            let detail = || format!("symbol {} is not found", name.index);
            report.check(found, Rule::HashLost, table.offset, detail);
        }
    }
    Ok(())
}

fn check_in_gnu(table: &GnuHash, name: &Name, hash: u32, report: &mut Report) {
    let Some(stored) = table.hash_of(name.index) else {
        let detail = || format!("symbol {} is exported, but not in the table", name.index);
        report.check(!name.exported, Rule::GnuHashLost, table.offset, detail);
        return;
    };
    let detail = || format!("symbol {}: {stored:#x}, its name has {hash:#x}", name.index);
    report.check(
        stored == hash & !1,
        Rule::GnuHashMismatch,
        table.offset,
        detail,
    );
    if name.exported && stored == hash & !1 {
        let found = table.candidates(hash).any(|index| index == name.index);
        let detail = || format!("symbol {} is not found", name.index);
        report.check(found, Rule::GnuHashLost, table.offset, detail);
    }
}

/// Checks the needed and defined versions and returns their numbers.
fn check_versions(
    elf_image: &ElfImage<'_>,
    linking: &Linking,
    report: &mut Report,
) -> Result<BTreeSet<u16>, ReadError> {
    let mut window = Window::new(elf_image.source);
    let needed: BTreeSet<String> = {
        let texts = linking.array.all(Tag::NEEDED);
        texts
            .filter_map(|offset| linking.strings.text(&mut window, "DT_NEEDED", offset).ok())
            .collect()
    };
    let chain = |tag, count_tag| {
        let (vaddr, count) = (
            linking.get(tag)?,
            linking.get(count_tag).unwrap_or_default(),
        );
        let (offset, left) = elf_image.image.locate(vaddr).unwrap_or_default();
        Some(Chain {
            offset,
            end: offset.saturating_add(left),
            count,
        })
    };
    let mut numbers = BTreeSet::from([0, 1]);
    let mut reader = VersionReader::new(&mut window, elf_image.encoding(), linking.strings);
    if let Some(chain) = chain(Tag::VERNEED, Tag::VERNEEDNUM)
        && let Some(needs) = report.take(Rule::VerneedBad, chain.offset, reader.needs(chain))?
    {
        check_needs(&needs, &needed, report);
        numbers.extend(
            needs
                .iter()
                .flat_map(|needs| &needs.versions)
                .map(|need| need.index & 0x7fff),
        );
    }
    if let Some(chain) = chain(Tag::VERDEF, Tag::VERDEFNUM)
        && let Some(definitions) =
            report.take(Rule::VerdefBad, chain.offset, reader.definitions(chain))?
    {
        check_definitions(&definitions, report);
        numbers.extend(
            definitions
                .iter()
                .map(|definition| definition.index & 0x7fff),
        );
    }
    Ok(numbers)
}

fn check_needs(needs: &[VersionNeeds], needed: &BTreeSet<String>, report: &mut Report) {
    for library in needs {
        let detail = || {
            format!(
                "versions are needed from {}, which is not needed itself",
                library.file
            )
        };
        report.check(
            needed.contains(&library.file),
            Rule::VerneedOrphan,
            library.offset,
            detail,
        );
        for version in &library.versions {
            let hash = sysv_hash(version.name.as_bytes());
            let detail = || format!("{}: {:#x}, expected {hash:#x}", version.name, version.hash);
            report.check(
                version.hash == hash,
                Rule::VernauxHash,
                version.offset,
                detail,
            );
        }
    }
}

fn check_definitions(definitions: &[VersionDefinition], report: &mut Report) {
    for definition in definitions {
        let hash = sysv_hash(definition.name.as_bytes());
        let detail = || {
            format!(
                "{}: {:#x}, expected {hash:#x}",
                definition.name, definition.hash
            )
        };
        report.check(
            definition.hash == hash,
            Rule::VerdefHash,
            definition.offset,
            detail,
        );
    }
}

fn check_version_table(
    elf_image: &ElfImage<'_>,
    vaddr: u64,
    count: u64,
    known: &BTreeSet<u16>,
    report: &mut Report,
) -> Result<(), ReadError> {
    let len = count.saturating_mul(2);
    let Some(offset) = elf_image.locate(vaddr, len.max(1)) else {
        let detail = format!("{len:#x} bytes at {vaddr:#x} are not in one segment of the file");
        report.add(Rule::VersymRange, vaddr, detail);
        return Ok(());
    };
    let mut unknown: BTreeMap<u16, u64> = BTreeMap::new();
    let mut at = 0;
    while at < len {
        let block = read_range(
            elf_image.source,
            "DT_VERSYM",
            offset + at,
            (len - at).min(BLOCK),
        );
        let Some(block) = report.take(Rule::VersymRange, offset + at, block)? else {
            break;
        };
        for (bytes, place) in block.chunks_exact(2).zip((offset + at..).step_by(2)) {
            let number = elf_image.encoding().u16_at(bytes, 0).unwrap_or_default() & 0x7fff;
            // 0x7fff is what some linkers give symbols that no version script names.
            if !known.contains(&number) {
                unknown.entry(number).or_insert(place);
            }
        }
        at += block.len() as u64;
    }
    for (number, place) in unknown {
        report.add(
            Rule::VersymUnknown,
            place,
            format!("version {number} is neither needed nor defined"),
        );
    }
    Ok(())
}
