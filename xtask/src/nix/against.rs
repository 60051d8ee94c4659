//! `cargo xtask nix-test --against DIR`: wheelfix under the functions and hooks of nixpkgs, pyproject.nix and
//! uv2nix themselves.
//!
//! In the place of nixpkgs, corepkgs will do, which is made from it and needs nothing from the network.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::manifest::Set;
use crate::nix::host::{self, Profile};
use crate::nix::{Nix, store};
use crate::{nixos, place, program, python, usage};

/// The checkouts that the tests need beside one of nixpkgs.
const BESIDE: &[&str] = &["nixpkgs.lib", "pyproject.nix", "uv2nix"];

/// Runs the tests with the checkouts in a directory.
///
/// `is_full`: with a lock file that takes 12 GB, too. Of corepkgs, the bed's libraries are a part then.
pub(crate) fn run(checkouts: &Path, is_full: bool) -> Result {
    let work = place::target().join("nix/against");
    fs_err::create_dir_all(&work)?;
    let work = fs_err::canonicalize(&work)?;
    let checkouts = prepare(&fs_err::canonicalize(checkouts)?, &work)?;
    let nix = Nix::ensure()?;
    let host = work.join("host.json");
    let program = host::build(Profile::Static)?;
    host::describe(&program, &host)?;
    store::add_wheels(&nix, Set::Cuda)?;
    if is_full {
        let lock = fs_err::read_to_string(place::root().join("nix/tests/against/large/uv.lock"))?;
        store::add_chosen(&nix, &|file| lock.contains(file))?;
    }
    let has_libraries = checkouts.join("nixpkgs").is_dir();
    let bed = if is_full && !has_libraries {
        Some(nixos::ensure()?.store())
    } else {
        None
    };
    let uv = python::tools()?.join("uv");
    let command = |name: &str, attribute: &str| {
        let mut command = nix.command(name);
        command.arg(place::root().join("nix/tests/against.nix"));
        for (name, value) in [("checkouts", &checkouts), ("host", &host), ("uv", &uv)] {
            command.arg("--argstr").arg(name).arg(value);
        }
        if let Some(bed) = &bed {
            command.arg("--argstr").arg("bed").arg(bed);
        }
        // Nobody builds all of nixpkgs; what was built from it is signed.
        let cache = ["--option", "substituters", "https://cache.nixos.org"];
        if checkouts.join("nixpkgs").is_dir() {
            command.args(cache);
        }
        command.args(["-A", attribute]);
        command
    };
    let evaluate = |attribute| -> Result<String> {
        let mut command = command("nix-instantiate", attribute);
        program::output(command.args(["--eval", "--strict", "--json", "--read-write-mode"]))
    };
    let absent = evaluate("absent")?;
    if absent.trim_end() != "[]" {
        return Err(format!("nix/ uses what this nixpkgs has not: {absent}").into());
    }
    evaluate("bootstrap")?;
    let more = if is_full { &["large"][..] } else { &[] };
    for attribute in ["recipes", "locked"].iter().chain(more) {
        program::run(command("nix-build", attribute).arg("--no-out-link"))?;
    }
    // What many wheels need are libraries of a whole nixpkgs, or of the bed.
    if is_full {
        evaluate_large(&work, &program, &|attribute| {
            command("nix-instantiate", attribute)
        })?;
    }
    Ok(())
}

/// Says how long the large lock takes to be evaluated: by `fromLock`, and beside it by uv2nix.
fn evaluate_large(work: &Path, wheelfix: &Path, command: &dyn Fn(&str) -> Command) -> Result {
    let document = work.join("large.lock.json");
    let mut lock = Command::new(wheelfix);
    lock.arg("lock")
        .arg(place::root().join("nix/tests/against/large/uv.lock"));
    lock.args(["--target", "x86_64-linux-cp311", "--quiet", "--output"]);
    program::output(lock.arg(&document))?;
    for name in ["nothing", "fromLock", "uv2nix", "overlay"] {
        let mut command = command(&format!("evaluated.{name}"));
        command.args(["--eval", "--strict", "--json", "--read-write-mode"]);
        command.arg("--argstr").arg("document").arg(&document);
        // The first one writes the derivations.
        program::output(&mut command)?;
        let usage = usage::measure(&mut command, &work.join("evaluated.log"))?;
        let cpu = usage.cpu.as_secs_f64();
        eprintln!("{name}: evaluated in {cpu:.2} s of processor time");
    }
    Ok(())
}

/// The directory of the checkouts; where there is only corepkgs, a copy that asks for its lib beside it.
fn prepare(checkouts: &Path, work: &Path) -> Result<PathBuf> {
    let has = |name: &str| checkouts.join(name).is_dir();
    let is_whole = has("nixpkgs");
    let of_corepkgs: &[&str] = if is_whole {
        &[]
    } else {
        &["corepkgs", "nix-lib"]
    };
    let wanted = BESIDE.iter().chain(of_corepkgs);
    let missing: Vec<&str> = wanted.copied().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        let (dir, missing) = (checkouts.display(), missing.join(", "));
        let text = format!(
            "`{dir}` lacks checkouts: {missing}; it has to have nixpkgs, or corepkgs and nix-lib, and {}",
            BESIDE.join(", ")
        );
        return Err(text.into());
    }
    if is_whole {
        return Ok(checkouts.to_owned());
    }
    let copy = work.join("checkouts");
    if copy.is_dir() {
        fs_err::remove_dir_all(&copy)?;
    }
    fs_err::create_dir(&copy)?;
    for name in BESIDE {
        symlink(checkouts.join(name), copy.join(name))?;
    }
    let corepkgs = copy.join("corepkgs");
    let from = checkouts.join("corepkgs/.");
    program::output(Command::new("cp").arg("-r").arg(from).arg(&corepkgs))?;
    let lib = checkouts.join("nix-lib");
    fs_err::write(
        corepkgs.join("pins.nix"),
        format!("{{ lib = {}; }}\n", lib.display()),
    )?;
    Ok(copy)
}
