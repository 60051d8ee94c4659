//! Programs of Go's own linker, which puts the section headers directly behind the program headers.
#![expect(clippy::disallowed_methods, reason = "runs what it compiled")]

use std::path::Path;
use std::process::Command;

use super::tool::{Outcome, Tool};
use crate::cache;

/// Package `os/user` uses the C library, so that the program is linked dynamically.
const SOURCE: &str = "package main\n\nimport (\n\t\"fmt\"\n\t\"os/user\"\n)\n\nfunc main() {\n\t\
    who, err := user.LookupId(\"0\")\n\tfmt.Println(who.Username, err)\n}\n";

/// The ways in which a program is built, as options of `go build`.
pub(super) const BUILDS: [&[&str]; 3] = [&[], &["-ldflags=-s -w"], &["-buildmode=pie"]];

/// Builds the program.
pub(super) fn build(dir: &Path, options: &[&str], output: &Path) {
    let source = dir.join("program.go");
    fs_err::write(&source, SOURCE).unwrap();
    let mut command = Command::new(Tool::GO.names[0]);
    command
        .current_dir(dir)
        .envs([
            ("GO111MODULE", "off"),
            ("CGO_ENABLED", "1"),
            ("GOFLAGS", ""),
        ])
        .env("GOCACHE", cache::compiled("go"))
        .arg("build")
        .args(options)
        .arg("-o")
        .args([output, &source]);
    Outcome::of_tool(command, Tool::GO).expect();
}

/// Runs the program; `Err` says what it did instead.
pub(super) fn run(program: &Path) -> Result<(), String> {
    let outcome = Outcome::of(Command::new(program));
    if outcome.code == Some(0) && outcome.stdout == "root <nil>\n" {
        Ok(())
    } else {
        Err(format!("{}{}", outcome.stdout, outcome.ending()))
    }
}
