//! Relocations: `elf_dynamic_do_Rela` of glibc's `elf/do-rel.h` and `elf_machine_rela`, without the look-up of symbols in
//! other objects.

use std::collections::BTreeMap;

use crate::encoding::{Class, Encoding};
use crate::load::dynamic::Linking;
use crate::load::refusal::{Condition, Refusal};
use crate::load::relocation_types::{Effect, effect};
use crate::load::{LoaderKind, Loading};
use crate::read::dynamic_tag::{Tag, flags};
use crate::read::image::{Image, protection};
use crate::read::program_header::SegmentKind;

/// How much of a table is read at once, in bytes: whole entries of all kinds.
const BLOCK: u64 = 24 * 4096;

/// A table of relocations.
#[derive(Clone, Copy)]
struct Table {
    vaddr: u64,
    len: u64,
    has_addends: bool,
    /// How many relocations at its start are relative, or the loader gives up.
    relative: u64,
}

/// How relocations refer to a symbol, the strongest of all.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reference {
    /// Not at all.
    #[default]
    None,
    /// For its address, or for what depends on that.
    Address,
    /// For its code.
    Call,
}

/// The results of relocation.
#[derive(Debug, Default)]
pub(crate) struct Relocated {
    /// How relocations refer to symbols, by their numbers.
    pub(crate) references: Vec<Reference>,
    /// Words of the lists of functions to run: an address, or `None` for that of a symbol.
    pub(crate) functions: BTreeMap<u64, Option<u64>>,
}

/// Checks all relocations. `image` has what they change writable afterwards, and `versions` is how many versions there are.
pub(crate) fn check(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
) -> Result<Relocated, Refusal> {
    let mut writable = image.clone();
    if has_text_relocations(linking) {
        writable.make_writable();
    }
    let mut pass = Pass {
        last: (
            0,
            effect(linking.machine, linking.encoding.class, loading.loader, 0),
        ),
        loading,
        image: &writable,
        linking,
        word: linking.encoding.word_len() as u64,
        lists: function_lists(linking),
        run: [0, 0],
        relocated: Relocated::default(),
    };
    for table in tables(loading, linking) {
        pass.table(table)?;
    }
    if let (Some(vaddr), Some(len)) = (linking.get(Tag::RELR), linking.get(Tag::RELRSZ)) {
        pass.packed(vaddr, len)?;
    }
    Ok(pass.relocated)
}

fn has_text_relocations(linking: &Linking<'_>) -> bool {
    let flags = linking.get(Tag::FLAGS).unwrap_or_default();
    linking.get(Tag::TEXTREL).is_some() || flags & flags::TEXTREL != 0
}

/// The tables that the loader goes through.
fn tables(loading: &Loading<'_>, linking: &Linking<'_>) -> Vec<Table> {
    let mut tables = Vec::new();
    for (tag, len, count, addends) in [
        (Tag::RELA, Tag::RELASZ, Tag::RELACOUNT, true),
        (Tag::REL, Tag::RELSZ, Tag::RELCOUNT, false),
    ] {
        let known = linking.has_addends();
        let is_used = loading.loader == LoaderKind::Musl || known.is_none_or(|has| has == addends);
        if let (Some(vaddr), Some(len), true) = (linking.get(tag), linking.get(len), is_used) {
            tables.push(Table {
                vaddr,
                len,
                has_addends: addends,
                relative: linking.get(count).unwrap_or_default(),
            });
        }
    }
    let kind = linking.get(Tag::PLTREL);
    let is_used = loading.loader == LoaderKind::Musl || kind.is_some();
    if let (Some(vaddr), Some(len), true) = (
        linking.get(Tag::JMPREL),
        linking.get(Tag::PLTRELSZ),
        is_used,
    ) {
        tables.push(Table {
            vaddr,
            len,
            has_addends: kind == Some(Tag::RELA.0.cast_unsigned()),
            relative: 0,
        });
    }
    tables
}

/// The addresses of the functions to run on load and on unload, each list as `[start, end]`.
fn function_lists(linking: &Linking<'_>) -> Vec<[u64; 2]> {
    let tags = [
        (Tag::INIT_ARRAY, Tag::INIT_ARRAYSZ),
        (Tag::FINI_ARRAY, Tag::FINI_ARRAYSZ),
    ];
    let list = |(tag, len): &(Tag, Tag)| {
        let start = linking.get(*tag)?;
        Some([start, start.checked_add(linking.get(*len)?)?])
    };
    tags.iter().filter_map(list).collect()
}

/// One relocation.
struct Relocation {
    place: u64,
    symbol: u32,
    kind: u32,
    /// `None` if it is at the place itself.
    addend: Option<u64>,
}

