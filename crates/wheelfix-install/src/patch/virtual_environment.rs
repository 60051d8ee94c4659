//! Virtual environments, as `python -m venv`, virtualenv and uv make them.
//!
//! <https://docs.python.org/3/library/site.html> has `pyvenv.cfg` and `.pth` files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{Mode, OFlags, open};
use wheelfix_loader::{STORE, existing_path};

use crate::path_file::named_directory;
use crate::record::update::{files_of, normalise};
use crate::warning::InstallWarning;

/// The file that makes a directory a virtual environment.
const CONFIGURATION: &str = "pyvenv.cfg";

/// The file that uv holds a lock on while it changes an environment, beside `pyvenv.cfg`.
pub(crate) const LOCK: &str = ".lock";

/// Longer texts of `pyvenv.cfg` and `.pth` files are none; in bytes.
const MAX_LEN: u64 = 1 << 20;

/// A virtual environment.
#[derive(Clone, Debug)]
pub struct VirtualEnvironment {
    /// Its directory, without links.
    pub root: PathBuf,
    /// Its Python.
    pub python: PathBuf,
    /// Whether its Python sees the packages of the Python that it was made from.
    pub sees_base: bool,
    /// Its directories of modules, without links: `lib64` is most often a link to `lib`.
    pub site_packages: BTreeSet<PathBuf>,
}

impl VirtualEnvironment {
    /// The virtual environment in a directory; `None` if it is none.
    pub fn at(directory: &Path) -> io::Result<Option<Self>> {
        let configuration = directory.join(CONFIGURATION);
        if !configuration.is_file() {
            return Ok(None);
        }
        let text = text_of(&configuration)?;
        let root = existing_path(directory)?;
        let bin = root.join("bin");
        let named = ["python", "python3"].map(|name| bin.join(name));
        let is_there = |path: &&PathBuf| path.is_symlink() || path.is_file();
        let python = named.iter().find(is_there).unwrap_or(&named[0]).clone();
        Ok(Some(Self {
            python,
            sees_base: value(&text, "include-system-site-packages").is_some_and(is_true),
            site_packages: site_packages(&root)?,
            root,
        }))
    }

    /// Waits until nobody else changes the environment: uv, or another run. The lock is held until what is returned
    /// is dropped; `None` where there can be none.
    pub fn lock(&self) -> Option<std::fs::File> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(0o666);
        let file = open(self.root.join(LOCK), flags | OFlags::CLOEXEC, mode).ok()?;
        let file = std::fs::File::from(file);
        file.lock().ok()?;
        Some(file)
    }

    /// Warnings of modules that its Python imports and nobody here edits: directories elsewhere that `.pth` files name,
    /// as of projects that are installed editable, and the packages of its base.
    pub(crate) fn warnings(&self) -> io::Result<Vec<InstallWarning>> {
        let mut warnings = Vec::new();
        for site in &self.site_packages {
            let mut files = BTreeSet::new();
            for entry in fs::read_dir(site)? {
                let path = entry?.path();
                if path.extension() == Some(OsStr::new("pth")) && path.is_file() {
                    files.insert(path);
                }
            }
            for file in files {
                let text = text_of(&file)?;
                let named = text.lines().filter_map(named_directory);
                let named = named.map(|line| normalise(&site.join(line)));
                let outside = named.filter(|path| path.is_dir() && !self.holds(path));
                warnings.extend(outside.map(|path| InstallWarning::Member {
                    file: file.clone(),
                    path,
                }));
            }
        }
        if self.sees_base {
            warnings.push(InstallWarning::BasePackages(self.root.clone()));
        }
        Ok(warnings)
    }

    /// Whether a path lies in it, links followed.
    fn holds(&self, path: &Path) -> bool {
        existing_path(path).is_ok_and(|path| path.starts_with(&self.root))
    }
}

/// The links of distributions, by their RECORD files, that lead out of their environment; those into the Nix store left
/// out.
///
/// A module that looks for its libraries from where its own file really is finds those of uv's cache, which are as the
/// wheel brought them. So where one file of a distribution is edited none may be a link.
pub(crate) fn links_out(
    environments: &[VirtualEnvironment],
    records: &[PathBuf],
) -> io::Result<BTreeSet<PathBuf>> {
    let mut links = BTreeSet::new();
    for record in records {
        let owner = environments.iter().find(|it| record.starts_with(&it.root));
        let Some(environment) = owner else {
            continue;
        };
        // One that is not valid was refused.
        let files = files_of(record)?.into_iter();
        let is_out = |file: &PathBuf| {
            let leads_out = |real: PathBuf| {
                real.is_file() && !real.starts_with(&environment.root) && !real.starts_with(STORE)
            };
            let parent = file.parent().unwrap_or(file);
            file.is_symlink()
                && environment.holds(parent)
                && existing_path(file).is_ok_and(leads_out)
        };
        links.extend(files.filter(is_out));
    }
    Ok(links)
}

/// The text of a file; nothing of one that is longer than any such file is.
fn text_of(file: &Path) -> io::Result<String> {
    if fs::metadata(file)?.len() > MAX_LEN {
        return Ok(String::new());
    }
    Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
}

/// The value of a key of `pyvenv.cfg`; the last one counts, as for Python.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(key));
    values.next_back().map(|(_, value)| value.trim())
}

fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

fn site_packages(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for lib in ["lib", "lib64"] {
        let lib = root.join(lib);
        if !lib.is_dir() {
            continue;
        }
        for entry in fs::read_dir(lib)? {
            let site = entry?.path().join("site-packages");
            if site.is_dir() {
                found.insert(existing_path(&site)?);
            }
        }
    }
    // One that lies elsewhere is not the environment's own.
    found.retain(|site| site.starts_with(root));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(configuration: &str) -> (tempfile::TempDir, VirtualEnvironment) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("v");
        fs::create_dir_all(root.join("lib/python3.11/site-packages/own")).unwrap();
        std::os::unix::fs::symlink("lib", root.join("lib64")).unwrap();
        fs::create_dir(dir.path().join("member")).unwrap();
        fs::write(root.join(CONFIGURATION), configuration).unwrap();
        let found = VirtualEnvironment::at(&root).unwrap().unwrap();
        (dir, found)
    }

    #[test]
    fn an_environment_is_known_by_its_configuration() {
        let (dir, found) = environment("home = /usr/bin\nInclude-System-Site-Packages = True\n");
        assert!(found.sees_base && found.site_packages.len() == 1);
        assert!(found.python.ends_with("v/bin/python"));
        assert!(VirtualEnvironment::at(dir.path()).unwrap().is_none());
        let (_dir, found) = environment("include-system-site-packages = false\n");
        assert!(!found.sees_base);
    }

    #[test]
    fn members_elsewhere_are_told() {
        let (dir, found) = environment("");
        let site = found.site_packages.first().unwrap();
        let member = dir.path().join("member");
        let text = format!("# x\nimport sys\nown\nnone\n{}\n", member.display());
        fs::write(site.join("m.pth"), text).unwrap();
        let warnings = found.warnings().unwrap();
        let [InstallWarning::Member { path, .. }] = &warnings[..] else {
            panic!("{warnings:?}");
        };
        assert_eq!(*path, member);
    }
}
