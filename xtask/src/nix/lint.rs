//! nixfmt and deadnix on `nix/` and `flake.nix`, and shellcheck on all scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::{place, program};

/// Crates whose programs are built into the cache: package, version, program.
const TOOLS: &[(&str, &str)] = &[("nixfmt_rs", "nixfmt"), ("deadnix", "deadnix")];

/// Fails on a file that is not formatted, on unused bindings, and on what shellcheck finds.
pub(crate) fn run() -> Result {
    let bin = tools()?;
    let files = |dir: &str, extension: &str| -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        list(&place::root().join(dir), extension, &mut files)?;
        files.sort();
        Ok(files)
    };
    let mut nix = files("nix", "nix")?;
    nix.push(place::root().join("flake.nix"));
    program::output(Command::new(bin.join("nixfmt")).arg("--check").args(&nix))?;
    program::output(Command::new(bin.join("deadnix")).arg("--fail").args(&nix))?;
    // 2034: variables that stdenv reads; 2317: functions that stdenv calls.
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.arg("--exclude=SC2034,SC2317");
    shellcheck.args(files("nix", "sh")?);
    program::output(shellcheck.args(files("xtask", "sh")?)).map(drop)
}

/// The directory of the tools; what is missing is built.
fn tools() -> Result<PathBuf> {
    let root = place::cache()?.join("nix-tools");
    for (package, name) in TOOLS {
        if !root.join("bin").join(name).is_file() {
            let mut command = program::cargo(&["install", "--quiet", "--locked", package]);
            program::run(command.arg("--root").arg(&root))?;
        }
    }
    Ok(root.join("bin"))
}

fn list(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, extension, found)?;
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    Ok(())
}
