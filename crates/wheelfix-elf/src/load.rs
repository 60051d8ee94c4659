//! The demands of a loader on a file, in the order in which it makes them: the conditions of glibc
//! 2.36 and of musl 1.2.
//!
//! The segments are mapped into an `Image`, in whole pages as the loader maps them, and everything after that is
//! read from there: what lies behind the bytes that a segment names is there for the loader, too, if it is on the same page.

mod dynamic;
mod edited;
mod header;
mod refusal;
mod relocation_types;
mod relocations;
mod sections;
mod segments;
mod start;
mod symbols;
mod versions;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::ReadError;
use crate::read::elf::Elf;
use crate::read::image::Image;
use crate::read::symbol_table::SymbolTable;
use crate::source::Source;
use dynamic::Linking;
pub(crate) use edited::{Edited, refusal_of_edited};
pub use refusal::{Condition, Refusal};
use relocations::Reference;

/// Whose loader it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LoaderKind {
    /// glibc's `ld.so`.
    Glibc,
    /// musl's, which is its libc.
    Musl,
}

impl std::fmt::Display for LoaderKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        })
    }
}

/// A file and the loader that is to load it.
pub(crate) struct Loading<'a> {
    elf: &'a Elf,
    source: &'a dyn Source,
    loader: LoaderKind,
}

/// Why the loader does not map a file, or does not get further than its dynamic section. `None` if it does.
///
/// Reads no more than what the dynamic section names first, a few hundred bytes. What depends on others is not asked: class,
/// byte order and machine, which are to be those of the program.
pub fn refusal<S: Source + ?Sized>(elf: &Elf, source: &S, loader: LoaderKind) -> Option<Refusal> {
    let loading = Loading {
        elf,
        source: &source,
        loader,
    };
    header::check(&loading)
        .and_then(|()| segments::map(&loading))
        .and_then(|image| dynamic::check(&loading, &image))
        .err()
}

/// Whatever a loader does not like about a file by itself: [`refusal()`], then [`relocate`]. `None` if it takes it.
///
/// Of a file whose tables cannot be read the second is not asked.
pub(crate) fn any_refusal(
    elf: &Elf,
    source: &dyn Source,
    loader: LoaderKind,
) -> Result<Option<Refusal>, ReadError> {
    if let Some(refusal) = refusal(elf, source, loader) {
        return Ok(Some(refusal));
    }
    match elf.symbols(source) {
        Ok(table) => Ok(relocate(elf, source, &table, loader).err()),
        Err(error @ ReadError::Io { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Relocates a file that the loader has mapped: for each symbol, by its number, whether a relocation refers to it.
///
/// An error says why the loader does not get through, or cannot run the code of the file. Reads the tables of versions and
/// all relocations; `table` is that of the file. What others define is not asked.
pub fn relocate<S: Source + ?Sized>(
    elf: &Elf,
    source: &S,
    table: &SymbolTable,
    loader: LoaderKind,
) -> Result<Vec<bool>, Refusal> {
    let loading = Loading {
        elf,
        source: &source,
        loader,
    };
    let Some(linking) = Linking::of(elf) else {
        return Ok(Vec::new());
    };
    let image = segments::map(&loading)?;
    let versions = check_tables(&loading, &image, &linking)?;
    let relocated = relocations::check(&loading, &image, &linking)?;
    let referred = symbols::Referred {
        references: &relocated.references,
        versions: &versions,
        table,
    };
    symbols::check(&loading, &image, &linking, &referred)?;
    start::check(&loading, &image, &linking, &relocated, table)?;
    let references = relocated.references.into_iter();
    Ok(references.map(|how| how != Reference::None).collect())
}

/// Checks all that is not relocated: the numbers of versions.
fn check_tables(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
) -> Result<BTreeSet<u16>, Refusal> {
    segments::check_others(loading, image)?;
    sections::check(loading, image, linking)?;
    versions::check(loading, image, linking)
}

/// Why glibc before 2.35 does not load a file that later ones load. `None` if it does.
pub fn old_glibc_refusal(elf: &Elf) -> Option<Refusal> {
    segments::old_alignment(elf).err()
}
