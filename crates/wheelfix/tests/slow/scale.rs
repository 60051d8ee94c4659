//! Wheels that are large in one way each: installed, or refused for a limit that the message names.

use std::path::Path;
use std::process::Command;

use wheelfix_testkit::cache;

use crate::support::Sandbox;

/// Makes the wheels; `cargo xtask bench scale` uses it, too, with larger numbers.
const SCRIPT: &str = include_str!("../../../wheelfix-testkit/src/scale.py");

#[expect(
    clippy::disallowed_methods,
    reason = "runs the script that makes inputs"
)]
fn make(python: &Path, args: &[&str], sandbox: &Sandbox) {
    let mut script = Command::new(python);
    script.args(["-I", "-c", SCRIPT]).args(args);
    let status = script.current_dir(sandbox.path(".")).status().unwrap();
    assert!(status.success());
}

/// Installs a wheel of a kind; returns what was printed and whether there is a prefix.
fn install(kind: &str, count: usize, tag: &str) -> (String, bool) {
    let sandbox = Sandbox::new();
    let python = cache::tool("python3");
    make(&python, &[kind, &count.to_string(), "."], &sandbox);
    let wheel = format!("big-1.0-{tag}.whl");
    let python = python.to_str().unwrap();
    let mut args = vec!["install", &wheel, "--prefix", "p", "--python", python];
    args.push("--no-bytecode");
    let text = sandbox.run(&args);
    (text, sandbox.path("p").is_dir())
}

#[test]
fn a_process_that_loads_too_many_objects_is_a_fault() {
    let (text, has_prefix) = install("chain", 1_005, "py3-none-linux_x86_64");
    assert!(
        text.starts_with("exit: 1\n") && text.contains("more than 1000 objects"),
        "{text}"
    );
    // All but the first 32 are not even tried; three of them are named.
    let untried = "those before load so many libraries that this proof ends";
    assert!(
        text.contains(untried) && text.contains(" and 970 more"),
        "{text}"
    );
    assert!(!has_prefix);
}

#[test]
fn much_of_one_thing_is_installed() {
    for (kind, count, tag) in [
        ("complete", 40, "py3-none-linux_x86_64"),
        ("needs", 30, "py3-none-linux_x86_64"),
        ("source", 20_000, "py3-none-any"),
        ("files", 2_000, "py3-none-any"),
        ("entry-points", 1_000, "py3-none-any"),
    ] {
        let (text, has_prefix) = install(kind, count, tag);
        assert!(
            text.starts_with("exit: 0\n") && has_prefix,
            "{kind}: {text}"
        );
    }
}
