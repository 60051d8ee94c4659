//! Who wants a file of which nothing can be proved.

use std::fmt;

use serde::Serialize;

/// Who wants a file of which nothing can be proved.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The user named it.
    Named,
    /// Python imports it, as this module.
    Imported(String),
    /// Nothing else was proved.
    Only,
}

/// As the end of a sentence that says that nothing is proved.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => Ok(()),
            Self::Imported(name) => write!(f, ", and Python imports it as `{name}`"),
            Self::Only => f.write_str(", nor of anything else"),
        }
    }
}
