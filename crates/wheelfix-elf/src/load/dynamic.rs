//! The dynamic section: `elf_get_dynamic_info` of glibc's `elf/get-dynamic-info.h`, and `setup_hash`.

use crate::encoding::Encoding;
use crate::load::refusal::{Condition, Refusal};
use crate::load::{LoaderKind, Loading};
use crate::machine::Machine;
use crate::read::dynamic::DynamicArray;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::Elf;
use crate::read::header::ObjectType;
use crate::read::image::Image;
use crate::read::program_header::{PF_W, ProgramHeader, SegmentKind};

/// The entries that `elf_get_dynamic_info` adds the base address to, in place.
const RELOCATED: [Tag; 8] = [
    Tag::HASH,
    Tag::PLTGOT,
    Tag::STRTAB,
    Tag::SYMTAB,
    Tag::RELA,
    Tag::JMPREL,
    Tag::VERSYM,
    Tag::GNU_HASH,
];

/// The entries of the dynamic section as the loader takes them: of several with one tag the last counts.
#[derive(Clone, Copy)]
pub(crate) struct Linking<'a> {
    array: &'a DynamicArray,
    pub(crate) encoding: Encoding,
    pub(crate) machine: Machine,
}

impl<'a> Linking<'a> {
    /// The entries of a file. `None` if it has none that can be read.
    pub(crate) fn of(elf: &'a Elf) -> Option<Self> {
        Some(Self {
            array: &elf.dynamic.as_ref()?.array,
            encoding: elf.header.encoding,
            machine: elf.header.machine,
        })
    }

    pub(crate) fn get(&self, tag: Tag) -> Option<u64> {
        let mut entries = self.array.entries.iter().rev();
        entries
            .find(|entry| entry.tag == tag)
            .map(|entry| entry.value)
    }

    /// The address of the section.
    pub(crate) fn vaddr(&self) -> u64 {
        self.array.vaddr
    }

    /// The addresses of the entries that the loader writes to: in a program the debugger's; and in a file whose base
    /// address is added to what the section says, all entries that are addresses.
    fn written(&self, is_program: bool, is_relocated: bool) -> impl Iterator<Item = u64> {
        let is_written = move |tag: Tag| {
            (is_program && tag == Tag::DEBUG) || (is_relocated && RELOCATED.contains(&tag))
        };
        let entry_len = self.encoding.dynamic_entry_len() as u64;
        let entries = self.array.entries.iter().zip(0_u64..);
        let written = entries.filter(move |(entry, _)| is_written(entry.tag));
        written.map(move |(_, index)| self.array.vaddr.saturating_add(index * entry_len))
    }

    /// The length of the entries, `DT_NULL` included, in bytes.
    pub(crate) fn len(&self) -> u64 {
        let entries = self.array.entries.len() as u64 + 1;
        entries.saturating_mul(self.encoding.dynamic_entry_len() as u64)
    }

    /// Whether the machine's relocations have addends. `None` for a machine of which that is not known here.
    pub(crate) fn has_addends(&self) -> Option<bool> {
        self.machine.facts().map(|facts| facts.has_addends)
    }
}

/// Checks the dynamic section, and that the tables begin which the loader looks into at once.
pub(crate) fn check(loading: &Loading<'_>, image: &Image) -> Result<(), Refusal> {
    let segments = loading.elf.program_headers.iter();
    let mut segments = segments.filter(|header| header.kind == SegmentKind::DYNAMIC);
    let (Some(segment), Some(linking)) = (segments.next(), Linking::of(loading.elf)) else {
        // A program without is linked statically.
        return Ok(());
    };
    if segments.next().is_some() {
        let text = "has more than one PT_DYNAMIC";
        return Err(Refusal::new(Condition::Dynamic, text));
    }
    check_place(loading, image, segment, linking)?;
    if loading.loader == LoaderKind::Glibc {
        check_sizes(linking)?;
    }
    check_tables(loading, image, linking)
}

