//! The name of a project, an extra or a dependency group, normalised.
//!
//! <https://packaging.python.org/en/latest/specifications/name-normalization/>

use std::fmt;
use std::str::FromStr;

/// The normalised name of a project, an extra or a dependency group.
///
/// ASCII lower-case letters, digits and single `-` inside; never empty.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PackageName(String);

/// Why a text is not a [`PackageName`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PackageNameError {
    /// Nothing at all.
    #[error("a name must not be empty")]
    Empty,
    /// A character that no name may have.
    #[error("a name may have only ASCII letters, digits, `-`, `_` and `.`, got {got:?}: `{name}`")]
    Character {
        /// The whole text.
        name: String,
        /// The first offending character.
        got: char,
    },
    /// A separator at an end.
    #[error("a name must begin and end with an ASCII letter or digit: `{0}`")]
    Edge(String),
}

impl PackageName {
    /// The normalised text, for example `ruamel-yaml`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form used in file names and for `.dist-info` directories, for example `ruamel_yaml`.
    pub fn to_filename_form(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for PackageName {
    type Err = PackageNameError;

    fn from_str(text: &str) -> Result<Self, PackageNameError> {
        if let Some(got) = text.chars().find(|c| !is_name_char(*c)) {
            let name = text.to_owned();
            return Err(PackageNameError::Character { name, got });
        }
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return Err(PackageNameError::Empty);
        };
        if !first.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() {
            return Err(PackageNameError::Edge(text.to_owned()));
        }
        Ok(Self(normalize(text)))
    }
}

/// Whether a project name may contain the character.
pub(crate) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Lower case, and each run of `-`, `_` and `.` as one `-`.
pub(crate) fn normalize(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        if !matches!(c, '-' | '_' | '.') {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for PackageName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<PackageName>() {
            Ok(name) => name.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn names_are_normalised() {
        check("numpy", "numpy");
        check("Friendly-Bard", "friendly-bard");
        check("friendly._--bard", "friendly-bard");
        check("ruamel.yaml", "ruamel-yaml");
        check("A", "a");
    }

    #[test]
    fn other_names_are_refused() {
        check("", "error: a name must not be empty");
        check(
            "-a",
            "error: a name must begin and end with an ASCII letter or digit: `-a`",
        );
        check(
            "a_",
            "error: a name must begin and end with an ASCII letter or digit: `a_`",
        );
        check(
            "../a",
            "error: a name may have only ASCII letters, digits, `-`, `_` and `.`, got '/': `../a`",
        );
        check(
            "caf\u{e9}",
            "error: a name may have only ASCII letters, digits, `-`, `_` and `.`, got 'é': `café`",
        );
    }

    #[test]
    fn the_form_in_file_names_has_underscores() {
        let name: PackageName = "ruamel.yaml".parse().unwrap();
        assert_eq!(name.to_filename_form(), "ruamel_yaml");
    }
}
