//! The programs that tests run: wheelfix, and Python in what it made.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wheelfix_testkit::cache;

/// Where modules are in a prefix.
pub(crate) const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

/// Runs the command and returns its standard output.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs wheelfix and gives its JSON document.
#[track_caller]
pub(crate) fn wheelfix(args: &mut Command) -> Value {
    serde_json::from_str(&succeed(args)).unwrap()
}

pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command.args([name, "--json"]);
    command
}

/// Has the Python of the tests run a program with the modules of a prefix.
#[track_caller]
pub(crate) fn python(prefix: &Path, program: &str) {
    let mut python = Command::new(cache::tool("python3"));
    python.args(["-W", "ignore", "-c", program]);
    succeed(python.env("PYTHONPATH", prefix.join(SITE_PACKAGES)));
}
