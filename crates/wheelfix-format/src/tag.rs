//! Compatibility tags: which Python, ABI and platform a wheel is for.
//!
//! <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>

use std::fmt;
use std::str::FromStr;

/// One tag, for example `cp311-abi3-manylinux_2_28_x86_64`.
///
/// The parts are lower case and never empty.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tag {
    python: String,
    abi: String,
    platform: String,
}

/// A compressed tag set: every combination of its parts, for example
/// `py2.py3-none-any`, which is `py2-none-any` and `py3-none-any`.
///
/// Each list is as written, lower case; no list and no part is empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TagSet {
    pythons: Vec<String>,
    abis: Vec<String>,
    platforms: Vec<String>,
}

/// Why a text is not a [`TagSet`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// Fewer or more than three parts between `-`.
    #[error("expected the 3 parts python-abi-platform, got {got}: `{text}`")]
    PartCount {
        /// The whole text.
        text: String,
        /// How many parts there are.
        got: usize,
    },
    /// Nothing between two separators.
    #[error("a tag must not have an empty part: `{0}`")]
    Empty(String),
    /// A character that a tag may not have.
    #[error("a tag may have only ASCII letters, digits and `_`: `{0}`")]
    Character(String),
    /// The Python part begins with a digit.
    #[error("the Python part of a tag must not begin with a digit: `{0}`")]
    Python(String),
}

impl Tag {
    /// A tag of parts that are known to be well-formed and lower case.
    pub(crate) fn new(
        python: impl Into<String>,
        abi: impl Into<String>,
        platform: impl Into<String>,
    ) -> Self {
        Self {
            python: python.into(),
            abi: abi.into(),
            platform: platform.into(),
        }
    }

    /// The implementation and its version, for example `cp311` or `py3`.
    pub fn python(&self) -> &str {
        &self.python
    }

    /// The ABI, for example `cp311`, `abi3` or `none`.
    pub fn abi(&self) -> &str {
        &self.abi
    }

    /// The platform, for example `manylinux_2_28_x86_64` or `any`.
    pub fn platform(&self) -> &str {
        &self.platform
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

impl TagSet {
    /// Python parts, as written.
    pub fn pythons(&self) -> &[String] {
        &self.pythons
    }

    /// ABI parts, as written.
    pub fn abis(&self) -> &[String] {
        &self.abis
    }

    /// Platform parts, as written.
    pub fn platforms(&self) -> &[String] {
        &self.platforms
    }

    /// Number of tags in the set, those that are there twice counted twice.
    pub fn count(&self) -> usize {
        let pairs = self.pythons.len().saturating_mul(self.abis.len());
        pairs.saturating_mul(self.platforms.len())
    }

    /// Whether a tag is in the set; compares part by part.
    pub fn contains(&self, tag: &Tag) -> bool {
        let has = |parts: &[String], part: &str| parts.iter().any(|it| it == part);
        has(&self.pythons, tag.python())
            && has(&self.abis, tag.abi())
            && has(&self.platforms, tag.platform())
    }

    /// Every tag of the set, the platform varying fastest. There may be a billion in 10 kB of text:
    /// see [`count`](Self::count).
    pub fn iter(&self) -> impl Iterator<Item = Tag> + '_ {
        self.pythons.iter().flat_map(move |python| {
            self.abis.iter().flat_map(move |abi| {
                let platforms = self.platforms.iter();
                platforms.map(move |platform| Tag::new(python, abi, platform))
            })
        })
    }
}

impl FromStr for TagSet {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let parts: Vec<&str> = text.split('-').collect();
        let [pythons, abis, platforms] = *parts.as_slice() else {
            let (text, got) = (text.to_owned(), parts.len());
            return Err(TagError::PartCount { text, got });
        };
        let set = Self {
            pythons: split(pythons, text)?,
            abis: split(abis, text)?,
            platforms: split(platforms, text)?,
        };
        if set
            .pythons
            .iter()
            .any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
        {
            return Err(TagError::Python(text.to_owned()));
        }
        Ok(set)
    }
}

fn split(part: &str, text: &str) -> Result<Vec<String>, TagError> {
    part.split('.')
        .map(|piece| {
            if piece.is_empty() {
                return Err(TagError::Empty(text.to_owned()));
            }
            if !piece.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(TagError::Character(text.to_owned()));
            }
            Ok(piece.to_ascii_lowercase())
        })
        .collect()
}

impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pythons, abis) = (self.pythons.join("."), self.abis.join("."));
        write!(f, "{pythons}-{abis}-{}", self.platforms.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<TagSet>() {
            Ok(set) => set
                .iter()
                .map(|tag| tag.to_string())
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn compressed_sets_are_expanded() {
        check("py3-none-any", "py3-none-any");
        check("py2.py3-none-any", "py2-none-any py3-none-any");
        check(
            "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp311-cp311-manylinux_2_17_x86_64 cp311-cp311-manylinux2014_x86_64",
        );
        check("CP311-ABI3-Win_AMD64", "cp311-abi3-win_amd64");
    }

    #[test]
    fn other_texts_are_refused() {
        check(
            "py3-none",
            "error: expected the 3 parts python-abi-platform, got 2: `py3-none`",
        );
        check(
            "py3-none-any-x",
            "error: expected the 3 parts python-abi-platform, got 4: `py3-none-any-x`",
        );
        check(
            "py2.-none-any",
            "error: a tag must not have an empty part: `py2.-none-any`",
        );
        check(
            "py3-none-",
            "error: a tag must not have an empty part: `py3-none-`",
        );
        check(
            "py3-none-a/b",
            "error: a tag may have only ASCII letters, digits and `_`: `py3-none-a/b`",
        );
        check(
            "3-none-any",
            "error: the Python part of a tag must not begin with a digit: `3-none-any`",
        );
    }
}
