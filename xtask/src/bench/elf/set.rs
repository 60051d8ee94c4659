//! The libraries of the `cuda` set, and copies of them to edit.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::manifest::{Manifest, Set as WheelSet};
use crate::{fetch, place, program, python};

/// A directory with all libraries as shipped, and one with copies.
pub(super) struct Set {
    dir: PathBuf,
    /// Paths below `originals`, sorted.
    files: Vec<PathBuf>,
}

impl Set {
    /// Takes the libraries out of their wheels.
    pub(super) fn extract() -> Result<Self> {
        let manifest = Manifest::read()?;
        let wheels = fetch::fetch(WheelSet::Cuda)?;
        let parent = place::target().join("bench");
        fs_err::create_dir_all(&parent)?;
        let mut set = Self {
            dir: place::numbered(&parent)?,
            files: Vec::new(),
        };
        let originals = set.dir.join("originals");
        let mut command = Command::new(python::tools()?.join("python3"));
        command.arg(place::root().join("xtask/src/bench/elf/extract.py"));
        command.arg(&originals);
        for wheel in manifest.of_set(WheelSet::Cuda) {
            command.arg(wheels.join(&wheel.file));
        }
        program::output(&mut command)?;
        collect(&originals, &mut set.files)?;
        set.files.sort();
        Ok(set)
    }

    /// How many libraries there are.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The libraries as shipped.
    pub(super) fn originals(&self) -> &[PathBuf] {
        &self.files
    }

    /// The library with this file name.
    pub(super) fn named(&self, name: &str) -> Result<PathBuf> {
        let found = self.files.iter().find(|path| path.ends_with(name));
        let found = found.ok_or_else(|| format!("no library `{name}` in the cuda set"))?;
        Ok(found.clone())
    }

    /// Makes the copies what the libraries are as shipped, and returns their paths.
    pub(super) fn fresh(&self) -> Result<Vec<PathBuf>> {
        let mut copies = Vec::new();
        for (index, original) in self.files.iter().enumerate() {
            let copy = self.dir.join(format!("copies/{}/{index}.so", index / 100));
            if let Some(dir) = copy.parent() {
                fs_err::create_dir_all(dir)?;
            }
            self::copy(original, &copy)?;
            copies.push(copy);
        }
        Ok(copies)
    }

    /// A file for the output of measured commands.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        if let Err(error) = fs_err::remove_dir_all(&self.dir) {
            eprintln!("warning: {error}");
        }
    }
}

/// Copies a file and waits until it is on the disk, so that nobody has to wait for that later.
pub(super) fn copy(from: &Path, to: &Path) -> Result {
    fs_err::copy(from, to)?;
    fs_err::File::open(to)?.sync_all()?;
    Ok(())
}

/// Length of all files in bytes.
pub(super) fn total(files: &[PathBuf]) -> Result<u64> {
    let mut total = 0;
    for file in files {
        total += fs_err::metadata(file)?.len();
    }
    Ok(total)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
