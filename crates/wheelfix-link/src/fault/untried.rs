//! Files of which nothing can be proved.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::{Purpose, some_of};

/// An object is for another machine or system than the program that opens the others: nothing
/// can be proved of it, and `purpose` says who wants it.
#[derive(Clone, Debug, Serialize)]
pub struct ForeignObject {
    /// Its final path.
    pub path: PathBuf,
    /// The machine that it is for.
    pub machine: String,
    /// Who wants it.
    pub purpose: Purpose,
    /// Whether it cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

impl fmt::Display for ForeignObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            machine,
            purpose,
            ..
        } = self;
        let path = path.display();
        write!(
            f,
            "`{path}` is for another machine or system, {machine}: nothing is proved of it{purpose}"
        )
    }
}

/// A file that the user named, or that Python imports, cannot be tried.
#[derive(Clone, Debug, Serialize)]
pub struct Untried {
    /// Its final path.
    pub path: PathBuf,
    /// Why, as the end of a sentence that begins with the path.
    pub reason: String,
    /// Who wants it.
    pub purpose: Purpose,
    /// Whether it cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

impl fmt::Display for Untried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            reason,
            purpose,
            ..
        } = self;
        let path = path.display();
        write!(f, "`{path}` {reason}: there is nothing to prove{purpose}")
    }
}

/// There is no ELF file in what the user named.
#[derive(Clone, Debug, Serialize)]
pub struct NothingToProve {
    /// The paths that were named.
    pub paths: BTreeSet<PathBuf>,
}

impl fmt::Display for NothingToProve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { paths } = self;
        write!(
            f,
            "there is nothing to prove: no ELF file in {}",
            some_of(paths)
        )
    }
}
