//! The entries of a directory of an input, and the surveys of directories that are taken whole.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;

use crate::env::fault::EnvFault;
use crate::env::input::is_loop;

/// One entry of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: EntryKind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EntryKind {
    Directory,
    File,
    /// A link to a directory.
    DirectoryLink,
    /// A link to a file.
    FileLink,
}

/// Lists a directory, sorted by name; what cannot be used goes to `faults`.
pub(crate) fn list(directory: &Path, faults: &mut Vec<EnvFault>) -> Vec<Entry> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            faults.push(if is_loop(&error) {
                EnvFault::Loop(directory.to_owned())
            } else {
                error.into()
            });
            return Vec::new();
        }
    };
    let mut listed = Vec::new();
    for entry in entries {
        match entry.map_err(EnvFault::from).and_then(|entry| read(&entry)) {
            Ok(entry) => listed.push(entry),
            Err(fault) => faults.push(fault),
        }
    }
    listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    listed
}

fn read(entry: &fs::DirEntry) -> Result<Entry, EnvFault> {
    let file_type = entry.file_type()?;
    let Ok(name) = entry.file_name().into_string() else {
        return Err(EnvFault::Name(entry.path()));
    };
    let kind = if file_type.is_dir() {
        EntryKind::Directory
    } else if file_type.is_file() {
        EntryKind::File
    } else if file_type.is_symlink() {
        follow(&entry.path())?
    } else {
        return Err(EnvFault::Special(entry.path()));
    };
    Ok(Entry { name, kind })
}

/// What a link leads to.
fn follow(path: &Path) -> Result<EntryKind, EnvFault> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Ok(EntryKind::DirectoryLink),
        Ok(there) if there.is_file() => Ok(EntryKind::FileLink),
        Ok(_) => Err(EnvFault::Special(path.to_owned())),
        Err(error) if is_loop(&error) => Err(EnvFault::Loop(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(EnvFault::Dangling {
            path: path.to_owned(),
            target: fs::read_link(path).unwrap_or_default(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// What lies in a directory that is taken whole.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Files that may be ELF files, relative to the directory, sorted.
    pub(crate) elf: Vec<String>,
    /// How many files and links there are.
    pub(crate) files: usize,
    pub(crate) faults: Vec<EnvFault>,
}

/// Looks at everything below a directory; links are not followed.
pub(crate) fn survey(directory: &Path) -> Survey {
    let mut survey = Survey::default();
    let entries = list(directory, &mut survey.faults);
    let mut directories = Vec::new();
    for entry in entries {
        match entry.kind {
            EntryKind::Directory => directories.push(entry.name),
            EntryKind::File | EntryKind::FileLink => {
                survey.files += 1;
                if may_be_elf(&entry.name) && is_own(directory, &entry) {
                    survey.elf.push(entry.name);
                }
            }
            EntryKind::DirectoryLink => survey.files += 1,
        }
    }
    let below: Vec<(String, Survey)> = directories
        .into_par_iter()
        .map(|name| {
            let survey = self::survey(&directory.join(&name));
            (name, survey)
        })
        .collect();
    for (name, found) in below {
        let paths = found.elf.iter().map(|path| format!("{name}/{path}"));
        survey.elf.extend(paths);
        survey.files += found.files;
        survey.faults.extend(found.faults);
    }
    survey
}

/// Whether an entry is a file, or a link that leads somewhere else than to a sibling: that one is
/// looked at itself.
fn is_own(directory: &Path, entry: &Entry) -> bool {
    entry.kind == EntryKind::File || leads_away(&directory.join(&entry.name))
}

/// Whether a link leads to another directory.
pub(crate) fn leads_away(path: &Path) -> bool {
    let target: PathBuf = fs::read_link(path).unwrap_or_default();
    target.components().count() != 1
}

/// Endings of names that the loader is never given.
const NEVER_ELF: &[&str] = &[
    "c", "cc", "cfg", "cpp", "css", "csv", "cu", "cuh", "dat", "gif", "h", "hpp", "html", "inc",
    "ini", "ipynb", "js", "json", "md", "npy", "npz", "pem", "png", "pth", "pxd", "pxi", "py",
    "pyc", "pyi", "pyx", "rst", "svg", "toml", "ttf", "txt", "typed", "xml", "yaml", "yml",
];

/// Whether a file of this name is worth a look.
pub(crate) fn may_be_elf(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, extension)) => NEVER_ELF.binary_search(&extension).is_err(),
        None => !matches!(
            name,
            "RECORD" | "METADATA" | "WHEEL" | "INSTALLER" | "LICENSE"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_sorted() {
        assert!(NEVER_ELF.is_sorted());
    }

    #[test]
    fn libraries_and_programs_are_looked_at() {
        for (name, want) in [
            ("libx.so", true),
            ("libx.so.1", true),
            ("ptxas", true),
            ("protoc-3.13.0.0", true),
            ("__init__.py", false),
            ("x.cpython-311.pyc", false),
            ("RECORD", false),
        ] {
            assert_eq!(may_be_elf(name), want, "{name}");
        }
    }
}
