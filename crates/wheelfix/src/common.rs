//! Arguments that several commands share.

use std::path::PathBuf;

/// Where libraries come from, and what may be missing
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Libraries")]
pub(crate) struct LibraryArgs {
    /// Directory of libraries, or a prefix or store path that holds some; the first one wins
    #[arg(long = "lib-path", value_name = "DIR")]
    pub(crate) lib_paths: Vec<PathBuf>,
    /// File with further rules, see docs/rules.md
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// Directory of the graphics driver's libraries at run time
    #[arg(long, value_name = "DIR", default_value = "/run/opengl-driver/lib")]
    pub(crate) driver_path: PathBuf,
    /// Library that may be missing; one that matches nothing is an error
    #[arg(long, value_name = "GLOB")]
    pub(crate) ignore_missing: Vec<String>,
}

/// How to run, and what to print
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Print errors only
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// How many threads to use
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct JobsArgs {
    /// Number of threads [default: one per processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

impl JobsArgs {
    /// How many threads to use, at least one.
    pub(crate) fn count(&self) -> usize {
        match self.jobs {
            Some(jobs) => usize::from(jobs),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
