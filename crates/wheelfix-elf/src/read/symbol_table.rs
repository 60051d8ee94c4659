//! The dynamic symbol table with all that is needed to look names up in it.

use std::collections::BTreeMap;
use std::fmt;

use memchr::memchr;

use crate::encoding::Encoding;
use crate::error::ReadError;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::{Dynamic, Elf};
use crate::read::hash::{GnuHash, HashedName, SysvHash, gnu_hash};
use crate::read::section_header::{SHT_DYNSYM, SectionHeader};
use crate::read::symbol::{RawSymbol, SHN_UNDEF, Symbol, VersionIndex};
use crate::read::window::read_range;
use crate::source::Source;

/// The dynamic symbols of one object: one buffer for the symbols, one for the names, one for the versions, and the hash
/// table. A symbol is decoded when it is looked at.
#[derive(Clone)]
pub struct SymbolTable {
    encoding: Encoding,
    symbols: Vec<u8>,
    strings: Vec<u8>,
    versions: Option<Vec<u8>>,
    version_names: BTreeMap<u16, VersionName>,
    gnu_hash: Option<GnuHash>,
    sysv_hash: Option<SysvHash>,
}

/// A version that symbols of an object may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VersionName {
    /// Its name.
    pub name: String,
    /// The library it is needed from; `None` if the object itself defines it.
    pub file: Option<String>,
    /// The hash of its name.
    pub hash: u32,
    /// Whether the program starts without it.
    pub weak: bool,
}

/// A version that a reference asks for.
#[derive(Clone, Copy, Debug)]
pub struct WantedVersion<'v> {
    /// Its name.
    pub name: &'v str,
    /// Whether a symbol without any version will not do.
    pub hidden: bool,
}

impl fmt::Debug for SymbolTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SymbolTable({} symbols, {} bytes of names)",
            self.len(),
            self.strings.len()
        )
    }
}

impl Elf {
    /// Reads the dynamic symbol table with its strings, versions and hash table. Empty for a file that has none.
    pub fn symbols<S: Source + ?Sized>(&self, source: &S) -> Result<SymbolTable, ReadError> {
        SymbolTable::read(self, &source, 0)
    }

    /// Like [`Self::symbols`], with at least the first `count` symbols: without hash tables a file
    /// does not say how many it has.
    pub fn first_symbols<S: Source + ?Sized>(
        &self,
        source: &S,
        count: u64,
    ) -> Result<SymbolTable, ReadError> {
        SymbolTable::read(self, &source, count)
    }
}

impl SymbolTable {
    fn read(elf: &Elf, source: &dyn Source, at_least: u64) -> Result<Self, ReadError> {
        let encoding = elf.header.encoding;
        let mut table = Self {
            encoding,
            symbols: Vec::new(),
            strings: Vec::new(),
            versions: None,
            version_names: BTreeMap::new(),
            gnu_hash: None,
            sysv_hash: None,
        };
        let Some(dynamic) = &elf.dynamic else {
            return Ok(table);
        };
        let image = elf.image();
        (table.gnu_hash, table.sysv_hash) = read_hashes(elf, dynamic, source)?;
        let Some(vaddr) = dynamic.array.get(Tag::SYMTAB) else {
            return Ok(table);
        };
        let Some(strings) = dynamic.strings else {
            return Err(ReadError::Missing {
                what: "DT_SYMTAB",
                missing: "DT_STRTAB",
            });
        };
        let count = symbol_count(
            elf,
            dynamic,
            table.gnu_hash.as_ref(),
            table.sysv_hash.as_ref(),
        )
        .max(at_least);
        let len = count.saturating_mul(encoding.symbol_len() as u64);
        if count > 0 {
            let offset = image.place("DT_SYMTAB", vaddr, len)?;
            table.symbols = read_range(source, "DT_SYMTAB", offset, len)?;
            table.strings = read_range(source, "DT_STRTAB", strings.offset, strings.len)?;
        }
        if let Some(vaddr) = dynamic.array.get(Tag::VERSYM) {
            let len = count.saturating_mul(2);
            let offset = image.place("DT_VERSYM", vaddr, len.max(1))?;
            table.versions = Some(read_range(source, "DT_VERSYM", offset, len)?);
            table.version_names = version_names(dynamic);
        }
        Ok(table)
    }