impl Relocation {
    fn parse(encoding: Encoding, bytes: &[u8], has_addends: bool) -> Option<Self> {
        let word = encoding.word_len();
        let info = encoding.word_at(bytes, word)?;
        let (symbol, kind) = match encoding.class {
            Class::Elf32 => (info >> 8, info & 0xff),
            Class::Elf64 => (info >> 32, info & 0xffff_ffff),
        };
        Some(Self {
            place: encoding.word_at(bytes, 0)?,
            symbol: u32::try_from(symbol).ok()?,
            kind: u32::try_from(kind).ok()?,
            addend: if has_addends {
                Some(encoding.word_at(bytes, 2 * word)?)
            } else {
                None
            },
        })
    }
}

/// The state of going through all relocations.
struct Pass<'a> {
    /// The last type of a relocation, and the effect that it asks for: tables are sorted by them.
    last: (u32, Option<Effect>),
    loading: &'a Loading<'a>,
    image: &'a Image,
    linking: &'a Linking<'a>,
    word: u64,
    lists: Vec<[u64; 2]>,
    /// Memory that can be written, around the last place.
    run: [u64; 2],
    relocated: Relocated,
}

impl Pass<'_> {
    fn table(&mut self, table: Table) -> Result<(), Refusal> {
        let entry = if table.has_addends { 3 } else { 2 } * self.word;
        if self.loading.loader == LoaderKind::Musl && !table.len.is_multiple_of(entry) {
            // musl counts down to 0, which is passed over.
            let text = format!(
                "its relocations, {:#x} bytes at {:#x}, do not end with an entry",
                table.len, table.vaddr
            );
            return Err(Refusal::new(Condition::Relocations, text));
        }
        // glibc goes on as long as an entry begins before the end.
        let len = table
            .len
            .checked_next_multiple_of(entry)
            .unwrap_or(u64::MAX);
        if len == 0 {
            return Ok(());
        }
        if !self.image.is_readable(table.vaddr, len) {
            let text = format!(
                "its relocations, {:#x} bytes at {:#x}, are not in memory",
                table.len, table.vaddr
            );
            return Err(Refusal::new(Condition::Relocations, text));
        }
        let mut index = 0;
        let mut at = 0;
        while at < len {
            let block = (len - at).min(BLOCK);
            let bytes = self
                .image
                .read(self.loading.source, table.vaddr + at, block);
            let bytes = bytes.ok_or_else(|| unreadable(table.vaddr + at))?;
            for entry in bytes.chunks_exact(usize::try_from(entry).unwrap_or(usize::MAX)) {
                let encoding = self.linking.encoding;
                if let Some(relocation) = Relocation::parse(encoding, entry, table.has_addends) {
                    self.relocation(&relocation, index < table.relative)?;
                }
                index += 1;
            }
            at += block;
        }
        Ok(())
    }

    fn relocation(&mut self, relocation: &Relocation, is_relative: bool) -> Result<(), Refusal> {
        let (machine, loader) = (self.linking.machine, self.loading.loader);
        let class = self.linking.encoding.class;
        if self.last.0 != relocation.kind {
            let effect = effect(machine, class, loader, relocation.kind);
            self.last = (relocation.kind, effect);
        }
        let Some(effect) = self.last.1 else {
            return self.refer(relocation.symbol, Reference::Address);
        };
        let is_counted = is_relative && loader == LoaderKind::Glibc;
        if effect == Effect::Unknown || is_counted && effect != Effect::Relative {
            let text = if effect == Effect::Unknown {
                format!(
                    "has a relocation of type {} for {:#x}, which the loader does not know",
                    relocation.kind, relocation.place
                )
            } else {
                format!(
                    "counts a relocation of type {} for {:#x} among those that are relative",
                    relocation.kind, relocation.place
                )
            };
            return Err(Refusal::new(Condition::RelocationType, text));
        }
        if effect == Effect::Nothing {
            return self.refer(relocation.symbol, Reference::Address);
        }
        self.write(relocation.place, self.word)?;
        match effect {
            Effect::Relative => {
                self.functions(relocation.place, relocation.addend);
                if loader == LoaderKind::Musl {
                    // musl looks up the symbol of any relocation.
                    self.refer(relocation.symbol, Reference::Address)?;
                }
            }
            Effect::Resolver => {
                self.functions(relocation.place, None);
                let at = relocation.addend;
                let at = at.unwrap_or_else(|| self.word_at(relocation.place));
                return self.resolver(relocation.place, at);
            }
            _ => {
                if effect != Effect::ThreadLocal {
                    self.functions(relocation.place, None);
                }
                let how = if effect == Effect::Call {
                    Reference::Call
                } else {
                    Reference::Address
                };
                self.refer(relocation.symbol, how)?;
            }
        }
        if effect == Effect::ThreadLocal && relocation.symbol == 0 {
            return self.has_thread_local(relocation.place);
        }
        Ok(())
    }

    fn resolver(&self, place: u64, at: u64) -> Result<(), Refusal> {
        if self.image.is_code(at) {
            return Ok(());
        }
        let text =
            format!("has a relocation for {place:#x} that calls {at:#x}, where no code can be run");
        Err(Refusal::new(Condition::Code, text))
    }

    fn has_thread_local(&self, place: u64) -> Result<(), Refusal> {
        let mut headers = self.loading.elf.program_headers.iter();
        if headers.any(|header| header.kind == SegmentKind::TLS && header.memory_len != 0) {
            return Ok(());
        }
        let text =
            format!("has a relocation for {place:#x} of its thread-local data, and no PT_TLS");
        Err(Refusal::new(Condition::ThreadLocal, text))
    }

    /// Notes a word of a list of functions.
    fn functions(&mut self, place: u64, addend: Option<u64>) {
        let is_listed = |[start, end]: &[u64; 2]| *start <= place && place < *end;
        if self.lists.iter().any(is_listed) {
            self.relocated.functions.insert(place, addend);
        }
    }

    fn word_at(&self, place: u64) -> u64 {
        let bytes = self.image.read(self.loading.source, place, self.word);
        bytes
            .and_then(|bytes| self.linking.encoding.word_at(&bytes, 0))
            .unwrap_or_default()
    }

    fn write(&mut self, place: u64, len: u64) -> Result<(), Refusal> {
        let end = place.saturating_add(len);
        let [from, to] = self.run;
        if from <= place && end <= to {
            return Ok(());
        }
        if let Some(run) = self.image.writable_run(place)
            && end <= run[1]
        {
            self.run = run;
            return Ok(());
        }
        if self.image.is_writable(place, len) {
            return Ok(());
        }
        let flags = self.image.flags(place);
        let text = match flags {
            Some(flags) => format!(
                "has a relocation for {place:#x}, which is mapped {} and cannot be written",
                protection(flags)
            ),
            None => format!("has a relocation for {place:#x}, which is not in memory"),
        };
        Err(Refusal::new(Condition::RelocationPlace, text))
    }

    /// Notes that a symbol is referred to; it must be there.
    fn refer(&mut self, symbol: u32, how: Reference) -> Result<(), Refusal> {
        let index = usize::try_from(symbol).unwrap_or(usize::MAX);
        if let Some(known) = self.relocated.references.get_mut(index) {
            *known = how.max(*known);
            return Ok(());
        }
        let len = (u64::from(symbol) + 1) * self.linking.encoding.symbol_len() as u64;
        let vaddr = self.linking.get(Tag::SYMTAB).unwrap_or_default();
        if len <= self.loading.elf.file_len && self.image.is_readable(vaddr, len) {
            self.relocated.references.resize(index, Reference::None);
            self.relocated.references.push(how);
            return Ok(());
        }
        let text = format!("has a relocation by symbol {symbol}, which is not in memory");
        Err(Refusal::new(Condition::RelocationSymbol, text))
    }

    /// `ELF_DYNAMIC_DO_RELR`: an even entry is an address, an odd one says which of the words behind are relocated, too.
    fn packed(&mut self, vaddr: u64, len: u64) -> Result<(), Refusal> {
        let len = len.checked_next_multiple_of(self.word).unwrap_or(u64::MAX);
        if !self.image.is_readable(vaddr, len) || self.loading.elf.file_len < len {
            let text = format!(
                "its {}, {len:#x} bytes at {vaddr:#x}, is not in memory",
                Tag::RELR
            );
            return Err(Refusal::new(Condition::Relocations, text));
        }
        let bytes = self.image.read(self.loading.source, vaddr, len);
        let bytes = bytes.ok_or_else(|| unreadable(vaddr))?;
        let word = self.linking.encoding.word_len();
        let mut next = 0_u64;
        for entry in bytes.chunks_exact(word) {
            let entry = self.linking.encoding.word_at(entry, 0).unwrap_or_default();
            if entry & 1 == 0 {
                self.packed_word(entry)?;
                next = entry.wrapping_add(self.word);
                continue;
            }
            for bit in 1..self.word * 8 {
                if entry >> bit & 1 != 0 {
                    self.packed_word(next.wrapping_add((bit - 1) * self.word))?;
                }
            }
            next = next.wrapping_add((self.word * 8 - 1) * self.word);
        }
        Ok(())
    }

    fn packed_word(&mut self, place: u64) -> Result<(), Refusal> {
        self.write(place, self.word)?;
        self.functions(place, None);
        Ok(())
    }
}

fn unreadable(vaddr: u64) -> Refusal {
    let text = format!("its relocations at {vaddr:#x} cannot be read");
    Refusal::new(Condition::Relocations, text)
}
