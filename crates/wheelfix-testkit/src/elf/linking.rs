//! The dynamic section of an [`Image`] with its strings, symbols and versions.

use std::collections::BTreeMap;

use super::image::{Image, segment_type};

/// Dynamic tags that the checks know.
pub mod tag {
    /// `DT_INIT`, `DT_FINI`, `DT_INIT_ARRAY` and `DT_FINI_ARRAY`: what is called at the start and at the end.
    pub const FUNCTIONS: [u64; 4] = [12, 13, 25, 26];
    /// A needed library.
    pub const NEEDED: u64 = 1;
    /// Address of the hash table of System V.
    pub const HASH: u64 = 4;
    /// Address of the string table.
    pub const STRTAB: u64 = 5;
    /// Address of the symbol table.
    pub const SYMTAB: u64 = 6;
    /// Address of relocations with addends.
    pub const RELA: u64 = 7;
    /// Size of relocations with addends.
    pub const RELASZ: u64 = 8;
    /// Size of the string table.
    pub const STRSZ: u64 = 10;
    /// The library's own name.
    pub const SONAME: u64 = 14;
    /// The search path that dependencies inherit.
    pub const RPATH: u64 = 15;
    /// Address of relocations without addends.
    pub const REL: u64 = 17;
    /// Size of relocations without addends.
    pub const RELSZ: u64 = 18;
    /// Something for debuggers.
    pub const DEBUG: u64 = 21;
    /// Address of relocations of the procedure linkage table.
    pub const JMPREL: u64 = 23;
    /// Size of relocations of the procedure linkage table.
    pub const PLTRELSZ: u64 = 2;
    /// Address of the constructors.
    pub const INIT_ARRAY: u64 = 25;
    /// Size of the constructors.
    pub const INIT_ARRAYSZ: u64 = 27;
    /// Address of the destructors.
    pub const FINI_ARRAY: u64 = 26;
    /// Size of the destructors.
    pub const FINI_ARRAYSZ: u64 = 28;
    /// The search path of the object alone.
    pub const RUNPATH: u64 = 29;
    /// Size of relative relocations.
    pub const RELRSZ: u64 = 35;
    /// Address of relative relocations.
    pub const RELR: u64 = 36;
    /// Address of the GNU hash table.
    pub const GNU_HASH: u64 = 0x6fff_fef5;
    /// Address of the symbols' versions.
    pub const VERSYM: u64 = 0x6fff_fff0;
    /// A hint: the number of relative relocations.
    pub const RELACOUNT: u64 = 0x6fff_fff9;
    /// A hint: the number of relative relocations without addends.
    pub const RELCOUNT: u64 = 0x6fff_fffa;
    /// State flags.
    pub const FLAGS_1: u64 = 0x6fff_fffb;
    /// Address of the version definitions.
    pub const VERDEF: u64 = 0x6fff_fffc;
    /// Number of version definitions.
    pub const VERDEFNUM: u64 = 0x6fff_fffd;
    /// Address of the version needs.
    pub const VERNEED: u64 = 0x6fff_fffe;
    /// Number of version needs.
    pub const VERNEEDNUM: u64 = 0x6fff_ffff;
}

/// A version that the object needs of a library.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VersionNeed {
    /// The name of the library.
    pub file: String,
    /// The names of the versions with their stored hashes.
    pub versions: Vec<(String, u32)>,
}

/// The dynamic section of a file.
#[derive(Debug)]
pub struct Linking<'a> {
    image: &'a Image<'a>,
    /// Tag and value, without the end marker.
    pub entries: Vec<(u64, u64)>,
    /// Whether the end marker is there.
    pub terminated: bool,
    /// File offset and size of the string table.
    strings: Option<(u64, u64)>,
}

impl<'a> Linking<'a> {
    /// Reads the dynamic section; `None` if the file has none.
    pub fn read(image: &'a Image<'a>) -> Option<Self> {
        let segment = image.segments_of(segment_type::DYNAMIC).next()?;
        let word = image.word_size();
        let mut linking = Self {
            image,
            entries: Vec::new(),
            terminated: false,
            strings: None,
        };
        for index in 0..segment.filesz / (2 * word) {
            let at = segment.offset + index * 2 * word;
            let (tag, value) = (image.word(at)?, image.word(at + word)?);
            if tag == 0 {
                linking.terminated = true;
                break;
            }
            linking.entries.push((tag, value));
        }
        if let (Some(addr), Some(size)) = (linking.first(tag::STRTAB), linking.first(tag::STRSZ)) {
            linking.strings = image
                .file_offset(addr, size.max(1))
                .map(|offset| (offset, size));
        }
        Some(linking)
    }

    /// The value of the first entry with this tag.
    pub fn first(&self, tag: u64) -> Option<u64> {
        self.all(tag).next()
    }

    /// The values of the entries with this tag.
    pub fn all(&self, tag: u64) -> impl Iterator<Item = u64> {
        self.entries
            .iter()
            .filter(move |entry| entry.0 == tag)
            .map(|entry| entry.1)
    }

    /// File offset and size of the string table, if one segment has all of it in the file.
    pub fn string_table(&self) -> Option<(u64, u64)> {
        self.strings
    }

    /// The string at an offset into the string table.
    pub fn string(&self, offset: u64) -> Option<String> {
        let (start, size) = self.strings?;
        (offset < size).then(|| self.image.text(start + offset))?
    }

