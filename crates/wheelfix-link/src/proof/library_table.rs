//! The table of an environment in which Python code finds the libraries that it opens by a bare name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_format::AskedLibrary;
use wheelfix_loader::{Abi, LoaderKind, ReadOutcome, read_object};

use crate::index::lib_path::{LibPathError, public_directories};
use crate::rules::{Pattern, Rules};
use crate::tree::imported::{is_for_other_system, is_test};
use crate::tree::{PythonSource, Tree};

/// The module that has the table, in `site-packages`.
const MODULE: &str = "_wheelfix_libraries";
/// The file whose one line imports the module when Python starts.
const PTH: &str = "wheelfix-libraries.pth";
/// That line. Of several directories one module is loaded; each adds its table.
const LINE: &str = "import _wheelfix_libraries; _wheelfix_libraries.add(sitedir)\n";
/// The text of the module, with a table of nothing.
const TEXT: &str = include_str!("library_table.py");
/// The begin of the line with the table.
const BEGIN: &str = "\nLIBRARIES = ";

/// The files for names of libraries.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LibraryTable {
    files: BTreeMap<String, PathBuf>,
}

/// The places in which a table looks for libraries.
#[derive(Clone, Copy, Debug)]
pub struct TablePlaces<'a> {
    /// Prefixes and directories of libraries; the first one that has a library wins.
    pub lib_paths: &'a [PathBuf],
    /// The directory of the driver's libraries.
    pub driver_path: &'a Path,
    /// The ABI of the Python; `None` if it is not known.
    pub abi: Option<Abi>,
    /// The C library of the Python; `None` if it is not known.
    pub loader: Option<LoaderKind>,
}

impl LibraryTable {
    /// The names that sources ask for and that library paths have, or the driver.
    pub fn of<'s>(
        sources: impl Iterator<Item = &'s PythonSource>,
        rules: &Rules,
        places: TablePlaces<'_>,
    ) -> Result<Self, LibPathError> {
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        let sources =
            sources.filter(|source| !is_test(&source.path) && !is_for_other_system(source));
        for library in sources.flat_map(PythonSource::asked) {
            if is_by_name(library) {
                asked.insert(&library.name);
            } else if library.any_version && library.path.is_none() {
                asked.extend(drivers_of(rules, &library.name));
            }
        }
        let mut table = Self::default();
        asked.retain(|name| {
            let soname = of_libc(rules, name, places.loader);
            let soname = soname.filter(|soname| soname != name);
            table
                .files
                .extend(soname.map(|soname| ((*name).to_owned(), PathBuf::from(soname))));
            !is_of_libc(rules, name)
        });
        if asked.is_empty() {
            return Ok(table);
        }
        let mut directories = Vec::new();
        for path in places.lib_paths {
            for directory in public_directories(path)? {
                directories.push((names_in(&directory)?, directory));
            }
        }
        for name in asked {
            let file = if rules.is_driver(name) {
                Some(places.driver_path.join(name))
            } else {
                let mut directories = directories.iter();
                directories.find_map(|(names, directory)| best(names, directory, name, places.abi))
            };
            // A table is text.
            let file = file.filter(|file| file.to_str().is_some());
            table.files.extend(file.map(|file| (name.to_owned(), file)));
        }
        Ok(table)
    }

    /// The tables that the sources of a tree have. One that cannot be read is none.
    pub(crate) fn in_tree(tree: &Tree) -> Self {
        let mut table = Self::default();
        for source in tree.sources.iter().filter(|source| is_table(&source.path)) {
            let text = fs_err::read_to_string(&source.file).unwrap_or_default();
            table.extend(Self::parse(&text));
        }
        table
    }

    /// The table of a `site-packages`; empty if it has none that can be read.
    pub fn in_directory(site_packages: &Path) -> Self {
        let text = fs_err::read_to_string(site_packages.join(MODULE).with_extension("py"));
        Self::parse(&text.unwrap_or_default())
    }

    /// The table in the text of a module.
    pub fn parse(text: &str) -> Self {
        let table = text.split_once(BEGIN).map(|(_, table)| table);
        let mut values = serde_json::Deserializer::from_str(table.unwrap_or_default()).into_iter();
        let files = values.next().and_then(Result::ok);
        Self {
            files: files.unwrap_or_default(),
        }
    }

    /// The table without what leads to no library: Python passes that over, and goes on as if it were not there.
    /// Those of the C library are sonames, and the driver's are the driver's business.
    pub(crate) fn without_lost(mut self, found: &BTreeSet<&Path>, driver_path: &Path) -> Self {
        self.files.retain(|_, file| {
            is_soname(file) || file.starts_with(driver_path) || found.contains(file.as_path())
        });
        self
    }

    /// Adds the names of another table that this one does not have.
    pub fn extend(&mut self, other: Self) {
        for (name, file) in other.files {
            self.files.entry(name).or_insert(file);
        }
    }

    /// Keeps some of the names.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.files.retain(|name, _| is_kept(name));
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file for what a source asks for.
    pub(crate) fn file(&self, asked: &AskedLibrary) -> Option<&Path> {
        let file = if asked.any_version {
            let mut files = self.files.range(asked.name.clone()..);
            let (_, file) = files
                .next()
                .filter(|(name, _)| name.starts_with(&asked.name))
                .unzip();
            file
        } else {
            self.files.get(&asked.name).filter(|_| is_by_name(asked))
        };
        file.map(PathBuf::as_path)
    }

    /// The names with their files.
    pub fn files(&self) -> &BTreeMap<String, PathBuf> {
        &self.files
    }

    /// The files that make Python ask the table, by their names in `site-packages`.
    pub fn modules(&self) -> [(String, String); 2] {
        // A text of JSON is one of Python, too, if it has no surrogates, and a `String` has none.
        let table = serde_json::to_string_pretty(&self.files).unwrap_or_default();
        let text = TEXT.replace(&format!("{BEGIN}{{}}"), &format!("{BEGIN}{table}"));
        [
            (format!("{MODULE}.py"), text),
            (PTH.to_owned(), LINE.to_owned()),
        ]
    }
}

