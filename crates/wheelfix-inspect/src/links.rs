//! Libraries that ELF files need from outside.

use serde::Serialize;
use wheelfix_wheel::ElfSet;

/// A library that is needed from outside.
#[derive(Debug, Serialize)]
pub struct Link {
    /// Its soname.
    pub soname: String,
    /// The files that need it.
    pub needed_by: Vec<String>,
}

/// The libraries that a set of ELF files needs from outside.
pub(crate) fn links(set: &ElfSet<'_>) -> Vec<Link> {
    let links = set.external().into_iter().map(|(soname, needed_by)| Link {
        soname: soname.to_owned(),
        needed_by: needed_by.into_iter().map(str::to_owned).collect(),
    });
    links.collect()
}
