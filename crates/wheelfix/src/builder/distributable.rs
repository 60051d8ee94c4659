//! The check that a wheel can be given away: that nothing in it names a path of the store, as the hook of
//! pyproject.nix looks at what it puts into the output `dist`.

use std::path::{Path, PathBuf};
use std::str;

use memchr::memmem;
use wheelfix_archive::{Limits, ZipArchive};
use wheelfix_loader::STORE;
use wheelfix_wheel::without_store_hash;

use crate::error::{Error, print};

/// The digits of a store path's hash, and the hyphen behind them.
const HASH_LEN: usize = 33;

/// Refuses wheels of which a file names a path of the store.
pub(crate) fn refuse_store_paths(wheels: &[PathBuf]) -> Result<(), Error> {
    let mut faults = Vec::new();
    for path in wheels {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for (member, found) in members_with_store_paths(path)? {
            faults.push(format!("`{name}`: `{member}` names `{found}`"));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    print("error", faults);
    let text = "the wheel goes into the output `dist`, and on other machines there are no such paths; where it does \
                no harm, as in a text, the .nix file says `dontUsePyprojectInstallDistCheck = true;`";
    print("hint", [text]);
    Err(Error::Reported)
}

/// The files of a wheel that name a path of the store, with the first one that each names.
fn members_with_store_paths(wheel: &Path) -> Result<Vec<(String, String)>, Error> {
    let archive = ZipArchive::open(wheel, &Limits::default()).map_err(Error::refused)?;
    let mut found = Vec::new();
    for member in archive.members_by_path() {
        let content = archive.read(member, member.len).map_err(Error::refused)?;
        if let Some(path) = first_store_path(&content) {
            found.push((member.path.to_string(), path));
        }
    }
    archive.check_source()?;
    Ok(found)
}

/// The first path of the store in a text or in binary data, up to its hash.
fn first_store_path(content: &[u8]) -> Option<String> {
    let prefix = format!("{STORE}/");
    memmem::find_iter(content, prefix.as_bytes()).find_map(|at| {
        let end = at + prefix.len() + HASH_LEN;
        let path = str::from_utf8(content.get(at..end)?).ok()?;
        without_store_hash(path.strip_prefix(&prefix)?)?;
        Some(format!("{path}..."))
    })
}
