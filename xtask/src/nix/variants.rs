//! A lock with two variants of a package that exclude each other, made by uv and built from one document.

use std::path::Path;

use crate::failure::Result;
use crate::nix::store::Tests;
use crate::nix::uv_lock;

/// Makes wheels, serves them, and locks them: `UV DIR`.
const LOCK: &str = include_str!("variants.py");

/// Locks the project, converts the lock and builds an environment of each selection.
pub(crate) fn run(tests: &Tests<'_>, wheelfix: &Path) -> Result {
    let dir = uv_lock::make(tests, "variants", LOCK)?;
    let selections = ["--select", "cpu=cpu", "--select", "gpu=cu128"];
    let document = uv_lock::convert(wheelfix, &dir, &selections)?;
    let arguments = ["--arg", "lock", &document];
    tests.build(&["variants"], &arguments).map(drop)
}
