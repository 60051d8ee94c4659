//! The system that files are for where it is known by its name alone.

use std::fmt;
use std::path::PathBuf;

use wheelfix_elf::Machine;
use wheelfix_format::Libc;

use crate::abi::Abi;
use crate::object::{Object, is_libc_of_musl};
use crate::target::LoaderKind;
use crate::target::interpreter::Loader;

/// A machine and a C library, of which nothing need be on the machine that proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct System {
    /// The ABI of its files.
    pub abi: Abi,
    /// Its C library.
    pub loader: LoaderKind,
    /// The minor version of its glibc, if it is known.
    pub glibc: Option<u16>,
}

impl System {
    /// The system of a target. `None` if its files are no ELF files, or none that are edited.
    pub fn of(target: &wheelfix_format::Target) -> Option<Self> {
        let arch = target.arch.as_str();
        // The 32-bit programs of a processor that has 64 bits, too.
        let machine = Machine::of_tag(if arch == "armv8l" { "armv7l" } else { arch })?;
        let is_64 = !matches!(machine, Machine::X86 | Machine::ARM);
        let little_endian = !matches!(arch, "ppc64" | "s390x");
        let (loader, glibc) = match target.libc {
            Libc::ASSUMED_GLIBC => (LoaderKind::Glibc, None),
            Libc::Glibc { minor, .. } => (LoaderKind::Glibc, Some(minor)),
            Libc::Musl { .. } => (LoaderKind::Musl, None),
            Libc::MacOs { .. } => return None,
        };
        Some(Self {
            abi: Abi::new(is_64, little_endian, machine),
            loader,
            glibc,
        })
    }

    /// Whether a loader is that of such a system.
    pub(crate) fn has(self, loader: &Loader) -> bool {
        self.abi == loader.abi && self.loader == loader.kind
    }

    /// For which system a program is, if it is for another one.
    pub fn differs(self, program: &Object) -> Option<String> {
        let loader = |kind| Loader {
            path: PathBuf::new(),
            abi: program.abi,
            kind,
        };
        let kinds = [LoaderKind::Glibc, LoaderKind::Musl];
        let kind = kinds
            .into_iter()
            .find(|kind| loader(*kind).starts(program))?;
        let is_same = self.abi == program.abi && self.loader == kind;
        (!is_same).then(|| format!("{} and {kind}", program.abi))
    }

    /// Whether it has a version of a library, as `GLIBC_2.38`, as far as its name says.
    pub fn has_version(self, version: &str) -> bool {
        let minor = version.strip_prefix("GLIBC_2.");
        let minor = minor.and_then(|rest| rest.split('.').next()?.parse::<u16>().ok());
        minor
            .zip(self.glibc)
            .is_none_or(|(minor, ours)| minor <= ours)
    }

    /// Whether a library that comes with a C library comes with this one.
    pub(crate) fn has_library(self, name: &str) -> bool {
        let of_musl = is_libc_of_musl(name) || name.starts_with("ld-musl-");
        of_musl == (self.loader == LoaderKind::Musl)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {}", self.abi, self.loader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn system(name: &str) -> Option<System> {
        System::of(&name.parse().unwrap())
    }

    #[test]
    fn the_name_of_a_target_says_machine_and_c_library() {
        for (name, want) in [
            ("x86_64-linux-cp313", "x86-64, 64 bits and glibc"),
            ("aarch64-musl-cp313", "AArch64, 64 bits and musl"),
            ("i686-linux-cp313", "i386, 32 bits and glibc"),
            ("armv8l-linux-cp313", "ARM, 32 bits and glibc"),
            ("s390x-linux-cp313", "S390, 64 bits, big-endian and glibc"),
            (
                "ppc64-linux-cp313",
                "PowerPC64, 64 bits, big-endian and glibc",
            ),
            ("ppc64le-linux-cp313", "PowerPC64, 64 bits and glibc"),
            ("riscv64-linux-cp313", "RISC-V, 64 bits and glibc"),
            ("loongarch64-linux-cp313", "LoongArch, 64 bits and glibc"),
        ] {
            assert_eq!(system(name).unwrap().to_string(), want);
        }
        assert_eq!(system("arm64-macos-cp313"), None);
    }

    #[test]
    fn a_version_of_glibc_bounds_what_is_there() {
        let old = system("x86_64-glibc2.28-cp313").unwrap();
        for (version, want) in [
            ("GLIBC_2.2.5", true),
            ("GLIBC_2.28", true),
            ("GLIBC_2.29", false),
            ("GLIBC_PRIVATE", true),
        ] {
            assert_eq!(old.has_version(version), want, "{version}");
        }
        assert!(
            system("x86_64-linux-cp313")
                .unwrap()
                .has_version("GLIBC_2.90")
        );
    }

    #[test]
    fn each_c_library_has_its_names() {
        let (glibc, musl) = (system("x86_64-linux-cp313"), system("x86_64-musl-cp313"));
        for (name, of_musl) in [
            ("libc.so.6", false),
            ("ld-linux-x86-64.so.2", false),
            ("libm.so.6", false),
            ("libc.so", true),
            ("libc.musl-x86_64.so.1", true),
        ] {
            assert_eq!(musl.unwrap().has_library(name), of_musl, "{name}");
            assert_eq!(glibc.unwrap().has_library(name), !of_musl, "{name}");
        }
    }
}
