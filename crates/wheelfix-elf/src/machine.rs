//! Machines: the one table of what is known of each.
//!
//! Numbers: <https://www.sco.com/developers/gabi/latest/ch4.eheader.html#e_machine>

use std::fmt;

use serde::{Serialize, Serializer};

/// Value of `e_machine`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Machine(pub u16);

/// A machine whose files are edited.
#[derive(Debug)]
pub struct MachineFacts {
    machine: Machine,
    /// The name in reports on files and in JSON.
    pub name: &'static str,
    /// The name in messages.
    pub title: &'static str,
    /// The names in platform tags of wheels.
    pub tags: &'static [&'static str],
    /// The beginnings of its names in the tags of extension modules.
    pub module_tags: &'static [&'static str],
    /// The largest page in bytes that a kernel for the machine may be built with; what is loaded apart must lie this far
    /// apart in memory.
    ///
    /// These are the maximum page sizes of GNU ld's emulations (`ELF_MAXPAGESIZE` in `bfd/elf*.c`), without the 2 MiB
    /// which x86 had there for huge pages.
    pub max_page_len: u64,
    /// The word sizes whose libraries are in `lib64` by glibc's own layout, 32 bits first: the value of `$LIB`.
    pub lib64: [bool; 2],
    /// The value of `$PLATFORM` in glibc, little-endian first.
    pub platform: [&'static str; 2],
    /// Whether the machine's relocations have addends.
    pub has_addends: bool,
    /// The kind of relocation that makes an entry of the PLT, `R_*_JUMP_SLOT` of glibc's `elf/elf.h`.
    pub jump_slot: Option<u64>,
    /// Whether the stack is executable where no header says so: `DEFAULT_STACK_PERMS` of glibc's `sysdeps/*/stackinfo.h`.
    pub executable_stack: bool,
}

/// The machines, each with its row of [`MachineFacts`].
const MACHINES: [MachineFacts; 9] = [
    MachineFacts {
        machine: Machine::X86,
        name: "i386",
        title: "i386",
        tags: &["i686"],
        module_tags: &["i386", "i686"],
        max_page_len: 0x1000,
        lib64: [false, false],
        platform: ["i686", "i686"],
        has_addends: false,
        jump_slot: Some(7),
        executable_stack: true,
    },
    MachineFacts {
        machine: Machine::POWERPC,
        name: "powerpc",
        title: "PowerPC",
        tags: &[],
        module_tags: &[],
        max_page_len: 0x1_0000,
        lib64: [false, false],
        platform: ["", ""],
        has_addends: true,
        jump_slot: None,
        executable_stack: true,
    },
    MachineFacts {
        machine: Machine::POWERPC64,
        name: "powerpc64",
        title: "PowerPC64",
        tags: &["ppc64", "ppc64le"],
        module_tags: &["powerpc", "ppc"],
        max_page_len: 0x1_0000,
        lib64: [false, true],
        platform: ["power8", "ppc970"],
        has_addends: true,
        jump_slot: Some(21),
        executable_stack: false,
    },
    MachineFacts {
        machine: Machine::S390,
        name: "s390",
        title: "S390",
        tags: &["s390x"],
        module_tags: &["s390"],
        max_page_len: 0x1000,
        lib64: [false, true],
        platform: ["z900", "z900"],
        has_addends: true,
        jump_slot: Some(11),
        executable_stack: true,
    },
    MachineFacts {
        machine: Machine::ARM,
        name: "arm",
        title: "ARM",
        tags: &["armv7l", "armv6l"],
        module_tags: &["arm"],
        max_page_len: 0x1_0000,
        lib64: [false, false],
        platform: ["v7l", "v7l"],
        has_addends: false,
        jump_slot: Some(22),
        executable_stack: true,
    },
    MachineFacts {
        machine: Machine::X86_64,
        name: "x86-64",
        title: "x86-64",
        tags: &["x86_64"],
        module_tags: &["x86_64"],
        max_page_len: 0x1000,
        lib64: [false, true],
        // Some processors are `haswell` or `xeon_phi` up to glibc 2.36; a library that depends on it cannot be proved for all.
        platform: ["x86_64", "x86_64"],
        has_addends: true,
        jump_slot: Some(7),
        executable_stack: true,
    },
    MachineFacts {
        machine: Machine::AARCH64,
        name: "aarch64",
        title: "AArch64",
        tags: &["aarch64"],
        module_tags: &["aarch64"],
        max_page_len: 0x1_0000,
        lib64: [true, true],
        platform: ["aarch64", "aarch64_be"],
        has_addends: true,
        jump_slot: Some(1026),
        executable_stack: false,
    },
    MachineFacts {
        machine: Machine::RISCV,
        name: "riscv",
        title: "RISC-V",
        tags: &["riscv64"],
        module_tags: &["riscv"],
        max_page_len: 0x1000,
        lib64: [true, true],
        platform: ["riscv64", "riscv64"],
        has_addends: true,
        jump_slot: Some(5),
        executable_stack: false,
    },
    MachineFacts {
        machine: Machine::LOONGARCH,
        name: "loongarch",
        title: "LoongArch",
        tags: &["loongarch64"],
        module_tags: &["loongarch"],
        max_page_len: 0x1_0000,
        lib64: [true, true],
        platform: ["loongarch64", "loongarch64"],
        has_addends: true,
        jump_slot: Some(5),
        executable_stack: false,
    },
];

