//! Machines, and the largest page a kernel for each of them may use.
//!
//! Numbers: <https://www.sco.com/developers/gabi/latest/ch4.eheader.html#e_machine>

use std::fmt;

use serde::{Serialize, Serializer};

/// Value of `e_machine`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Machine(pub u16);

impl Machine {
    /// Intel 80386: `i686` in platform tags.
    pub const X86: Self = Self(3);
    /// PowerPC, 32 bits.
    pub const POWERPC: Self = Self(20);
    /// PowerPC, 64 bits: `ppc64le` and `ppc64`.
    pub const POWERPC64: Self = Self(21);
    /// IBM S/390 and z/Architecture: `s390x`.
    pub const S390: Self = Self(22);
    /// Arm, 32 bits: `armv7l`.
    pub const ARM: Self = Self(40);
    /// AMD and Intel, 64 bits: `x86_64`.
    pub const X86_64: Self = Self(62);
    /// Arm, 64 bits: `aarch64`.
    pub const AARCH64: Self = Self(183);
    /// RISC-V, 32 and 64 bits: `riscv64`.
    pub const RISCV: Self = Self(243);
    /// `LoongArch`, 32 and 64 bits: `loongarch64`.
    pub const LOONGARCH: Self = Self(258);

    /// The name in messages and in JSON, or `None` for a machine we have no name for.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::X86 => "i386",
            Self::POWERPC => "powerpc",
            Self::POWERPC64 => "powerpc64",
            Self::S390 => "s390",
            Self::ARM => "arm",
            Self::X86_64 => "x86-64",
            Self::AARCH64 => "aarch64",
            Self::RISCV => "riscv",
            Self::LOONGARCH => "loongarch",
            _ => return None,
        })
    }

    /// The largest page in bytes that a kernel for the machine may be built with; what is loaded apart must lie this far
    /// apart in memory. `None` for a machine we do not know, whose files are read but not edited.
    ///
    /// These are the maximum page sizes of GNU ld's emulations (`ELF_MAXPAGESIZE` in `bfd/elf*.c`), without the 2 MiB
    /// which x86 had there for huge pages.
    pub fn max_page_len(self) -> Option<u64> {
        match self {
            Self::X86 | Self::X86_64 | Self::S390 | Self::RISCV => Some(0x1000),
            Self::ARM | Self::AARCH64 | Self::POWERPC | Self::POWERPC64 | Self::LOONGARCH => {
                Some(0x1_0000)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "machine {}", self.0),
        }
    }
}

impl Serialize for Machine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
