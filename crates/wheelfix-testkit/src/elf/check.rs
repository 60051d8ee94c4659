//! Rules for every ELF file that a loader, a debugger or `strip` gets to see.

mod dynamic;
mod sections;
mod segments;

use std::fmt;

use super::image::Image;
use super::linking::Linking;

pub(super) use self::segments::notes as segment_notes;

/// A rule that a file breaks.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Violation {
    /// Names the rule.
    pub code: &'static str,
    /// The fault and its place.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

/// Collects violations.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) violations: Vec<Violation>,
}

impl Report {
    /// Records a violation unless the condition holds.
    pub(super) fn check(&mut self, holds: bool, code: &'static str, text: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(Violation { code, text: text() });
        }
    }

    /// Records a violation.
    pub(super) fn bad(&mut self, code: &'static str, text: impl Into<String>) {
        self.violations.push(Violation {
            code,
            text: text.into(),
        });
    }
}

/// All rules that the file breaks by itself, for a kernel with pages of this many bytes.
pub fn violations(bytes: &[u8], page: u64) -> Vec<Violation> {
    let mut report = Report::default();
    match Image::parse(bytes) {
        Ok(image) => {
            let linking = Linking::read(&image);
            segments::check(&image, page, &mut report);
            if let Some(linking) = &linking {
                dynamic::check(&image, linking, &mut report);
            }
            sections::check(&image, linking.as_ref(), &mut report);
        }
        Err(text) => report.bad("PARSE", text),
    }
    report.violations
}

/// The violations in one line of text.
pub fn describe(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
