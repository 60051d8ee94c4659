//! `cargo xtask lint`: clippy, where every warning is an error.

use pico_args::Arguments;

use crate::failure::Result;
use crate::{arguments, program};

pub(crate) fn task(args: Arguments) -> Result {
    arguments::finish(args)?;
    run()
}

/// Fails on any warning in any target of the workspace.
pub(crate) fn run() -> Result {
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny=warnings",
    ];
    program::run(&mut program::cargo(&args))
}
