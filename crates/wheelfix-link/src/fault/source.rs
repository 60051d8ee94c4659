//! Texts of Python sources that rules replace.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::BREAK;

/// A Python source that a rule is to change has another text than the rule knows.
#[derive(Clone, Debug, Serialize)]
pub struct ChangedSource {
    /// Its final path.
    pub path: PathBuf,
    /// The rule.
    pub rule: String,
    /// The texts that the rule knows.
    pub expected: Vec<String>,
    /// Why the text must be replaced.
    pub reason: String,
}

impl fmt::Display for ChangedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            rule,
            expected,
            reason,
        } = self;
        let path = path.display();
        write!(
            f,
            "`{path}` has none of the texts that rule `{rule}` replaces"
        )?;
        for (index, text) in expected.iter().enumerate() {
            let word = if index == 0 { "expected" } else { "or" };
            write!(f, "{BREAK}  {word}: {}", text.trim())?;
        }
        write!(f, "{BREAK}  why: {reason}")
    }
}

/// A Python source has a text that a rule replaces.
#[derive(Clone, Debug, Serialize)]
pub struct StaleSource {
    /// Its final path.
    pub path: PathBuf,
    /// The rules.
    pub rules: Vec<String>,
}

impl fmt::Display for StaleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, rules } = self;
        let rules = rules.join("`, `");
        write!(
            f,
            "`{}` has a text that rule `{rules}` replaces",
            path.display()
        )
    }
}
