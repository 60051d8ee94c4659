//! The ABI of an ELF object, which all objects of one process share.

use std::fmt;

use serde::{Serialize, Serializer};
use wheelfix_elf::Machine;

/// Word size, byte order and machine of an ELF object, from its header.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Abi {
    /// `true` for `ELFCLASS64`.
    pub is_64: bool,
    /// `true` for `ELFDATA2LSB`.
    pub little_endian: bool,
    /// `e_machine`; a number in JSON.
    #[serde(serialize_with = "number")]
    pub machine: Machine,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn number<S: Serializer>(machine: &Machine, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(machine.0)
}

impl Abi {
    /// 64-bit x86.
    pub const X86_64: Self = Self::new(true, true, Machine::X86_64);

    /// 64-bit ARM.
    pub const AARCH64: Self = Self::new(true, true, Machine::AARCH64);

    /// The ABI of the machine that wheelfix is built for; `None` where programs of wheels are not
    /// known.
    pub const fn host() -> Option<Self> {
        if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::AARCH64)
        } else {
            None
        }
    }

    /// Combines the three facts of the ELF header.
    pub const fn new(is_64: bool, little_endian: bool, machine: Machine) -> Self {
        Self {
            is_64,
            little_endian,
            machine,
        }
    }

    /// The value of `$PLATFORM`.
    pub fn platform(self) -> &'static str {
        let facts = self.machine.facts();
        let [little, big] = facts.map_or([""; 2], |facts| facts.platform);
        if self.little_endian { little } else { big }
    }

    /// The value of `$LIB` in glibc's loader: `lib64` where 64-bit libraries live in such a
    /// directory by glibc's own layout, else `lib`.
    ///
    /// nixpkgs configures glibc with `libdir=lib` on every machine, so there it is always `lib`.
    pub fn lib(self, nix: bool) -> &'static str {
        let facts = self.machine.facts();
        let [in_32, in_64] = facts.map_or([false; 2], |facts| facts.lib64);
        let is_lib64 = if self.is_64 { in_64 } else { in_32 };
        if is_lib64 && !nix { "lib64" } else { "lib" }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = self.machine.title() else {
            return write!(f, "{}, {} bits", self.machine, self.bits());
        };
        let big = if self.little_endian {
            ""
        } else {
            ", big-endian"
        };
        write!(f, "{name}, {} bits{big}", self.bits())
    }
}

impl Abi {
    fn bits(self) -> u8 {
        if self.is_64 { 64 } else { 32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_and_word_size_are_named() {
        assert_eq!(Abi::X86_64.to_string(), "x86-64, 64 bits");
        assert_eq!(
            Abi::new(false, false, Machine::MIPS).to_string(),
            "MIPS, 32 bits, big-endian"
        );
        assert_eq!(
            Abi::new(true, true, Machine(999)).to_string(),
            "machine 999, 64 bits"
        );
    }

    #[test]
    fn the_machine_is_a_number_in_json() {
        assert_eq!(
            serde_json::to_string(&Abi::X86_64).unwrap(),
            r#"{"is_64":true,"little_endian":true,"machine":62}"#
        );
    }

    #[test]
    fn x32_is_another_abi_than_x86_64() {
        assert_ne!(Abi::X86_64, Abi::new(false, true, Machine::X86_64));
    }
}
