//! The shapes that linkers give to files: every combination is a test.

use std::fmt;

/// A linker with the options that move sections and segments about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Layout {
    /// The default of the GNU linker.
    Default,
    /// Code and read-only data share a segment.
    NoSeparateCode,
    /// Code has pages of its own.
    SeparateCode,
    /// Segments are aligned to 64 KiB.
    Page64K,
    /// Segments are aligned to 2 MiB.
    Page2M,
    /// Relative relocations are packed.
    Relr,
    /// All symbols are bound at start, so that more is read-only.
    Now,
    /// The symbol hash table of System V.
    SysvHash,
    /// LLVM's linker.
    Lld,
    /// The gold linker.
    Gold,
    /// The gold linker, with read-only data apart from code.
    GoldRosegment,
    /// The mold linker.
    Mold,
}

impl Layout {
    /// The layouts of the matrix.
    pub const ALL: [Self; 10] = [
        Self::Default,
        Self::NoSeparateCode,
        Self::SeparateCode,
        Self::Page64K,
        Self::Page2M,
        Self::Relr,
        Self::Now,
        Self::SysvHash,
        Self::Lld,
        Self::Gold,
    ];

    /// The compiler driver's options.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Default => &["-fuse-ld=bfd"],
            Self::NoSeparateCode => &["-fuse-ld=bfd", "-Wl,-z,noseparate-code"],
            Self::SeparateCode => &["-fuse-ld=bfd", "-Wl,-z,separate-code"],
            Self::Page64K => &["-fuse-ld=bfd", "-Wl,-z,max-page-size=65536"],
            Self::Page2M => &["-fuse-ld=bfd", "-Wl,-z,max-page-size=2097152"],
            Self::Relr => &["-fuse-ld=bfd", "-Wl,-z,pack-relative-relocs"],
            Self::Now => &["-fuse-ld=bfd", "-Wl,-z,now"],
            Self::SysvHash => &["-fuse-ld=bfd", "-Wl,--hash-style=sysv"],
            Self::Lld => &["-fuse-ld=lld"],
            Self::Gold => &["-fuse-ld=gold"],
            Self::GoldRosegment => &["-fuse-ld=gold", "-Wl,--rosegment"],
            Self::Mold => &["-fuse-ld=mold"],
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The kind of a file, as the loader sees it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A shared library.
    Library,
    /// A program that runs at any address.
    Pie,
    /// A program that runs at one address.
    FixedProgram,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Library, Self::Pie, Self::FixedProgram];

    /// The options for compiling.
    pub fn compile_flags(self) -> &'static [&'static str] {
        match self {
            Self::Library => &["-fPIC"],
            Self::Pie => &["-fPIE", "-DPROBE_MAIN"],
            Self::FixedProgram => &["-fno-pie", "-DPROBE_MAIN"],
        }
    }

    /// The options for linking.
    pub fn link_flags(self) -> &'static [&'static str] {
        match self {
            Self::Library => &["-shared"],
            Self::Pie => &["-pie", "-rdynamic"],
            Self::FixedProgram => &["-no-pie", "-rdynamic"],
        }
    }
}
