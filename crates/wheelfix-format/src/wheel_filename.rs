//! The file name of a wheel.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention>,
//! with the variant label of <https://peps.python.org/pep-0817/>.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionParseError};

use crate::{BuildTag, BuildTagError, PackageName, PackageNameError, TagError, TagSet};

/// The parsed file name of a wheel. Printing gives the text that was parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WheelFilename {
    text: String,
    name: PackageName,
    version: Version,
    build: Option<BuildTag>,
    tags: TagSet,
    variant: Option<String>,
}

/// Why a text is not the file name of a wheel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WheelFilenameError {
    /// It does not end in `.whl`.
    #[error("the file name of a wheel must end in `.whl`: `{0}`")]
    Extension(String),
    /// Fewer or more parts between `-` than the convention has.
    #[error(
        "expected the 5 to 7 parts of name-version[-build]-python-abi-platform[-variant].whl, got {got}: `{text}`"
    )]
    PartCount {
        /// The whole file name.
        text: String,
        /// How many parts there are.
        got: usize,
    },
    /// The project name.
    #[error("invalid project name")]
    Name(#[source] PackageNameError),
    /// The version.
    #[error("invalid version")]
    Version(#[source] VersionParseError),
    /// The build tag.
    #[error("invalid build tag")]
    Build(#[source] BuildTagError),
    /// The tags.
    #[error("invalid tags")]
    Tags(#[source] TagError),
    /// The variant label.
    #[error("a variant label has 1 to 16 of `0-9a-z._`: `{0}`")]
    Variant(String),
}

/// Longest variant label of the draft.
const MAX_VARIANT_LEN: usize = 16;

impl WheelFilename {
    /// The normalised project name.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The build tag, if there is one.
    pub fn build(&self) -> Option<&BuildTag> {
        self.build.as_ref()
    }

    /// The compressed tag set.
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// The label of a variant wheel; `None` for all others.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The name and version as written: how the `.dist-info` directory usually begins.
    pub fn stem(&self) -> &str {
        let mut dashes = self.text.match_indices('-');
        let end = dashes.nth(1).map_or(self.text.len(), |(at, _)| at);
        self.text.get(..end).unwrap_or_default()
    }
}

impl FromStr for WheelFilename {
    type Err = WheelFilenameError;

    fn from_str(text: &str) -> Result<Self, WheelFilenameError> {
        let Some(stem) = text.strip_suffix(".whl") else {
            return Err(WheelFilenameError::Extension(text.to_owned()));
        };
        let parts: Vec<&str> = stem.split('-').collect();
        let wrong_count = || WheelFilenameError::PartCount {
            text: text.to_owned(),
            got: parts.len(),
        };
        let [name, version, rest @ ..] = parts.as_slice() else {
            return Err(wrong_count());
        };
        let (build, tags, variant) = match *rest {
            [python, abi, platform] => (None, [python, abi, platform], None),
            [build, python, abi, platform] if is_build(build, abi) => {
                (Some(build), [python, abi, platform], None)
            }
            [python, abi, platform, label] => (None, [python, abi, platform], Some(label)),
            [build, python, abi, platform, label] => {
                (Some(build), [python, abi, platform], Some(label))
            }
            _ => return Err(wrong_count()),
        };
        Ok(Self {
            text: text.to_owned(),
            name: name.parse().map_err(WheelFilenameError::Name)?,
            version: version.parse().map_err(WheelFilenameError::Version)?,
            build: build
                .map(str::parse)
                .transpose()
                .map_err(WheelFilenameError::Build)?,
            tags: tags.join("-").parse().map_err(WheelFilenameError::Tags)?,
            variant: variant.map(parse_variant).transpose()?,
        })
    }
}

/// Whether four parts are build-python-abi-platform, not python-abi-platform-variant.
///
/// A build tag begins with a digit, which the Python part, which would stand there, never does. An
/// ABI that has no version can be told from a platform, so that a bad build tag is named as such.
fn is_build(first: &str, third: &str) -> bool {
    first.starts_with(|c: char| c.is_ascii_digit()) || matches!(third, "none" | "abi3" | "abi3t")
}

fn parse_variant(text: &str) -> Result<String, WheelFilenameError> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
    if text.is_empty() || MAX_VARIANT_LEN < text.len() || !text.chars().all(legal) {
        return Err(WheelFilenameError::Variant(text.to_owned()));
    }
    Ok(text.to_owned())
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<WheelFilename>() {
            Ok(it) => {
                assert_eq!(it.to_string(), text);
                let build = it
                    .build()
                    .map(|build| format!(" build {build}"))
                    .unwrap_or_default();
                let variant = it
                    .variant()
                    .map(|label| format!(" variant {label}"))
                    .unwrap_or_default();
                format!(
                    "{} {} {}{build}{variant}",
                    it.name(),
                    it.version(),
                    it.tags()
                )
            }
            Err(error) => {
                let cause = error
                    .source()
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                format!("error: {error}{cause}")
            }
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn the_parts_are_read() {
        check("a-1.0-py3-none-any.whl", "a 1.0 py3-none-any");
        check(
            "Foo.Bar-1.0.post1+cu118-12_x-cp311-abi3-linux_x86_64.whl",
            "foo-bar 1.0.post1+cu118 cp311-abi3-linux_x86_64 build 12_x",
        );
    }

    #[test]
    fn variant_labels_are_tolerated() {
        check(
            "torch-2.8.0-cp313-cp313-manylinux_2_28_x86_64-cu128.whl",
            "torch 2.8.0 cp313-cp313-manylinux_2_28_x86_64 variant cu128",
        );
        check(
            "torch-2.8.0-1-cp313-cp313-linux_x86_64-00f3.whl",
            "torch 2.8.0 cp313-cp313-linux_x86_64 build 1 variant 00f3",
        );
        check(
            "a-1-cp313-cp313-linux_x86_64-THIS.whl",
            "error: a variant label has 1 to 16 of `0-9a-z._`: `THIS`",
        );
    }

    #[test]
    fn other_names_are_refused() {
        check(
            "a-1.0-py3-none-any.zip",
            "error: the file name of a wheel must end in `.whl`: `a-1.0-py3-none-any.zip`",
        );
        check(
            "a-1.0-py3-none.whl",
            "error: expected the 5 to 7 parts of name-version[-build]-python-abi-platform[-variant].whl, got 4: `a-1.0-py3-none.whl`",
        );
        check(
            "a-1.0-1-py3-none-any-l-x.whl",
            "error: expected the 5 to 7 parts of name-version[-build]-python-abi-platform[-variant].whl, got 8: `a-1.0-1-py3-none-any-l-x.whl`",
        );
        check(
            "-1.0-py3-none-any.whl",
            "error: invalid project name: a name must not be empty",
        );
        check(
            "a-1.0-x1-py3-none-any.whl",
            "error: invalid build tag: a build tag must begin with a digit: `x1`",
        );
        check(
            "a-one-py3-none-any.whl",
            "error: invalid version: expected version to start with a number, but no leading ASCII digits were found",
        );
        check(
            "a-1.0-py3--any.whl",
            "error: invalid tags: a tag must not have an empty part: `py3--any`",
        );
    }

    #[test]
    fn the_stem_is_name_and_version_as_written() {
        let name: WheelFilename = "Foo.Bar-1.0-py3-none-any.whl".parse().unwrap();
        assert_eq!(name.stem(), "Foo.Bar-1.0");
    }
}