/// Whether a file of `site-packages`, or one of its bytecode, is of a table.
pub fn is_of_table(name: &str) -> bool {
    let rest = name.strip_prefix(MODULE);
    name == PTH || rest.is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a path is that of a module with a table.
fn is_table(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_suffix(".py")) == Some(MODULE)
}

fn is_by_name(library: &AskedLibrary) -> bool {
    library.path.is_none() && !library.any_version && library.name.contains(".so")
}

/// The sonames of the driver's libraries that a name without a version stands for.
fn drivers_of<'r>(rules: &'r Rules, name: &'r str) -> impl Iterator<Item = &'r str> {
    let sonames = rules.driver.iter().flat_map(|rule| &rule.body.soname);
    let sonames =
        sonames.filter(move |soname| soname.is_literal() && soname.text().starts_with(name));
    sonames.map(Pattern::text)
}

/// Whether a library is of the C library, and so in every process.
pub(crate) fn is_of_libc(rules: &Rules, name: &str) -> bool {
    let mut libc = rules.libc.iter().flat_map(|rule| &rule.body.soname);
    libc.any(|soname| soname.covers(name))
}

/// Whether a table has a soname in the place of a file: the loader finds it.
pub(crate) fn is_soname(file: &Path) -> bool {
    file.parent() == Some(Path::new(""))
}

/// The soname of the part of the C library that a name stands for, which lacks its version.
fn of_libc<'r>(rules: &'r Rules, name: &str, loader: Option<LoaderKind>) -> Option<&'r str> {
    if loader != Some(LoaderKind::Glibc) || !name.as_bytes().ends_with(b".so") {
        return None;
    }
    let sonames = rules.libc.iter().flat_map(|rule| &rule.body.soname);
    let mut sonames = sonames
        .filter(|soname| soname.is_literal())
        .map(Pattern::text);
    sonames.find(|soname| {
        let version = soname.strip_prefix(name);
        version.is_some_and(|version| version.starts_with('.'))
    })
}

fn names_in(directory: &Path) -> Result<BTreeSet<String>, LibPathError> {
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(directory)? {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// The file of a directory for a name: the one of that name, or if that has no version, the newest one. What is no
/// library for the machine, such as a script for linkers, is passed over.
fn best(
    names: &BTreeSet<String>,
    directory: &Path,
    name: &str,
    abi: Option<Abi>,
) -> Option<PathBuf> {
    let mut found: Vec<&str> = names.get(name).map(String::as_str).into_iter().collect();
    if name.as_bytes().ends_with(b".so") {
        let longer = names.range(format!("{name}.")..);
        let longer = longer.map(String::as_str).map_while(|longer| {
            let version = longer.strip_prefix(name)?.strip_prefix('.')?;
            Some((version, longer))
        });
        let versions = longer.filter_map(|(text, longer)| {
            let parts: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
            Some((parts.ok()?, longer))
        });
        let mut versions: Vec<(Vec<u64>, &str)> = versions.collect();
        // `libx.so.2` before `libx.so.2.1`, which is the same one, and both before `libx.so.1`.
        versions.sort_by_key(|(parts, _)| {
            let major = parts.first().copied();
            (Reverse(major), parts.len(), Reverse(parts.clone()))
        });
        found.extend(versions.into_iter().map(|(_, longer)| longer));
    }
    let mut paths = found.into_iter().map(|name| directory.join(name));
    paths.find(|path| is_library(path, abi))
}

fn is_library(path: &Path, abi: Option<Abi>) -> bool {
    match read_object(path.to_path_buf(), path) {
        Ok(ReadOutcome::Object(object)) => abi.is_none_or(|abi| object.abi == abi),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let names = ["liba.so", "lib'\"\\\n};b\u{1F600}\u{2028}\u{7f}.so"];
        let files = names.map(|name| (name.to_owned(), Path::new("/s").join(name)));
        let table = LibraryTable {
            files: files.into(),
        };
        let [(module, text), (_, line)] = table.modules();
        assert_eq!(LibraryTable::parse(&text), table);
        assert!(is_table(Path::new("/p").join(module).as_path()));
        assert!(line.starts_with(&format!("import {MODULE}; {MODULE}.")));
        assert!(LibraryTable::parse("LIBRARIES = {").is_empty());
        assert!(LibraryTable::parse(TEXT).is_empty());
    }
}
