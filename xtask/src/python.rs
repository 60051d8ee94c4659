//! The Python interpreter of the wheels, and the Python tools in a virtual environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::failure::Result;
use crate::{digest, place, program};

/// The Python that the wheels in `test-wheels/wheels.toml` are for.
pub(crate) const VERSION: &str = "3.11";

/// A CPython of [`VERSION`] that can make virtual environments, if the host has one.
pub(crate) fn interpreter() -> Option<PathBuf> {
    let by_name = ["python3.11", "python3"]
        .into_iter()
        .filter_map(program::find);
    let usual = [
        PathBuf::from("/usr/bin/python3.11"),
        PathBuf::from("/usr/bin/python3"),
    ];
    by_name.chain(usual).find_map(|path| real(&path))
}

/// The program that runs in the end, if it is a CPython of [`VERSION`]; the one that was named may
/// be a script that chooses.
fn real(python: &Path) -> Option<PathBuf> {
    let question = "import ensurepip, sys, venv\n\
        print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)";
    let answer = program::output(Command::new(python).args(["-I", "-c", question])).ok()?;
    let path = answer
        .trim_end()
        .strip_prefix(&format!("cpython {VERSION} "))?;
    Some(path.into())
}

/// The `bin` directory of a virtual environment with the tools of `test-wheels/tools.txt`.
///
/// It is made at the first call, and again when that file changes.
pub(crate) fn tools() -> Result<PathBuf> {
    let list = place::root().join("test-wheels/tools.txt");
    let digest = digest::hex(&Sha256::digest(fs_err::read(&list)?));
    let cache = place::cache()?;
    let _lock = place::lock("tools")?;

    let venv = cache.join(format!("tools-{}", digest.get(..12).unwrap_or_default()));
    let bin = venv.join("bin");
    // Written last: without it the environment is what an interrupted run left.
    let complete = venv.join("complete");
    if complete.is_file() && real(&bin.join("python3")).is_some() {
        return Ok(bin);
    }
    let python =
        interpreter().ok_or_else(|| format!("no CPython {VERSION} with the module venv"))?;
    if venv.is_dir() {
        fs_err::remove_dir_all(&venv)?;
    }
    program::run(Command::new(python).args(["-I", "-m", "venv"]).arg(&venv))?;
    program::run(
        Command::new(bin.join("python3"))
            .args([
                "-I",
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args([
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--requirement",
            ])
            .arg(&list),
    )?;
    fs_err::write(complete, "")?;
    Ok(bin)
}
