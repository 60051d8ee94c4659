//! The prefixes that wheels are installed into, one for each.

use std::path::{Path, PathBuf};

use crate::failure::Result;
use crate::manifest::Wheel;
use crate::{place, python, runtimes};

/// A directory of prefixes, and one with the run-time libraries of compilers.
#[derive(Debug)]
pub(crate) struct Prefixes {
    dir: PathBuf,
    runtimes: PathBuf,
    /// In the order of installation.
    wheels: Vec<Prefix>,
}

/// Where a wheel was installed.
#[derive(Debug)]
pub(crate) struct Prefix {
    /// The distribution, as file names spell it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Prefixes {
    /// Makes a new directory below `target/demo`, with the run-time libraries.
    ///
    /// The files of an earlier run stay until the end: some file systems are slow for minutes where
    /// many files have just been deleted.
    pub(crate) fn new() -> Result<Self> {
        let parent = place::target().join("demo");
        fs_err::create_dir_all(&parent)?;
        // The loader's trace has real paths.
        let dir = place::numbered(&fs_err::canonicalize(&parent)?)?;
        let runtimes = dir.join("runtimes");
        runtimes::copy_to(&runtimes)?;
        Ok(Self {
            dir,
            runtimes,
            wheels: Vec::new(),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn runtimes(&self) -> &Path {
        &self.runtimes
    }

    /// Where this wheel is to be installed.
    pub(crate) fn place_of(&self, wheel: &Wheel) -> PathBuf {
        self.dir
            .join(format!("{}-{}", wheel.name(), wheel.version()))
    }

    /// Remembers that a wheel is installed.
    pub(crate) fn add(&mut self, wheel: &Wheel) {
        self.wheels.push(Prefix {
            name: wheel.name().to_owned(),
            path: self.place_of(wheel),
        });
    }

    /// The prefixes that a wheel may find libraries in: all that are there already.
    pub(crate) fn library_paths(&self) -> impl Iterator<Item = &Path> {
        let wheels = self.wheels.iter().map(|prefix| prefix.path.as_path());
        std::iter::once(self.runtimes.as_path()).chain(wheels)
    }

    /// The prefixes of NVIDIA's wheels.
    pub(crate) fn nvidia(&self) -> impl Iterator<Item = &Prefix> {
        self.wheels.iter().filter(|prefix| prefix.is_nvidia())
    }

    /// The directories that Python looks for modules in: all but NVIDIA's, which only libraries
    /// need.
    pub(crate) fn python_path(&self) -> impl Iterator<Item = PathBuf> {
        let others = self.wheels.iter().filter(|prefix| !prefix.is_nvidia());
        others.map(Prefix::site_packages)
    }

    /// The prefix of this distribution.
    pub(crate) fn of(&self, name: &str) -> Result<&Prefix> {
        let found = self.wheels.iter().find(|prefix| prefix.name == name);
        found.ok_or_else(|| format!("`{name}` was not installed").into())
    }

    /// Removes what this and earlier runs have installed, unless it is to be kept; the run-time libraries stay.
    pub(crate) fn finish(self, keep: bool) -> Result {
        if keep {
            eprintln!("the prefixes stay in {}", self.dir.display());
            return Ok(());
        }
        let parent = self.dir.parent().unwrap_or(&self.dir);
        for directory in [parent, &self.dir] {
            for entry in fs_err::read_dir(directory)? {
                let path = entry?.path();
                if path != self.dir && path != self.runtimes {
                    place::remove(&path)?;
                }
            }
        }
        eprintln!("the prefixes are gone again; `--keep` leaves them");
        Ok(())
    }
}

impl Prefix {
    pub(crate) fn site_packages(&self) -> PathBuf {
        let version = python::VERSION;
        self.path.join(format!("lib/python{version}/site-packages"))
    }

    fn is_nvidia(&self) -> bool {
        self.name.starts_with("nvidia_")
    }
}
