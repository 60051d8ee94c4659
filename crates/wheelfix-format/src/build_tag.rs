//! The build tag of a wheel's file name.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention>

use std::fmt;
use std::str::FromStr;

/// The build tag of a wheel: breaks ties between wheels of one version.
///
/// Ordered by number, then by suffix.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BuildTag {
    number: u64,
    suffix: String,
    /// As written: `01` and `1` are the same number.
    text: String,
}

/// Why a text is not a [`BuildTag`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildTagError {
    /// It begins with something else than a digit.
    #[error("a build tag must begin with a digit: `{0}`")]
    NoNumber(String),
    /// A number that does not fit 64 bits.
    #[error("the number of the build tag is too large: `{0}`")]
    TooLarge(String),
    /// A character that a build tag may not have.
    #[error("a build tag may have only ASCII letters, digits, `_` and `.`: `{0}`")]
    Character(String),
}

impl BuildTag {
    /// The leading digits.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The text behind the digits; may be empty.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }
}

impl FromStr for BuildTag {
    type Err = BuildTagError;

    fn from_str(text: &str) -> Result<Self, BuildTagError> {
        let suffix = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = text.strip_suffix(suffix).unwrap_or_default();
        if digits.is_empty() {
            return Err(BuildTagError::NoNumber(text.to_owned()));
        }
        if !suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        {
            return Err(BuildTagError::Character(text.to_owned()));
        }
        let Ok(number) = digits.parse() else {
            return Err(BuildTagError::TooLarge(text.to_owned()));
        };
        let (suffix, text) = (suffix.to_owned(), text.to_owned());
        Ok(Self {
            number,
            suffix,
            text,
        })
    }
}

impl fmt::Display for BuildTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<BuildTag>() {
            Ok(tag) => format!("{} {:?} {tag}", tag.number(), tag.suffix()),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn number_and_suffix_are_told_apart() {
        check("1", "1 \"\" 1");
        check("01", "1 \"\" 01");
        check("20250101_abc.2", "20250101 \"_abc.2\" 20250101_abc.2");
    }

    #[test]
    fn other_texts_are_refused() {
        check("", "error: a build tag must begin with a digit: ``");
        check("a1", "error: a build tag must begin with a digit: `a1`");
        check(
            "1/../../x",
            "error: a build tag may have only ASCII letters, digits, `_` and `.`: `1/../../x`",
        );
        check(
            "99999999999999999999",
            "error: the number of the build tag is too large: `99999999999999999999`",
        );
    }

    #[test]
    fn nine_is_before_ten() {
        let nine: BuildTag = "9".parse().unwrap();
        assert!(nine < "10".parse().unwrap());
    }
}
