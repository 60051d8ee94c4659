//! A library of which there are several, or that is not the version that is needed.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::remedy::Candidate;
use crate::fault::{BREAK, some_of};

/// Several different libraries answer to one name, and nothing says which is meant.
#[derive(Clone, Debug, Serialize)]
pub struct Ambiguous {
    /// The name.
    pub soname: String,
    /// Final paths of the objects that need it.
    pub needed_by: BTreeSet<PathBuf>,
    /// The candidates.
    pub candidates: Vec<PathBuf>,
    /// The directories that a run path would have to order both ways, or the one entry that
    /// holds all candidates.
    pub reason: String,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            soname,
            needed_by,
            candidates,
            reason,
        } = self;
        write!(f, "`{soname}` is ambiguous: {reason}")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))?;
        for candidate in candidates {
            write!(f, "{BREAK}  candidate: {}", candidate.display())?;
        }
        Ok(())
    }
}

/// The library that is found does not define a version.
#[derive(Clone, Debug, Serialize)]
pub struct UndefinedVersion {
    /// The library, as it is needed.
    pub soname: String,
    /// The version that is needed of it.
    pub version: String,
    /// The library that was found; `None` if the needer does not need any library by this name.
    pub found: Option<PathBuf>,
    /// Final paths of the objects that need the version.
    pub needed_by: BTreeSet<PathBuf>,
    /// Known providers of newer ones.
    pub candidates: Vec<Candidate>,
    /// Directories of the library paths that have a newer one, which comes after the one found.
    pub later: BTreeSet<PathBuf>,
    /// Whether one of these files cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

impl fmt::Display for UndefinedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            soname,
            version,
            found,
            needed_by,
            later,
            ..
        } = self;
        write!(f, "`{soname}` does not define the version `{version}`")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))?;
        match found {
            Some(found) => write!(f, "{BREAK}  found: {}", found.display())?,
            // A C library that is not here lacks what is newer than its name says.
            None if version.starts_with("GLIBC_2.") => {
                write!(
                    f,
                    "{BREAK}  found: the glibc of the target is named, and is older"
                )?;
            }
            None => write!(
                f,
                "{BREAK}  found: nothing by that name is needed, only its version"
            )?,
        }
        for directory in later {
            let path = directory.join(soname);
            write!(f, "{BREAK}  near miss: {}: it comes later", path.display())?;
        }
        Ok(())
    }
}