    /// The strings of all entries with this tag.
    pub fn strings(&self, tag: u64) -> Vec<Option<String>> {
        self.all(tag).map(|offset| self.string(offset)).collect()
    }

    /// The number of symbols, from whichever hash table is there.
    pub fn symbol_count(&self) -> Option<u64> {
        if let Some(offset) = self
            .first(tag::HASH)
            .and_then(|hash| self.image.file_offset(hash, 8))
        {
            return self.image.u32(offset + 4).map(u64::from);
        }
        let table = self.gnu_hash()?;
        let last = (0..table.buckets)
            .filter_map(|index| table.bucket(index))
            .max()?;
        if last < table.first_symbol {
            return Some(table.first_symbol);
        }
        let mut index = last;
        while table.chain(index)? & 1 == 0 {
            index += 1;
        }
        Some(index + 1)
    }

    /// The GNU hash table.
    pub fn gnu_hash(&self) -> Option<GnuHash<'a>> {
        let offset = self.image.file_offset(self.first(tag::GNU_HASH)?, 16)?;
        let buckets = u64::from(self.image.u32(offset)?);
        let bloom = u64::from(self.image.u32(offset + 8)?);
        Some(GnuHash {
            image: self.image,
            buckets,
            first_symbol: self.image.u32(offset + 4)?.into(),
            bucket_offset: offset + 16 + bloom * self.image.word_size(),
        })
    }

    /// The name of a dynamic symbol.
    pub fn symbol_name(&self, index: u64) -> Option<String> {
        let table = self
            .image
            .file_offset(self.first(tag::SYMTAB)?, self.image.symbol_size())?;
        let name = self.image.u32(table + index * self.image.symbol_size())?;
        self.string(name.into())
    }

    /// The names of all dynamic symbols, by index.
    pub fn symbol_names(&self) -> Vec<Option<String>> {
        let count = self.symbol_count().unwrap_or(0);
        (0..count).map(|index| self.symbol_name(index)).collect()
    }

    /// The version needs in the order of the file; `None` if the table is broken.
    pub fn version_needs(&self) -> Option<Vec<VersionNeed>> {
        let mut needs = Vec::new();
        let Some(addr) = self.first(tag::VERNEED) else {
            return Some(needs);
        };
        let mut at = self.image.file_offset(addr, 16)?;
        for _ in 0..self.first(tag::VERNEEDNUM)? {
            if self.image.u16(at)? != 1 {
                return None;
            }
            let mut need = VersionNeed {
                file: self.string(self.image.u32(at + 4)?.into())?,
                versions: Vec::new(),
            };
            let mut aux = at + u64::from(self.image.u32(at + 8)?);
            for _ in 0..self.image.u16(at + 2)? {
                let name = self.string(self.image.u32(aux + 8)?.into())?;
                need.versions.push((name, self.image.u32(aux)?));
                aux += u64::from(self.image.u32(aux + 12)?);
            }
            needs.push(need);
            at += u64::from(self.image.u32(at + 12)?);
        }
        Some(needs)
    }

    /// The names of the defined versions in the order of the file; `None` if the table is broken.
    pub fn version_definitions(&self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let Some(addr) = self.first(tag::VERDEF) else {
            return Some(names);
        };
        let mut at = self.image.file_offset(addr, 20)?;
        for _ in 0..self.first(tag::VERDEFNUM)? {
            if self.image.u16(at)? != 1 {
                return None;
            }
            let mut aux = at + u64::from(self.image.u32(at + 12)?);
            for _ in 0..self.image.u16(at + 6)? {
                names.push(self.string(self.image.u32(aux)?.into())?);
                aux += u64::from(self.image.u32(aux + 4)?);
            }
            at += u64::from(self.image.u32(at + 16)?);
        }
        Some(names)
    }

    /// How often each tag occurs.
    pub fn tag_counts(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        for (tag, _) in &self.entries {
            *counts.entry(*tag).or_default() += 1;
        }
        counts
    }
}

/// The GNU hash table of a file.
///
/// <https://sourceware.org/gnu-gabi/program-loading-and-dynamic-linking.txt>
#[derive(Debug)]
pub struct GnuHash<'a> {
    image: &'a Image<'a>,
    /// Number of buckets.
    pub buckets: u64,
    /// Index of the first symbol that is hashed.
    pub first_symbol: u64,
    bucket_offset: u64,
}

impl GnuHash<'_> {
    /// The index of the first symbol of a bucket; 0 if it is empty.
    pub fn bucket(&self, index: u64) -> Option<u64> {
        self.image
            .u32(self.bucket_offset + 4 * index)
            .map(u64::from)
    }

    /// The stored hash of a symbol, whose lowest bit marks the end of its bucket.
    pub fn chain(&self, symbol: u64) -> Option<u32> {
        let index = symbol.checked_sub(self.first_symbol)?;
        self.image
            .u32(self.bucket_offset + 4 * (self.buckets + index))
    }
}

/// The hash of a name in the GNU hash table.
pub(super) fn gnu_hash(name: &str) -> u32 {
    name.chars().fold(5381, |hash: u32, char| {
        hash.wrapping_mul(33).wrapping_add(char.into())
    })
}

/// The hash of a name in the System V hash table and in version needs.
pub(super) fn system_v_hash(name: &str) -> u32 {
    name.chars().fold(0, |hash: u32, char| {
        let hash = (hash << 4).wrapping_add(char.into());
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}
