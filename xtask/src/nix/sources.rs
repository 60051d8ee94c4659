//! A lock with every kind of source but an index and a repository, made by uv and built from its document.

use std::path::Path;

use crate::failure::Result;
use crate::nix::store::Tests;
use crate::nix::uv_lock;

/// Makes projects and files, and locks one of the projects: `UV DIR`.
const LOCK: &str = include_str!("sources.py");

/// Locks the project, converts the lock and builds an environment and a shell of it.
pub(crate) fn run(tests: &Tests<'_>, wheelfix: &Path) -> Result {
    let dir = uv_lock::make(tests, "sources", LOCK)?;
    let root = fs_err::canonicalize(dir.join("app"))?;
    let lock = uv_lock::convert(wheelfix, &root, &[])?;
    let root = root.display().to_string();
    let arguments = ["--arg", "lock", &lock, "--arg", "root", &root];
    let build = || tests.build(&["sources"], &arguments);
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
    build()?;
    // A path that does not begin at the lock, where nothing is.
    fs_err::rename(dir.join("fixed"), dir.join("moved"))?;
    match build() {
        Err(error) if error.to_string().contains("with `--impure`") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err("a directory that is not there was installed".into()),
    }
}
