//! The transcripts of README and docs: blocks of the language `console`, with a command behind each `$`
//! and what it prints below. Each block is run in a directory of its own that has the small wheels.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use wheelfix_testkit::cache;

/// The documents, with their transcripts.
fn documents() -> Vec<(PathBuf, Vec<String>)> {
    let entries = fs::read_dir(cache::root().join("docs")).unwrap();
    let docs = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = docs.chain([cache::root().join("README.md")]).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("md")));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.split("\n```console\n").skip(1);
        let blocks = blocks.map(|rest| rest.split("```").next().unwrap().to_owned());
        (path, blocks.collect())
    };
    paths.into_iter().map(read).collect()
}

/// A directory with the wheels, and another one with the program by its name.
fn place() -> (tempfile::TempDir, tempfile::TempDir) {
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for wheel in cache::wheels("small") {
        symlink(&wheel, dir.path().join(wheel.file_name().unwrap())).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_wheelfix"), bin.path().join("wheelfix")).unwrap();
    (dir, bin)
}

/// Runs a line in a shell; everything that it prints.
fn run(dir: &Path, bin: &Path, line: &str) -> String {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("exec 2>&1; {line}")])
        .current_dir(dir)
        .env_clear()
        .env("PATH", format!("{}:{path}", bin.display()));
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.replace(dir.to_str().unwrap(), "/home/me")
}

/// The transcript as it is now.
fn rerun(transcript: &str) -> String {
    let (dir, bin) = place();
    let lines = transcript
        .lines()
        .filter_map(|line| line.strip_prefix("$ "));
    let parts = lines.map(|line| format!("$ {line}\n{}", run(dir.path(), bin.path(), line)));
    parts.collect()
}

#[test]
fn transcripts_of_documents_are_what_happens() {
    let mut others = Vec::new();
    let mut with = Vec::new();
    for (path, transcripts) in documents() {
        if !transcripts.is_empty() {
            with.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        for transcript in transcripts {
            let now = rerun(&transcript);
            if now != transcript {
                others.push(format!(
                    "{}:\n{transcript}--- is now\n{now}\n",
                    path.display()
                ));
            }
        }
    }
    assert!(others.is_empty(), "{}", others.concat());
    for name in ["commands.md", "exit-codes.md", "json.md", "unbundling.md"] {
        assert!(with.iter().any(|it| it == name), "no transcript in {name}");
    }
}
