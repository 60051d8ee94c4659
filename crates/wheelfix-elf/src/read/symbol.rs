//! One symbol, and what its bits say.
//!
//! <https://www.sco.com/developers/gabi/latest/ch4.symtab.html>

use std::fmt;

use serde::{Serialize, Serializer};

use crate::encoding::{Class, Encoding, Fields};

/// A symbol of the dynamic symbol table.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'t> {
    /// Its number in the table.
    pub index: u32,
    /// Its name, not always UTF-8. Empty if its offset is outside of the string table.
    pub name: &'t [u8],
    /// `st_value`: an address, or an offset for thread-local data.
    pub value: u64,
    /// `st_size` in bytes.
    pub len: u64,
    /// `STB_*`.
    pub binding: Binding,
    /// `STT_*`.
    pub kind: SymbolKind,
    /// `STV_*`.
    pub visibility: Visibility,
    /// `st_shndx`: 0 is undefined, 0xfff1 absolute.
    pub section: u16,
    /// Its entry of the version table, the hidden bit included. `None` without a version table.
    pub version: Option<VersionIndex>,
}

/// `st_shndx` of what other objects define.
pub const SHN_UNDEF: u16 = 0;
/// The first `st_shndx` that is not the number of a section.
pub const SHN_LORESERVE: u16 = 0xff00;
/// `st_shndx` of a value that is not an address.
pub const SHN_ABS: u16 = 0xfff1;

impl Symbol<'_> {
    /// Whether this object defines the symbol.
    pub fn is_defined(&self) -> bool {
        self.section != SHN_UNDEF
    }

    /// Whether a relocation by it fails where nothing defines it: it is looked up, and is not weak.
    pub fn is_strong_and_visible(&self) -> bool {
        let visible = matches!(self.visibility, Visibility::Default | Visibility::Protected);
        self.binding != Binding::LOCAL && self.binding != Binding::WEAK && visible
    }

    /// Whether other objects can bind to the symbol: defined here, and neither local nor hidden.
    ///
    /// As in glibc's `check_match` (`elf/dl-lookup.c`), a value of 0 counts as no definition, except for an absolute or a
    /// thread-local symbol.
    pub fn is_exported(&self) -> bool {
        let valued = self.value != 0 || self.section == SHN_ABS || self.kind == SymbolKind::TLS;
        let visible = matches!(self.visibility, Visibility::Default | Visibility::Protected);
        self.is_defined()
            && valued
            && visible
            && self.binding.is_global()
            && self.kind.is_bindable()
    }
}

macro_rules! numbered {
    ($(#[$doc:meta])* $type:ident, $prefix:literal, $($(#[$variant:meta])* $name:ident = $number:expr;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
        pub struct $type(pub u8);

        impl $type {
            $($(#[$variant])* pub const $name: Self = Self($number);)*
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$name => f.write_str(concat!($prefix, stringify!($name))),)*
                    Self(number) => write!(f, concat!($prefix, "{}"), number),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

numbered! {
    /// Upper half of `st_info`.
    Binding, "STB_",
    /// Not seen by other objects.
    LOCAL = 0;
    /// Must be found.
    GLOBAL = 1;
    /// Need not be found.
    WEAK = 2;
    /// One in the whole process.
    GNU_UNIQUE = 10;
}

numbered! {
    /// Lower half of `st_info`.
    SymbolKind, "STT_",
    /// Unspecified.
    NOTYPE = 0;
    /// Data.
    OBJECT = 1;
    /// Code.
    FUNC = 2;
    /// A section.
    SECTION = 3;
    /// A source file.
    FILE = 4;
    /// Data that is not placed yet.
    COMMON = 5;
    /// Thread-local data.
    TLS = 6;
    /// Code that returns the address of the code.
    GNU_IFUNC = 10;
}

impl Binding {
    /// Whether the loader finds symbols of this binding when it looks one up.
    pub fn is_global(self) -> bool {
        matches!(self, Self::GLOBAL | Self::WEAK | Self::GNU_UNIQUE)
    }
}

impl SymbolKind {
    /// Whether the loader binds to symbols of this kind.
    pub fn is_bindable(self) -> bool {
        matches!(
            self,
            Self::NOTYPE | Self::OBJECT | Self::FUNC | Self::COMMON | Self::TLS | Self::GNU_IFUNC
        )
    }
}

/// Lowest two bits of `st_other`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// `STV_DEFAULT`.
    Default,
    /// `STV_INTERNAL`.
    Internal,
    /// `STV_HIDDEN`.
    Hidden,
    /// `STV_PROTECTED`.
    Protected,
}

/// An entry of the version table (`.gnu.version`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VersionIndex(pub u16);

impl VersionIndex {
    /// The number that version definitions and needs have; 0 is local, 1 is no version.
    pub fn number(self) -> u16 {
        self.0 & 0x7fff
    }

    /// Whether only references that name the version bind to the symbol (`name@VERSION`, not `name@@VERSION`).
    pub fn is_hidden(self) -> bool {
        self.0 & 0x8000 != 0
    }
}

/// A symbol as it is in the file, without its name and version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawSymbol {
    pub(crate) name: u32,
    pub(crate) info: u8,
    pub(crate) other: u8,
    pub(crate) section: u16,
    pub(crate) value: u64,
    pub(crate) len: u64,
}

impl RawSymbol {
    pub(crate) fn parse(encoding: Encoding, bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(encoding, bytes);
        let name = fields.u32()?;
        Some(match encoding.class {
            Class::Elf32 => {
                let (value, len) = (fields.word()?, fields.word()?);
                Self {
                    name,
                    info: fields.u8()?,
                    other: fields.u8()?,
                    section: fields.u16()?,
                    value,
                    len,
                }
            }
            Class::Elf64 => {
                let (info, other, section) = (fields.u8()?, fields.u8()?, fields.u16()?);
                Self {
                    name,
                    info,
                    other,
                    section,
                    value: fields.word()?,
                    len: fields.word()?,
                }
            }
        })
    }

    pub(crate) fn with_name(
        self,
        index: u32,
        name: &[u8],
        version: Option<VersionIndex>,
    ) -> Symbol<'_> {
        Symbol {
            index,
            name,
            value: self.value,
            len: self.len,
            binding: Binding(self.info >> 4),
            kind: SymbolKind(self.info & 0xf),
            visibility: match self.other & 3 {
                0 => Visibility::Default,
                1 => Visibility::Internal,
                2 => Visibility::Hidden,
                _ => Visibility::Protected,
            },
            section: self.section,
            version,
        }
    }
}
