//! `cargo xtask fmt`: check the formatting.

use pico_args::Arguments;

use crate::failure::Result;
use crate::{arguments, program};

pub(crate) fn task(args: Arguments) -> Result {
    arguments::finish(args)?;
    run()
}

/// Fails if a Rust file is not formatted.
pub(crate) fn run() -> Result {
    program::run(&mut program::cargo(&["fmt", "--all", "--check"]))
}
