//! Says in `--version` what the program is built from: the commit, and its date.
//!
//! They are those of `WHEELFIX_COMMIT`, of the package as cargo made it, or of the repository. Nothing is
//! said of a build for developers, which would be made anew after each commit.
#![expect(clippy::disallowed_methods, reason = "asks git")]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=WHEELFIX_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = env::var("WHEELFIX_COMMIT").ok();
    let commit = commit.or_else(of_package).or_else(of_repository);
    let commit = commit.filter(|text| !text.is_empty());
    let commit = commit.map_or_else(String::new, |text| format!(" ({text})"));
    println!("cargo:rustc-env=WHEELFIX_VERSION={version}{commit}");
}

/// The commit that `cargo package` noted; it has no date.
fn of_package() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let digits = rest.split('"').nth(1)?;
    digits.get(..9).map(str::to_owned)
}

/// The commit of the checkout that this crate lies in, for programs that are handed out.
fn of_repository() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" || !Path::new("../../.git").exists() {
        return None;
    }
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo:rerun-if-changed={log}");
    git(&["log", "-1", "--abbrev=9", "--format=%h %cs"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
