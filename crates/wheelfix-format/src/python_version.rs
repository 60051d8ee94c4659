//! The version of a Python, as far as wheels and directories depend on it: `3.11`.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// Major and minor version of a Python.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PythonVersion {
    /// The first number: 3.
    pub major: u16,
    /// The second number: 11 of 3.11.
    pub minor: u16,
}

/// Why a text is not a Python version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonVersionError {
    /// It is not two numbers with a dot between them.
    #[error("expected a version such as `3.11`, got `{0}`")]
    Parts(String),
    /// One of the two is not a number.
    #[error("invalid number in Python version: `{text}`")]
    Number {
        /// The version as written.
        text: String,
        /// The error of the number parser.
        source: ParseIntError,
    },
}

impl FromStr for PythonVersion {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        let number = |part: &str| {
            part.parse().map_err(|source| PythonVersionError::Number {
                text: text.to_owned(),
                source,
            })
        };
        match text.split_once('.') {
            Some((major, minor)) if !minor.contains('.') => Ok(Self {
                major: number(major)?,
                minor: number(minor)?,
            }),
            _ => Err(PythonVersionError::Parts(text.to_owned())),
        }
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor } = self;
        write!(f, "{major}.{minor}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<PythonVersion>() {
            Ok(version) => version.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn two_numbers_are_a_version() {
        check("3.11", "3.11");
        check("3.9", "3.9");
        for text in ["3", "3.11.2", ""] {
            check(
                text,
                &format!("error: expected a version such as `3.11`, got `{text}`"),
            );
        }
        check("3.x", "error: invalid number in Python version: `3.x`");
    }
}
