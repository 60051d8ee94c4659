//! Extension modules of other Pythons than the one whose `site-packages` they lie in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tree::Skipped;
use crate::tree::python_module::module_name;
use crate::tree::site::{SITE_PACKAGES, package_of};

/// Why nothing is asked of such a module.
const REASON: &str = "is a module for another Python";

/// Whether a module has the tag of another Python than that of the `lib/pythonX.Y` that it lies in:
/// wheels of pybind11 and nanobind carry one per version under `py3-none`. A CPython built for debugging
/// (`cpython-311d`) is another one.
pub(crate) fn is_of_other_python(path: &Path) -> bool {
    let ours = path.ancestors().find_map(|directory| {
        let site = directory.file_name()? == SITE_PACKAGES;
        let parent = directory.parent().filter(|_| site)?;
        let name = parent.file_name()?.to_str()?.strip_prefix("python")?;
        name.contains('.').then(|| name.replace('.', ""))
    });
    let name = path.file_name().and_then(|name| name.to_str());
    let tag = name.and_then(|name| name.split('.').nth_back(1));
    let theirs = tag.and_then(|tag| tag.split_once('-'));
    ours.zip(theirs)
        .is_some_and(|(ours, (implementation, rest))| match implementation {
            "cpython" => {
                let version = rest.split('-').next().unwrap_or(rest);
                version.starts_with(|c: char| c.is_ascii_digit()) && version != ours
            }
            _ => OTHER_IMPLEMENTATIONS
                .iter()
                .any(|other| implementation.starts_with(other)),
        })
}

/// Implementations whose modules have tags of their own (`pypy310-pp73`), and whose directory is not called
/// `python3.10`.
const OTHER_IMPLEMENTATIONS: [&str; 2] = ["pypy", "graalpy"];

/// The entries of modules of other Pythons. Python looks in vain for a module of a package that has none
/// for it at all.
pub(crate) fn skipped<'a>(
    others: BTreeSet<PathBuf>,
    ours: impl Iterator<Item = &'a Path>,
) -> impl Iterator<Item = Skipped> {
    let ours = if others.is_empty() {
        BTreeSet::new()
    } else {
        let modules = ours.filter(|path| module_name(path, None).is_some());
        modules.map(package).collect::<BTreeSet<&Path>>()
    };
    let is_missed: Vec<bool> = others
        .iter()
        .map(|path| !ours.contains(package(path)))
        .collect();
    others
        .into_iter()
        .zip(is_missed)
        .map(|(path, is_imported)| Skipped {
            is_imported,
            ..Skipped::new(path, REASON)
        })
}

/// The package of a file, or the directory that it lies in.
fn package(path: &Path) -> &Path {
    package_of(path).or(path.parent()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(directory: &str, name: &str, want: bool) {
        let path = Path::new("/p/lib")
            .join(directory)
            .join("site-packages/m")
            .join(name);
        assert_eq!(is_of_other_python(&path), want, "{directory} {name}");
    }

    #[test]
    fn the_tag_and_the_directory_say_which_python() {
        let name = |tag| format!("x.cpython-{tag}-x86_64-linux-gnu.so");
        check("python3.11", &name("311"), false);
        check("python3.11", &name("311d"), true);
        check("python3.11", &name("313"), true);
        check("python3.13", &name("313t"), true);
        check("python3.13t", &name("313t"), false);
        check("python3.11", "x.pypy311-pp73-x86_64-linux-gnu.so", true);
        check("pypy3.11", "x.pypy311-pp73-x86_64-linux-gnu.so", false);
        check("python3.11", "x.abi3.so", false);
        check("python3.11", "x.so", false);
        check("python3", &name("313"), false);
        assert!(!is_of_other_python(Path::new(
            "/p/m/x.cpython-313-x86_64-linux-gnu.so"
        )));
    }
}
