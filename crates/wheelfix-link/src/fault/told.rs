//! The text of warnings about files that an output, or another one, does without.

use std::fmt;

use crate::fault::{BREAK, Fault, some_of};
use crate::plural::count;

impl Fault {
    pub(super) fn fmt_told(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut {
                rule,
                paths,
                missing,
            } => {
                let files = count(paths.len(), "file");
                let missing: Vec<String> = missing.keys().map(|name| format!("`{name}`")).collect();
                write!(
                    f,
                    "{files} left out that cannot be loaded and need not (rule `{rule}`)"
                )?;
                write!(f, "{BREAK}  left out: {}", some_of(paths))?;
                write!(f, "{BREAK}  missing: {}", missing.join(", "))
            }
            Self::Sibling {
                prefix,
                lacking,
                needed_by,
            } => {
                let (prefix, needed_by) = (prefix.display(), some_of(needed_by));
                write!(
                    f,
                    "`{prefix}`, the prefix of another wheel, lacks `{lacking}`"
                )?;
                write!(f, "{BREAK}  needed by: {needed_by}")?;
                write!(
                    f,
                    "{BREAK}  what needs this fails: install that wheel anew with it"
                )
            }
            Self::Sought {
                path,
                file,
                distribution,
                rule,
                reason,
            } => {
                let (path, file) = (path.display(), file.display());
                write!(f, "`{file}` is not there (rule `{rule}`)")?;
                write!(f, "{BREAK}  looked for by: {path}")?;
                write!(f, "{BREAK}  why: {reason}")?;
                write!(
                    f,
                    "{BREAK}  it is in the wheel `{distribution}`: make one environment of both"
                )
            }
            _ => Ok(()),
        }
    }
}
