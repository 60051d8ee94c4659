//! The inputs and the outputs of the tests in the store.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::manifest::{Manifest, Set, Wheel};
use crate::nix::Nix;
use crate::{fetch, place, program};

/// The tests of `nix/tests/with-stub.nix`, and how they are built.
#[derive(Debug)]
pub(crate) struct Tests<'a> {
    pub(crate) nix: &'a Nix,
    /// The document that describes the host.
    pub(crate) host: PathBuf,
}

/// Puts the wheels of a set into the store, under the hashes by which the tests fetch them.
pub(crate) fn add_wheels(nix: &Nix, set: Set) -> Result {
    let dir = fetch::fetch(set)?;
    Manifest::read()?
        .of_set(set)
        .try_for_each(|wheel| add(nix, &dir.join(&wheel.file), &wheel.sha256))
}

/// Puts those of all wheels there whose files are chosen.
pub(crate) fn add_chosen(nix: &Nix, is_chosen: &dyn Fn(&str) -> bool) -> Result {
    let manifest = Manifest::read()?;
    let wheels = manifest.of_set(Set::Full);
    let wheels: Vec<&Wheel> = wheels.filter(|wheel| is_chosen(&wheel.file)).collect();
    let dir = fetch::bring(&manifest.python, &wheels)?;
    wheels
        .iter()
        .try_for_each(|wheel| add(nix, &dir.join(&wheel.file), &wheel.sha256))
}

/// Puts a file into the store, as one that was fetched by its SHA-256.
pub(crate) fn add(nix: &Nix, file: &Path, sha256: &str) -> Result {
    let name = file.file_name().unwrap_or_default();
    let mut fixed = nix.command("nix-store");
    fixed
        .args(["--print-fixed-path", "sha256", sha256])
        .arg(name);
    let path = program::output(&mut fixed)?;
    let mut check = nix.command("nix-store");
    if program::output(check.args(["--check-validity", path.trim()])).is_err() {
        let mut add = nix.command("nix-store");
        add.args(["--add-fixed", "sha256"]).arg(file);
        program::output(&mut add)?;
    }
    Ok(())
}

impl Tests<'_> {
    /// One of Nix's programs on the tests.
    fn command(&self, name: &str, attributes: &[&str]) -> Command {
        let mut command = self.nix.command(name);
        command.arg(place::root().join("nix/tests/with-stub.nix"));
        command.arg("--argstr").arg("host").arg(&self.host);
        for attribute in attributes {
            command.args(["-A", attribute]);
        }
        command
    }

    /// Builds tests; returns the paths of their outputs.
    pub(crate) fn build(&self, attributes: &[&str], options: &[&str]) -> Result<Vec<PathBuf>> {
        let mut command = self.command("nix-build", attributes);
        command.arg("--no-out-link").args(options);
        let text = quietly(&mut command)?;
        Ok(text.lines().map(PathBuf::from).collect())
    }

    /// Builds what is built already once more: it must come out the same, bit by bit.
    pub(crate) fn check(&self, attributes: &[&str], options: &[&str]) -> Result {
        let mut all = vec!["--check"];
        all.extend(options);
        self.build(attributes, &all).map(drop)
    }

    /// Builds a test that must fail; returns what was printed.
    pub(crate) fn fail(&self, attribute: &str) -> Result<String> {
        let mut command = self.command("nix-build", &[attribute]);
        let output = command.arg("--no-out-link").output()?;
        if output.status.success() {
            return Err(format!("`{attribute}` was built, and must not be").into());
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The output that the build of a derivation printed.
    pub(crate) fn log(&self, attribute: &str) -> Result<String> {
        let mut instantiate = self.command("nix-instantiate", &[attribute]);
        let derivation = program::output(&mut instantiate)?;
        let mut command = self.nix.command("nix-store");
        program::output(command.args(["--read-log", derivation.trim_end()]))
    }

    /// Evaluates a value; gives it as JSON.
    pub(crate) fn evaluate(&self, attribute: &str) -> Result<serde_json::Value> {
        let mut command = self.command("nix-instantiate", &[attribute]);
        let text =
            program::output(command.args(["--eval", "--strict", "--json", "--read-write-mode"]))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("`{attribute}` is not JSON: {error}").into())
    }

    /// The store paths that an output refers to, itself left out, sorted.
    pub(crate) fn references(&self, output: &Path) -> Result<Vec<String>> {
        let mut command = self.nix.command("nix-store");
        let text = program::output(command.args(["--query", "--references"]).arg(output))?;
        let mut paths: Vec<String> = text
            .lines()
            .filter(|line| Path::new(line) != output)
            .map(str::to_owned)
            .collect();
        paths.sort();
        Ok(paths)
    }
}

/// Shows the command, and what it printed only if it failed.
fn quietly(command: &mut Command) -> Result<String> {
    eprintln!("$ {}", program::show(command));
    program::output(command)
}
