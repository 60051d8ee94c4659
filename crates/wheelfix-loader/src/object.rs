//! One ELF object: the facts that decide what the loader does with it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wheelfix_elf::dynamic_tag::flags_1;
use wheelfix_elf::load::LoaderKind;

use crate::abi::Abi;
use crate::run_path::{RunPath, Tokens, normalize};

/// The dynamic linking facts of one ELF file.
#[derive(Clone, Debug, Serialize)]
pub struct Object {
    /// Where the object will lie when it is used: absolute, without `.` and `..`.
    pub path: PathBuf,
    /// Where its bytes lie now.
    pub file: PathBuf,
    /// Word size, byte order and machine.
    pub abi: Abi,
    /// `EI_OSABI`; 0 for System V, 3 for Linux.
    pub os_abi: u8,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in the order of the file.
    pub needed: Vec<String>,
    /// `DT_RUNPATH`, or else `DT_RPATH`, which the loader ignores beside a `DT_RUNPATH`.
    pub run_path: Option<RunPath>,
    /// `PT_INTERP`.
    pub interpreter: Option<String>,
    /// `DT_FLAGS_1`.
    pub flags_1: u64,
    /// Further facts that decide whether the loader takes it.
    #[serde(skip)]
    pub load_conditions: LoadConditions,
    /// The versions that it needs, by the library that must define them.
    pub version_needs: Vec<VersionNeed>,
    /// Names of the versions that it defines, that of the file itself left out.
    pub version_definitions: Vec<String>,
    /// The libraries that it declares to open while it runs, from `.note.dlopen`.
    pub dlopen_notes: Vec<DlopenNote>,
    /// Names of libraries in its read-only data that it may open, if it calls `dlopen`. Empty for
    /// objects that are not of the output.
    pub names: Vec<String>,
    /// Its hash, to tell copies from different files of one name. `None` where that was not needed.
    pub content: Option<ContentId>,
}

/// Facts for which the loader refuses an object, or stops, where it would take another one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LoadConditions {
    /// Whether it is a program that can lie at one address only (`ET_EXEC`).
    pub is_fixed: bool,
    /// Whether its stack must be executable, by `PT_GNU_STACK` or, without one, by the machine's
    /// default.
    pub executable_stack: bool,
    /// Bytes of thread-local data that must lie in the block of the first libraries
    /// (`DF_STATIC_TLS`); 0 if they may lie anywhere.
    pub static_tls: u64,
    /// Whether its symbols have versions, be it only those that it needs (`DT_VERSYM`).
    pub has_symbol_versions: bool,
    /// The version that stands for the file itself, if it defines versions.
    pub base_version: Option<String>,
    /// `DT_FILTER`: libraries that glibc loads with it.
    pub filters: Vec<String>,
    /// The level of x86-64 that the processor must have, as 3 for `x86-64-v3`; `None` if the object does
    /// not say, or is for another machine. glibc refuses it on less, from 2.33 on.
    pub x86_level: Option<u8>,
}

/// One entry of `.gnu.version_r`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct VersionNeed {
    /// The `DT_NEEDED` that must define the version.
    pub file: String,
    /// The version, as `GLIBC_2.34`.
    pub version: String,
    /// Whether the loader only warns where it is missing.
    pub weak: bool,
}

/// One entry of `.note.dlopen`.
///
/// <https://uapi-group.org/specifications/specs/elf_dlopen_metadata/>
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct DlopenNote {
    /// Alternatives, of which the first that is there is opened.
    pub soname: Vec<String>,
    /// The feature that it is for.
    #[serde(default)]
    pub feature: Option<String>,
    /// `required`, `recommended` or `suggested`; `recommended` if it is not given.
    #[serde(default)]
    pub priority: Option<String>,
}

/// SHA-256 of a file, to tell copies from different files.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ContentId(pub [u8; 32]);

impl Serialize for ContentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hex = String::new();
        for byte in self.0 {
            hex.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')),
            );
        }
        serializer.serialize_str(&hex)
    }
}

