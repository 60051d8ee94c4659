//! Where a program is, and which virtual environment it changes.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wheelfix_loader::absolute_path;

use super::program::Invocation;

/// The variable with directories in which no program is looked up, separated by colons: those of the wrappers.
const SKIP: &str = "WHEELFIX_VENV_SKIP";

/// Finds a program on `PATH`; a path is taken as it is.
pub(crate) fn lookup(name: &OsStr) -> Option<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(name));
    }
    let skipped = std::env::var_os(SKIP).unwrap_or_default();
    let skipped: Vec<PathBuf> = std::env::split_paths(&skipped).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).filter(|path| !skipped.contains(path));
    directories
        .map(|path| path.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    let metadata = fs_err::metadata(path);
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The virtual environment that a program has changed, by its own rules; `None` if that is none.
pub(crate) fn environment(invocation: &Invocation<'_>) -> Option<PathBuf> {
    let words = invocation.words();
    match (
        invocation.name().as_str(),
        words.first().map(String::as_str),
    ) {
        ("uv", Some("pip")) => of_uv_pip(invocation),
        ("uv", _) => of_project(invocation),
        ("poetry", _) => active()
            .or_else(|| above(&start(invocation)))
            .or_else(|| of_poetry(invocation)),
        _ => of_pip(invocation),
    }
}

/// The environment of a project, by uv's rules.
fn of_project(invocation: &Invocation<'_>) -> Option<PathBuf> {
    let start = start(invocation);
    if invocation.has(&["--active"]) {
        return active();
    }
    let Some(named) = std::env::var_os("UV_PROJECT_ENVIRONMENT").filter(|name| !name.is_empty())
    else {
        return above(&start);
    };
    // Relative to the root of the workspace, which is somewhere above.
    start
        .ancestors()
        .map(|path| path.join(&named))
        .find(|path| is_environment(path))
}

/// The environment of `uv pip`.
fn of_uv_pip(invocation: &Invocation<'_>) -> Option<PathBuf> {
    if invocation.has(&["--system", "--target", "-t", "--prefix"]) {
        return None;
    }
    let python = invocation.value(&["--python", "-p"]);
    let python = python.or_else(|| std::env::var_os("UV_PYTHON"));
    // A version is looked for in the environments below.
    let named = python.and_then(|python| of_python(&python));
    named.or_else(active).or_else(|| above(&start(invocation)))
}

/// The environment of pip: the one that it lies in.
fn of_pip(invocation: &Invocation<'_>) -> Option<PathBuf> {
    if invocation.has(&["--target", "-t", "--prefix", "--user", "--root"]) {
        return None;
    }
    if let Some(python) = invocation.value(&["--python"]) {
        return of_python(&python);
    }
    of_python(invocation.program.as_os_str())
}

/// Poetry keeps environments elsewhere, and tells where.
#[expect(clippy::disallowed_methods, reason = "the program is the input")]
fn of_poetry(invocation: &Invocation<'_>) -> Option<PathBuf> {
    let mut command = Command::new(invocation.program);
    command
        .args(["env", "info", "--path"])
        .stderr(Stdio::null());
    let output = command.current_dir(start(invocation)).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
    is_environment(&path).then_some(path)
}

/// The environment of a Python, or another program in it, or the environment itself.
fn of_python(python: &OsStr) -> Option<PathBuf> {
    let path = absolute_path(Path::new(python)).ok()?;
    let mut candidates = path.ancestors().take(3);
    candidates
        .find(|path| is_environment(path))
        .map(Path::to_owned)
}

/// The environment that is active.
fn active() -> Option<PathBuf> {
    let named = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    named.filter(|path| is_environment(path))
}

/// The nearest `.venv`.
fn above(start: &Path) -> Option<PathBuf> {
    let mut candidates = start.ancestors().map(|path| path.join(".venv"));
    candidates.find(|path| is_environment(path))
}

/// Where the program works.
fn start(invocation: &Invocation<'_>) -> PathBuf {
    let options = ["--directory", "--project", "-C", "-P"];
    let uv = invocation.name() == "uv";
    let named = invocation.value(if uv { &options[..2] } else { &options });
    let named = named.unwrap_or_else(|| OsString::from("."));
    absolute_path(Path::new(&named)).unwrap_or_default()
}

fn is_environment(path: &Path) -> bool {
    path.join("pyvenv.cfg").is_file()
}
