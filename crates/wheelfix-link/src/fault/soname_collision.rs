//! Faults about different files that answer to one name in one process.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::{BREAK, some_of};

/// A file that a name leads to, and who is led there.
#[derive(Clone, Debug, Serialize)]
pub struct Binding {
    /// The file, by its final path.
    pub path: PathBuf,
    /// Final paths of the modules that bring it along.
    pub modules: BTreeSet<PathBuf>,
}

/// A module that does not load in a process in which another one is loaded.
#[derive(Clone, Debug, Serialize)]
pub struct FailingPair {
    /// Final path of the one that is loaded first.
    pub first: PathBuf,
    /// Final path of the one that does not load then.
    pub second: PathBuf,
    /// The first thing that it lacks.
    pub reason: String,
}

/// Different files answer to one name in one process, which gets the first of them. A warning where
/// each serves all.
#[derive(Clone, Debug, Serialize)]
pub struct SonameCollision {
    /// The name.
    pub soname: String,
    /// The files, and who is led to each.
    pub bound: Vec<Binding>,
    /// A module that does not load after another one.
    pub failing: Option<FailingPair>,
    /// Whether one of the two is of Python's standard library, which nobody here can give another file.
    pub is_standard: bool,
}

impl fmt::Display for SonameCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            soname,
            bound,
            failing,
            is_standard,
        } = self;
        write!(
            f,
            "`{soname}` is not the same file for all: in one process the first that is loaded serves all"
        )?;
        for Binding { path, modules } in bound {
            let path = path.display();
            write!(f, "{BREAK}  {path}: for {}", some_of(modules))?;
        }
        if let Some(pair) = failing {
            let (first, second) = (pair.first.display(), pair.second.display());
            write!(
                f,
                "{BREAK}  `{second}` does not load after `{first}`: {}",
                pair.reason
            )?;
            let way = if *is_standard {
                "it loads where nothing has imported that before, and where Python and the wheel have files of that name that serve both"
            } else {
                "give both the newest file of that name with which they work"
            };
            write!(f, "{BREAK}  {way}")?;
        }
        Ok(())
    }
}
