//! Why something cannot be inspected.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;
use wheelfix_elf::{ReadError, Violation};
use wheelfix_wheel::{SdistError, WheelError};

/// Why something cannot be inspected.
#[derive(Debug, Error)]
pub enum InspectError {
    /// A file or directory cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A directory cannot be walked.
    #[error(transparent)]
    Walk(#[from] walkdir::Error),
    /// It is none of the subjects.
    #[error("`{}` is not a wheel, source distribution, ELF file or directory", .0.display())]
    Unknown(PathBuf),
    /// A wheel is not valid.
    #[error("`{}` is refused", path.display())]
    Wheel {
        /// The wheel.
        path: PathBuf,
        /// Its fault.
        source: Box<WheelError>,
    },
    /// A source distribution is not valid.
    #[error("`{}` is refused", path.display())]
    Sdist {
        /// The source distribution.
        path: PathBuf,
        /// Its fault.
        source: Box<SdistError>,
    },
    /// An ELF file cannot be read.
    #[error("`{path}` cannot be read{}", list(.violations))]
    Elf {
        /// The file, as given.
        path: String,
        /// Broken rules, if they were looked for and enough of the file can be read for that.
        violations: Vec<Violation>,
        /// Its first fault.
        source: ReadError,
    },
}

/// Begins a line. It is written as a character: a line break in a text is one of the input.
const BREAK: char = '\n';

/// Broken rules, each on a line of its own.
fn list(violations: &[Violation]) -> impl fmt::Display {
    fmt::from_fn(|f| {
        if violations.is_empty() {
            return Ok(());
        }
        write!(f, "; {} broken rules:", violations.len())?;
        let mut violations = violations.iter();
        violations.try_for_each(|violation| write!(f, "{BREAK}  {violation}"))
    })
}