fn check_place(
    loading: &Loading<'_>,
    image: &Image,
    segment: &ProgramHeader,
    linking: Linking<'_>,
) -> Result<(), Refusal> {
    let (vaddr, len) = (segment.vaddr, linking.len());
    if !image.is_mapped(vaddr, len, 0) || image.offset(vaddr) != Some(segment.offset) {
        let text = format!(
            "its dynamic section is not at the address {vaddr:#x} that PT_DYNAMIC says: offset {:#x} is not there",
            segment.offset
        );
        return Err(Refusal::new(Condition::Dynamic, text));
    }
    // glibc spares a section that is read-only, musl all; a program with a fixed address has 0 to add.
    let is_relocated = loading.loader == LoaderKind::Glibc
        && segment.flags & PF_W != 0
        && loading.elf.header.object_type != ObjectType::Executable;
    let entry_len = linking.encoding.dynamic_entry_len() as u64;
    let mut written = linking.written(loading.elf.is_program(), is_relocated);
    if written.any(|entry| !image.is_writable(entry, entry_len)) {
        let text =
            format!("its dynamic section at {vaddr:#x} cannot be written: the loader writes there");
        return Err(Refusal::new(Condition::DynamicReadOnly, text));
    }
    if !image.is_readable(vaddr, len) {
        let text = format!("its dynamic section at {vaddr:#x} cannot be read");
        return Err(Refusal::new(Condition::Dynamic, text));
    }
    Ok(())
}

/// The assertions of `elf_get_dynamic_info`.
fn check_sizes(linking: Linking<'_>) -> Result<(), Refusal> {
    let word = linking.encoding.word_len() as u64;
    let sizes = [
        (Tag::RELA, Tag::RELAENT, 3 * word, Some(true)),
        (Tag::REL, Tag::RELENT, 2 * word, Some(false)),
        (Tag::RELR, Tag::RELRENT, word, None),
    ];
    for (table, size, want, addends) in sizes {
        let is_used =
            addends.is_none() || linking.has_addends().is_none_or(|has| Some(has) == addends);
        if linking.get(table).is_none() || !is_used {
            continue;
        }
        let got = linking.get(size);
        if got != Some(want) {
            let got = got.map_or_else(|| "is missing".to_owned(), |got| format!("is {got}"));
            let text = format!("its {size} {got}, where {table} needs {want}");
            return Err(Refusal::new(Condition::RelocationSize, text));
        }
    }
    let [with, without] = [Tag::RELA, Tag::REL].map(|tag| tag.0.cast_unsigned());
    if let Some(got) = linking.get(Tag::PLTREL) {
        let is_known = match linking.has_addends() {
            Some(true) => got == with,
            Some(false) => got == without,
            None => got == with || got == without,
        };
        if !is_known {
            let text = format!("its {} is {got}: no such relocations", Tag::PLTREL);
            return Err(Refusal::new(Condition::RelocationSize, text));
        }
    }
    let pairs = [
        (Tag::RELA, Tag::RELASZ),
        (Tag::REL, Tag::RELSZ),
        (Tag::RELR, Tag::RELRSZ),
        (Tag::PLTREL, Tag::JMPREL),
        (Tag::PLTREL, Tag::PLTRELSZ),
        (Tag::JMPREL, Tag::PLTREL),
        (Tag::INIT_ARRAY, Tag::INIT_ARRAYSZ),
        (Tag::FINI_ARRAY, Tag::FINI_ARRAYSZ),
    ];
    for (there, wanted) in pairs {
        let is_idle = there == Tag::REL && linking.has_addends() == Some(true);
        if linking.get(there).is_some() && linking.get(wanted).is_none() && !is_idle {
            let text = format!("has {there} without {wanted}");
            return Err(Refusal::new(Condition::DynamicEntries, text));
        }
    }
    Ok(())
}

fn check_tables(loading: &Loading<'_>, image: &Image, linking: Linking<'_>) -> Result<(), Refusal> {
    for tag in [Tag::STRTAB, Tag::SYMTAB] {
        let is_there = linking
            .get(tag)
            .is_some_and(|vaddr| image.is_readable(vaddr, 1));
        if !is_there {
            let text = match linking.get(tag) {
                Some(vaddr) => format!("its {tag}, at {vaddr:#x}, is not in memory"),
                None => format!("has no {tag}"),
            };
            return Err(Refusal::new(Condition::Tables, text));
        }
    }
    match (linking.get(Tag::GNU_HASH), linking.get(Tag::HASH)) {
        (Some(vaddr), _) => check_gnu_hash(loading, image, linking.encoding, vaddr),
        (None, Some(vaddr)) => check_sysv_hash(loading, image, linking, vaddr),
        (None, None) => Ok(()),
    }
}

