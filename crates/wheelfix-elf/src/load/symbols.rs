//! The symbols that relocations refer to, as far as the loader finds no fault with them before it looks them up.

use std::collections::BTreeSet;

use crate::load::dynamic::Linking;
use crate::load::refusal::{Condition, Refusal};
use crate::load::relocations::Reference;
use crate::load::{LoaderKind, Loading};
use crate::read::dynamic_tag::Tag;
use crate::read::image::Image;
use crate::read::program_header::SegmentKind;
use crate::read::symbol::{Binding, RawSymbol, SHN_ABS, Symbol, SymbolKind, Visibility};
use crate::read::symbol_table::SymbolTable;

/// The facts that symbols are judged by.
struct Judge<'a> {
    loading: &'a Loading<'a>,
    image: &'a Image,
    /// The string table as it was read already; empty if it is not the one that is in memory.
    known_names: &'a [u8],
    /// Address of the string table, and how many bytes can be read from there on.
    strings: [u64; 2],
    has_thread_local: bool,
    /// Whether the hash table leads to all symbols, those that are not defined included.
    has_all: bool,
    /// The numbers of versions.
    versions: &'a BTreeSet<u16>,
}

/// The symbols to check.
pub(crate) struct Referred<'a> {
    /// How relocations refer to them, by their numbers.
    pub(crate) references: &'a [Reference],
    /// The numbers of versions.
    pub(crate) versions: &'a BTreeSet<u16>,
    /// All symbols of the file.
    pub(crate) table: &'a SymbolTable,
}

/// Checks the symbols that are referred to.
pub(crate) fn check(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
    referred: &Referred<'_>,
) -> Result<(), Refusal> {
    let references = referred.references;
    let count = references.len() as u64;
    let (encoding, source) = (linking.encoding, loading.source);
    let table = |tag, len: u64| {
        let vaddr = linking.get(tag)?;
        Some(image.read(source, vaddr, count.checked_mul(len)?))
    };
    let missing = |tag: Tag| {
        let text = format!("its {tag} does not have the {count} symbols of its relocations");
        Refusal::new(Condition::RelocationSymbol, text)
    };
    let symbol_len = encoding.symbol_len();
    let symbols = table(Tag::SYMTAB, symbol_len as u64).flatten();
    let symbols = symbols.ok_or_else(|| missing(Tag::SYMTAB))?;
    let numbers = match table(Tag::VERSYM, 2) {
        Some(None) => return Err(missing(Tag::VERSYM)),
        Some(Some(numbers)) if loading.loader == LoaderKind::Glibc => Some(numbers),
        _ => None,
    };
    let strings = linking.get(Tag::STRTAB).unwrap_or_default();
    let mut headers = loading.elf.program_headers.iter();
    let judge = Judge {
        loading,
        image,
        known_names: known_names(loading, image, strings, referred.table),
        strings: [strings, image.left(strings)],
        has_thread_local: headers
            .any(|header| header.kind == SegmentKind::TLS && header.memory_len != 0),
        has_all: linking.get(Tag::GNU_HASH).is_none(),
        versions: referred.versions,
    };
    let symbols = symbols.chunks_exact(symbol_len).zip(references).zip(0..);
    // Symbol 0 stands for none.
    for ((bytes, how), index) in symbols.skip(1) {
        let Some(raw) = RawSymbol::parse(encoding, bytes) else {
            break;
        };
        let numbers = numbers.as_ref();
        let number = numbers.and_then(|numbers| encoding.u16_at(numbers, 2 * index as usize));
        let symbol = raw.with_name(index, b"", None);
        let fault = match how {
            Reference::None => None,
            _ => judge.fault(&symbol, raw.name, *how, number.unwrap_or_default()),
        };
        if let Some(fault) = fault {
            let text = format!("has a relocation by symbol {index}, which {fault}");
            return Err(Refusal::new(Condition::RelocationSymbol, text));
        }
    }
    Ok(())
}

