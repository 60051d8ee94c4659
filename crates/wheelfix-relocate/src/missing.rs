//! A library that is needed and nowhere, and what almost fits.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::edges::Origin;
use crate::fault::{BREAK, some_of};
use crate::fix::Fix;

/// A library that is needed and nowhere.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// The name that is needed.
    pub soname: String,
    /// Final paths of the objects that need it.
    pub needed_by: BTreeSet<PathBuf>,
    /// The `--lib-path` entries that were searched, besides the output itself.
    pub searched: Vec<PathBuf>,
    /// What is there and almost fits.
    pub near: Vec<NearMiss>,
    /// What would mend it.
    pub fixes: Vec<Fix>,
    /// What says that it is opened at run time, if no `DT_NEEDED` names it.
    pub opened: Option<Origin>,
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
        let how = match self.opened {
            None => "needed",
            Some(Origin::Data) => "perhaps opened at run time",
            Some(_) => "opened at run time",
        };
        write!(f, "`{}` is missing", self.soname)?;
        write!(f, "{BREAK}  {how} by: {}", some_of(&self.needed_by))?;
        if let Some(origin) = &self.opened {
            write!(f, " ({origin})")?;
        }
        write!(f, "{BREAK}  searched: the output")?;
        for entry in &self.searched {
            // An empty element of a run path is the current directory.
            let here = entry.as_os_str().is_empty();
            write!(
                f,
                ", {}",
                if here { Path::new(".") } else { entry }.display()
            )?;
        }
        for near in &self.near {
            write!(
                f,
                "{BREAK}  near miss: {}: {}",
                near.path.display(),
                near.reason
            )?;
        }
        for fix in &self.fixes {
            write!(f, "{BREAK}  fix: {fix}")?;
        }
        if self.soname == "ldconfig" {
            write!(
                f,
                "{BREAK}  fix: a `[[replace]]` rule for the text, where it matters: there is no such program on Nix"
            )?;
        }
        if matches!(self.opened, Some(Origin::Data | Origin::Source(_))) {
            let name = &self.soname;
            write!(
                f,
                "{BREAK}  fix: `--ignore-missing {name}` or a `[[dlopen]]` rule with `optional = true`, if all works without it"
            )?;
        }
        Ok(())
    }
}