/// `DF_1_NODEFLIB`: the default directories are not searched for this object's needs.
pub const DF_1_NODEFLIB: u64 = 0x800;

/// Whether a library is musl's C library, by the names of which others need it.
pub(crate) fn is_libc_of_musl(name: &str) -> bool {
    name == "libc.so" || name.starts_with("libc.musl-")
}

impl Object {
    /// The last part of the path. Empty only for a path that ends in `/`.
    pub fn file_name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// The directories of its own run path, tokens expanded; relative ones left out.
    pub fn directories(&self) -> Vec<PathBuf> {
        let origin = self.directory().to_string_lossy();
        let tokens = Tokens::new(&origin, self.abi, true);
        let elements = self.run_path.iter().flat_map(|path| &path.elements);
        let expanded = elements.map(|element| PathBuf::from(tokens.expand(element)));
        let absolute = expanded.filter(|path| path.is_absolute());
        absolute.map(|path| normalize(&path)).collect()
    }

    /// The directory that `$ORIGIN` stands for.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// The C library that it was linked with, as far as what it needs says so.
    pub fn c_library(&self) -> Option<LoaderKind> {
        let needs = |is_libc: fn(&str) -> bool| self.needed.iter().any(|name| is_libc(name));
        if needs(is_libc_of_musl) {
            Some(LoaderKind::Musl)
        } else {
            needs(|name| name.starts_with("libc.so.")).then_some(LoaderKind::Glibc)
        }
    }

    /// Whether it is a library for systems of another C library than this one: one for musl needs by name what
    /// glibc does not have, while musl takes any name of a C library for its own.
    pub fn is_for_other_c_library(&self, ours: LoaderKind) -> bool {
        let is_other = ours == LoaderKind::Glibc && self.c_library() == Some(LoaderKind::Musl);
        is_other && self.interpreter.is_none()
    }

    /// The machine that it is for, and the C library where that is not glibc.
    pub fn machine(&self) -> String {
        match self.c_library() {
            Some(LoaderKind::Musl) => format!("{} and {}", self.abi, LoaderKind::Musl),
            _ => self.abi.to_string(),
        }
    }

    /// Whether it is a program, linked statically or not.
    pub fn is_program(&self) -> bool {
        let says_so = self.load_conditions.is_fixed || self.flags_1 & flags_1::PIE != 0;
        match self.interpreter {
            Some(_) => says_so || self.soname.is_none(),
            // Nobody would load what it needs.
            None => says_so && self.needed.is_empty(),
        }
    }

    /// The libraries that glibc loads with it: `DT_NEEDED`, then `DT_FILTER`.
    pub fn needs(&self) -> impl Iterator<Item = &String> {
        self.needed.iter().chain(&self.load_conditions.filters)
    }

    /// The names of the files that it needs: a path is one for the file at its end, wherever that lies now.
    pub fn needed_names(&self) -> impl Iterator<Item = &str> {
        self.needs()
            .map(|name| name.rsplit('/').next().unwrap_or(name))
    }

    /// Whether an object of this kind can be loaded into a process of `abi`.
    ///
    /// System V goes with every other OS ABI; Linux objects carry either.
    pub fn fits(&self, abi: Abi, os_abi: u8) -> bool {
        self.abi == abi && (self.os_abi == os_abi || self.os_abi == 0 || os_abi == 0)
    }

    /// Gives needs, with their versions, new names.
    pub fn rename_needs(&mut self, renames: &[(String, String)]) {
        for (old, new) in renames {
            let needed = self.needed.iter_mut();
            let versions = self.version_needs.iter_mut().map(|need| &mut need.file);
            for name in needed.chain(versions).filter(|name| *name == old) {
                name.clone_from(new);
            }
        }
    }

    /// Whether `name` is the file name or the soname.
    pub fn answers_to(&self, name: &str) -> bool {
        self.file_name() == OsStr::new(name) || self.soname.as_deref() == Some(name)
    }
}
