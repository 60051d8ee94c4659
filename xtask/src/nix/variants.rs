//! A lock with two variants of a package that exclude each other, made by uv and built from one document.

use std::path::Path;
use std::process::Command;

use crate::failure::Result;
use crate::nix::store::{self, Tests};
use crate::{digest, place, program, python};

/// Makes wheels, serves them, and locks them: `UV DIR`.
const LOCK: &str = include_str!("variants.py");

/// Locks the project, converts the lock and builds an environment of each selection.
pub(crate) fn run(tests: &Tests<'_>, wheelfix: &Path) -> Result {
    let dir = place::target().join("nix/variants");
    place::empty(&dir)?;
    let tools = python::tools()?;
    let mut lock = Command::new(tools.join("python3"));
    lock.args(["-I", "-c", LOCK]).arg(tools.join("uv"));
    program::output(lock.arg(&dir))?;
    for entry in fs_err::read_dir(dir.join("files"))? {
        let wheel = entry?.path();
        store::add(tests.nix, &wheel, &digest::of_file(&wheel)?)?;
    }
    let mut convert = Command::new(wheelfix);
    convert.args(["lock", "uv.lock", "-o", "wheelfix.lock.json"]);
    convert.args(["--target", "x86_64-linux-cp311"]);
    convert.args(["--select", "cpu=cpu", "--select", "gpu=cu128"]);
    program::output(convert.current_dir(&dir))?;
    let document = fs_err::canonicalize(dir.join("wheelfix.lock.json"))?;
    let document = document.display().to_string();
    tests
        .build(&["variants"], &["--arg", "lock", &document])
        .map(drop)
}
