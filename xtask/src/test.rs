//! `cargo xtask test`: everything that CI runs.
//!
//! The name of an integration test says when it runs: [`GROUPS`].

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pico_args::Arguments;

use crate::failure::Result;
use crate::manifest::Set;
use crate::setup::{self, Purpose};
use crate::{
    arguments, arm64, corpus, demo, disk, doc, fetch, fmt, lint, nix, nixos, place, program,
    python, results,
};

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
    /// The tests that CI runs; they use the small and the cuda set of wheels.
    Normal,
    /// Also the tests that need the full set of wheels.
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
    let mut steps = Steps::default();
    steps.take("setup", || match extent {
        Extent::Quick => {
            setup::check(Purpose::Tests)?;
            tools(extent).map(drop)
        }
        Extent::Normal | Extent::Full => {
            disk::ensure(disk::of_tests(extent == Extent::Full)?)?;
            setup::ensure(Purpose::Tests)?;
            setup::tools(Purpose::Tests).map(drop)
        }
    })?;
    steps.take("fmt", fmt::run)?;
    steps.take("lint", lint::run)?;
    if extent != Extent::Quick {
        steps.take("doc", doc::run)?;
        let bed = steps.take("bed", nixos::ensure)?;
        steps.take("demo", || demo::run(Set::Cuda, false, Some(&bed)))?;
        steps.take("corpus", || corpus::run_small(&bed))?;
        steps.take("nix", || nix::test::run(extent == Extent::Full))?;
    }
    if extent == Extent::Full {
        steps.take("fetch", || fetch::fetch(Set::Full).map(drop))?;
        steps.take("arm64", || arm64::ensure().map(drop))?;
    }
    // The real tests come last, so that the last lines are theirs.
    steps.take("doc tests", doc_tests)?;
    if extent == Extent::Full {
        let lines = steps.take("tests", || program::run_and_read(&mut tests(extent)?))?;
        results::write(&steps.0, &closing(&lines))
    } else {
        steps.take("tests", || program::run(&mut tests(extent)?))
    }
}

/// The parts of the run that are done, with the time they took.
#[derive(Default)]
struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    /// Runs a part and says how long it took.
    fn take<T>(&mut self, name: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = run();
        let time = start.elapsed();
        let verdict = if result.is_ok() { "done" } else { "failed" };
        eprintln!("{name}: {verdict} after {} s", time.as_secs());
        self.0.push((name, time));
        result
    }
}

fn doc_tests() -> Result {
    program::run(&mut program::cargo(&[
        "test",
        "--workspace",
        "--doc",
        "--quiet",
    ]))
}

/// The command that runs all other tests.
fn tests(extent: Extent) -> Result<Command> {
    let mut command = runner();
    command.args(["--workspace", "--lib", "--bins", "--no-fail-fast"]);
    for name in integration_tests(extent)? {
        command.args(["--test", &name]);
    }
    command.env("PATH", path_with_tools(extent)?);
    Ok(command)
}

/// The closing line of the test runner: that of nextest, or the sum of the lines of cargo, which
/// prints one for each binary.
fn closing(lines: &[String]) -> String {
    let summary = lines
        .iter()
        .map(|line| line.trim())
        .rfind(|line| line.starts_with("Summary ["));
    let passed = |line: &String| -> Option<usize> {
        let (_, rest) = line.split_once("test result: ok. ")?;
        rest.split(' ').next()?.parse().ok()
    };
    summary.map_or_else(
        || {
            format!(
                "{} tests passed",
                lines.iter().filter_map(passed).sum::<usize>()
            )
        },
        str::to_owned,
    )
}

/// nextest where it is installed.
fn runner() -> Command {
    if program::find("cargo-nextest").is_some() {
        program::cargo(&["nextest", "run"])
    } else {
        program::cargo(&["test"])
    }
}

/// The directory of the Python tools.
fn tools(extent: Extent) -> Result<PathBuf> {
    match extent {
        Extent::Quick => python::tools_at_hand(),
        Extent::Normal | Extent::Full => python::tools(),
    }
}

/// `PATH` with the Python tools in front.
fn path_with_tools(extent: Extent) -> Result<OsString> {
    let old = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(tools(extent)?).chain(env::split_paths(&old));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, want: &str) {
        let lines: Vec<String> = output.lines().map(str::to_owned).collect();
        assert_eq!(closing(&lines), want);
    }

    #[test]
    fn both_runners_close_with_the_number_of_tests() {
        check(
            "x\n     Summary [   2.1s] 29 tests run: 29 passed, 0 skipped\n",
            "Summary [   2.1s] 29 tests run: 29 passed, 0 skipped",
        );
        check(
            "test result: ok. 3 passed; 0 failed; 0 ignored\n\ntest result: ok. 4 passed; 0 failed\n",
            "7 tests passed",
        );
    }
}
