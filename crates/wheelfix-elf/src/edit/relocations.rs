//! The relocations of a file, entry by entry.

use crate::edit::edits::Edits;
use crate::edit::error::EditError;
use crate::encoding::Class;
use crate::read::dynamic_tag::Tag;
use crate::read::window::read_range;

/// How much of the relocations is read at once, in bytes: a multiple of all entry lengths.
const BLOCK: u64 = 24 * 4096;

/// One relocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relocation {
    /// File offset of `r_info`.
    pub(crate) info_offset: u64,
    /// `r_offset`: the address that is changed.
    pub(crate) vaddr: u64,
    /// The number of the symbol, 0 for none.
    pub(crate) symbol: u32,
    /// The kind: the rest of `r_info`.
    pub(crate) kind: u64,
    /// `r_addend`, 0 if the table has none.
    pub(crate) addend: u64,
}

/// Returns how far the number of the symbol is shifted in `r_info`, in bits.
pub(crate) fn symbol_shift(class: Class) -> u32 {
    match class {
        Class::Elf32 => 8,
        Class::Elf64 => 32,
    }
}

/// Reports every relocation of the file once; packed ones, which have no symbols, are left out.
pub(crate) fn visit(
    edits: &Edits<'_>,
    report: &mut dyn FnMut(Relocation),
) -> Result<(), EditError> {
    let array = &edits.dynamic.array;
    let with_addends = array.get(Tag::PLTREL) == Some(Tag::RELA.0.cast_unsigned());
    let plt_words = if with_addends { 3 } else { 2 };
    let tables = [
        (Tag::RELA, Tag::RELASZ, 3),
        (Tag::REL, Tag::RELSZ, 2),
        (Tag::JMPREL, Tag::PLTRELSZ, plt_words),
    ];
    let mut seen: Vec<(u64, u64)> = Vec::new();
    for (tag, len_tag, words) in tables {
        let (Some(vaddr), Some(len)) = (array.get(tag), array.get(len_tag)) else {
            continue;
        };
        let offset = edits.elf.image().place("relocations", vaddr, len)?;
        let mut filtered = |relocation: Relocation| {
            // Some linkers count the relocations for the PLT among the others.
            let known = |(start, end): &(u64, u64)| {
                *start <= relocation.info_offset && relocation.info_offset < *end
            };
            if !seen.iter().any(known) {
                report(relocation);
            }
        };
        visit_table(edits, (offset, len), words, &mut filtered)?;
        seen.push((offset, offset + len));
    }
    Ok(())
}

fn visit_table(
    edits: &Edits<'_>,
    (offset, len): (u64, u64),
    words: usize,
    report: &mut dyn FnMut(Relocation),
) -> Result<(), EditError> {
    let encoding = edits.encoding();
    let word_len = encoding.word_len();
    let shift = symbol_shift(encoding.class);
    let mut at = 0;
    while at < len {
        let block = read_range(
            edits.source,
            "relocations",
            offset + at,
            (len - at).min(BLOCK),
        )?;
        let places = (offset + at..).step_by(words * word_len);
        for (entry, place) in block.chunks_exact(words * word_len).zip(places) {
            let field = |index: usize| {
                encoding
                    .word_at(entry, index * word_len)
                    .unwrap_or_default()
            };
            let info = field(1);
            report(Relocation {
                info_offset: place + word_len as u64,
                vaddr: field(0),
                symbol: u32::try_from(info >> shift).unwrap_or_default(),
                kind: info & ((1 << shift) - 1),
                addend: if words == 3 { field(2) } else { 0 },
            });
        }
        at += block.len() as u64;
    }
    Ok(())
}
