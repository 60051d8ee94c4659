//! Installing one wheel, beside `uv pip install`, `pip install` and pypa/installer with the same file;
//! then bytecode, small files and edits of requirements.
//!
//! None of them relocates libraries or checks the hashes of RECORD. They are told to do as we do in
//! the rest: no cache, no dependencies, no bytecode, copies instead of links.

mod bytecode;
mod relax;
mod small_files;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Options;
use crate::bench::pair::{self, Side};
use crate::demo::install::Job;
use crate::demo::prefixes::Prefixes;
use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::{build, fetch, python};

/// The wheels that are measured unless one is named.
const WHEELS: &[&str] = &["pygments", "numpy", "scipy", "bitsandbytes"];

pub(crate) fn run(options: &Options) -> Result {
    let bench = Bench::new()?;
    let rounds = options.rounds;
    if let Some(name) = &options.wheel {
        return bench.compare(name, options);
    }
    for name in WHEELS {
        bench.compare(name, options)?;
    }
    bench.bytecode(bytecode::WHEEL, rounds)?;
    bench.small_files(rounds)?;
    bench.relax(rounds)
}

/// Bytecode alone, of any wheel that installs without libraries of others.
pub(crate) fn bytecode(options: &Options) -> Result {
    let name = options.wheel.as_deref().unwrap_or(bytecode::WHEEL);
    Bench::new()?.bytecode(name, options.rounds)
}

/// Small files alone.
pub(crate) fn small_files(options: &Options) -> Result {
    Bench::new()?.small_files(options.rounds)
}

/// Edits of requirements alone.
pub(crate) fn relax(options: &Options) -> Result {
    Bench::new()?.relax(options.rounds)
}

/// The programs that all comparisons use.
struct Bench {
    wheelfix: PathBuf,
    /// The directory of the Python tools.
    tools: PathBuf,
}

impl Bench {
    fn new() -> Result<Self> {
        Ok(Self {
            wheelfix: build::release()?,
            tools: python::tools()?,
        })
    }

    fn compare(&self, name: &str, options: &Options) -> Result {
        let manifest = Manifest::read()?;
        let wheel = manifest.named(name)?;
        let wheels = fetch::fetch(wheel.set)?;
        let file = wheels.join(&wheel.file);
        let prefixes = self.libraries_before(name, wheel.set, &manifest, &wheels)?;
        // The page cache holds the wheel in every round.
        fs_err::read(&file)?;
        let ours = |dir: &Path| {
            let mut command = self.install(dir);
            command.arg("--no-bytecode");
            for path in prefixes.library_paths() {
                command.arg("--lib-path").arg(path);
            }
            command.arg(&file);
            Ok(command)
        };
        let uv = |dir: &Path| Ok(self.uv(dir, &file));
        let pip = |dir: &Path| {
            let mut command = self.tool("python3", &["-I", "-m", "pip", "install", "--quiet"]);
            command.args(["--no-deps", "--no-index", "--no-compile", "--no-cache-dir"]);
            command.args([
                "--disable-pip-version-check",
                "--ignore-installed",
                "--prefix",
            ]);
            command.arg(dir.join("prefix")).arg(&file);
            Ok(command)
        };
        let installer = |dir: &Path| {
            let mut command = self.tool("python3", &["-I", "-m", "installer"]);
            command.args(["--no-compile-bytecode", "--prefix"]);
            command.arg(dir.join("prefix")).arg(&file);
            Ok(command)
        };
        let theirs: [Side<'_>; 3] = [
            named("uv pip install --link-mode=copy", &uv),
            named("pip install --no-compile", &pip),
            named("pypa/installer --no-compile-bytecode", &installer),
        ];
        for theirs in theirs {
            let ours = named("wheelfix install --no-bytecode", &ours);
            let beside = theirs.name;
            let comparison = pair::compare(name, options.rounds, [ours, theirs])?;
            comparison.print();
            if let Some((beside, _)) = beside.split_once(" --link-mode") {
                let subject = format!("{name} {}", wheel.version());
                options.record("install", &subject, beside, comparison.walls())?;
            }
        }
        prefixes.finish(false)
    }

    /// Our installation into a prefix below a directory; wheels are to be added.
    fn install(&self, dir: &Path) -> Command {
        let mut command = Command::new(&self.wheelfix);
        command.args(["install", "--quiet", "--python"]);
        command.arg(self.tools.join("python3"));
        command.arg("--prefix").arg(dir.join("prefix"));
        command
    }

    fn uv(&self, dir: &Path, file: &Path) -> Command {
        let mut command = self.tool("uv", &["pip", "install", "--quiet", "--offline"]);
        command.args(["--no-deps", "--no-cache", "--link-mode=copy", "--python"]);
        command.arg(self.tools.join("python3"));
        command.arg("--prefix").arg(dir.join("prefix")).arg(file);
        command
    }

    /// One of the Python tools.
    fn tool(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.tools.join(program));
        command.args(args);
        command
    }

    /// Installs NVIDIA's wheels, where the set has any that come before the wheel.
    fn libraries_before(
        &self,
        name: &str,
        set: Set,
        manifest: &Manifest,
        wheels: &Path,
    ) -> Result<Prefixes> {
        let mut prefixes = Prefixes::new()?;
        let before = manifest
            .of_set(set)
            .take_while(|wheel| wheel.name() != name);
        for wheel in before.filter(|wheel| wheel.name().starts_with("nvidia_")) {
            let job = Job {
                wheelfix: &self.wheelfix,
                python: &self.tools.join("python3"),
                file: &wheels.join(&wheel.file),
            };
            job.install(wheel, &mut prefixes)?;
        }
        Ok(prefixes)
    }
}

fn named<'side>(name: &'side str, command: &'side dyn Fn(&Path) -> Result<Command>) -> Side<'side> {
    Side { name, command }
}

/// A wheel of the list, in the page cache.
fn wheel(name: &str) -> Result<PathBuf> {
    let manifest = Manifest::read()?;
    let wheel = manifest.named(name)?;
    let file = fetch::fetch(wheel.set)?.join(&wheel.file);
    fs_err::read(&file)?;
    Ok(file)
}
