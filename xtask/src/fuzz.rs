//! `cargo xtask fuzz`: hostile input by the hour.
//!
//! The targets are built with the coverage passes of the stable compiler, which is what `cargo fuzz` does on a nightly one,
//! with overflow checks and debug assertions, without address sanitizer: nothing here is unsafe. What was found
//! interesting is kept in the target directory and is where the next run begins.

use std::path::{Path, PathBuf};
use std::process::Command;

use pico_args::Arguments;

use crate::failure::Result;
use crate::{arguments, place, program};

/// How long a target runs that has been run for long already, and how long a new one, in seconds.
const KNOWN: u64 = 5 * 60;
const NEW: u64 = 30 * 60;

/// The targets, and how long each runs by default. A test compares the names with `fuzz/Cargo.toml`.
const TARGETS: &[(&str, u64)] = &[
    ("archive_unpack_tar", KNOWN),
    ("archive_unpack_zip", KNOWN),
    ("archive_zip", KNOWN),
    ("elf_edit", KNOWN),
    ("elf_load", NEW),
    ("elf_read", KNOWN),
    ("format_edit", KNOWN),
    ("format_parsers", KNOWN),
    ("link_plan", NEW),
    ("lock_read", NEW),
    ("wheel_open", KNOWN),
];

/// Flags that make a program tell libFuzzer where it has been.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks --cfg fuzzing";

/// The machine that the targets are built for. It is named so that build scripts and macros are built without [`FLAGS`].
const MACHINE: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn task(mut args: Arguments) -> Result {
    let seconds: Option<u64> = args.opt_value_from_str("--seconds")?;
    let only: Option<String> = args.opt_free_from_str()?;
    arguments::finish(args)?;
    let chosen = TARGETS
        .iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    let chosen: Vec<_> = chosen.collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        return Err(format!("no such target; there are: {}", names.join(", ")).into());
    }
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        return Err(format!("fuzzing is set up for {MACHINE} alone").into());
    }
    if program::find("g++").is_none() {
        return Err("libFuzzer is C++, and there is no `g++`: `apt-get install g++`".into());
    }
    let work = place::target().join("fuzz");
    build(&work)?;
    let seeds = seeds(&work)?;
    let mut failed = Vec::new();
    for (name, default) in chosen {
        // The others have their turn, too.
        if let Err(error) = fuzz(&work, &seeds, name, seconds.unwrap_or(*default)) {
            failed.push(format!("{name}: {error}"));
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}; the inputs are in `{}`: make tests of them",
        failed.join("; "),
        work.display()
    )
    .into())
}

fn build(work: &Path) -> Result {
    let manifest = place::root().join("fuzz/Cargo.toml");
    let mut command = program::cargo(&["build", "--release", "--locked", "--target", MACHINE]);
    command
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(work.join("build"))
        .env("RUSTFLAGS", FLAGS);
    program::run(&mut command)
}

/// A directory of small real files: libraries in a few layouts.
fn seeds(work: &Path) -> Result<PathBuf> {
    let seeds = work.join("seeds");
    fs_err::create_dir_all(&seeds)?;
    let source = seeds.join("seed.c");
    let text = "#include <stdio.h>\n__thread int t; int d = 3; int *p = &d;\nint f(void) { return t + printf(\"%d\", *p); }\n";
    fs_err::write(&source, text)?;
    for (name, flags) in [
        ("plain", &["-Wl,--hash-style=both"][..]),
        ("old", &["-Wl,--hash-style=sysv", "-Wl,-z,noseparate-code"]),
        (
            "packed",
            &["-Wl,-z,pack-relative-relocs", "-Wl,-rpath,$ORIGIN/x"],
        ),
        ("bare", &["-nostdlib"]),
    ] {
        let mut command = Command::new("gcc");
        command
            .args(["-shared", "-fPIC", "-s", "-o"])
            .arg(seeds.join(name));
        program::run(command.arg(&source).args(flags))?;
    }
    Ok(seeds)
}

fn fuzz(work: &Path, seeds: &Path, name: &str, seconds: u64) -> Result {
    let corpus = work.join("corpus").join(name);
    let found = work.join("found").join(name);
    fs_err::create_dir_all(&corpus)?;
    fs_err::create_dir_all(&found)?;
    let binary = work.join("build").join(MACHINE).join("release").join(name);
    let mut command = Command::new(binary);
    command
        .arg(corpus)
        .arg(seeds)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args([
            "-rss_limit_mb=2048",
            "-timeout=10",
            "-print_final_stats=1",
            "-verbosity=0",
        ]);
    program::run(&mut command)
}
