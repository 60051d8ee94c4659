//! Everything that refers to the dynamic string table.

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::edit::strings::References;
use crate::edit::tables::Value;
use crate::read::dynamic_tag::Tag;
use crate::read::section_header::{
    SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_NULL,
};
use crate::read::window::{Window, check_range, read_range};

/// Length of an entry of prelink's library list.
const LIBLIST_ENTRY_LEN: usize = 20;
/// `sh_type` of prelink's library list.
const SHT_GNU_LIBLIST: u32 = 0x6fff_fff7;
/// How much of a table is read at once, in bytes: a multiple of both symbol lengths.
const BLOCK: u64 = 24 * 2048;

/// Collects the references that remain after the changes to the entries.
pub(crate) fn collect(edits: &Edits<'_>) -> Result<References, EditError> {
    let mut references = References {
        complete: true,
        ..References::default()
    };
    let mut window = Window::new(edits.source);
    for entry in &edits.tables.entries {
        if let (true, Value::Number(offset)) = (entry.tag.is_string(), entry.value) {
            let text = edits.strings.bytes(&mut window, "dynamic string", offset)?;
            add_named(&mut references, offset, text);
        }
        references.complete &= !may_be_unknown_string(entry.tag);
    }
    add_versions(edits, &mut references);
    add_symbols(edits, &mut references)?;
    add_library_list(edits, &mut references)?;
    references.complete &= !is_shared(edits);
    Ok(references)
}

fn add_named(references: &mut References, offset: u64, text: Vec<u8>) {
    // Offsets were seen to be inside of the table; a table longer than 4 GiB has strings we cannot refer to.
    if let Ok(small) = u32::try_from(offset) {
        references.offsets.push(small);
        references.named.entry(text).or_insert(offset);
    } else {
        references.complete = false;
    }
}

fn add_versions(edits: &Edits<'_>, references: &mut References) {
    for (needs, removed) in edits.dynamic.version_needs.iter().zip(&edits.removed_needs) {
        if *removed {
            continue;
        }
        let renamed = edits
            .text_fields
            .iter()
            .any(|field| field.offset == needs.offset + 4);
        if !renamed {
            add_named(
                references,
                needs.file_offset.into(),
                needs.file.clone().into_bytes(),
            );
        }
        for version in &needs.versions {
            add_named(
                references,
                version.name_offset.into(),
                version.name.clone().into_bytes(),
            );
        }
    }
    for definition in &edits.dynamic.version_definitions {
        for (offset, name) in definition.name_offsets.iter().zip(definition.names()) {
            add_named(references, (*offset).into(), name.clone().into_bytes());
        }
    }
}

/// Reads the column of names of the symbol table, block by block.
fn add_symbols(edits: &Edits<'_>, references: &mut References) -> Result<(), EditError> {
    let Some(vaddr) = edits.dynamic.array.get(Tag::SYMTAB) else {
        return Ok(());
    };
    let count = edits.symbol_count;
    if count == 0 {
        // Undefined symbols are in no GNU hash table: without another hint there may be some that we do not see.
        references.complete = false;
        return Ok(());
    }
    let symbol_len = edits.encoding().symbol_len();
    let len = count.saturating_mul(symbol_len as u64);
    let offset = edits.elf.image().place("DT_SYMTAB", vaddr, len)?;
    check_range("DT_SYMTAB", offset, len, edits.elf.file_len)?;
    let mut at = 0;
    let mut index = 0;
    while at < len {
        let block = read_range(
            edits.source,
            "DT_SYMTAB",
            offset + at,
            (len - at).min(BLOCK),
        )?;
        at += block.len() as u64;
        for symbol in block.chunks_exact(symbol_len) {
            if !edits.renamed_symbols.contains_key(&index) {
                references
                    .offsets
                    .extend(edits.encoding().u32_at(symbol, 0));
            }
            index += 1;
        }
    }
    Ok(())
}

fn add_library_list(edits: &Edits<'_>, references: &mut References) -> Result<(), EditError> {
    let array = &edits.dynamic.array;
    let (Some(vaddr), Some(len)) = (array.get(Tag::GNU_LIBLIST), array.get(Tag::GNU_LIBLISTSZ))
    else {
        return Ok(());
    };
    let offset = edits.elf.image().place("DT_GNU_LIBLIST", vaddr, len)?;
    let list = read_range(edits.source, "DT_GNU_LIBLIST", offset, len)?;
    for entry in list.chunks_exact(LIBLIST_ENTRY_LEN) {
        // `l_name` and `l_version`.
        let fields = [0, 12]
            .into_iter()
            .filter_map(|at| edits.encoding().u32_at(entry, at));
        references.offsets.extend(fields);
    }
    Ok(())
}

/// Whether a tag that we do not know may have an offset into the string table as its value.
///
/// The ranges `DT_VALRNG` and `DT_ADDRRNG`, the version tags above them and the processors' tags hold none but those we
/// know; in the rest of the operating systems' range there may be some (Solaris has them).
fn may_be_unknown_string(tag: Tag) -> bool {
    tag.name().is_none() && (0x26..0x6fff_fd00).contains(&tag.0)
}

/// Whether sections use the string table that are not those of dynamic linking.
fn is_shared(edits: &Edits<'_>) -> bool {
    let Some(strings) = edits.strings_section() else {
        return false;
    };
    let known = [
        SHT_DYNSYM,
        SHT_DYNAMIC,
        SHT_GNU_VERDEF,
        SHT_GNU_VERNEED,
        SHT_GNU_LIBLIST,
        SHT_NULL,
    ];
    let mut others = edits
        .elf
        .sections
        .iter()
        .filter(|section| !known.contains(&section.kind));
    let used_for_names = usize::from(edits.elf.header.section_names_index) == strings;
    used_for_names || others.any(|section| usize::try_from(section.link) == Ok(strings))
}
