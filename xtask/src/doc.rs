//! `cargo xtask doc`: build the documentation, where every warning is an error.

use pico_args::Arguments;

use crate::failure::Result;
use crate::{arguments, program};

pub(crate) fn task(args: Arguments) -> Result {
    arguments::finish(args)?;
    run()
}

/// Fails on a broken link and the like.
pub(crate) fn run() -> Result {
    let args = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    program::run(program::cargo(&args).env("RUSTDOCFLAGS", "--deny=warnings"))
}