    /// The number of symbols, the first, empty one included.
    pub fn len(&self) -> usize {
        self.symbols.len() / self.encoding.symbol_len()
    }

    /// Whether there are no symbols at all.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The length in bytes of all buffers together.
    pub fn memory_len(&self) -> usize {
        let hash = self.gnu_hash.as_ref().map_or(0, GnuHash::len)
            + self.sysv_hash.as_ref().map_or(0, SysvHash::len);
        let hash = usize::try_from(hash).unwrap_or(usize::MAX);
        hash.saturating_add(
            self.symbols.len() + self.strings.len() + self.versions.as_ref().map_or(0, Vec::len),
        )
    }

    /// Returns all symbols but the first, empty one.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'_>> + '_ {
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        (1..count).filter_map(|index| self.get(index))
    }

    /// Returns the symbols that others must define, the first, empty one left out.
    pub fn undefined(&self) -> impl Iterator<Item = Symbol<'_>> + '_ {
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        // The names of others, most of them, are not looked for.
        let undefined = |index| self.raw(index).filter(|raw| raw.section == SHN_UNDEF);
        (1..count).filter_map(move |index| Some(self.named(index, undefined(index)?)))
    }

    /// Returns the symbol with a number.
    pub fn get(&self, index: u32) -> Option<Symbol<'_>> {
        Some(self.named(index, self.raw(index)?))
    }

    fn named(&self, index: u32, raw: RawSymbol) -> Symbol<'_> {
        raw.with_name(index, self.name_at(raw.name), self.version_index(index))
    }

    /// Returns the version of a symbol: what it needs if it is undefined, what it is if it is defined. `None` without one.
    pub fn version(&self, symbol: &Symbol<'_>) -> Option<&VersionName> {
        self.version_names.get(&symbol.version?.number())
    }

    /// Whether the object has a version table.
    pub fn is_versioned(&self) -> bool {
        self.versions.is_some()
    }

    /// Returns the symbols with a name that other objects can bind to, through the hash table; there is more than one if
    /// the name has several versions.
    pub fn lookup<'t>(&'t self, name: &HashedName<'t>) -> impl Iterator<Item = Symbol<'t>> + 't {
        let (wanted, gnu_hash, sysv_hash) = (name.name, name.gnu, name.sysv);
        let sysv = self.sysv_hash.as_ref().filter(|_| self.gnu_hash.is_none());
        let gnu = self
            .gnu_hash
            .as_ref()
            .into_iter()
            .flat_map(move |table| table.candidates(gnu_hash));
        let sysv = sysv
            .into_iter()
            .flat_map(move |table| table.candidates(sysv_hash));
        gnu.chain(sysv).filter_map(move |index| {
            let raw = self.raw(index)?;
            let matches = self.is_name_at(raw.name, wanted);
            let symbol =
                matches.then(|| raw.with_name(index, wanted, self.version_index(index)))?;
            symbol.is_exported().then_some(symbol)
        })
    }

    /// Whether a look-up of the name and version of a symbol of this table is known to find a definition in it: the GNU hash
    /// table leads to it. Compares no names; where it gives no, only [`definition`](Self::definition) can tell.
    pub fn leads_to(&self, symbol: &Symbol<'_>) -> bool {
        let is_found = |table: &GnuHash| {
            let mut candidates = table.candidates(gnu_hash(symbol.name));
            candidates.any(|index| index == symbol.index)
        };
        let has_version = symbol.version.is_none_or(|index| {
            let named = self.version_names.get(&index.number());
            named.map_or(index.number() < 3, |named| named.file.is_none())
        });
        let is_sought = !symbol.name.is_empty() && symbol.is_exported() && has_version;
        is_sought && self.gnu_hash.as_ref().is_some_and(is_found)
    }

    /// Returns the symbol that glibc binds a reference to, if it comes to this object in its search.
    ///
    /// The rules are those of `check_match` in glibc's `elf/dl-lookup.c`. A reference without a version takes a symbol
    /// without one, or with the oldest, or with the only one that is not hidden. A reference with a version takes the
    /// symbol with that version; or any symbol of an object without versions; or, unless the need is hidden, a symbol
    /// without a version.
    pub fn definition<'t>(
        &'t self,
        name: &HashedName<'t>,
        version: Option<WantedVersion<'_>>,
    ) -> Option<Symbol<'t>> {
        let mut defaults = Vec::new();
        for symbol in self.lookup(name) {
            let Some(index) = symbol.version else {
                return Some(symbol);
            };
            match version {
                None if index.number() < 3 => return Some(symbol),
                None if !index.is_hidden() => defaults.push(symbol),
                None => {}
                Some(wanted) => {
                    let named = self
                        .version_names
                        .get(&index.number())
                        .filter(|name| name.file.is_none());
                    let unversioned = named.is_none() && !wanted.hidden && !index.is_hidden();
                    if unversioned || named.is_some_and(|named| named.name == wanted.name) {
                        return Some(symbol);
                    }
                }
            }
        }
        defaults.pop().filter(|_| defaults.is_empty())
    }

    /// The string table.
    pub(crate) fn strings(&self) -> &[u8] {
        &self.strings
    }

    fn raw(&self, index: u32) -> Option<RawSymbol> {
        let len = self.encoding.symbol_len();
        let start = (index as usize).checked_mul(len)?;
        RawSymbol::parse(self.encoding, self.symbols.get(start..start + len)?)
    }

    fn name_at(&self, offset: u32) -> &[u8] {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        let len = memchr(0, rest).unwrap_or_default();
        rest.get(..len).unwrap_or_default()
    }

    fn is_name_at(&self, offset: u32, name: &[u8]) -> bool {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.starts_with(name) && rest.get(name.len()) == Some(&0)
    }

    fn version_index(&self, index: u32) -> Option<VersionIndex> {
        let at = (index as usize).checked_mul(2)?;
        self.encoding
            .u16_at(self.versions.as_ref()?, at)
            .map(VersionIndex)
    }
}

