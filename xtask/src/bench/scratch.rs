//! A place for what a benchmark makes.

use std::path::PathBuf;

use crate::failure::Result;
use crate::place;

/// A directory below `target`, removed in the end.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        let parent = place::target().join("bench");
        fs_err::create_dir_all(&parent)?;
        Ok(Self(place::numbered(&parent)?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs_err::remove_dir_all(&self.0) {
            eprintln!("warning: {error}");
        }
    }
}
