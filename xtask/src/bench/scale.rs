//! Inputs that are large in one way each, installed: seconds of the processor, and memory.
//!
//! Nobody stands beside us. The goal is that a hostile input costs no more than 2 s and 300 MB, or is refused for a limit that
//! the message states. The last column is the exit code.

use std::path::Path;
use std::process::Command;

use crate::bench::Options;
use crate::bench::pair::{middle, sorted};
use crate::bench::scratch::Scratch;
use crate::failure::Result;
use crate::usage::{self, Usage, megabytes};
use crate::{build, program, python};

/// Makes the inputs; the tests use it, too.
const SCRIPT: &str = include_str!("../../../crates/wheelfix-testkit/src/scale.py");

/// Kind of input, as the script names it, and how many of what.
const INPUTS: &[(&str, usize)] = &[
    ("chain", 10_000),
    ("complete", 300),
    ("needs", 1_000),
    ("source", 1_000_000),
    ("files", 100_000),
    ("entry-points", 100_000),
];

pub(crate) fn run(options: &Options) -> Result {
    let wheelfix = build::release()?;
    let python = python::tools()?.join("python3");
    let scratch = Scratch::new()?;
    println!(
        "{:<14}{:>10}{:>9}{:>9}{:>6}",
        "install of", "count", "CPU s", "RSS MB", "exit"
    );
    for (kind, count) in INPUTS {
        if !options.wants(kind) {
            continue;
        }
        let dir = scratch.0.join(kind);
        fs_err::create_dir(&dir)?;
        let mut make = Command::new(&python);
        make.args(["-I", "-c", SCRIPT, kind, &count.to_string()]);
        program::output(make.arg(&dir))?;
        let (usages, code) = install(&wheelfix, &python, &dir, options.rounds)?;
        let of_all = |value: fn(&Usage) -> f64| sorted(usages.iter().map(value).collect());
        let cpu = middle(&of_all(|usage| usage.cpu.as_secs_f64()));
        let memory = middle(&of_all(|usage| megabytes(usage.peak_rss)));
        println!("{kind:<14}{count:>10}{cpu:>9.2}{memory:>9.0}{code:>6}");
    }
    Ok(())
}

/// Installs the wheel of a directory several times; gives what it took, and the exit code.
fn install(
    wheelfix: &Path,
    python: &Path,
    dir: &Path,
    rounds: usize,
) -> Result<(Vec<Usage>, String)> {
    let (code, log) = (dir.join("code"), dir.join("log"));
    let wheel = fs_err::read_dir(dir)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|it| it == "whl"))
        .ok_or("no wheel was made")?;
    let mut usages = Vec::new();
    for round in 0..rounds {
        // A refusal is a result, too.
        let mut command = Command::new("sh");
        command.args(["-c", "code=$0; \"$@\"; echo $? > \"$code\""]);
        command.arg(&code).arg(wheelfix).arg("install").arg(&wheel);
        command
            .args(["--quiet", "--no-bytecode", "--python"])
            .arg(python)
            .arg("--prefix")
            .arg(dir.join(format!("prefix{round}")));
        usages.push(usage::measure(&mut command, &log)?);
    }
    Ok((usages, fs_err::read_to_string(&code)?.trim().to_owned()))
}
