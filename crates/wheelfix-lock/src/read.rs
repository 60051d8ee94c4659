//! Readers of lock files: one for each format.

mod conda;
mod conda_lock;
mod makes;
mod pdm;
mod pipfile;
mod pixi;
mod poetry;
pub(crate) mod pylock;
pub(crate) mod reading;
mod requirements;
mod toml_text;
mod unknown_keys;
mod uv;
mod yaml_text;

pub use requirements::is_open;

use crate::{Fault, Faults, Format, Lock, Problem};

/// Most values in a file, counted by the characters around them. A lock of 3,000 packages with 16 wheels
/// each has a million.
const MAX_VALUES: usize = 4_000_000;

impl<'a> Lock<'a> {
    /// Reads a lock file; its name decides about the format, where the contents do not.
    pub fn read(name: &str, text: &'a str) -> Result<Self, Faults> {
        Self::read_beside(name, text, |_| None)
    }

    /// The same with what older locks leave to pyproject.toml, which `project` gives by the directory, relative
    /// to that of the lock.
    pub fn read_beside(
        name: &str,
        text: &'a str,
        project: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Faults> {
        // A byte order mark says nothing of UTF-8.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.starts_with("version https://git-lfs") {
            return Err(vec![Fault::of_file(Problem::LfsPointer)]);
        }
        if let Some(line) = conflict_line(text) {
            return Err(vec![Fault::of_file(Problem::MergeConflict(line))]);
        }
        // Values take memory that their texts do not.
        let values = text
            .bytes()
            .filter(|byte| b",=[{:\n".contains(byte))
            .count();
        if MAX_VALUES < values {
            return Err(vec![Fault::of_file(Problem::TooMany(MAX_VALUES))]);
        }
        match Format::of(name).or_else(|| Format::of_text(text)) {
            Some(_) if text.trim().is_empty() => Err(vec![Fault::of_file(Problem::Empty)]),
            Some(Format::CondaLock) => conda_lock::read(text),
            Some(Format::Makes) => makes::read(text),
            Some(Format::Pdm) => pdm::read(text),
            Some(Format::Pipfile) => pipfile::read(text),
            Some(Format::Pixi) => pixi::read(text),
            Some(Format::Poetry) => poetry::read(text, project(".").as_deref()),
            Some(Format::Pylock) => pylock::read(text),
            Some(Format::Requirements) => requirements::read(text),
            Some(Format::Uv) => {
                let mut lock = uv::read(text)?;
                if lock.lacks_default_groups() {
                    lock.take_default_groups(project)?;
                }
                Ok(lock)
            }
            None => Err(vec![Fault::of_file(Problem::UnknownFormat(format!(
                "expected {}, got `{name}`",
                Format::EXPECTED
            )))]),
        }
    }
}

/// The line of a marker that a merge has left.
fn conflict_line(text: &str) -> Option<usize> {
    let is_marker = |line: &str| {
        ["<<<<<<< ", ">>>>>>> "]
            .iter()
            .any(|marker| line.starts_with(marker))
            || line == "======="
    };
    text.lines().position(is_marker).map(|line| line + 1)
}
