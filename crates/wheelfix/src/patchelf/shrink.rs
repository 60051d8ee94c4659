//! `--shrink-rpath`: keep the directories of a search path in which a needed library is found.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_elf::{Elf, FileSource, ReadError};

use super::arguments::directories;

/// Why it cannot be said which directories are needed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShrinkError {
    /// Something that has the name of a needed library is not one.
    #[error("{}: {error}", path.display())]
    Library { path: PathBuf, error: ReadError },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The shrunk search path of a file; `None` if it has none.
///
/// Of the absolute directories, those stay that start with one of `prefixes` (if there are any) and
/// hold a needed library that no earlier one holds. The others, such as `$ORIGIN`, all stay.
pub(super) fn shrink(elf: &Elf, prefixes: &[String]) -> Result<Option<String>, ShrinkError> {
    let Some(dynamic) = &elf.dynamic else {
        return Ok(None);
    };
    let Some(path) = dynamic.run_path.effective() else {
        return Ok(None);
    };
    let mut missing: BTreeSet<&str> = dynamic.needed.iter().map(String::as_str).collect();
    let mut kept = Vec::new();
    for dir in directories(path) {
        if !dir.starts_with('/') {
            kept.push(dir);
        } else if prefixes.is_empty() || prefixes.iter().any(|prefix| dir.starts_with(prefix)) {
            let before = missing.len();
            for name in missing.clone() {
                if is_library(elf, &Path::new(&dir).join(name))? {
                    missing.remove(name);
                }
            }
            if missing.len() < before {
                kept.push(dir);
            }
        }
    }
    Ok(Some(kept.join(":")))
}

/// Whether there is a library at `path` that the machine of `elf` can load.
fn is_library(elf: &Elf, path: &Path) -> Result<bool, ShrinkError> {
    let source = match FileSource::open(path) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let library = Elf::read_without_sections(&source).map_err(|error| ShrinkError::Library {
        path: path.to_owned(),
        error,
    })?;
    Ok(library.header.machine == elf.header.machine
        && library.header.encoding == elf.header.encoding)
}
