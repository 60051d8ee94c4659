//! Three ways to use wheels on NixOS, tried in the bed: each in a prefix of its own, all in a virtual
//! environment that is patched, all as an environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wheelfix_testkit::cache;
use wheelfix_testkit::nixos::{Bed, Lib64};

use crate::programs::{SITE_PACKAGES, succeed};

/// Wheels, and what shows that they work.
pub(crate) struct Case {
    /// Dependencies before those that need them.
    pub(crate) wheels: Vec<PathBuf>,
    /// Requirements of theirs that are not needed for this.
    pub(crate) unmet: &'static [&'static str],
    /// The packages of the bed whose libraries they are told of; none are all.
    pub(crate) packages: &'static [&'static str],
    /// A program in Python that computes.
    pub(crate) code: &'static str,
    /// Programs, below site-packages or `bin`, with arguments.
    pub(crate) programs: &'static [&'static [&'static str]],
}

impl Case {
    /// Does all three.
    pub(crate) fn run(&self) {
        let place = Place {
            dir: tempfile::tempdir().unwrap(),
            bed: Bed::find(),
        };
        self.prefixes(&place);
        self.virtual_environment(&place);
        self.environment(&place);
    }

    fn prefixes(&self, place: &Place) {
        let mut prefixes: Vec<PathBuf> = Vec::new();
        for (number, wheel) in self.wheels.iter().enumerate() {
            let prefix = place.path(&format!("prefix{number}"));
            let mut command = place.wheelfix("install");
            command.args(["--no-bytecode", "--python"]);
            command.arg(place.bed.python()).arg("--prefix").arg(&prefix);
            self.libraries(&mut command, place, &prefixes);
            succeed(command.arg(wheel));
            prefixes.push(prefix);
        }
        let sites: Vec<PathBuf> = prefixes.iter().map(|it| it.join(SITE_PACKAGES)).collect();
        self.compute(place, &place.bed.python(), &sites);
        for prefix in &prefixes {
            self.start_programs(place, prefix, &sites);
        }
    }

    fn virtual_environment(&self, place: &Place) {
        let venv = place.path("venv");
        let mut make = place.bed.command(place.bed.python());
        succeed(make.args(["-m", "venv", "--without-pip"]).arg(&venv));
        let python = venv.join("bin/python");
        let mut uv = Command::new(cache::tool("uv"));
        uv.args(["pip", "install", "--offline", "--no-deps", "--no-cache"]);
        succeed(uv.arg("--python").arg(&python).args(&self.wheels));
        let mut command = place.wheelfix("patch");
        command.arg(&venv).arg("--python").arg(&python);
        self.libraries(&mut command, place, &[]);
        succeed(&mut command);
        self.compute(place, &python, &[]);
        self.start_programs(place, &venv, &[]);
    }

    fn environment(&self, place: &Place) {
        let prefix = place.path("env");
        let mut command = place.wheelfix("env");
        command.arg("--prefix").arg(&prefix).arg("--python");
        command.arg(place.bed.python());
        self.libraries(&mut command, place, &[]);
        for name in self.unmet {
            command.args(["--allow-unmet", name]);
        }
        succeed(command.args(&self.wheels));
        self.compute(place, &prefix.join("bin/python"), &[]);
        self.start_programs(place, &prefix, &[]);
    }

    /// Tells a command of libraries.
    fn libraries(&self, command: &mut Command, place: &Place, prefixes: &[PathBuf]) {
        let mut dirs = prefixes.to_vec();
        if self.packages.is_empty() {
            dirs.extend(place.bed.libraries());
        } else {
            dirs.extend(self.packages.iter().map(|name| place.bed.library(name)));
        }
        for dir in dirs {
            command.arg("--lib-path").arg(dir);
        }
    }

    fn compute(&self, place: &Place, python: &Path, sites: &[PathBuf]) {
        let mut command = place.bed.command(python);
        command.env("PYTHONPATH", std::env::join_paths(sites).unwrap());
        succeed(command.args(["-W", "ignore", "-c", self.code]));
    }

    /// Starts the programs that the prefix has, with nothing in `/lib64` and with the stub.
    fn start_programs(&self, place: &Place, prefix: &Path, sites: &[PathBuf]) {
        let sites = std::env::join_paths(sites).unwrap();
        for words in self.programs {
            let (name, arguments) = words.split_first().unwrap();
            let places = [prefix.join("bin"), prefix.join(SITE_PACKAGES)];
            let found = places.iter().map(|dir| dir.join(name));
            for program in found.filter(|path| path.is_file()) {
                for lib64 in [Lib64::Empty, Lib64::Stub] {
                    let mut command = place.bed.command_with(lib64, &program);
                    command.env("PYTHONPATH", &sites);
                    let said = succeed(command.args(arguments));
                    assert!(!said.is_empty(), "{}", program.display());
                }
            }
        }
    }
}

/// Where it is tried.
struct Place {
    dir: TempDir,
    bed: Bed,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap().join(name)
    }

    fn wheelfix(&self, name: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_wheelfix"));
        let mut command = self.bed.wheelfix(program);
        command.arg(name);
        command
    }
}
