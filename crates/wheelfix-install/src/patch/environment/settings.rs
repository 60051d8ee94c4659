//! Everything but the files of an environment that decides how they are linked.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use fs_err as fs;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;
use wheelfix_loader::{STORE, real_path};

use super::listing::fact;
use crate::patch::virtual_environment::VirtualEnvironment;

/// The loader's cache, which is another one when libraries of the system change.
const CACHE: &str = "/etc/ld.so.cache";

/// Everything but the files of an environment that decides how they are linked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The program and its options, in words.
    pub words: String,
    /// Files that decide too, as rules.
    pub files: Vec<PathBuf>,
    /// Directories of libraries, in their order.
    pub lib_paths: Vec<PathBuf>,
    /// The Python that is named.
    pub python: Option<PathBuf>,
}

impl Settings {
    /// A digest of all of it.
    pub(crate) fn digest(&self, environment: &VirtualEnvironment) -> io::Result<String> {
        let mut hasher = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        add(self.words.as_bytes());
        add(environment.root.as_os_str().as_encoded_bytes());
        let python = self.python.as_ref().unwrap_or(&environment.python);
        let configuration = environment.root.join("pyvenv.cfg");
        for file in self.files.iter().chain([&configuration, python]) {
            add(file.as_os_str().as_encoded_bytes());
            add(&of_file(file)?);
        }
        add(&of_file(Path::new(CACHE))?);
        for path in &self.lib_paths {
            add(path.as_os_str().as_encoded_bytes());
            add(&of_libraries(path)?);
        }
        Ok(HEXLOWER.encode(&hasher.finalize()))
    }
}

/// A file by where it is and what tells it from another; nothing of one that is not there.
fn of_file(path: &Path) -> io::Result<Vec<u8>> {
    let real = real_path(path)?;
    let mut facts = real.as_os_str().as_encoded_bytes().to_vec();
    match fs::metadata(&real) {
        Ok(metadata) => facts.extend(fact(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(facts)
}

/// The directories that a library path stands for, by all files in them; those of the store by their names.
fn of_libraries(path: &Path) -> io::Result<Vec<u8>> {
    let mut facts = of_file(path)?;
    if path.starts_with(STORE) {
        return Ok(facts);
    }
    for (directory, depth) in [("", 1), ("lib", 1), ("lib64", 1)] {
        add(&path.join(directory), depth, &mut facts)?;
    }
    let lib = path.join("lib");
    let mut sites = Vec::new();
    if lib.is_dir() {
        for entry in fs::read_dir(&lib)? {
            sites.push(entry?.path().join("site-packages"));
        }
    }
    if path.ends_with("site-packages") {
        sites.push(path.to_owned());
    }
    sites.sort();
    for site in sites {
        add(&site, usize::MAX, &mut facts)?;
    }
    Ok(facts)
}

/// Adds the files of a directory, and of those below as far as is said.
fn add(directory: &Path, depth: usize, facts: &mut Vec<u8>) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    let entries = WalkDir::new(directory).min_depth(1).max_depth(depth);
    for entry in entries.sort_by_file_name() {
        let entry = entry?;
        facts.extend(entry.path().as_os_str().as_encoded_bytes());
        if !entry.file_type().is_dir() {
            // A link that leads nowhere has no facts.
            facts.extend(fs::metadata(entry.path()).iter().flat_map(fact));
        }
    }
    Ok(())
}
