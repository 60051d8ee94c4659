//! `cargo xtask bench NAME`: how fast we are beside others.
//!
//! Each benchmark is a file that runs [`pair`]s and prints their tables; [`BENCHES`] lists them.
//! Seconds depend on the machine and on what else it does: quote the ratios.

mod elf;
mod env;
mod install;
mod lock;
mod nix;
pub(crate) mod pair;
mod proof;
mod recorded;
mod scale;
mod scratch;
mod uv2nix;
mod venv;

use std::path::PathBuf;

use pico_args::Arguments;

use crate::bench::recorded::Figure;
use crate::failure::Result;
use crate::{arguments, corpus};

struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Options) -> Result,
}

/// The one that needs what nobody brings.
const NEEDS_CHECKOUTS: &str = "uv2nix";

const BENCHES: &[Bench] = &[
    Bench {
        name: "elf",
        about: "edit libraries, beside patchelf",
        run: elf::run,
    },
    Bench {
        name: "env",
        about: "300 prefixes as one environment, beside buildEnv and others",
        run: env::run,
    },
    Bench {
        name: "env-scale",
        about: "environments of up to 5,000 prefixes and a million files",
        run: env::scale,
    },
    Bench {
        name: "env-cuda",
        about: "torch with its CUDA libraries as one environment, beside uv",
        run: env::cuda,
    },
    Bench {
        name: "install",
        about: "install wheels, beside `uv pip install`",
        run: install::run,
    },
    Bench {
        name: "install-bytecode",
        about: "the part of `install` that is about bytecode, beside compileall",
        run: install::bytecode,
    },
    Bench {
        name: "install-small-files",
        about: "the part about small files, beside uv and bsdtar",
        run: install::small_files,
    },
    Bench {
        name: "install-relax",
        about: "the part about edits of requirements, beside unpacking and packing",
        run: install::relax,
    },
    Bench {
        name: "lock",
        about: "say what a uv.lock of 300 packages installs, and one of 3,000",
        run: lock::run,
    },
    Bench {
        name: "nix",
        about: "build with Nix, beside pypa/installer and patchelf",
        run: nix::run,
    },
    Bench {
        name: "proof",
        about: "prove that torch loads, and ten times as much",
        run: proof::run,
    },
    Bench {
        name: "scale",
        about: "install wheels that are large in one way each",
        run: scale::run,
    },
    Bench {
        name: NEEDS_CHECKOUTS,
        about: "build wheels in a set of uv2nix, beside its own hooks; with `--against DIR`",
        run: uv2nix::run,
    },
    Bench {
        name: "venv",
        about: "patch a virtual environment again, beside `uv pip install`",
        run: venv::run,
    },
];

/// The options of the command line.
#[derive(Debug)]
pub(crate) struct Options {
    /// How often each side runs.
    pub(crate) rounds: usize,
    /// The wheel to use, for benchmarks of a single one, as file names spell the distribution.
    pub(crate) wheel: Option<String>,
    /// The text that the heading of a comparison has to contain, for benchmarks with long
    /// comparisons; `None` for all.
    pub(crate) only: Option<String>,
    /// The directory of checkouts that `nix-test --against` takes, for benchmarks beside others' code.
    pub(crate) against: Option<PathBuf>,
    /// The machine in a few words, if figures are to be recorded.
    pub(crate) record: Option<String>,
}

impl Options {
    /// Keeps the seconds that both sides took, if that is wanted.
    pub(crate) fn record(
        &self,
        bench: &str,
        subject: &str,
        beside: &str,
        walls: [f64; 2],
    ) -> Result {
        match &self.record {
            None => Ok(()),
            Some(machine) => recorded::add(Figure::new(bench, subject, beside, walls, machine)?),
        }
    }

    /// Whether a comparison is wanted.
    pub(crate) fn wants(&self, title: &str) -> bool {
        self.only.as_ref().is_none_or(|only| title.contains(only))
    }
}

pub(crate) fn task(mut args: Arguments) -> Result {
    let name = args.subcommand()?;
    let options = Options {
        rounds: args.opt_value_from_str("--rounds")?.unwrap_or(5),
        wheel: args.opt_value_from_str("--wheel")?,
        only: args.opt_value_from_str("--only")?,
        against: args.opt_value_from_str("--against")?,
        record: args.opt_value_from_str("--record")?,
    };
    let charts = args.contains("--charts");
    arguments::finish(args)?;
    if charts {
        recorded::draw()?;
        return corpus::draw_chart();
    }
    let is_wanted = |bench: &&Bench| match name.as_deref() {
        Some(name) => name == bench.name,
        // A part comes with the whole.
        None if bench.name == NEEDS_CHECKOUTS => options.against.is_some(),
        None => !bench.name.starts_with("install-"),
    };
    let wanted: Vec<&Bench> = BENCHES.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let lines: Vec<String> = BENCHES
            .iter()
            .map(|bench| format!("  {:<21}{}", bench.name, bench.about))
            .collect();
        return Err(format!("expected one of these:\n{}", lines.join("\n")).into());
    }
    wanted.iter().try_for_each(|bench| (bench.run)(&options))
}
