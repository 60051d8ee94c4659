//! The failure of a chore: one text for the developer.

use std::fmt;
use std::io;

/// A failure in words; chores have no callers that would look closer.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// The result of a chore.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<pico_args::Error> for Failure {
    fn from(error: pico_args::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<walkdir::Error> for Failure {
    fn from(error: walkdir::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<std::env::JoinPathsError> for Failure {
    fn from(error: std::env::JoinPathsError) -> Self {
        Self(error.to_string())
    }
}
