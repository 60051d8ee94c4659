//! The rules, by name, and what breaks them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::ReadError;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// A rule that a loadable file keeps.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The short name in reports.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

rules! {
    /// The program headers begin at a multiple of 8 (4 for 32 bits).
    PhtAlign = "PHT_ALIGN";
    /// There is a `PT_LOAD`.
    NoLoad = "NO_LOAD";
    /// `PT_PHDR` comes before all `PT_LOAD`.
    PhdrOrder = "PHDR_ORDER";
    /// `PT_INTERP` comes before all `PT_LOAD`.
    InterpOrder = "INTERP_ORDER";
    /// There is at most one `PT_PHDR`.
    DupPhdr = "DUP_PHDR";
    /// There is at most one `PT_INTERP`.
    DupInterp = "DUP_INTERP";
    /// There is at most one `PT_DYNAMIC`.
    DupDynamic = "DUP_DYNAMIC";
    /// There is at most one `PT_GNU_STACK`.
    DupGnuStack = "DUP_GNU_STACK";
    /// There is at most one `PT_GNU_RELRO`.
    DupRelro = "DUP_RELRO";
    /// There is at most one `PT_TLS`.
    DupTls = "DUP_TLS";
    /// The segments ascend by address.
    LoadOrder = "LOAD_ORDER";
    /// An alignment is a power of two.
    AlignPow2 = "ALIGN_POW2";
    /// Address and offset of a segment agree with its alignment: glibc before 2.35 refuses others.
    LoadCongruence = "LOAD_CONGRUENCE";
    /// Address and offset of a segment agree within a page.
    PageCongruence = "PAGE_CONGRUENCE";
    /// The alignment of a segment is a multiple of the page: glibc before 2.35 refuses others.
    AlignLtPage = "ALIGN_LT_PAGE";
    /// A segment has no more bytes in the file than in memory.
    FileszGtMemsz = "FILESZ_GT_MEMSZ";
    /// A segment ends within the file.
    LoadPastEof = "LOAD_PAST_EOF";
    /// All segments have one alignment.
    AlignMixed = "ALIGN_MIXED";
    /// Segments do not overlap in memory.
    LoadOverlap = "LOAD_OVERLAP";
    /// No two segments share a page.
    PageOverlap = "PAGE_OVERLAP";
    /// Every segment holds a section, or `strip` leaves it out of step with the others.
    LoadNoSection = "LOAD_NO_SECTION";
    /// No note, interpreter or dynamic section is at the first byte of a segment: LLVM's tools confuse the two.
    LoadShared = "LOAD_SHARED";
    /// The program headers are in a segment.
    PhtUnmapped = "PHT_UNMAPPED";
    /// The program headers are in no page that is zeroed in part: without `PT_PHDR`, glibc takes them from the first segment
    /// whose pages hold them.
    PhtZeroed = "PHT_ZEROED";
    /// The program headers are where kernels before 5.18 look for them.
    PhtOldKernel = "PHT_OLDKERNEL";
    /// `PT_PHDR` has the offset of the program headers.
    PhdrOff = "PHDR_OFF";
    /// `PT_PHDR` has the length of the program headers.
    PhdrSize = "PHDR_SIZE";
    /// `PT_PHDR` has the address of the program headers.
    PhdrVaddr = "PHDR_VADDR";
    /// The offset of a part of a segment is the one that its address leads to.
    SegOff = "SEG_OFF";
    /// The range that is made read-only after relocation lies in a segment.
    RelroRange = "RELRO_RANGE";
    /// Notes can be read.
    NoteBad = "NOTE_BAD";
    /// The interpreter's name ends with NUL.
    InterpTerm = "INTERP_TERM";
    /// The dynamic section lies in a segment.
    DynUnmapped = "DYN_UNMAPPED";
    /// The dynamic section is writable: glibc before 2.35 writes it.
    DynRo = "DYN_RO";
    /// The dynamic section ends with `DT_NULL`.
    DynNoterm = "DYN_NOTERM";
    /// The dynamic section is read-only after relocation, if anything is.
    DynNotRelro = "DYN_NOT_RELRO";
    /// The string table lies in one segment.
    StrtabRange = "STRTAB_RANGE";
    /// The string table ends with NUL.
    StrtabTerm = "STRTAB_TERM";
    /// A string lies in the string table.
    StrOob = "STR_OOB";
    /// The names of needed libraries are names.
    NeededGarbage = "NEEDED_GARBAGE";
    /// An address that the dynamic section names lies in a segment.
    TagUnmapped = "TAG_UNMAPPED";
    /// The GNU hash table can be read.
    GnuHashBad = "GNUHASH_BAD";
    /// The GNU hash table has the hash of each symbol that it holds.
    GnuHashMismatch = "GNUHASH_MISMATCH";
    /// A symbol is found through the GNU hash table.
    GnuHashLost = "GNUHASH_LOST";
    /// The System V hash table can be read.
    HashBad = "HASH_BAD";
    /// A symbol is found through the System V hash table.
    HashLost = "HASH_LOST";
    /// The symbol table lies in one segment.
    SymtabRange = "SYMTAB_RANGE";
    /// The first symbol is empty.
    SymtabNull = "SYMTAB_NULL";
    /// The version table lies in one segment.
    VersymRange = "VERSYM_RANGE";
    /// The version of a symbol is one that is needed or defined.
    VersymUnknown = "VERSYM_UNKNOWN";
    /// The needed versions can be read.
    VerneedBad = "VERNEED_BAD";
    /// Versions are needed from needed libraries alone: glibc ends the program otherwise.
    VerneedOrphan = "VERNEED_ORPHAN";
    /// A needed version has the hash of its name.
    VernauxHash = "VERNAUX_HASH";
    /// The defined versions can be read.
    VerdefBad = "VERDEF_BAD";
    /// A defined version has the hash of its name.
    VerdefHash = "VERDEF_HASH";
    /// Relocations with addends lie in one segment.
    RelaRange = "RELA_RANGE";
    /// Relocations without addends lie in one segment.
    RelRange = "REL_RANGE";
    /// Relocations of the PLT lie in one segment.
    JmprelRange = "JMPREL_RANGE";
    /// Packed relocations lie in one segment.
    RelrRange = "RELR_RANGE";
    /// Functions to run on load lie in one segment.
    InitArrayRange = "INIT_ARRAY_RANGE";
    /// Functions to run on unload lie in one segment.
    FiniArrayRange = "FINI_ARRAY_RANGE";
    /// The section headers begin at a multiple of 8 (4 for 32 bits).
    ShtAlign = "SHT_ALIGN";
    /// A section lies in the file.
    SecOob = "SEC_OOB";
    /// The offset of a section is the one that its address leads to.
    SecAddr = "SEC_ADDR";
    /// The address of a section agrees with its alignment.
    SecAlign = "SEC_ALIGN";
    /// Sections in memory do not overlap in the file.
    SecOverlap = "SEC_OVERLAP";
    /// The program headers overlap no section.
    PhtOverSec = "PHT_OVER_SEC";
    /// The section headers overlap no section.
    ShtOverSec = "SHT_OVER_SEC";
    /// Sections and the dynamic section name the same places.
    SecDynMismatch = "SEC_DYN_MISMATCH";
    /// The section of the string table has the length that the dynamic section names.
    StrszMismatch = "STRSZ_MISMATCH";
    /// The dynamic segment and its section are one.
    DynSecMismatch = "DYN_SEC_MISMATCH";
    /// Sections of dynamic linking name the section of the string table.
    ShLink = "SH_LINK";
    /// The number of a section's partner is that of a section.
    ShLinkRange = "SH_LINK_RANGE";
    /// An edit keeps kind, machine, flags and entry of the file.
    ChangedHeader = "CHANGED_HEADER";
    /// An edit keeps the segments where they are; only the last one may grow or shrink.
    ChangedLoad = "CHANGED_LOAD";
    /// An edit keeps what is made read-only after relocation, thread-local data and the tables for unwinding.
    ChangedSegment = "CHANGED_SEGMENT";
    /// An edit keeps the build id.
    ChangedBuildId = "CHANGED_BUILD_ID";
    /// An edit keeps entries of the dynamic section that it is not about.
    ChangedTags = "CHANGED_TAGS";
    /// An edit keeps the number of symbols.
    ChangedSymbolCount = "CHANGED_SYMBOL_COUNT";
    /// An edit keeps the names of symbols.
    ChangedSymbol = "CHANGED_SYMBOL";
    /// An edit keeps a file one that the loaders take, see [`crate::load`].
    ChangedAdmission = "CHANGED_ADMISSION";
    /// An edit keeps the number and kind of sections.
    ChangedSections = "CHANGED_SECTIONS";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A broken rule.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// File offset of what breaks it: of the header, the entry or the table.
    pub offset: u64,
    /// The fault there.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}: {}", self.rule, self.offset, self.detail)
    }
}

/// The most violations of one rule that are listed.
const MAX_PER_RULE: usize = 16;

/// Collects violations.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
}

impl Report {
    pub(crate) fn add(&mut self, rule: Rule, offset: u64, detail: impl Into<String>) {
        let known = self
            .violations
            .iter()
            .rev()
            .take_while(|violation| violation.rule == rule)
            .count();
        if known < MAX_PER_RULE {
            self.violations.push(Violation {
                rule,
                offset,
                detail: detail.into(),
            });
        }
    }

    /// Takes what was read, or adds what is wrong with it. A failure to read is passed on.
    pub(crate) fn take<T>(
        &mut self,
        rule: Rule,
        offset: u64,
        result: Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ ReadError::Io { .. }) => Err(error),
            Err(error) => {
                self.add(rule, offset, error.to_string());
                Ok(None)
            }
        }
    }

    /// Adds a violation unless `holds`.
    pub(crate) fn check(
        &mut self,
        holds: bool,
        rule: Rule,
        offset: u64,
        detail: impl FnOnce() -> String,
    ) {
        if !holds {
            self.add(rule, offset, detail());
        }
    }
}
