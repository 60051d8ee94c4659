//! A library that is needed and nowhere, and what almost fits.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fault::evidence::Evidence;
use crate::fault::remedy::Candidate;
use crate::fault::{BREAK, Fault, some_of};
use crate::plural::first_of;

/// How many directories of those that were searched a message names; a store has hundreds of packages.
const SEARCHED: usize = 8;

/// A library that is needed and nowhere.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// The name that is needed.
    pub soname: String,
    /// Final paths of the objects that need it.
    pub needed_by: BTreeSet<PathBuf>,
    /// The library paths that were searched, besides the output itself.
    pub searched: Vec<PathBuf>,
    /// Libraries that are there and almost fit.
    pub near: Vec<NearMiss>,
    /// Its known providers.
    pub candidates: Vec<Candidate>,
    /// Whether it belongs to the driver, and no run path leads there.
    #[serde(skip)]
    pub is_driver: bool,
    /// The evidence that it is opened at run time, if no `DT_NEEDED` names it.
    pub opened: Option<Evidence>,
    /// Whether a rule or a table makes Python sources find the one of a library path.
    #[serde(skip)]
    pub is_answered: bool,
    /// Whether one of these files cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

/// A library that almost fits.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct NearMiss {
    /// Where it is.
    pub path: PathBuf,
    /// Why it does not fit.
    pub reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_need(f)?;
        self.fmt_searched(f)?;
        self.fmt_near(f)
    }
}

/// A fault in a list that is printed.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    fault: &'a Fault,
    /// Whether an earlier fault lists the same searched places already.
    searched_alike: bool,
}

/// The faults of one report, to be printed in this order: the searched places are listed once, as
/// long as they stay the same.
pub fn told_once(faults: &[Fault]) -> Vec<Told<'_>> {
    let mut said: Option<&[PathBuf]> = None;
    let told = faults.iter().map(|fault| {
        let searched_alike = match fault {
            Fault::Missing(missing) => {
                said.replace(&missing.searched) == Some(missing.searched.as_slice())
            }
            _ => false,
        };
        Told {
            fault,
            searched_alike,
        }
    });
    told.collect()
}

impl Told<'_> {
    /// The fault.
    pub fn fault(&self) -> &Fault {
        self.fault
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Missing(missing) if self.searched_alike => {
                missing.fmt_need(f)?;
                missing.fmt_near(f)
            }
            fault => fault.fmt(f),
        }
    }
}

impl Missing {
    fn fmt_need(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.opened {
            None => "needed",
            Some(Evidence::Data) => "perhaps opened at run time",
            Some(_) => "opened at run time",
        };
        write!(f, "`{}` is missing", self.soname)?;
        write!(f, "{BREAK}  {how} by: {}", some_of(&self.needed_by))?;
        if let Some(origin) = &self.opened {
            write!(f, " ({origin})")?;
        }
        Ok(())
    }

    fn fmt_searched(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directories = self.searched.iter().map(|entry| {
            // An empty element of a run path is the current directory.
            let here = entry.as_os_str().is_empty();
            let entry = if here { Path::new(".") } else { entry };
            entry.display().to_string()
        });
        let own = "the files themselves".to_owned();
        let places: Vec<String> = std::iter::once(own).chain(directories).collect();
        let places = first_of(&places, 1 + SEARCHED);
        write!(f, "{BREAK}  searched: {places}")
    }

    fn fmt_near(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for near in &self.near {
            write!(
                f,
                "{BREAK}  near miss: {}: {}",
                near.path.display(),
                near.reason
            )?;
        }
        Ok(())
    }
}
