//! The tags of the dynamic section.
//!
//! <https://www.sco.com/developers/gabi/latest/ch5.dynamic.html#dynamic_section>

use std::fmt;

use serde::{Serialize, Serializer};

/// `d_tag`, sign-extended to 64 bits.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tag(pub i64);

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $value:expr, $text:literal;)*) => {
        impl Tag {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name without `DT_`, or `None` for a tag we have no name for.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    /// The end of the array.
    NULL = 0, "NULL";
    /// A library that is needed; a string.
    NEEDED = 1, "NEEDED";
    /// Length of the relocations for the PLT.
    PLTRELSZ = 2, "PLTRELSZ";
    /// Address of the PLT or GOT.
    PLTGOT = 3, "PLTGOT";
    /// Address of the System V hash table.
    HASH = 4, "HASH";
    /// Address of the string table.
    STRTAB = 5, "STRTAB";
    /// Address of the symbol table.
    SYMTAB = 6, "SYMTAB";
    /// Address of the relocations with addends.
    RELA = 7, "RELA";
    /// Their length.
    RELASZ = 8, "RELASZ";
    /// Length of one of them.
    RELAENT = 9, "RELAENT";
    /// Length of the string table.
    STRSZ = 10, "STRSZ";
    /// Length of a symbol.
    SYMENT = 11, "SYMENT";
    /// Address of the function to run on load.
    INIT = 12, "INIT";
    /// Address of the function to run on unload.
    FINI = 13, "FINI";
    /// The library's own name; a string.
    SONAME = 14, "SONAME";
    /// Search path that those who are loaded inherit; a string.
    RPATH = 15, "RPATH";
    /// Own symbols come first.
    SYMBOLIC = 16, "SYMBOLIC";
    /// Address of the relocations without addends.
    REL = 17, "REL";
    /// Their length.
    RELSZ = 18, "RELSZ";
    /// Length of one of them.
    RELENT = 19, "RELENT";
    /// Kind of the relocations for the PLT.
    PLTREL = 20, "PLTREL";
    /// Room for the debugger.
    DEBUG = 21, "DEBUG";
    /// Relocations change code.
    TEXTREL = 22, "TEXTREL";
    /// Address of the relocations for the PLT.
    JMPREL = 23, "JMPREL";
    /// Bind on load.
    BIND_NOW = 24, "BIND_NOW";
    /// Address of the functions to run on load.
    INIT_ARRAY = 25, "INIT_ARRAY";
    /// Address of the functions to run on unload.
    FINI_ARRAY = 26, "FINI_ARRAY";
    /// Length of the first array.
    INIT_ARRAYSZ = 27, "INIT_ARRAYSZ";
    /// Length of the second array.
    FINI_ARRAYSZ = 28, "FINI_ARRAYSZ";
    /// Search path of this object alone; a string.
    RUNPATH = 29, "RUNPATH";
    /// Flags, see [`flags`].
    FLAGS = 30, "FLAGS";
    /// Address of the functions to run before all others.
    PREINIT_ARRAY = 32, "PREINIT_ARRAY";
    /// Length of that array.
    PREINIT_ARRAYSZ = 33, "PREINIT_ARRAYSZ";
    /// Address of the section numbers that do not fit a symbol.
    SYMTAB_SHNDX = 34, "SYMTAB_SHNDX";
    /// Length of the packed relative relocations.
    RELRSZ = 35, "RELRSZ";
    /// Their address.
    RELR = 36, "RELR";
    /// Length of one of them.
    RELRENT = 37, "RELRENT";
    /// Address of the compact relocations.
    CREL = 0x4000_0026, "CREL";
    /// Address of the GNU hash table.
    GNU_HASH = 0x6fff_fef5, "GNU_HASH";
    /// Address of prelink's conflicts.
    GNU_CONFLICT = 0x6fff_fef8, "GNU_CONFLICT";
    /// Address of prelink's library list.
    GNU_LIBLIST = 0x6fff_fef9, "GNU_LIBLIST";
    /// Its length.
    GNU_LIBLISTSZ = 0x6fff_fdf7, "GNU_LIBLISTSZ";
    /// Configuration file; a string.
    CONFIG = 0x6fff_fefa, "CONFIG";
    /// Audit library for dependencies; a string.
    DEPAUDIT = 0x6fff_fefb, "DEPAUDIT";
    /// Audit library; a string.
    AUDIT = 0x6fff_fefc, "AUDIT";
    /// Address of the flags of symbols.
    SYMINFO = 0x6fff_feff, "SYMINFO";
    /// Address of the symbol versions.
    VERSYM = 0x6fff_fff0, "VERSYM";
    /// How many relative relocations come first.
    RELACOUNT = 0x6fff_fff9, "RELACOUNT";
    /// How many relative relocations come first.
    RELCOUNT = 0x6fff_fffa, "RELCOUNT";
    /// More flags, see [`flags_1`].
    FLAGS_1 = 0x6fff_fffb, "FLAGS_1";
    /// Address of the version definitions.
    VERDEF = 0x6fff_fffc, "VERDEF";
    /// Their number.
    VERDEFNUM = 0x6fff_fffd, "VERDEFNUM";
    /// Address of the version needs.
    VERNEED = 0x6fff_fffe, "VERNEED";
    /// Their number.
    VERNEEDNUM = 0x6fff_ffff, "VERNEEDNUM";
    /// Library whose symbols come first if it is there; a string.
    AUXILIARY = 0x7fff_fffd, "AUXILIARY";
    /// Library that has the symbols this one shows; a string.
    FILTER = 0x7fff_ffff, "FILTER";
}

impl Tag {
    /// Tags whose value is an address in this file.
    pub const ADDRESSES: [Self; 22] = [
        Self::PLTGOT,
        Self::HASH,
        Self::STRTAB,
        Self::SYMTAB,
        Self::RELA,
        Self::INIT,
        Self::FINI,
        Self::REL,
        Self::JMPREL,
        Self::INIT_ARRAY,
        Self::FINI_ARRAY,
        Self::PREINIT_ARRAY,
        Self::SYMTAB_SHNDX,
        Self::RELR,
        Self::GNU_HASH,
        Self::GNU_CONFLICT,
        Self::GNU_LIBLIST,
        Self::VERSYM,
        Self::VERDEF,
        Self::VERNEED,
        Self::SYMINFO,
        Self::CREL,
    ];

    /// Whether loaders keep what has this tag, or may: those of the gABI, of systems and of processors. They pass others over.
    pub(crate) fn is_known_to_loaders(self) -> bool {
        matches!(self.0, 1..0x40 | 0x6000_0000..0x8000_0000)
    }

    /// Whether the value is an offset into the string table.
    pub fn is_string(self) -> bool {
        matches!(
            self,
            Self::NEEDED
                | Self::SONAME
                | Self::RPATH
                | Self::RUNPATH
                | Self::CONFIG
                | Self::DEPAUDIT
                | Self::AUDIT
                | Self::AUXILIARY
                | Self::FILTER
        )
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "DT_{name}"),
            None => write!(f, "tag {:#x}", self.0),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bits of `DT_FLAGS`.
pub mod flags {
    /// `$ORIGIN` is used.
    pub const ORIGIN: u64 = 1;
    /// Own symbols come first.
    pub const SYMBOLIC: u64 = 2;
    /// Relocations change code.
    pub const TEXTREL: u64 = 4;
    /// Bind on load.
    pub const BIND_NOW: u64 = 8;
    /// Thread-local data at a fixed place: loading late may fail.
    pub const STATIC_TLS: u64 = 16;
}

/// Bits of `DT_FLAGS_1`.
pub mod flags_1 {
    /// Bind on load.
    pub const NOW: u64 = 1;
    /// Never unloaded.
    pub const NODELETE: u64 = 8;
    /// May not be loaded by `dlopen`.
    pub const NOOPEN: u64 = 0x40;
    /// `$ORIGIN` is used.
    pub const ORIGIN: u64 = 0x80;
    /// The loader's default directories are not searched.
    pub const NODEFLIB: u64 = 0x800;
    /// A program, although its type is that of a library.
    pub const PIE: u64 = 0x0800_0000;
}
