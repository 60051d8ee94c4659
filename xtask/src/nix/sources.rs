//! A lock with every kind of source but an index and a repository, made by uv and built from its document.

use std::path::Path;
use std::process::Command;

use crate::failure::Result;
use crate::nix::store::{self, Tests};
use crate::{digest, place, program, python};

/// Makes projects and files, and locks one of the projects: `UV DIR`.
const LOCK: &str = include_str!("sources.py");

/// Locks the project, converts the lock and builds an environment and a shell of it.
pub(crate) fn run(tests: &Tests<'_>, wheelfix: &Path) -> Result {
    let dir = place::target().join("nix/sources");
    place::empty(&dir)?;
    let tools = python::tools()?;
    let mut lock = Command::new(tools.join("python3"));
    lock.args(["-I", "-c", LOCK]).arg(tools.join("uv"));
    program::output(lock.arg(&dir))?;
    for entry in fs_err::read_dir(dir.join("files"))? {
        let file = entry?.path();
        store::add(tests.nix, &file, &digest::of_file(&file)?)?;
    }
    let root = fs_err::canonicalize(dir.join("app"))?;
    let mut convert = Command::new(wheelfix);
    convert.args(["lock", "uv.lock", "-o", "wheelfix.lock.json"]);
    convert.args(["--target", "x86_64-linux-cp311"]);
    program::output(convert.current_dir(&root))?;
    let root = root.display().to_string();
    let lock = format!("{root}/wheelfix.lock.json");
    let build = || {
        tests.build(
            &["sources"],
            &["--arg", "lock", &lock, "--arg", "root", &root],
        )
    };
    // Another file than the one of the lock.
    let wheel = dir.join("beside/pathly-1.0-py3-none-any.whl");
    let locked = fs_err::read(&wheel)?;
    fs_err::write(&wheel, "another file")?;
    match build() {
        Err(error) if error.to_string().contains("mismatch") => {}
        Err(error) => return Err(error),
        Ok(_) => return Err("a wheel that is not the one of the lock was installed".into()),
    }
    fs_err::write(&wheel, locked)?;
    build().map(drop)
}
