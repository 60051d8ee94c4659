//! Packages of which another prefix has files, too.
//!
//! Python searches a regular package, one with `__init__.py`, in one directory only. Some ask for all directories, as `PyQt6`
//! does: its modules are found then, and do not find the plugins of `PyQt6-Qt6`, which Qt looks for beside them.
//!
//! <https://docs.python.org/3/reference/import.html#regular-packages>

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;
use wheelfix_format::is_library_name;

use crate::warning::InstallWarning;

/// Calls by which a package is searched everywhere after all:
/// <https://packaging.python.org/en/latest/guides/packaging-namespace-packages/#legacy-namespace-packages>.
const SEARCHES_ALL: [&str; 2] = ["extend_path", "declare_namespace"];

/// The packages below `own` that other prefixes have files of. `site` is `site-packages` in a prefix.
pub(crate) fn shared_packages(
    own: &Path,
    prefixes: &[PathBuf],
    site: &str,
) -> io::Result<Vec<InstallWarning>> {
    let packages = packages_in(&own.join(site))?;
    let mut warnings = Vec::new();
    for prefix in prefixes {
        let theirs = packages_in(&prefix.join(site))?;
        for package in packages.intersection(&theirs) {
            let places = [own, prefix].map(|prefix| prefix.join(site).join(package));
            if is_torn(&places)? {
                warnings.push(InstallWarning::SharedPackage {
                    package: package.clone(),
                    prefix: prefix.clone(),
                });
            }
        }
    }
    Ok(warnings)
}

/// The names of the directories that may be packages; none where nothing is there.
fn packages_in(site: &Path) -> io::Result<BTreeSet<String>> {
    if !site.is_dir() {
        return Ok(BTreeSet::new());
    }
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(site)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        let is_name = !name.contains(['.', '-']) && name != "__pycache__";
        if is_name && site.join(&name).is_dir() {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Whether a package in these directories does not find all that is in them.
fn is_torn(places: &[PathBuf]) -> io::Result<bool> {
    let mut is_regular = false;
    for place in places {
        let source = place.join("__init__.py");
        if source.is_file() {
            let text = fs_err::read(&source)?;
            let text = String::from_utf8_lossy(&text);
            if SEARCHES_ALL.iter().any(|call| text.contains(call)) {
                return has_library(places);
            }
            is_regular = true;
        }
    }
    Ok(is_regular)
}

/// Whether one of the directories has a library that is not imported as a module.
fn has_library(places: &[PathBuf]) -> io::Result<bool> {
    for entry in places.iter().flat_map(WalkDir::new) {
        let entry = entry?;
        let name = entry.file_name().to_str().unwrap_or_default();
        if name.starts_with("lib") && is_library_name(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(dir: &Path, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let prefix = dir.join(name);
        for (path, text) in files {
            let path = prefix.join("site").join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        prefix
    }

    #[test]
    fn a_regular_package_in_two_prefixes_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let new = |name: &str, files: &[(&str, &str)]| prefix(dir.path(), name, files);
        let own = new(
            "own",
            &[
                ("qt/__init__.py", ""),
                ("spaced/a.py", ""),
                ("old/__init__.py", "path = extend_path(path, name)"),
                ("x.libs/libx.so", ""),
                ("alone/__init__.py", ""),
            ],
        );
        let other = new(
            "other",
            &[
                ("qt/plugins/x.so", ""),
                ("spaced/b.py", ""),
                ("old/b.py", ""),
                ("x.libs/liby.so", ""),
            ],
        );
        let prefixes = [other.clone(), dir.path().join("nothing")];
        let told = shared_packages(&own, &prefixes, "site").unwrap();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("package `qt` has files in `{}`", other.display())));
        fs_err::write(other.join("site/old/libplug.so"), "").unwrap();
        let told = shared_packages(&own, &prefixes, "site").unwrap();
        assert_eq!(told.len(), 2, "its plugins are not found: {told:?}");
        fs_err::remove_file(other.join("site/old/libplug.so")).unwrap();
        // In the other order the one that is there has the module.
        let told = shared_packages(&other, &[own], "site").unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
    }
}
