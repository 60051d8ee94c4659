//! Installing one wheel, beside `uv pip install` of the same file.
//!
//! uv neither relocates libraries nor checks the hashes of RECORD, and is told to do as we do in
//! the rest: no cache, no dependencies, no bytecode, copies instead of links.

use std::path::Path;
use std::process::Command;

use crate::bench::Options;
use crate::bench::pair::{self, Side};
use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::{build, fetch, python, runtimes};

/// The wheels that are measured unless one is named.
const WHEELS: &[&str] = &["numpy", "scipy", "bitsandbytes"];

pub(crate) fn run(options: &Options) -> Result {
    let wheelfix = build::release()?;
    let tools = python::tools()?;
    let python = tools.join("python3");
    let manifest = Manifest::read()?;
    let names: Vec<&str> = match &options.wheel {
        Some(name) => vec![name],
        None => WHEELS.to_vec(),
    };
    for name in names {
        let wheel = manifest.named(name)?;
        let dir = fetch::fetch(wheel.set.max(Set::Small))?;
        let file = dir.join(&wheel.file);
        // The page cache holds the wheel in every round.
        fs_err::read(&file)?;
        let ours = |dir: &Path| {
            runtimes::copy_to(&dir.join("runtimes"))?;
            let mut command = Command::new(&wheelfix);
            command
                .args(["install", "--quiet", "--no-bytecode", "--lib-path"])
                .arg(dir.join("runtimes"))
                .arg("--python")
                .arg(&python)
                .arg("--prefix")
                .arg(dir.join("prefix"))
                .arg(&file);
            Ok(command)
        };
        let theirs = |dir: &Path| {
            let mut command = Command::new(tools.join("uv"));
            command
                .args([
                    "pip",
                    "install",
                    "--no-cache",
                    "--link-mode=copy",
                    "--no-deps",
                ])
                .args(["--offline", "--python"])
                .arg(&python)
                .arg("--prefix")
                .arg(dir.join("prefix"))
                .arg(&file);
            Ok(command)
        };
        let sides = [
            Side {
                name: "wheelfix install --no-bytecode",
                command: &ours,
            },
            Side {
                name: "uv pip install --link-mode=copy",
                command: &theirs,
            },
        ];
        pair::compare(name, options.rounds, sides)?.print();
    }
    Ok(())
}
