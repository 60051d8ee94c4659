//! The bed: a place shaped like NixOS, which `cargo xtask nixos` makes.
//!
//! In it `/lib64` has no loader that runs, `/usr/lib` has nothing but glibc's own libraries, and every
//! library lies in a prefix of its own: whatever loads in it, loads from a prefix.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::cache;

/// The bed, ready to be entered.
#[derive(Clone, Debug)]
pub struct Bed {
    dir: PathBuf,
}

/// The content of `/lib64`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lib64 {
    /// Nothing.
    Empty,
    /// A loader that says that it is none, and fails.
    Stub,
}

impl Bed {
    /// Finds the bed that belongs to `test-wheels/bed.txt`.
    ///
    /// # Panics
    ///
    /// If it was not made yet.
    #[track_caller]
    #[must_use]
    pub fn find() -> Self {
        let list = fs_err::read(cache::root().join("test-wheels/bed.txt")).unwrap();
        let digest = Sha256::digest(list);
        let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let dir = cache::dir().join(format!("bed-{}", digits[..6].concat()));
        assert!(
            dir.join("complete").is_file(),
            "{} is missing: run `cargo xtask nixos`",
            dir.display()
        );
        Self { dir }
    }

    /// A command that runs a program in the bed, in the same directory as outside; `PATH` is the
    /// bed's own, everything else in the environment is passed on.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_with(Lib64::Empty, program)
    }

    /// Like [`Bed::command`], with this in `/lib64`.
    #[expect(clippy::disallowed_methods, reason = "enters the bed")]
    pub fn command_with(&self, lib64: Lib64, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.dir.join("enter"));
        command.arg(match lib64 {
            Lib64::Empty => "none",
            Lib64::Stub => "stub",
        });
        command.arg(program);
        command
    }

    /// A command that runs this wheelfix in the bed, started by the bed's loader.
    pub fn wheelfix(&self, wheelfix: &Path) -> Command {
        self.wheelfix_with(Lib64::Empty, wheelfix)
    }

    /// Like [`Bed::wheelfix`], with this in `/lib64`.
    pub fn wheelfix_with(&self, lib64: Lib64, wheelfix: &Path) -> Command {
        let mut command = self.command_with(lib64, self.loader());
        command.arg("--library-path").arg(self.library("libgcc-s1"));
        command.arg(wheelfix);
        command
    }

    /// CPython 3.11, whose interpreter is [`Bed::loader`]; runs outside of the bed, too.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.python_prefix().join("bin/python3")
    }

    /// The prefix of that Python, as a builder is told of it.
    #[must_use]
    pub fn python_prefix(&self) -> PathBuf {
        self.store().join("python3.11-minimal")
    }

    /// The loader of the bed's C library.
    #[must_use]
    pub fn loader(&self) -> PathBuf {
        self.library("libc6").join("ld-linux-x86-64.so.2")
    }

    /// The directory of the libraries of a Debian package.
    #[must_use]
    pub fn library(&self, package: &str) -> PathBuf {
        self.store().join(package).join("lib")
    }

    /// The directories of libraries of all packages, sorted.
    #[must_use]
    pub fn libraries(&self) -> Vec<PathBuf> {
        let entries = fs_err::read_dir(self.store()).unwrap();
        let mut dirs: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path().join("lib"))
            .filter(|dir| dir.is_dir())
            .collect();
        dirs.sort();
        dirs
    }

    /// The packages' prefixes, which stand in for store paths.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }
}
