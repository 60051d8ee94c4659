//! Programs that a package makes executable when it first starts them: it cannot where nothing can be written.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use memchr::memmem;
use wheelfix_loader::Place;

use crate::tree::site::package_of;
use crate::tree::{Tree, is_executable};

/// The function that sources call for it: `os.chmod`, `Path.chmod`, `subprocess` with the program of this name.
const CHMOD: &[u8] = b"chmod";

/// The programs of a tree that nobody may execute, in packages whose sources change modes: where they lie.
pub fn made_executable(tree: &Tree, place: &Place) -> io::Result<BTreeSet<PathBuf>> {
    let linked = tree
        .objects()
        .filter(|object| object.is_program())
        .map(|object| object.path.as_path());
    let linked_statically = tree.skipped.iter().filter(|file| file.program.is_some());
    let mut found = BTreeSet::new();
    for path in linked.chain(linked_statically.map(|file| file.path.as_path())) {
        let (Some(package), Ok(inside)) = (package_of(path), path.strip_prefix(&place.used_at))
        else {
            continue;
        };
        let file = place.on_disk.join(inside);
        if !is_executable(&file)? && changes_modes(tree, package)? {
            found.insert(file);
        }
    }
    Ok(found)
}

/// Whether a source of a package changes the modes of files.
fn changes_modes(tree: &Tree, package: &Path) -> io::Result<bool> {
    for source in &tree.sources {
        if source.path.starts_with(package)
            && memmem::find(&fs_err::read(&source.file)?, CHMOD).is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
