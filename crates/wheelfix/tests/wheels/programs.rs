//! The programs that tests run: wheelfix, and Python in what it made.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wheelfix_testkit::cache;

/// Where modules are in a prefix.
pub(crate) const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

/// Runs wheelfix and gives its JSON document.
#[track_caller]
pub(crate) fn wheelfix(args: &mut Command) -> Value {
    let output = args.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}\n{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command.args([name, "--json"]);
    command
}

/// Has the Python of the tests run a program with the modules of a prefix.
#[track_caller]
pub(crate) fn python(prefix: &Path, program: &str) {
    let output = Command::new(cache::tool("python3"))
        .args(["-W", "ignore", "-c", program])
        .env("PYTHONPATH", prefix.join(SITE_PACKAGES))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}\n{errors}");
}
