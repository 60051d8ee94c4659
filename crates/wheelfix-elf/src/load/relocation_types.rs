//! The types of relocations that loaders know: `elf_machine_rela` of glibc's `sysdeps/*/dl-machine.h`, and `do_relocs` of
//! musl's `ldso/dynlink.c` with its `arch/*/reloc.h`.

use crate::encoding::Class;
use crate::load::LoaderKind;
use crate::machine::Machine;

/// The effect that a type asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// Nothing.
    Nothing,
    /// An address of the object itself is written.
    Relative,
    /// A function of the object is called, and what it returns is written.
    Resolver,
    /// The address of a symbol is written, to be called.
    Call,
    /// Something of a symbol is written.
    Symbol,
    /// A part of what is needed for a thread-local symbol is written.
    ThreadLocal,
    /// The loader gives up.
    Unknown,
}

/// Types: none, relative, resolver, those of functions, of symbols, of thread-local symbols.
struct Types {
    none: &'static [u32],
    relative: &'static [u32],
    resolver: &'static [u32],
    call: &'static [u32],
    symbol: &'static [u32],
    thread_local: &'static [u32],
    /// Those that musl does not know.
    glibc_only: &'static [u32],
}

const X86_64: Types = Types {
    none: &[0],
    relative: &[8],
    resolver: &[37],
    call: &[7],
    symbol: &[1, 2, 5, 6, 10, 32, 33],
    thread_local: &[16, 17, 18, 36],
    glibc_only: &[10, 32, 33, 37],
};

const X86: Types = Types {
    none: &[0],
    relative: &[8],
    resolver: &[42],
    call: &[7],
    symbol: &[1, 2, 5, 6, 38],
    thread_local: &[14, 35, 36, 37, 41],
    glibc_only: &[38, 42],
};

const AARCH64: Types = Types {
    none: &[0, 256],
    relative: &[1027],
    resolver: &[1032],
    call: &[1026],
    symbol: &[257, 1024, 1025],
    thread_local: &[1028, 1029, 1030, 1031],
    glibc_only: &[1032],
};

const ARM: Types = Types {
    none: &[0],
    relative: &[23],
    resolver: &[160],
    call: &[22],
    symbol: &[1, 2, 20, 21],
    thread_local: &[13, 17, 18, 19],
    glibc_only: &[1, 160],
};

/// Of these, glibc changes instructions by many; musl only writes whole addresses.
const POWERPC64: Types = Types {
    none: &[0],
    relative: &[22],
    resolver: &[247, 248],
    call: &[21],
    symbol: &[
        1, 2, 3, 4, 5, 6, 7, 8, 9, 19, 20, 24, 25, 26, 37, 38, 39, 40, 41, 42, 43, 44, 56, 57, 110,
        111,
    ],
    thread_local: &[
        68, 69, 70, 71, 72, 73, 78, 95, 96, 97, 98, 99, 100, 112, 113,
    ],
    glibc_only: &[
        1, 2, 3, 4, 5, 6, 7, 8, 9, 24, 25, 26, 37, 39, 40, 41, 42, 44, 56, 57, 69, 70, 71, 72, 95,
        96, 97, 98, 99, 100, 110, 111, 112, 113, 247, 248,
    ],
};

const RISCV64: Types = Types {
    none: &[0],
    relative: &[3],
    resolver: &[58],
    call: &[5],
    symbol: &[2, 4],
    thread_local: &[7, 9, 11, 12],
    glibc_only: &[58],
};

const S390X: Types = Types {
    none: &[0],
    relative: &[12],
    resolver: &[61],
    call: &[11],
    symbol: &[1, 3, 4, 5, 9, 10, 16, 17, 19, 22, 23],
    thread_local: &[54, 55, 56],
    glibc_only: &[1, 3, 4, 5, 16, 17, 19, 23, 61],
};

/// The effect that a type asks for. `None` for a machine whose types are not listed here.
pub(crate) fn effect(
    machine: Machine,
    class: Class,
    loader: LoaderKind,
    kind: u32,
) -> Option<Effect> {
    let types = match (machine, class) {
        (Machine::X86_64, _) => &X86_64,
        (Machine::X86, _) => &X86,
        (Machine::AARCH64, _) => &AARCH64,
        (Machine::ARM, _) => &ARM,
        (Machine::POWERPC64, _) => &POWERPC64,
        (Machine::RISCV, Class::Elf64) => &RISCV64,
        (Machine::S390, Class::Elf64) => &S390X,
        _ => return None,
    };
    let has = |list: &[u32]| list.contains(&kind);
    Some(if loader == LoaderKind::Musl && has(types.glibc_only) {
        Effect::Unknown
    } else if has(types.relative) {
        Effect::Relative
    } else if has(types.call) {
        Effect::Call
    } else if has(types.symbol) {
        Effect::Symbol
    } else if has(types.thread_local) {
        Effect::ThreadLocal
    } else if has(types.resolver) {
        Effect::Resolver
    } else if has(types.none) {
        Effect::Nothing
    } else {
        Effect::Unknown
    })
}
