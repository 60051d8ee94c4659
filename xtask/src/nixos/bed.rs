//! The bed and its parts, in the cache directory.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err::File;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::failure::Result;
use crate::nixos::packages;
use crate::{digest, place, program};

/// Runs a program in the bed. The tests use it, too.
const ENTER: &str = include_str!("enter.sh");

/// The loader that is there and does not run.
const STUB: &str = include_str!("stub.c");

/// How the rest is made.
const SELF: &str = include_str!("bed.rs");

/// The bed, ready to be entered.
#[derive(Debug)]
pub(crate) struct Bed {
    dir: PathBuf,
}

impl Bed {
    /// Finds the bed that this list and this wheelfix make, or makes it.
    ///
    /// The packages are brought once; they are patched again whenever wheelfix has changed.
    pub(crate) fn ensure(wheelfix: &Path) -> Result<Self> {
        let _lock = place::lock("bed")?;
        let list = fs_err::read_to_string(packages::list())?;
        let key = digest::hex(&Sha256::digest(&list));
        let name = format!("bed-{}", key.get(..12).unwrap_or_default());
        let bed = Self {
            dir: place::cache()?.join(name),
        };
        bed.bring_packages(&list)?;
        // Written last.
        let marker = bed.dir.join("complete");
        let made_by = format!(
            "{} {}",
            digest::of_file(wheelfix)?,
            digest::hex(&Sha256::digest([ENTER, STUB, SELF].concat()))
        );
        if fs_err::read_to_string(&marker).is_ok_and(|text| text == made_by) {
            return Ok(bed);
        }
        place::remove(&marker)?;
        bed.patch(wheelfix)?;
        bed.furnish(wheelfix)?;
        fs_err::write(marker, made_by)?;
        Ok(bed)
    }

    /// The program that runs others in the bed.
    pub(crate) fn enter(&self) -> PathBuf {
        self.dir.join("enter")
    }

    /// The bed's Python, which a wheel is installed for.
    pub(crate) fn python_program(&self) -> PathBuf {
        self.dir.join("sw/bin/python3")
    }

    /// A command that runs this wheelfix in the bed.
    pub(crate) fn wheelfix(&self, wheelfix: &Path) -> Command {
        let mut command = Command::new(self.enter());
        command.arg("none").arg(self.loader()).arg("--library-path");
        command
            .arg(self.store().join("libgcc-s1/lib"))
            .arg(wheelfix);
        command
    }

    /// The directories of the libraries of all prefixes, sorted.
    pub(crate) fn library_dirs(&self) -> Result<Vec<PathBuf>> {
        let dirs = self
            .prefixes()?
            .into_iter()
            .map(|prefix| prefix.join("lib"));
        Ok(dirs.filter(|dir| dir.is_dir()).collect())
    }

    /// A command that runs the bed's Python in it.
    pub(crate) fn python(&self) -> Command {
        let mut command = Command::new(self.enter());
        command.arg("none").arg(self.python_program());
        command
    }

    /// Says what is there.
    pub(crate) fn describe(&self) -> Result {
        let prefixes = self.prefixes()?;
        println!("{} prefixes in {}", prefixes.len(), self.store().display());
        println!("python: {}", self.dir.join("sw/bin/python3").display());
        println!("loader: {}", self.loader().display());
        println!("programs of the bed: {}", self.dir.join("sw/bin").display());
        println!("`cargo xtask nixos [--loader stub] -- PROGRAM` runs a program in it");
        Ok(())
    }

    /// The prefixes, which stand in for store paths.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// The loader of the bed's C library.
    pub(crate) fn loader(&self) -> PathBuf {
        self.store().join("libc6/lib/ld-linux-x86-64.so.2")
    }

    fn prefixes(&self) -> Result<Vec<PathBuf>> {
        let mut prefixes = Vec::new();
        for entry in fs_err::read_dir(self.store())? {
            prefixes.push(entry?.path());
        }
        prefixes.sort();
        Ok(prefixes)
    }

    fn bring_packages(&self, list: &str) -> Result {
        let packages = self.dir.join("packages");
        if packages.is_dir() {
            return Ok(());
        }
        let scratch = self.dir.join("scratch");
        place::remove(&scratch)?;
        let prefixes = scratch.join("prefixes");
        packages::unpack(list, &prefixes, &scratch)?;
        fs_err::rename(prefixes, packages)?;
        place::remove(&scratch)
    }

