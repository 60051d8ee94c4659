//! Locks of large wheels, made by uv and built from their documents: the environments of `test-wheels/rodeo.toml`, and
//! packages from repositories beside one of them.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::failure::Result;
use crate::manifest::Manifest;
use crate::nix::store::{self, Tests};
use crate::nix::uv_lock;
use crate::{fetch, place, program, python};

/// Makes a project and locks it: `UV DIR NAME`, of the wheels that `DIR/wheels.txt` names.
const LOCK: &str = include_str!("rodeo.py");

/// The projects, each with the environment whose wheels it may have.
pub(crate) const PROJECTS: &[(&str, &str)] = &[
    ("torch", "torch"),
    ("tensorflow", "tensorflow"),
    ("voices", "torch"),
];

/// Locks a project, converts the lock, builds an environment of it and computes there.
pub(crate) fn run(tests: &Tests<'_>, wheelfix: &Path, name: &str, environment: &str) -> Result {
    let manifest = Manifest::read()?;
    let wheels = manifest.environment(environment)?;
    let wheels_dir = fetch::bring(&manifest.python, &wheels)?;
    let dir = place::target().join("nix/rodeo").join(name);
    place::empty(&dir)?;
    let tools = python::tools()?;
    let mut lock = Command::new(tools.join("python3"));
    lock.args(["-I", "-c", LOCK]).arg(tools.join("uv"));
    lock.arg(&dir).arg(name);
    let mut list = Vec::new();
    for wheel in wheels {
        let file = wheels_dir.join(&wheel.file);
        store::add(tests.nix, &file, &wheel.sha256)?;
        writeln!(list, "{}", file.display())?;
    }
    fs_err::write(dir.join("wheels.txt"), list)?;
    program::output(&mut lock)?;
    let document = uv_lock::convert(wheelfix, &dir.join(name), &[])?;
    let arguments = ["--arg", "lock", &document, "--argstr", "name", name];
    tests.build(&["rodeo"], &arguments).map(drop)
}