impl Machine {
    /// Intel 80386, 32 bits.
    pub const X86: Self = Self(3);
    /// MIPS, whose files are read but not edited.
    pub const MIPS: Self = Self(8);
    /// PowerPC, 32 bits.
    pub const POWERPC: Self = Self(20);
    /// PowerPC, 64 bits.
    pub const POWERPC64: Self = Self(21);
    /// IBM S/390 and z/Architecture.
    pub const S390: Self = Self(22);
    /// Arm, 32 bits.
    pub const ARM: Self = Self(40);
    /// AMD and Intel, 64 bits.
    pub const X86_64: Self = Self(62);
    /// Arm, 64 bits.
    pub const AARCH64: Self = Self(183);
    /// Code for GPUs of NVIDIA.
    pub const CUDA: Self = Self(190);
    /// Code for GPUs of AMD.
    pub const AMDGPU: Self = Self(224);
    /// RISC-V, 32 and 64 bits.
    pub const RISCV: Self = Self(243);
    /// `LoongArch`, 32 and 64 bits.
    pub const LOONGARCH: Self = Self(258);

    /// The facts of a machine; `None` for one whose files are read but not edited.
    pub fn facts(self) -> Option<&'static MachineFacts> {
        MACHINES.iter().find(|facts| facts.machine == self)
    }

    /// The largest page in bytes that a kernel for the machine may be built with; `None` for a machine that is not known.
    pub fn max_page_len(self) -> Option<u64> {
        self.facts().map(|facts| facts.max_page_len)
    }

    /// The machine with a name in platform tags.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let facts = MACHINES.iter().find(|facts| facts.tags.contains(&tag));
        facts.map(|facts| facts.machine)
    }

    /// The machine whose name in the tag of an extension module a word begins with.
    pub fn of_module_tag(word: &str) -> Option<Self> {
        let is_meant = |facts: &&MachineFacts| {
            let mut tags = facts.module_tags.iter();
            tags.any(|tag| word.starts_with(tag))
        };
        MACHINES.iter().find(is_meant).map(|facts| facts.machine)
    }

    /// The name in messages; `None` for a machine that has none here.
    pub fn title(self) -> Option<&'static str> {
        Some(match self {
            Self::MIPS => "MIPS",
            Self::CUDA => "CUDA",
            Self::AMDGPU => "AMDGPU",
            _ => self.facts()?.title,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.facts() {
            Some(facts) => f.write_str(facts.name),
            None => write!(f, "machine {}", self.0),
        }
    }
}

impl Serialize for Machine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
