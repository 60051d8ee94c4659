//! Libraries of which one process gets two.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Several libraries that do one job, for which a process should have one.
#[derive(Clone, Debug, Serialize)]
pub struct Duplicate {
    /// The job: `openmp`, `blas`, `c++`.
    pub group: String,
    /// The libraries, by path.
    pub copies: Vec<Copy>,
    /// Final paths of the objects that load more than one of them by themselves. If there is none, it
    /// takes a process that loads objects of several lists of [`Copy::loaders`].
    pub both: Vec<PathBuf>,
}

/// One of several libraries that do one job.
#[derive(Clone, Debug, Serialize)]
pub struct Copy {
    /// Where it is.
    pub path: PathBuf,
    /// Its real soname.
    pub soname: String,
    /// Final paths of the objects that load it and are loaded by nothing else of the tree: those
    /// that a process opens.
    pub loaders: Vec<PathBuf>,
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<String> = self
            .copies
            .iter()
            .map(|copy| copy.path.display().to_string())
            .collect();
        write!(f, "twice {}: {}", self.group, paths.join(", "))?;
        match self.both.split_first() {
            None => {
                let loaders: Vec<String> =
                    self.copies.iter().map(|copy| some(&copy.loaders)).collect();
                write!(f, "; in a process that loads {}", loaders.join(" with "))
            }
            Some(_) => write!(f, "; both loaded by {}", some(&self.both)),
        }
    }
}

/// The first few of the paths, and how many more there are.
fn some(paths: &[PathBuf]) -> String {
    match paths.split_first() {
        None => "nothing of the tree".to_owned(),
        Some((first, [])) => first.display().to_string(),
        Some((first, rest)) => format!("{} (or {} more)", first.display(), rest.len()),
    }
}
