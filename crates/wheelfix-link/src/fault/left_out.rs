//! Files that an output, or another one, does without.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::remedy::Candidate;
use crate::fault::{BREAK, some_of};
use crate::plural::count;

/// Files that do not load and need not are left out. A warning.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// The rule that lets them go, or the name of the decision.
    pub rule: String,
    /// Their final paths.
    pub paths: BTreeSet<PathBuf>,
    /// The libraries that they lack, with the known providers of each.
    pub missing: BTreeMap<String, Vec<Candidate>>,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            paths,
            missing,
        } = self;
        let files = count(paths.len(), "file");
        let missing: Vec<String> = missing.keys().map(|name| format!("`{name}`")).collect();
        write!(
            f,
            "{files} left out that cannot be loaded and need not (rule `{rule}`)"
        )?;
        write!(f, "{BREAK}  left out: {}", some_of(paths))?;
        write!(f, "{BREAK}  missing: {}", missing.join(", "))
    }
}

/// The prefix of another wheel lacks what its own files need. A warning: its install allowed that.
#[derive(Clone, Debug, Serialize)]
pub struct IncompleteSibling {
    /// The prefix.
    pub prefix: PathBuf,
    /// The library or symbol.
    pub lacking: String,
    /// Final paths of its files that need it.
    pub needed_by: BTreeSet<PathBuf>,
}

impl fmt::Display for IncompleteSibling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            prefix,
            lacking,
            needed_by,
        } = self;
        let (prefix, needed_by) = (prefix.display(), some_of(needed_by));
        write!(
            f,
            "`{prefix}`, the prefix of another wheel, lacks `{lacking}`"
        )?;
        write!(f, "{BREAK}  needed by: {needed_by}")?;
        write!(
            f,
            "{BREAK}  what needs this fails: install that wheel anew with it"
        )
    }
}

/// A file is not there that an object looks for where another distribution's are. A warning: it may do without.
#[derive(Clone, Debug, Serialize)]
pub struct SoughtFile {
    /// Final path of the object.
    pub path: PathBuf,
    /// The path of the file.
    pub file: PathBuf,
    /// The distribution that has it.
    pub distribution: String,
    /// The rule that says so.
    pub rule: String,
    /// Why it exists.
    pub reason: String,
}

impl fmt::Display for SoughtFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            file,
            distribution,
            rule,
            reason,
        } = self;
        let (path, file) = (path.display(), file.display());
        write!(f, "`{file}` is not there (rule `{rule}`)")?;
        write!(f, "{BREAK}  looked for by: {path}")?;
        write!(f, "{BREAK}  why: {reason}")?;
        write!(
            f,
            "{BREAK}  it is in the wheel `{distribution}`: make one environment of both"
        )
    }
}
