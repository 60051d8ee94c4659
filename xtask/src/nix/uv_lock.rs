//! Locks that uv makes just now, for tests in Nix.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::nix::store::{self, Tests};
use crate::{digest, place, program, python};

/// Runs a script that makes a project with its files and locks it, `UV DIR`, and adds `DIR/files` to the store. Returns
/// the directory.
pub(crate) fn make(tests: &Tests<'_>, name: &str, script: &str) -> Result<PathBuf> {
    let dir = place::target().join("nix").join(name);
    place::empty(&dir)?;
    let tools = python::tools()?;
    let mut lock = Command::new(tools.join("python3"));
    lock.args(["-I", "-c", script]).arg(tools.join("uv"));
    program::output(lock.arg(&dir))?;
    for entry in fs_err::read_dir(dir.join("files"))? {
        let file = entry?.path();
        store::add(tests.nix, &file, &digest::of_file(&file)?)?;
    }
    Ok(dir)
}

/// Converts the lock of a directory, and returns the path of the document.
pub(crate) fn convert(wheelfix: &Path, dir: &Path, options: &[&str]) -> Result<String> {
    let mut convert = Command::new(wheelfix);
    convert.args(["lock", "uv.lock", "-o", "wheelfix.lock.json"]);
    convert.args(["--target", "x86_64-linux-cp311"]);
    program::output(convert.args(options).current_dir(dir))?;
    let document = fs_err::canonicalize(dir.join("wheelfix.lock.json"))?;
    Ok(document.display().to_string())
}
