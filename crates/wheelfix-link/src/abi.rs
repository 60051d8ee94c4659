//! The ABI of an ELF object, which all objects of one process share.

use std::fmt;

use serde::Serialize;

/// Word size, byte order and machine of an ELF object, from its header.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Abi {
    /// `true` for `ELFCLASS64`.
    pub is_64: bool,
    /// `true` for `ELFDATA2LSB`.
    pub little_endian: bool,
    /// `e_machine`.
    pub machine: u16,
}

impl Abi {
    /// 64-bit x86.
    pub const X86_64: Self = Self::new(true, true, 62);

    /// 64-bit ARM.
    pub const AARCH64: Self = Self::new(true, true, 183);

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
    pub const fn new(is_64: bool, little_endian: bool, machine: u16) -> Self {
        Self {
            is_64,
            little_endian,
            machine,
        }
    }

    /// The value of `$PLATFORM`.
    ///
    /// x86-64 reports `haswell` or `xeon_phi` on some processors up to glibc 2.36; a library that
    /// depends on it cannot be proved for all machines, so we take the baseline.
    pub fn platform(self) -> &'static str {
        match (self.machine, self.is_64, self.little_endian) {
            (3, ..) => "i686",
            (62, ..) => "x86_64",
            (183, _, true) => "aarch64",
            (183, _, false) => "aarch64_be",
            (40, ..) => "v7l",
            (21, _, true) => "power8",
            (21, _, false) => "ppc970",
            (22, ..) => "z900",
            (243, ..) => "riscv64",
            (258, ..) => "loongarch64",
            _ => "",
        }
    }

    /// The value of `$LIB` in glibc's loader: `lib64` where 64-bit libraries live in such a
    /// directory by glibc's own layout, else `lib`.
    ///
    /// nixpkgs configures glibc with `libdir=lib` on every machine, so there it is always `lib`.
    pub fn lib(self, nix: bool) -> &'static str {
        match self.machine {
            _ if nix => "lib",
            62 | 21 | 22 if self.is_64 => "lib64",
            183 | 243 | 258 => "lib64",
            _ => "lib",
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.machine {
            3 => "i386",
            8 => "MIPS",
            20 => "PowerPC",
            21 => "PowerPC64",
            22 => "S390",
            40 => "ARM",
            62 => "x86-64",
            183 => "AArch64",
            190 => "CUDA",
            224 => "AMDGPU",
            243 => "RISC-V",
            258 => "LoongArch",
            machine => return write!(f, "machine {machine}, {} bits", self.bits()),
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
            Abi::new(false, false, 8).to_string(),
            "MIPS, 32 bits, big-endian"
        );
        assert_eq!(
            Abi::new(true, true, 999).to_string(),
            "machine 999, 64 bits"
        );
    }

    #[test]
    fn x32_is_another_abi_than_x86_64() {
        assert_ne!(Abi::X86_64, Abi::new(false, true, 62));
    }
}