/// Reads the hash tables that the dynamic section names.
pub(crate) fn read_hashes(
    elf: &Elf,
    dynamic: &Dynamic,
    source: &dyn Source,
) -> Result<(Option<GnuHash>, Option<SysvHash>), ReadError> {
    let (encoding, image) = (elf.header.encoding, elf.image());
    let gnu = dynamic
        .array
        .get(Tag::GNU_HASH)
        .map(|vaddr| GnuHash::read(source, encoding, image, vaddr));
    let machine = elf.header.machine;
    let sysv = dynamic
        .array
        .get(Tag::HASH)
        .map(|vaddr| SysvHash::read(source, encoding, machine, image, vaddr));
    Ok((gnu.transpose()?, sysv.transpose()?))
}

/// Returns how many dynamic symbols there are: the dynamic section does not say, the tables around it do.
pub(crate) fn symbol_count(
    elf: &Elf,
    dynamic: &Dynamic,
    gnu: Option<&GnuHash>,
    sysv: Option<&SysvHash>,
) -> u64 {
    let vaddr = dynamic.array.get(Tag::SYMTAB);
    let is_table =
        |section: &&SectionHeader| section.kind == SHT_DYNSYM && Some(section.vaddr) == vaddr;
    let section = elf.sections.iter().find(is_table);
    let from_section = section.map_or(0, |section| {
        section.len / elf.header.encoding.symbol_len() as u64
    });
    let from_gnu = gnu.and_then(GnuHash::symbol_count).unwrap_or_default();
    let from_sysv = sysv.map_or(0, |table| table.chain_count);
    from_section.max(from_gnu).max(from_sysv)
}

fn version_names(dynamic: &Dynamic) -> BTreeMap<u16, VersionName> {
    let mut names = BTreeMap::new();
    for needs in &dynamic.version_needs {
        for need in &needs.versions {
            let (name, file) = (need.name.clone(), Some(needs.file.clone()));
            names.insert(
                need.index & 0x7fff,
                VersionName {
                    name,
                    file,
                    hash: need.hash,
                    weak: need.weak,
                },
            );
        }
    }
    for definition in dynamic
        .version_definitions
        .iter()
        .filter(|definition| !definition.base)
    {
        let version = VersionName {
            name: definition.name.clone(),
            file: None,
            hash: definition.hash,
            weak: false,
        };
        names.insert(definition.index & 0x7fff, version);
    }
    names
}
