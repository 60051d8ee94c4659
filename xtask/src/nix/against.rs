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

/// `nix/tests/against.nix` with the checkouts in a directory.
#[derive(Debug)]
pub(crate) struct Against {
    pub(crate) nix: Nix,
    /// Where files of a run belong.
    work: PathBuf,
    /// The program under test.
    wheelfix: PathBuf,
    /// The arguments of the expression.
    arguments: Vec<(&'static str, PathBuf)>,
    /// Whether there is all of nixpkgs.
    is_whole: bool,
}

impl Against {
    /// Prepares the checkouts, the program and the small wheels.
    pub(crate) fn ensure(checkouts: &Path, profile: Profile) -> Result<Self> {
        let work = place::target().join("nix/against");
        fs_err::create_dir_all(&work)?;
        let work = fs_err::canonicalize(&work)?;
        let checkouts = prepare(&fs_err::canonicalize(checkouts)?, &work)?;
        let nix = Nix::ensure()?;
        let host = work.join("host.json");
        let wheelfix = host::build(profile)?;
        host::describe(&wheelfix, &host)?;
        store::add_wheels(&nix, Set::Cuda)?;
        let is_whole = checkouts.join("nixpkgs").is_dir();
        let arguments = vec![
            ("checkouts", checkouts),
            ("host", host),
            ("uv", python::tools()?.join("uv")),
            ("tools", host::collect_tools(&work)?),
        ];
        Ok(Self {
            nix,
            work,
            wheelfix,
            arguments,
            is_whole,
        })
    }

    /// Adds what the large lock needs. Of corepkgs, the bed's libraries are a part then.
    fn add_large(&mut self) -> Result {
        let lock = fs_err::read_to_string(place::root().join("nix/tests/against/large/uv.lock"))?;
        store::add_chosen(&self.nix, &|file| lock.contains(file))?;
        if !self.is_whole {
            self.arguments.push(("bed", nixos::ensure()?.store()));
        }
        Ok(())
    }

    /// One of Nix's programs on an attribute.
    pub(crate) fn command(&self, name: &str, attribute: &str) -> Command {
        let mut command = self.nix.command(name);
        command.arg(place::root().join("nix/tests/against.nix"));
        for (name, value) in &self.arguments {
            command.arg("--argstr").arg(name).arg(value);
        }
        // Nobody builds all of nixpkgs; what was built from it is signed.
        if self.is_whole {
            command.args(["--option", "substituters", "https://cache.nixos.org"]);
        }
        command.args(["-A", attribute]);
        command
    }

    fn evaluate(&self, attribute: &str) -> Result<String> {
        let mut command = self.command("nix-instantiate", attribute);
        program::output(command.args(["--eval", "--strict", "--json", "--read-write-mode"]))
    }
}

/// Recipes that corepkgs has not, each as nixpkgs' directory of it.
const RECIPES: &str = "recipes";

/// The names that `planted` in `nix/tests/against.nix` has to find: a wrong one of each kind.
const PLANTED: [&str; 7] = [
    "more: final.noSuchPackage",
    "makeSetupHook: argument noSuchArgument",
    "buildPythonPackage: argument noSuchHook",
    "buildPythonApplication: argument noSuchHook",
    "slot noSuchHook",
    "hooks: dontUseNoSuchHook",
    "pyproject.nix: dontUsePyprojectNoSuchHook",
];

/// Runs the tests with the checkouts in a directory.
///
/// `is_full`: with a lock file that takes 12 GB, too.
pub(crate) fn run(checkouts: &Path, is_full: bool) -> Result {
    let mut against = Against::ensure(checkouts, Profile::Static)?;
    if is_full {
        against.add_large()?;
    }
    let absent = against.evaluate("absent")?;
    if absent.trim_end() != "[]" {
        return Err(format!("nix/ uses what this nixpkgs has not: {absent}").into());
    }
    let planted = against.evaluate("planted")?;
    if serde_json::from_str::<Vec<String>>(&planted)? != PLANTED {
        return Err(format!("what no nixpkgs has was not told: {planted}").into());
    }
    against.evaluate("bootstrap")?;
    // What many wheels need are libraries of a whole nixpkgs, or of the bed.
    let more = if is_full { &["large"][..] } else { &[] };
    for attribute in ["recipes", "locked", "torch-bin"].iter().chain(more) {
        program::run(against.command("nix-build", attribute).arg("--no-out-link"))?;
    }
    if is_full {
        evaluate_large(&against)?;
    }
    Ok(())
}

/// Says how long the large lock takes to be evaluated: by `fromLock`, and beside it by uv2nix.
fn evaluate_large(against: &Against) -> Result {
    let document = against.work.join("large.lock.json");
    let mut lock = Command::new(&against.wheelfix);
    lock.arg("lock")
        .arg(place::root().join("nix/tests/against/large/uv.lock"));
    lock.args(["--target", "x86_64-linux-cp311", "--quiet", "--output"]);
    program::output(lock.arg(&document))?;
    for name in ["nothing", "fromLock", "uv2nix", "overlay"] {
        let mut command = against.command("nix-instantiate", &format!("evaluated.{name}"));
        command.args(["--eval", "--strict", "--json", "--read-write-mode"]);
        command.arg("--argstr").arg("document").arg(&document);
        // The first one writes the derivations.
        program::output(&mut command)?;
        let usage = usage::measure(&mut command, &against.work.join("evaluated.log"))?;
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
        &["corepkgs", "nix-lib", "recipes/torch-bin"]
    };
    let wanted = BESIDE.iter().chain(of_corepkgs);
    let missing: Vec<&str> = wanted.copied().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        let (dir, missing) = (checkouts.display(), missing.join(", "));
        let text = format!(
            "`{dir}` lacks checkouts: {missing}; it has to have nixpkgs, or corepkgs, nix-lib and \
            recipes/torch-bin, and {}",
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
    for name in BESIDE.iter().chain([&RECIPES]) {
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
