//! The prefix of a Python distribution that a file lies in.

use std::path::{Path, PathBuf};

/// The name of the directory that Python imports from.
pub(crate) const SITE_PACKAGES: &str = "site-packages";

/// The parent of the `lib/pythonX.Y/site-packages` that a file lies in, or else the nearest directory above it
/// that has one, or that has distributions itself.
pub(crate) fn prefix_of(file: &Path) -> Option<PathBuf> {
    let is_site = |directory: &&Path| {
        directory
            .file_name()
            .is_some_and(|name| name == SITE_PACKAGES)
    };
    if let Some(site) = file.ancestors().find(is_site) {
        return site.ancestors().nth(3).map(Path::to_path_buf);
    }
    let mut directories = file.ancestors().skip(1);
    let prefix = directories.find(|directory| has_site(directory) || has_distributions(directory));
    prefix.map(Path::to_path_buf)
}

/// The directory in `site-packages` that a file is in; `None` for one that is in none.
pub(crate) fn package_of(file: &Path) -> Option<&Path> {
    let mut directories = file.ancestors().skip(1);
    directories.find(|directory| {
        let site = directory.parent().and_then(Path::file_name);
        site.is_some_and(|name| name == SITE_PACKAGES)
    })
}

fn has_site(prefix: &Path) -> bool {
    let versions = fs_err::read_dir(prefix.join("lib"))
        .into_iter()
        .flatten()
        .flatten();
    let is_python = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b"python");
    let mut pythons = versions.filter(|version| is_python(&version.file_name()));
    pythons.any(|python| python.path().join(SITE_PACKAGES).is_dir())
}

fn has_distributions(directory: &Path) -> bool {
    let names = fs_err::read_dir(directory).into_iter().flatten().flatten();
    let mut paths = names.map(|entry| PathBuf::from(entry.file_name()));
    paths.any(|name| name.extension().is_some_and(|ending| ending == "dist-info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_the_directory_in_site_packages() {
        let package = |path| package_of(Path::new(path));
        assert_eq!(
            package("/p/site-packages/a/b/c.py"),
            Some(Path::new("/p/site-packages/a"))
        );
        assert_eq!(package("/p/site-packages/a.py"), None);
        assert_eq!(package("/p/lib/libx.so"), None);
    }

    #[test]
    fn the_prefix_is_above_site_packages() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path();
        let plain = prefix.join("w/data/libx.so");
        assert_eq!(prefix_of(&plain), None);
        fs_err::create_dir_all(prefix.join("w/x-1.dist-info")).unwrap();
        assert_eq!(prefix_of(&plain), Some(prefix.join("w")));
        let inside = prefix.join("lib/python3.11/site-packages/a/x.so");
        assert_eq!(prefix_of(&inside).as_deref(), Some(prefix));
        assert_eq!(prefix_of(&prefix.join("lib/libx.so")), None);
        fs_err::create_dir_all(inside.parent().unwrap()).unwrap();
        assert_eq!(
            prefix_of(&prefix.join("lib/libx.so")).as_deref(),
            Some(prefix)
        );
    }
}
