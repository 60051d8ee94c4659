//! `/etc/ld.so.cache`: the libraries that `ldconfig` found, in the format of glibc 2.2 and later.
//!
//! `sysdeps/generic/dl-cache.h` and `elf/dl-cache.c` of glibc describe it; an old table may stand
//! before the one that is read here.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use wheelfix_elf::Machine;

use crate::abi::Abi;

/// The libraries of the cache.
#[derive(Clone, Debug, Default)]
pub struct LdCache {
    /// By soname, in the order of the file: `flags`, processor level, path.
    entries: BTreeMap<String, Vec<CacheEntry>>,
}

#[derive(Clone, Debug)]
struct CacheEntry {
    flags: u32,
    /// Subdirectory of `glibc-hwcaps` that it is in.
    level: Option<String>,
    path: String,
}

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// `DL_CACHE_HWCAP_EXTENSION`: the lower half is an index into the names of levels.
const HWCAP_EXTENSION: u64 = 1 << 62;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const HEADER_LENGTH: usize = 48;
const ENTRY_LENGTH: usize = 24;

impl LdCache {
    /// Reads the cache. `None` if there is none, or it is of a format that the loader would not
    /// read either.
    pub fn read(file: &Path) -> io::Result<Option<Self>> {
        match fs_err::read(file) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        // The new table begins the file, or follows the old one; offsets count from its start.
        let start = bytes
            .windows(MAGIC.len())
            .position(|window| window == MAGIC)?;
        let table = Table(bytes.get(start..)?);
        let count = usize::try_from(table.u32(20)?).ok()?;
        let levels = table.levels().unwrap_or_default();
        let mut entries: BTreeMap<String, Vec<CacheEntry>> = BTreeMap::new();
        for index in 0..count {
            let at = HEADER_LENGTH.checked_add(index.checked_mul(ENTRY_LENGTH)?)?;
            let hwcap = table.u64(at + 16)?;
            let level = if hwcap & HWCAP_EXTENSION != 0 {
                Some(
                    levels
                        .get(usize::try_from(hwcap & 0xffff_ffff).ok()?)?
                        .clone(),
                )
            } else if hwcap == 0 {
                None
            } else {
                // Legacy capabilities: no longer written, nor read since glibc 2.37.
                continue;
            };
            entries
                .entry(table.text(at + 4)?)
                .or_default()
                .push(CacheEntry {
                    flags: table.u32(at)?,
                    level,
                    path: table.text(at + 8)?,
                });
        }
        Some(Self { entries })
    }

    /// The path that the loader takes for a soname: the best level that is searched, in the order
    /// given, or else the one that fits all processors.
    pub fn lookup(&self, soname: &str, abi: Abi, subdirectories: &[String]) -> Option<&str> {
        let wanted = flags(abi)?;
        let fitting: Vec<&CacheEntry> = self
            .entries
            .get(soname)?
            .iter()
            .filter(|entry| entry.flags == wanted)
            .collect();
        let of_level = subdirectories.iter().find_map(|subdirectory| {
            let level = subdirectory
                .strip_prefix("glibc-hwcaps/")?
                .trim_end_matches('/');
            fitting
                .iter()
                .find(|entry| entry.level.as_deref() == Some(level))
        });
        let plain = || fitting.iter().find(|entry| entry.level.is_none());
        of_level.or_else(plain).map(|entry| entry.path.as_str())
    }
}

/// `FLAG_ELF_LIBC6` with the machine, as `ldconfig` writes it.
fn flags(abi: Abi) -> Option<u32> {
    let machine = match (abi.machine, abi.is_64) {
        (Machine::X86, _) => 0x0000,
        (Machine::X86_64, true) => 0x0300,
        (Machine::X86_64, false) => 0x0800,
        (Machine::AARCH64, _) => 0x0a00,
        (Machine::ARM, _) => 0x0900,
        (Machine::POWERPC64, _) => 0x0500,
        (Machine::S390, true) => 0x0400,
        (Machine::RISCV, true) => 0x1000,
        (Machine::LOONGARCH, true) => 0x1200,
        _ => return None,
    };
    Some(machine | 0x3)
}

/// Fields of the table, in the byte order of the machine, which is little-endian on all that we
/// read caches on.
#[derive(Clone, Copy)]
struct Table<'a>(&'a [u8]);

impl Table<'_> {
    fn u32(self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn u64(self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The text that the field at `at` leads to.
    fn text(self, at: usize) -> Option<String> {
        let start = usize::try_from(self.u32(at)?).ok()?;
        let rest = self.0.get(start..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
    }

    /// The names of the processor levels, from the extension with tag 1.
    fn levels(self) -> Option<Vec<String>> {
        let extension = usize::try_from(self.u32(32)?).ok()?;
        if self.u32(extension)? != EXTENSION_MAGIC {
            return None;
        }
        let sections = usize::try_from(self.u32(extension.checked_add(4)?)?).ok()?;
        for index in 0..sections {
            let at = extension
                .checked_add(8)?
                .checked_add(index.checked_mul(16)?)?;
            if self.u32(at)? == 1 {
                let start = usize::try_from(self.u32(at + 8)?).ok()?;
                let length = usize::try_from(self.u32(at + 12)?).ok()?;
                let offsets = (start..start.checked_add(length)?).step_by(4);
                return offsets.map(|offset| self.text(offset)).collect();
            }
        }
        None
    }
}
