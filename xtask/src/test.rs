//! `cargo xtask test`: everything that CI runs.
//!
//! The name of an integration test says when it runs: [`GROUPS`].

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use pico_args::Arguments;

use crate::failure::Result;
use crate::manifest::Set;
use crate::setup::{self, Purpose};
use crate::{arguments, demo, doc, fetch, fmt, lint, place, program, python};

/// The names of integration tests, with the smallest extent that runs them.
const GROUPS: &[(&str, Extent)] = &[
    ("it", Extent::Quick),
    ("slow", Extent::Normal),
    ("wheels", Extent::Normal),
    ("full", Extent::Full),
];

/// How much is tested.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Extent {
    /// The inner loop: under three minutes, no download.
    Quick,
    /// What CI runs; uses the small and the cuda set of wheels.
    Normal,
    /// Also what needs the full set of wheels.
    Full,
}

pub(crate) fn task(mut args: Arguments) -> Result {
    let extent = match (args.contains("--quick"), args.contains("--full")) {
        (false, false) => Extent::Normal,
        (true, false) => Extent::Quick,
        (false, true) => Extent::Full,
        (true, true) => return Err("`--quick` and `--full` exclude each other".into()),
    };
    arguments::finish(args)?;
    step("setup", || match extent {
        Extent::Quick => setup::check(Purpose::Tests),
        Extent::Normal | Extent::Full => setup::ensure(Purpose::Tests),
    })?;
    step("fmt", fmt::run)?;
    step("lint", lint::run)?;
    if extent != Extent::Quick {
        step("doc", doc::run)?;
        step("demo", || demo::run(Set::Cuda, false))?;
    }
    if extent == Extent::Full {
        step("fetch", || fetch::fetch(Set::Full).map(drop))?;
    }
    step("tests", || run_tests(extent))
}

/// Runs a part and says how long it took.
fn step(name: &str, run: impl FnOnce() -> Result) -> Result {
    let start = Instant::now();
    let result = run();
    let seconds = start.elapsed().as_secs();
    let verdict = if result.is_ok() { "done" } else { "failed" };
    eprintln!("{name}: {verdict} after {seconds} s");
    result
}

/// Runs documentation tests first, so that the last lines are those of the real test run.
fn run_tests(extent: Extent) -> Result {
    let path = path_with_tools()?;
    program::run(program::cargo(&["test", "--workspace", "--doc", "--quiet"]).env("PATH", &path))?;
    let mut command = runner();
    command.args(["--workspace", "--lib", "--bins", "--no-fail-fast"]);
    for name in integration_tests(extent)? {
        command.args(["--test", &name]);
    }
    program::run(command.env("PATH", &path))
}

/// nextest where it is installed.
fn runner() -> Command {
    if program::find("cargo-nextest").is_some() {
        program::cargo(&["nextest", "run"])
    } else {
        program::cargo(&["test"])
    }
}

/// `PATH` with the Python tools in front.
fn path_with_tools() -> Result<OsString> {
    let old = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(python::tools()?).chain(env::split_paths(&old));
    env::join_paths(dirs).map_err(|error| error.to_string().into())
}

/// The names of the integration tests to run, of those that any crate has.
fn integration_tests(extent: Extent) -> Result<BTreeSet<String>> {
    let mut names = all_integration_tests(&place::root())?;
    for name in &names {
        if !GROUPS.iter().any(|(group, _)| group == name) {
            let known: Vec<&str> = GROUPS.iter().map(|(group, _)| *group).collect();
            let known = known.join(", ");
            return Err(format!("integration test `{name}`: expected one of {known}").into());
        }
    }
    names.retain(|name| {
        GROUPS
            .iter()
            .any(|(group, least)| group == name && *least <= extent)
    });
    Ok(names)
}

fn all_integration_tests(root: &Path) -> Result<BTreeSet<String>> {
    let mut dirs = vec![root.join("xtask")];
    for entry in fs_err::read_dir(root.join("crates"))? {
        dirs.push(entry?.path());
    }
    let mut names = BTreeSet::new();
    for tests in dirs.iter().map(|dir| dir.join("tests")) {
        if !tests.is_dir() {
            continue;
        }
        for entry in fs_err::read_dir(tests)? {
            let path = entry?.path();
            let is_test = path.extension().is_some_and(|extension| extension == "rs")
                || path.join("main.rs").is_file();
            if let Some(stem) = path.file_stem().filter(|_| is_test) {
                names.insert(stem.to_string_lossy().into_owned());
            }
        }
    }
    Ok(names)
}
