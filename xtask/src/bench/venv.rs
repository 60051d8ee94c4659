//! A virtual environment that was patched before, with no change and with one more wheel, beside the run
//! of uv that the patch follows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Options;
use crate::bench::pair::{Side, compare};
use crate::bench::scratch::Scratch;
use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::{build, fetch, program, python, runtimes};

/// The wheels of the environment.
const WHEELS: [&str; 5] = ["numpy", "scipy", "ruff", "cmake", "pygments"];

/// The wheel that is added.
const ADDED: &str = "greenlet";

struct Bench {
    wheelfix: PathBuf,
    uv: PathBuf,
    python: PathBuf,
    wheels: PathBuf,
    scratch: Scratch,
}

pub(crate) fn run(options: &Options) -> Result {
    let tools = python::tools()?;
    let scratch = Scratch::new()?;
    runtimes::copy_to(&scratch.0.join("runtimes"))?;
    let bench = Bench {
        wheelfix: build::release()?,
        uv: tools.join("uv"),
        python: tools.join("python3"),
        wheels: fetch::fetch(Set::Small)?,
        scratch,
    };
    bench.compare("nothing has changed", &WHEELS, options)?;
    bench.compare("one wheel is added", &[ADDED], options)
}

impl Bench {
    /// Measures both programs after, and for, a `uv pip install` of these wheels into an environment that is there.
    fn compare(&self, title: &str, names: &[&str], options: &Options) -> Result {
        let ours = |dir: &Path| {
            self.environment(dir)?;
            program::run(&mut self.install(dir, names)?)?;
            Ok(self.patch(dir))
        };
        let uv = |dir: &Path| {
            self.environment(dir)?;
            self.install(dir, names)
        };
        let sides = [
            Side {
                name: "wheelfix patch",
                command: &ours,
            },
            Side {
                name: "uv pip install",
                command: &uv,
            },
        ];
        compare(title, options.rounds, sides)?.print();
        Ok(())
    }

    /// Makes an environment, patched.
    fn environment(&self, dir: &Path) -> Result {
        let mut make = self.uv(&["venv", "--quiet"]);
        program::run(make.arg("--python").arg(&self.python).arg(dir.join("v")))?;
        program::run(&mut self.install(dir, &WHEELS)?)?;
        program::run(&mut self.patch(dir))
    }

    fn patch(&self, dir: &Path) -> Command {
        let mut patch = Command::new(&self.wheelfix);
        patch.args(["patch", "--quiet", "--lib-path"]);
        patch
            .arg(self.scratch.0.join("runtimes"))
            .arg(dir.join("v"));
        patch
    }

    fn install(&self, dir: &Path, names: &[&str]) -> Result<Command> {
        let mut install = self.uv(&["pip", "install", "--quiet", "--no-deps"]);
        install.arg("--python").arg(dir.join("v"));
        let manifest = Manifest::read()?;
        for name in names {
            install.arg(self.wheels.join(&manifest.named(name)?.file));
        }
        Ok(install)
    }

    fn uv(&self, args: &[&str]) -> Command {
        let mut uv = Command::new(&self.uv);
        uv.args(args)
            .args(["--offline", "--no-config", "--cache-dir"]);
        uv.arg(self.scratch.0.join("cache"));
        uv
    }
}
