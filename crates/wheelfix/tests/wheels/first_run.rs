//! The first minutes of somebody new, in a place shaped like NixOS: the transcript that the README shows.

use std::path::Path;

use fs_err as fs;
use wheelfix_testkit::cache;
use wheelfix_testkit::nixos::Bed;

/// The transcript, a command after each `$`.
const TRANSCRIPT: &str = "docs/images/first-run.txt";

/// Runs a line in the shell of the bed; what it prints.
fn run(bed: &Bed, dir: &Path, line: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_wheelfix")).display();
    let (loader, own) = (bed.loader(), bed.library("libgcc-s1"));
    let (loader, own) = (loader.display(), own.display());
    let libraries = bed.library("libstdc++6");
    let script = format!(
        "wheelfix() {{ {loader} --library-path {own} {program} \"$@\"; }}\n\
         libs={}:{own}\n{line}",
        libraries.display()
    );
    let mut command = bed.command("/bin/sh");
    command.args(["-c", &format!("exec 2>&1; {script}")]);
    let output = command.current_dir(dir).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.replace(dir.to_str().unwrap(), "~")
}

#[test]
fn the_transcript_of_the_readme_is_what_happens() {
    let bed = Bed::find();
    let dir = tempfile::tempdir().unwrap();
    // As `uv sync` would leave it.
    let mut python = bed.command(bed.python());
    python.args(["-m", "venv", "--without-pip", ".venv"]);
    assert!(python.current_dir(dir.path()).status().unwrap().success());
    let site = dir.path().join(".venv/lib/python3.11/site-packages");
    let mut python = bed.command(bed.python());
    python
        .args(["-m", "zipfile", "-e"])
        .arg(cache::wheel("greenlet"));
    assert!(python.arg(site).status().unwrap().success());

    let wanted = fs::read_to_string(cache::root().join(TRANSCRIPT)).unwrap();
    let lines = wanted.lines().filter_map(|line| line.strip_prefix("$ "));
    let got: Vec<String> = lines
        .map(|line| format!("$ {line}\n{}", run(&bed, dir.path(), line)))
        .collect();
    assert_eq!(got.concat(), wanted);
    assert!(wanted.contains("ImportError"), "{wanted}");
}
