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
use crate::nix::store::{self, Tests};
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
        "torch without bytecode, requirements removed",
        "ours-relaxed",
        "hooks-relaxed",
        "wheel, installer and patchelf",
    ),
    (
        "torch with bytecode, requirements removed",
        "ours-bytecode",
        "hooks-bytecode",
        "wheel, installer and patchelf",
    ),
];

/// The heading of the comparison without Nix.
const OWN_COST: &str = "Nix's own part of torch without bytecode";

/// The Nix, the host and the tools that builds use.
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
        tools: host::collect_tools(&dir)?,
    };
    // Kept from the collector by the link.
    let mut inputs = bench.build("inputs", "none");
    program::run(inputs.arg("--out-link").arg(dir.join("bench-inputs")))?;
    for (title, ours, theirs, name) in PAIRS {
        if !options.wants(title) {
            continue;
        }
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
        // Gigabytes; what the links keep stays.
        nix.collect_garbage()?;
    }
    if options.wants(OWN_COST) {
        bench.own_cost(options.rounds, &program)?;
    }
    nix.collect_garbage()
}

impl Bench<'_> {
    /// Measures the time of Nix itself for torch: the build beside the same installation without
    /// Nix.
    fn own_cost(&self, rounds: usize, program: &Path) -> Result {
        let tests = Tests {
            nix: self.nix,
            host: self.host.clone(),
        };
        let facts = tests.evaluate("torchFacts")?;
        let named = |name: &str| -> Vec<String> {
            let value = facts.get(name).cloned().unwrap_or_default();
            serde_json::from_value(value).unwrap_or_default()
        };
        let ours = |dir: &Path| Ok(self.unlinked("ours-plain", &salt(dir)));
        let interpreter = python::interpreter().ok_or("no CPython: run `cargo xtask setup`")?;
        let alone = |dir: &Path| {
            let mut command = Command::new(program);
            command.args(["install", "--no-bytecode", "--python"]);
            command.arg(&interpreter).arg("--prefix");
            command.arg(dir.join("torch")).args(named("src"));
            for lib in named("libs") {
                command.args(["--lib-path", &lib]);
            }
            Ok(command)
        };
        let sides = [
            Side {
                name: "nix-build",
                command: &ours,
            },
            Side {
                name: "wheelfix install, without Nix",
                command: &alone,
            },
        ];
        pair::compare(OWN_COST, rounds, sides)?.print();
        Ok(())
    }

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
pub(super) fn salt(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_nanos());
    format!("{name}-{nanoseconds}")
}
