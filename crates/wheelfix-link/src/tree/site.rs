//! The prefix of a Python distribution that a file lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::Object;

use crate::excuse::{EXCUSES_FILE, Excuses};

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

/// The excuses that the installs of the distributions in a prefix have kept.
pub(crate) fn excuses_of(prefix: &Path) -> Excuses {
    let entries = |directory: &Path| -> Vec<PathBuf> {
        let entries = fs_err::read_dir(directory).into_iter().flatten();
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect()
    };
    let pythons = entries(&prefix.join("lib")).into_iter();
    let sites = pythons.map(|python| python.join(SITE_PACKAGES));
    let mut excuses = Excuses::default();
    for directory in sites.flat_map(|site| entries(&site)) {
        if let Ok(text) = fs_err::read_to_string(directory.join(EXCUSES_FILE)) {
            excuses.extend(Excuses::from_json(&text));
        }
    }
    excuses
}

/// The directory in `site-packages` that a file is in; `None` for one that is in none.
pub(crate) fn package_of(file: &Path) -> Option<&Path> {
    let mut directories = file.ancestors().skip(1);
    directories.find(|directory| {
        let site = directory.parent().and_then(Path::file_name);
        site.is_some_and(|name| name == SITE_PACKAGES)
    })
}

/// How many distributions the prefixes have that objects lie in now; 0 if they lie in none. A wheel of which
/// only some files are unpacked counts as one.
pub(crate) fn distributions_of<'a>(objects: impl Iterator<Item = &'a Object>) -> usize {
    let prefixes = prefixes_of(objects);
    let counts = prefixes.iter().map(|prefix| {
        let sites = sites(prefix).map(|site| distributions(&site));
        distributions(prefix) + sites.sum::<usize>()
    });
    counts.sum::<usize>().max(prefixes.len().min(1))
}

/// The prefixes that objects lie in now.
fn prefixes_of<'a>(objects: impl Iterator<Item = &'a Object>) -> BTreeSet<PathBuf> {
    let directories: BTreeSet<&Path> = objects.filter_map(|object| object.file.parent()).collect();
    let prefixes = directories.into_iter();
    prefixes
        .filter_map(|directory| prefix_of(&directory.join("x")))
        .collect()
}

/// The distributions of the directories and files in `site-packages`, as RECORDs tell.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    by_top: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Owners {
    /// The distributions of the prefixes that objects lie in now. One of which RECORD is not written yet has
    /// the package of its name.
    pub(crate) fn of<'a>(objects: impl Iterator<Item = &'a Object>) -> Self {
        let mut owners = Self::default();
        for site in prefixes_of(objects).iter().flat_map(|prefix| sites(prefix)) {
            let infos = names(&site).filter(|name| name.ends_with(".dist-info"));
            for info in infos {
                let record = fs_err::read_to_string(site.join(&info).join("RECORD"));
                let lines = record.unwrap_or_default();
                let listed = lines.lines().filter_map(|line| {
                    let line = line.trim_start_matches('"');
                    line.split(['/', ',']).next()
                });
                for top in listed.chain(info.split('-').next()) {
                    let owned = owners.by_top.entry(top.to_lowercase()).or_default();
                    owned.insert(site.join(&info));
                }
            }
        }
        owners
    }

    /// Whether two files may be of one distribution. One that is in no RECORD may be of any.
    pub(crate) fn share(&self, one: &Path, other: &Path) -> bool {
        match (self.of_file(one), self.of_file(other)) {
            (Some(one), Some(other)) => !one.is_disjoint(other),
            _ => true,
        }
    }

    /// The distributions that may have a file; `None` for one that is in no RECORD.
    pub(crate) fn of_file(&self, file: &Path) -> Option<&BTreeSet<PathBuf>> {
        let is_site = |directory: &Path| directory.ends_with(SITE_PACKAGES);
        let top = file
            .ancestors()
            .find(|path| path.parent().is_some_and(is_site))?;
        let top = top.file_name()?.to_str()?.to_lowercase();
        let package = top.strip_suffix(".libs").unwrap_or(&top);
        self.by_top.get(&top).or_else(|| self.by_top.get(package))
    }
}

/// The directories that a Python of a prefix imports from.
fn sites(prefix: &Path) -> impl Iterator<Item = PathBuf> {
    let lib = prefix.join("lib");
    let pythons = names(&lib).filter(|name| name.starts_with("python"));
    let pythons: Vec<String> = pythons.collect();
    let sites = pythons.into_iter();
    let sites = sites.map(move |python| lib.join(python).join(SITE_PACKAGES));
    sites.filter(|site| site.is_dir())
}

fn has_site(prefix: &Path) -> bool {
    sites(prefix).next().is_some()
}

fn has_distributions(directory: &Path) -> bool {
    0 < distributions(directory)
}

fn distributions(directory: &Path) -> usize {
    names(directory)
        .filter(|name| name.ends_with(".dist-info"))
        .count()
}

/// The names in a directory; none if it cannot be listed.
fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
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
