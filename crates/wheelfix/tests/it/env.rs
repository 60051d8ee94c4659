//! `wheelfix env` on small prefixes and wheels.

mod bad_input;
mod checks;
mod collisions;
pub(crate) mod interpreter;
mod links;
mod mixed;
mod variables;

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use wheelfix_format::{Record, RecordHash};
use wheelfix_testkit::prefix::{PrefixBuilder, SITE_PACKAGES};

use crate::support::Sandbox;

/// A sandbox with prefixes `a`, `b`, ... in it.
fn sandbox(prefixes: &[PrefixBuilder]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, prefix) in ('a'..).zip(prefixes) {
        prefix.write_to(&sandbox.path(&name.to_string()));
    }
    sandbox
}

/// Makes the environment `env`.
fn env(sandbox: &Sandbox, args: &[&str]) -> String {
    sandbox.run(&[&["env", "--prefix", "env"], args].concat())
}

/// Makes the environment `env`, which works.
#[track_caller]
fn make(sandbox: &Sandbox, args: &[&str]) -> String {
    let text = env(sandbox, args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    text
}

/// Standard error of a run that refuses its input and leaves nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str]) -> String {
    failed(sandbox, args, 1)
}

/// Standard error of a run that fails with a code and leaves nothing.
#[track_caller]
fn failed(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let before = sandbox.names();
    let text = env(sandbox, args);
    let stderr = text.strip_prefix(&format!("exit: {code}\n--- stderr\n"));
    assert_eq!(sandbox.names(), before, "nothing is left");
    stderr.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// The entries below a directory, sorted: directories are left out, links lead to `[DIR]`.
fn tree(sandbox: &Sandbox, name: &str) -> String {
    let mut lines = Vec::new();
    list(&sandbox.path(name), "", &mut lines);
    lines.sort();
    let root = sandbox.path("");
    let root = fs_err::canonicalize(root).unwrap();
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{}", line.replace(root.to_str().unwrap(), "[DIR]")).unwrap();
    }
    text
}

fn list(dir: &Path, prefix: &str, lines: &mut Vec<String>) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let file_type = entry.file_type().unwrap();
        if file_type.is_symlink() {
            let target = fs_err::read_link(entry.path()).unwrap();
            lines.push(format!("{path} -> {}", target.display()));
        } else if file_type.is_dir() {
            list(&entry.path(), &format!("{path}/"), lines);
        } else {
            lines.push(path);
        }
    }
}

/// The contents of all files of an environment, links followed, with its links: what must not
/// depend on order and threads.
fn whole(sandbox: &Sandbox, name: &str) -> String {
    let mut text = tree(sandbox, name);
    for line in tree(sandbox, name).lines() {
        let path = line.split(" -> ").next().unwrap();
        let path = sandbox.path(name).join(path);
        if path.is_file() {
            writeln!(text, "{:?}", fs_err::read(&path).unwrap()).unwrap();
        }
    }
    text
}

/// The rows of all RECORDs of the environment that are not true, each with its RECORD.
fn untrue_rows(sandbox: &Sandbox) -> Vec<String> {
    let site = sandbox.path("env").join(SITE_PACKAGES);
    let mut untrue = Vec::new();
    for entry in fs_err::read_dir(&site).unwrap() {
        let path = entry.unwrap().path().join("RECORD");
        let Ok(text) = fs_err::read_to_string(&path) else {
            continue;
        };
        for row in Record::parse(&text).unwrap().rows {
            // By name: a directory of the environment may be a link.
            let file = match row.path.strip_prefix("../../../") {
                Some(path) => sandbox.path("env").join(path),
                None => site.join(&row.path),
            };
            let bytes = fs_err::read(file).unwrap_or_default();
            let hash = RecordHash::sha256(Sha256::digest(&bytes).into());
            if row.hash.is_some_and(|it| it != hash)
                || row.size.is_some_and(|it| it != bytes.len() as u64)
            {
                let distribution = path.parent().unwrap().file_name().unwrap();
                untrue.push(format!("{}: {}", distribution.display(), row.path));
            }
        }
    }
    untrue.sort();
    untrue
}
