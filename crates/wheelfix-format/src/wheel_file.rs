//! `WHEEL`, the file that says how a wheel was made.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-contents>

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::headers::FieldEdit;
use crate::{Headers, TagSet};

/// The contents of `WHEEL`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WheelFile {
    /// Major and minor version of the wheel format.
    pub version: (u64, u64),
    /// The program that made the wheel; `None` if the file does not say.
    pub generator: Option<String>,
    /// Whether the root of the archive goes to `purelib` (true) or `platlib` (false).
    pub root_is_purelib: bool,
    /// The tags, one set per line; expanded by most tools, compressed by old ones.
    pub tags: Vec<TagSet>,
    /// The build tag, as written.
    pub build: Option<String>,
    /// Oddities that do not matter.
    pub oddities: Vec<WheelFileOddity>,
}

/// How a `WHEEL` file is not as the format says, though its meaning is plain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WheelFileOddity {
    /// No `Root-Is-Purelib`, or one that is neither true nor false: all installers take it for false.
    Root(String),
    /// A `Tag` that is not one: no installer reads it here.
    Tag(String),
}

/// Most `Tag` lines that are read; the most of a real wheel are some 30.
const MAX_TAGS: usize = 10_000;

/// Why a text is not a `WHEEL` file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WheelFileError {
    /// A field that must be there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field that says two things, of which each reader takes another one.
    #[error("field `{0}` occurs twice, with different values")]
    Twice(&'static str),
    /// A version that is not two numbers.
    #[error("`Wheel-Version` must be two numbers with a dot between: `{0}`")]
    Version(String),
    /// A version we do not know, with another layout.
    #[error("unsupported `Wheel-Version`, expected 1.x: `{0}`")]
    Unsupported(String),
    /// More `Tag` lines than the tags of any file name.
    #[error("{0} `Tag` lines, limit is {MAX_TAGS}")]
    TooManyTags(usize),
}

impl WheelFile {
    /// Highest minor version of the format whose meaning we know.
    pub const KNOWN_MINOR: u64 = 0;

    /// The text of a `WHEEL` with other tags, one line each; all other lines stay.
    pub fn with_tags(text: &str, tags: &TagSet) -> String {
        let lines: Vec<String> = tags.iter().map(|tag| format!("Tag: {tag}\n")).collect();
        let mut lines = Some(lines.concat());
        let headers = Headers::parse(text);
        let edited = headers.edited(|field| {
            if !field.name.eq_ignore_ascii_case("Tag") {
                return FieldEdit::Keep;
            }
            // The first makes room for all.
            match lines.take() {
                Some(lines) => FieldEdit::Value(
                    lines
                        .trim_start_matches("Tag: ")
                        .trim_end_matches('\n')
                        .to_owned(),
                ),
                None => FieldEdit::Remove,
            }
        });
        match lines {
            // There was none.
            Some(lines) => format!("{}\n{lines}", edited.trim_end()),
            None => edited,
        }
    }
}

impl FromStr for WheelFile {
    type Err = WheelFileError;

    fn from_str(text: &str) -> Result<Self, WheelFileError> {
        let headers = Headers::parse(text);
        // Of `Root-Is-Purelib` the first counts, as in pip: pymongocrypt-1.21.2 has both, and
        // modules have one place.
        let versions = headers.get_all("Wheel-Version").map(|field| field.value);
        if 1 < versions.collect::<BTreeSet<&str>>().len() {
            return Err(WheelFileError::Twice("Wheel-Version"));
        }
        let version_text = headers.get("Wheel-Version");
        let version_text = version_text.ok_or(WheelFileError::Missing("Wheel-Version"))?;
        let version = parse_version(version_text)
            .ok_or_else(|| WheelFileError::Version(version_text.to_owned()))?;
        if version.0 != 1 {
            return Err(WheelFileError::Unsupported(version_text.to_owned()));
        }
        let mut oddities = Vec::new();
        let root = headers.get("Root-Is-Purelib").unwrap_or_default();
        let root_is_purelib = root.eq_ignore_ascii_case("true");
        if !root_is_purelib && !root.eq_ignore_ascii_case("false") {
            oddities.push(WheelFileOddity::Root(root.to_owned()));
        }
        let lines = headers.get_all("Tag").count();
        if MAX_TAGS < lines {
            return Err(WheelFileError::TooManyTags(lines));
        }
        let mut tags = Vec::new();
        for field in headers.get_all("Tag") {
            match field.value.parse() {
                Ok(tag) => tags.push(tag),
                Err(_) => oddities.push(WheelFileOddity::Tag(field.value.to_owned())),
            }
        }
        Ok(Self {
            version,
            generator: headers.get("Generator").map(str::to_owned),
            root_is_purelib,
            tags,
            build: headers.get("Build").map(str::to_owned),
            oddities,
        })
    }
}

fn parse_version(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_replaced_and_nothing_else() {
        let tags: TagSet = "cp311-cp311-linux_x86_64.linux_i686".parse().unwrap();
        let text = "Wheel-Version: 1.0\nTag: a-b-c\nGenerator: x\nTag: a-b-d\nBuild: 1\n";
        let want = "Wheel-Version: 1.0\nTag: cp311-cp311-linux_x86_64\n\
            Tag: cp311-cp311-linux_i686\nGenerator: x\nBuild: 1\n";
        assert_eq!(WheelFile::with_tags(text, &tags), want);
    }

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<WheelFile>() {
            Ok(file) => {
                let tags: Vec<String> = file.tags.iter().map(ToString::to_string).collect();
                format!(
                    "{:?} {} {}",
                    file.version,
                    file.root_is_purelib,
                    tags.join(" ")
                )
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn the_fields_are_read() {
        check(
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\nTag: py3-none-any\n\n",
            "(1, 0) false cp311-cp311-linux_x86_64 py3-none-any",
        );
        check(
            "Wheel-Version: 1.9\nRoot-Is-Purelib: True\n",
            "(1, 9) true ",
        );
        check(
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nRoot-Is-Purelib: False\n",
            "(1, 0) true ",
        );
    }

    #[test]
    fn other_texts_are_refused() {
        check("", "error: field `Wheel-Version` is missing");
        check(
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nwheel-version: 1.9\n",
            "error: field `Wheel-Version` occurs twice, with different values",
        );
        check(
            "Wheel-Version: 1\n",
            "error: `Wheel-Version` must be two numbers with a dot between: `1`",
        );
        check(
            "Wheel-Version: 2.0\n",
            "error: unsupported `Wheel-Version`, expected 1.x: `2.0`",
        );
    }

    #[test]
    fn fields_whose_meaning_is_plain_are_read_and_told_of() {
        let text = "Wheel-Version: 1.0\nRoot-Is-Purelib: yes\nTag: py3-any\nTag: py3-none-any\n";
        check(text, "(1, 0) false py3-none-any");
        let file: WheelFile = text.parse().unwrap();
        let want = [
            WheelFileOddity::Root("yes".to_owned()),
            WheelFileOddity::Tag("py3-any".to_owned()),
        ];
        assert_eq!(file.oddities, want);
    }
}