    /// Copies the packages and patches them to one another.
    fn patch(&self, wheelfix: &Path) -> Result {
        let store = self.store();
        place::remove(&store)?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]);
        program::run(copy.arg(self.dir.join("packages")).arg(&store))?;
        let (programs, libraries): (Vec<PathBuf>, Vec<PathBuf>) = self
            .prefixes()?
            .into_iter()
            .partition(|prefix| prefix.join("bin").is_dir());
        self.patch_each(wheelfix, &libraries, &[])?;
        let loader = self.loader();
        let more = ["--interpreter".as_ref(), loader.as_os_str()];
        self.patch_each(wheelfix, &programs, &more)
    }

    fn patch_each(&self, wheelfix: &Path, prefixes: &[PathBuf], more: &[&OsStr]) -> Result {
        eprintln!("$ wheelfix patch ({} prefixes)", prefixes.len());
        let mut patch = Command::new(wheelfix);
        patch.args(["patch", "--quiet"]).args(more).args(prefixes);
        for lib in self.prefixes()?.iter().map(|prefix| prefix.join("lib")) {
            if lib.is_dir() {
                patch.arg("--lib-path").arg(lib);
            }
        }
        // The command would be pages.
        let output = patch.stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(format!("`wheelfix patch` of the bed: {}\n{stderr}", output.status).into())
    }

    /// Makes what lies over the directories of the host.
    fn furnish(&self, wheelfix: &Path) -> Result {
        let at = |name: &str| self.dir.join(name);
        for name in ["root", "empty", "none", "stub", "lib", "bin", "sw/bin"] {
            fs_err::create_dir_all(at(name))?;
        }
        fs_err::write(at("no-cache"), "")?;
        fs_err::write(at("stub.c"), STUB)?;
        let mut gcc = Command::new("gcc");
        gcc.args(["-O2", "-ffreestanding", "-fno-stack-protector", "-fPIE"]);
        gcc.args(["-nostdlib", "-static-pie", "-o"]);
        gcc.arg(at("stub/ld-linux-x86-64.so.2"));
        program::output(gcc.arg(at("stub.c")))?;
        link(&self.store().join("libc6/lib"), &at("lib/x86_64-linux-gnu"))?;
        // As Debian's package python3-minimal has it.
        let python = self.store().join("python3.11-minimal/bin/python3");
        link(Path::new("python3.11"), &python)?;
        for program in self.programs() {
            let name = program.file_name().unwrap_or_default();
            link(&program, &at("sw/bin").join(name))?;
        }
        link(&self.store().join("dash/bin/dash"), &at("bin/sh"))?;
        link(&self.store().join("coreutils/bin/env"), &at("bin/env"))?;
        write_program(&at("sw/bin/wheelfix"), &self.start(wheelfix))?;
        write_program(&self.enter(), ENTER)
    }

    /// A script that starts wheelfix, which names a loader that the bed does not have.
    fn start(&self, wheelfix: &Path) -> String {
        format!(
            "#!/bin/sh\nexec {} --library-path {} {} \"$@\"\n",
            self.loader().display(),
            self.store().join("libgcc-s1/lib").display(),
            wheelfix.display(),
        )
    }

    fn programs(&self) -> Vec<PathBuf> {
        let entries = WalkDir::new(self.store()).sort_by_file_name();
        let files = entries.into_iter().filter_map(std::result::Result::ok);
        let is_program = |path: &PathBuf| {
            let parent = path.parent().and_then(Path::file_name);
            parent.is_some_and(|name| name == "bin") && path.is_file()
        };
        files
            .map(walkdir::DirEntry::into_path)
            .filter(is_program)
            .collect()
    }
}

/// Makes a link, in the place of an older one.
fn link(target: &Path, link: &Path) -> Result {
    place::remove(link)?;
    Ok(symlink(target, link)?)
}

fn write_program(path: &Path, text: &str) -> Result {
    fs_err::write(path, text)?;
    let file = File::open(path)?;
    Ok(file.set_permissions(PermissionsExt::from_mode(0o755))?)
}