/// The string table as it was read already; empty if the loader finds another one.
fn known_names<'a>(
    loading: &Loading<'_>,
    image: &Image,
    strings: u64,
    table: &'a SymbolTable,
) -> &'a [u8] {
    let read = loading.elf.dynamic.as_ref();
    let offset = read.and_then(|dynamic| Some(dynamic.strings?.offset));
    if offset.is_some() && offset == image.offset(strings) {
        table.strings()
    } else {
        &[]
    }
}

impl Judge<'_> {
    /// Whether a name begins behind the end that the file gives for its string table.
    fn is_behind_names(&self, name: u32) -> bool {
        !self.known_names.is_empty() && self.known_names.len() <= name as usize
    }

    /// Whether there is a name.
    fn has_name(&self, name: u32) -> bool {
        if let Some(first) = self.known_names.get(name as usize) {
            return *first != 0;
        }
        let at = self.strings[0].saturating_add(name.into());
        let first = self.image.read(self.loading.source, at, 1);
        first.is_some_and(|first| first != [0])
    }

    fn fault(
        &self,
        symbol: &Symbol<'_>,
        name: u32,
        how: Reference,
        number: u16,
    ) -> Option<&'static str> {
        let is_thread_local = symbol.kind == SymbolKind::TLS && symbol.is_defined();
        if is_thread_local && !self.has_thread_local {
            return Some("is thread-local, and there is no PT_TLS");
        }
        if is_own(symbol) {
            if is_thread_local {
                return None;
            }
            return self.fault_of_own(symbol, how);
        }
        let [_, names] = self.strings;
        if names <= name.into() {
            return Some("has its name outside of the string table");
        }
        let is_needed = !symbol.is_defined() && symbol.is_strong_and_visible();
        if is_needed && self.is_behind_names(name) {
            // What the loader looks up then is no name that anybody has given.
            return Some("has a name that is outside of the string table");
        }
        if is_needed && !self.has_name(name) {
            return Some("has no name, so that nothing can define it");
        }
        let number = number & 0x7fff;
        // Number 0 is never looked at, and 1 is that of the file itself, if it has any.
        let is_known = match number {
            0 => true,
            1 => !self.versions.is_empty(),
            _ => self.versions.contains(&number),
        };
        if self.loading.loader == LoaderKind::Glibc && !is_known {
            return Some("has a version that is not in the tables of versions");
        }
        if is_thread_local {
            return None;
        }
        let is_protected = symbol.visibility == Visibility::Protected && symbol.is_defined();
        if is_protected || symbol.is_defined() && how == Reference::Call {
            return self.fault_of_own(symbol, how);
        }
        // What is not defined and has an address is a definition to the loader, if it comes upon it: GNU hash tables have
        // none of these.
        let is_found = symbol.is_defined() || self.has_all && symbol.value != 0;
        let is_there = !is_found
            || symbol.section == SHN_ABS
            || self.image.is_mapped(symbol.value, 1, 0)
            || self.image.is_mapped(symbol.value.saturating_sub(1), 1, 0);
        (!is_there).then_some("is not in memory")
    }

    /// The fault of a symbol whose value is taken as it is.
    fn fault_of_own(&self, symbol: &Symbol<'_>, how: Reference) -> Option<&'static str> {
        let is_run = how == Reference::Call || symbol.kind == SymbolKind::GNU_IFUNC;
        if symbol.section == SHN_ABS || symbol.kind == SymbolKind::TLS {
            None
        } else if !symbol.is_defined() {
            Some("is not defined, and for the file alone")
        } else if is_run && !self.image.is_code(symbol.value) {
            Some("is called, and has no code at its address")
        } else if symbol.value == 0 {
            Some("is at the address 0")
        } else {
            None
        }
    }
}

/// Whether the loader takes the symbol itself and looks nothing up (`dl_symbol_visibility_binds_local_p`).
fn is_own(symbol: &Symbol<'_>) -> bool {
    symbol.binding == Binding::LOCAL
        || matches!(symbol.visibility, Visibility::Hidden | Visibility::Internal)
}
