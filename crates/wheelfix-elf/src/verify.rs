//! Rules that a file keeps that loads everywhere and survives `strip`, checked from the bytes alone.
//!
//! Nothing here knows how the editor lays things out: it runs over the planned file before a byte is written, and over the
//! written one.

mod compare;
mod dynamic;
mod elf_image;
mod rule;
mod sections;
mod segments;
mod tables;

pub use rule::{Rule, Violation};

use std::ops::Range;

use crate::error::ReadError;
use crate::source::Source;
use elf_image::ElfImage;
use rule::Report;

/// Returns the rules that a program or library breaks, in the order in which they are checked.
///
/// Shipped files break some: the question for an edit is which of them it breaks anew, see [`new_violations`]. An error is
/// returned for what has no readable headers; object files and memory images have no rules to break.
pub fn verify<S: Source + ?Sized>(source: &S) -> Result<Vec<Violation>, ReadError> {
    verify_source(&source, Names::Check)
}

/// Whether names are looked up in the hash tables: by far the longest part, which a file does not need whose symbols, names
/// and hash tables are byte by byte those of a file that was right before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Names {
    /// They are looked up.
    #[default]
    Check,
    /// They are compared, see [`verify_edit`].
    Compare,
}

pub(crate) fn verify_source(
    source: &dyn Source,
    names: Names,
) -> Result<Vec<Violation>, ReadError> {
    let mut report = Report::default();
    let Some(elf_image) = ElfImage::read(source, &mut report)? else {
        return Ok(Vec::new());
    };
    segments::check(&elf_image, &mut report)?;
    if let Some(linking) = elf_image.linking(&mut report)? {
        dynamic::check(&elf_image, &linking, &mut report)?;
        tables::check(&elf_image, &linking, names, &mut report)?;
        sections::check_tags(&elf_image, &linking, &mut report);
    }
    sections::check(&elf_image, &mut report);
    Ok(report.violations)
}

/// Returns the violations of rules that are broken more often than before.
pub fn new_violations(before: &[Violation], after: Vec<Violation>) -> Vec<Violation> {
    let count = |all: &[Violation], rule| {
        all.iter()
            .filter(|violation| violation.rule == rule)
            .count()
    };
    let is_new =
        |violation: &Violation| count(&after, violation.rule) > count(before, violation.rule);
    let new: Vec<bool> = after.iter().map(is_new).collect();
    after
        .into_iter()
        .zip(new)
        .filter_map(|(violation, new)| new.then_some(violation))
        .collect()
}

/// The violations found in the result of an edit.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Violations that the file did not have before, and changes that no edit may make.
    pub(crate) new: Vec<Violation>,
    /// All rules that the result breaks.
    pub(crate) all: Vec<Violation>,
    /// How names were checked.
    pub(crate) names: Names,
}

/// Compares the file before and after an edit. `accepted` are rules that the edit breaks knowingly; elsewhere than in the
/// ranges `touched` both have the same bytes.
pub(crate) fn verify_edit(
    before: &dyn Source,
    after: &dyn Source,
    accepted: &[Rule],
    touched: &[Range<u64>],
) -> Result<Checked, ReadError> {
    let renames = accepted.contains(&Rule::ChangedSymbol);
    let names = if renames {
        Names::Check
    } else {
        Names::Compare
    };
    let all = verify_source(after, names)?;
    let mut new = compare::compare(before, after, names, touched)?;
    if !all.is_empty() {
        new.extend(new_violations(&verify_source(before, names)?, all.clone()));
    }
    new.retain(|violation| !accepted.contains(&violation.rule));
    Ok(Checked { new, all, names })
}
