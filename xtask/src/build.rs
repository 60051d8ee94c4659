//! Building the program as users get it.

use std::path::PathBuf;

use crate::failure::Result;
use crate::{place, program};

/// Builds `wheelfix` with optimisations and returns the program.
pub(crate) fn release() -> Result<PathBuf> {
    let args = ["build", "--release", "--locked", "--package", "wheelfix"];
    program::run(&mut program::cargo(&args))?;
    Ok(place::target().join("release/wheelfix"))
}

/// Builds `wheelfix` as the tests run it and returns the program.
pub(crate) fn debug() -> Result<PathBuf> {
    let args = ["build", "--locked", "--package", "wheelfix"];
    program::run(&mut program::cargo(&args))?;
    Ok(place::target().join("debug/wheelfix"))
}
