//! Symbols that nothing that is loaded with an object defines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::remedy::Candidate;
use crate::fault::{BREAK, NAMED, some_of};

/// Symbols that an object refers to, and that nothing that is loaded with it defines.
#[derive(Clone, Debug, Serialize)]
pub struct UndefinedSymbols {
    /// Final path of the object.
    pub path: PathBuf,
    /// Final paths of the objects with which it was opened.
    pub opened_by: BTreeSet<PathBuf>,
    /// The symbols, with their versions after `@`.
    pub symbols: Vec<String>,
    /// The libraries that should have them, as far as versions say so, with what has newer ones.
    pub providers: BTreeMap<String, Vec<Candidate>>,
    /// Final paths of objects of the output that define some of them, and are not loaded with it.
    pub defined_by: BTreeSet<PathBuf>,
    /// Whether one of these files cannot be left out.
    #[serde(skip)]
    pub is_kept: bool,
}

impl UndefinedSymbols {
    /// The object and those with which it was opened, which do not load without it.
    pub(super) fn roots_and_own(&self) -> BTreeSet<PathBuf> {
        let all = self.opened_by.iter().chain([&self.path]);
        all.cloned().collect()
    }

    /// The names, as the loader says them.
    fn fmt_names(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbols = self.symbols.iter().take(NAMED);
        let named: Vec<String> = symbols.map(|symbol| format!("`{symbol}`")).collect();
        let noun = if self.symbols.len() == 1 {
            "symbol"
        } else {
            "symbols"
        };
        let (path, named) = (self.path.display(), named.join(", "));
        write!(f, "`{path}`: undefined {noun} {named}")?;
        if NAMED < self.symbols.len() {
            write!(f, " and {} more", self.symbols.len() - NAMED)?;
        }
        Ok(())
    }

    fn fmt_places(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.opened_by.iter().any(|root| *root != self.path) {
            write!(f, "{BREAK}  opened by: {}", some_of(&self.opened_by))?;
        }
        if !self.defined_by.is_empty() {
            write!(f, "{BREAK}  defined by: {}", some_of(&self.defined_by))?;
        }
        Ok(())
    }
}

impl fmt::Display for UndefinedSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_names(f)?;
        self.fmt_places(f)
    }
}

/// Undefined functions that are looked up when they are called.
pub(super) struct Lazy<'a>(pub(super) &'a UndefinedSymbols);

impl fmt::Display for Lazy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(undefined) = self;
        undefined.fmt_names(f)?;
        write!(
            f,
            "{BREAK}  it fails when it is called; opened with `RTLD_NOW`, as by ctypes, it does not load at all"
        )?;
        undefined.fmt_places(f)
    }
}