/// `setup_hash` for a System V table: all numbers in it are those of symbols. Alpha and 64-bit
/// S/390 have words of 8 bytes.
fn check_sysv_hash(
    loading: &Loading<'_>,
    image: &Image,
    linking: Linking<'_>,
    vaddr: u64,
) -> Result<(), Refusal> {
    let refuse = |text: &str| {
        let text = format!("its {}, at {vaddr:#x}, {text}", Tag::HASH);
        Err(Refusal::new(Condition::Hash, text))
    };
    if linking.machine == Machine::S390 {
        return Ok(());
    }
    let encoding = linking.encoding;
    let Some(head) = image.read(loading.source, vaddr, 8) else {
        return refuse("is not in memory");
    };
    let field = |at| u64::from(encoding.u32_at(&head, at).unwrap_or_default());
    let (buckets, symbols) = (field(0), field(4));
    let len = 4 * (buckets + symbols);
    let words = (len <= loading.elf.file_len)
        .then(|| image.read(loading.source, vaddr + 8, len))
        .flatten();
    let Some(words) = words else {
        return refuse("is not in memory as a whole");
    };
    let words = words.chunks_exact(4);
    let words: Vec<u32> = words
        .map(|word| encoding.u32_at(word, 0).unwrap_or_default())
        .collect();
    if !words.iter().all(|number| u64::from(*number) < symbols) {
        return refuse("names a symbol beyond those that it counts");
    }
    let (buckets, chains) = words.split_at(words.len().min(usize::try_from(buckets).unwrap_or(0)));
    if !chains_end(buckets, chains) {
        return refuse("has a chain of symbols that does not end");
    }
    // A look-up compares the names of a whole chain.
    let [strings, table] =
        [Tag::STRTAB, Tag::SYMTAB].map(|tag| linking.get(tag).unwrap_or_default());
    let names = image.left(strings);
    let symbol_len = encoding.symbol_len();
    let table = image.read(loading.source, table, symbols * symbol_len as u64);
    let has_name = |symbol: &[u8]| {
        encoding
            .u32_at(symbol, 0)
            .is_some_and(|name| u64::from(name) < names)
    };
    match table {
        Some(table) if table.chunks_exact(symbol_len).all(has_name) => Ok(()),
        _ => refuse("counts symbols that have no name"),
    }
}

/// Whether no look-up runs in a circle: for what a chain does not have it is followed to its end.
fn chains_end(buckets: &[u32], chains: &[u32]) -> bool {
    // From which bucket each symbol was come upon first.
    let mut seen_from = vec![0; chains.len()];
    for (bucket, first) in (1_u32..).zip(buckets) {
        let mut next = *first;
        while next != 0 {
            let place = next as usize;
            match seen_from.get_mut(place) {
                Some(from) if *from == bucket => return false,
                Some(from) if *from == 0 => *from = bucket,
                _ => break,
            }
            next = chains.get(place).copied().unwrap_or_default();
        }
    }
    true
}

/// `setup_hash`, and the reach of what a look-up reads.
fn check_gnu_hash(
    loading: &Loading<'_>,
    image: &Image,
    encoding: Encoding,
    vaddr: u64,
) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::new(Condition::Hash, text));
    let Some(head) = image.read(loading.source, vaddr, 16) else {
        return refuse(format!(
            "its {}, at {vaddr:#x}, is not in memory",
            Tag::GNU_HASH
        ));
    };
    let field = |at| encoding.u32_at(&head, at).unwrap_or_default();
    let (buckets, words) = (u64::from(field(0)), u64::from(field(8)));
    if buckets != 0 && !words.is_power_of_two() || words & words.wrapping_sub(1) != 0 {
        return refuse(format!(
            "its {} has a Bloom filter of {words} words, which must be a power of two",
            Tag::GNU_HASH
        ));
    }
    let len = 16 + words * encoding.word_len() as u64 + 4 * buckets;
    if buckets != 0 && !image.is_readable(vaddr, len) {
        return refuse(format!(
            "its {}, {len:#x} bytes at {vaddr:#x}, is not in memory as a whole",
            Tag::GNU_HASH
        ));
    }
    Ok(())
}
