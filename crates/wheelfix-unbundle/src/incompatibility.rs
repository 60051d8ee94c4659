//! Reasons why a library cannot stand in for a bundled copy.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;
use wheelfix_link::first_of;

/// One reason why a library cannot stand in.
#[derive(Clone, Debug, Eq, PartialEq, Error, Serialize)]
#[serde(tag = "lack", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Incompatibility {
    /// It does not define symbols that users take from the copy.
    #[error("it does not define {}", list_of(.symbols, "symbols"))]
    Symbols {
        /// The symbols, with their versions after `@`, sorted.
        symbols: BTreeSet<String>,
        /// Final paths of the users.
        needed_by: BTreeSet<PathBuf>,
    },
    /// It does not define versions that users need of the copy.
    #[error("it does not define the version {}", list_of(.versions, "versions"))]
    Versions {
        /// The versions, sorted.
        versions: BTreeSet<String>,
        /// Final paths of the users.
        needed_by: BTreeSet<PathBuf>,
    },
    /// A symbol is something else there: code, data, thread-local data.
    #[error("`{symbol}` is {got} there, expected {expected}")]
    Kind {
        /// The symbol.
        symbol: String,
        /// Its kind in the copy.
        expected: String,
        /// Its kind there.
        got: String,
    },
    /// A symbol whose length is fixed in a user has another one there.
    #[error("`{symbol}` has {got} bytes there, expected {expected} as in {}", .user.display())]
    Length {
        /// The symbol.
        symbol: String,
        /// In bytes.
        expected: u64,
        /// In bytes.
        got: u64,
        /// Final path of the user.
        user: PathBuf,
    },
    /// Its block of thread-local data is smaller than that of the copy, from which users take some.
    #[error("its thread-local data has {got} bytes, expected at least {expected}")]
    TlsBlock {
        /// In bytes.
        expected: u64,
        /// In bytes.
        got: u64,
    },
    /// It needs thread-local data that is set aside when a thread starts, more than the copy does.
    #[error("it needs {len} bytes of static thread-local data, expected at most {allowed}")]
    StaticTls {
        /// In bytes.
        len: u64,
        /// The length that is allowed, in bytes; 0 if the copy needs none of this kind.
        allowed: u64,
    },
    /// It is for another machine.
    #[error("it is for {got}, expected {expected}")]
    Machine {
        /// The ABI of the copy.
        expected: String,
        /// Its own ABI.
        got: String,
    },
    /// It has other machine-specific flags in its ELF header, which state calling conventions.
    #[error("its machine flags are {got:#x}, expected {expected:#x}")]
    MachineFlags {
        /// Those of the copy.
        expected: u32,
        /// Its own.
        got: u32,
    },
    /// It has another soname, so that the loader would not know it again.
    #[error("{}, expected `{expected}`", soname_of(.got.as_deref()))]
    Soname {
        /// The name that it would be needed by.
        expected: String,
        /// Its own; `None` if it has none.
        got: Option<String>,
    },
    /// It lacks symbols that identify this library.
    #[error("it only has the name: it does not define {}", list_of(.symbols, "symbols"))]
    Identity {
        /// The symbols.
        symbols: BTreeSet<String>,
    },
    /// Something that it brings along needs a newer C library than the target has.
    #[serde(rename = "libc-floor")]
    #[error("{} needs GLIBC_{needed}, there is {available}", .path.display())]
    LibcVersion {
        /// The library that needs it.
        path: PathBuf,
        /// The version that is needed: `2.38`.
        needed: String,
        /// The newest that the target has, or that the tree needs already where the target is not known.
        available: String,
    },
    /// It is linked to another C library than the tree.
    #[error("it is linked to `{got}`, expected `{expected}`")]
    OtherLibc {
        /// The C library that it needs.
        got: String,
        /// The C library that the tree needs.
        expected: String,
    },
    /// A library that it needs is on no library path.
    #[error("{} needs `{soname}`, which no library path has", .path.display())]
    Needs {
        /// The object that needs it.
        path: PathBuf,
        /// The library.
        soname: String,
    },
    /// Several libraries of the name differ.
    #[error("several that differ: {}", paths_of(.candidates))]
    Ambiguous {
        /// Where they are.
        candidates: Vec<PathBuf>,
    },
    /// A file cannot be read.
    #[error("{}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// How many names a line has before it only counts them.
const SHOWN: usize = 3;

/// `a`, `b` and 5 more.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names = names.iter().map(|name| format!("`{}`", name.as_ref()));
    first_of(&names.collect::<Vec<_>>(), SHOWN)
}

fn soname_of(soname: Option<&str>) -> String {
    match soname {
        Some(soname) => format!("its soname is `{soname}`"),
        None => "it has no soname".to_owned(),
    }
}

fn paths_of(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
    paths.join(", ")
}

fn list_of(names: &BTreeSet<String>, noun: &str) -> String {
    let text = list(&names.iter().collect::<Vec<_>>());
    if names.len() <= SHOWN {
        text
    } else {
        format!("{} {noun}: {text}", names.len())
    }
}
