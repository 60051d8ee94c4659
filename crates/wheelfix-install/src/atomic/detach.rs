//! Files of a tree that lie elsewhere, behind links: they become copies before they are edited, as what
//! lies elsewhere is not ours.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_elf::temporary_file;
use wheelfix_loader::{Place, existing_path};

/// Puts a copy in the place of a link to a file; anything else stays as it is.
pub(crate) fn detach(file: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(file)?.is_symlink() {
        return Ok(());
    }
    let parent = file.parent().unwrap_or(file);
    let copy = temporary_file(parent)?;
    copy_file(file, copy.path())?;
    copy.persist(file)?;
    Ok(())
}

/// Copies a file with its mode and the time of its last change.
pub(crate) fn copy_file(file: &Path, copy: &Path) -> io::Result<()> {
    fs::copy(file, copy)?;
    let times = std::fs::FileTimes::new().set_modified(fs::metadata(file)?.modified()?);
    fs::File::options()
        .read(true)
        .open(copy)?
        .into_file()
        .set_times(times)
}

/// Directories behind links, in which files would be changed that lie below none of the places; each
/// as it is reached, and where it is.
pub(crate) fn behind_links<'a>(
    places: &[Place],
    files: impl Iterator<Item = &'a Path>,
) -> io::Result<BTreeSet<(PathBuf, PathBuf)>> {
    let directories: BTreeSet<&Path> = files.filter_map(Path::parent).collect();
    let mut found = BTreeSet::new();
    for directory in directories {
        let real = existing_path(directory)?;
        let is_ours = |place: &Place| {
            real.starts_with(&place.on_disk) || Some(real.as_path()) == place.on_disk.parent()
        };
        if !places.iter().any(is_ours) {
            found.insert((directory.to_owned(), real));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_becomes_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (origin, link) = (dir.path().join("origin"), dir.path().join("link"));
        fs::write(&origin, "x").unwrap();
        fs::set_permissions(&origin, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("origin", &link).unwrap();
        detach(&link).unwrap();
        fs::write(&link, "y").unwrap();
        assert_eq!(fs::read_to_string(&origin).unwrap(), "x");
        let metadata = fs::symlink_metadata(&link).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o755);
        detach(&link).unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "y");
    }
}
