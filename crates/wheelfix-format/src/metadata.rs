//! Core metadata: `METADATA` of a wheel, `PKG-INFO` of an sdist.
//!
//! <https://packaging.python.org/en/latest/specifications/core-metadata/>

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionParseError};

use crate::{Field, Headers, PackageName, PackageNameError, Requirement, RequirementError};

/// Core metadata. Printing gives the text that was parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metadata {
    headers: Headers,
    format_version: (u64, u64),
    oddities: Vec<MetadataOddity>,
    name: PackageName,
    version: Version,
}

/// How core metadata is not as the format says, though its meaning is plain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MetadataOddity {
    /// No version of the format, or one that is not two numbers.
    Version(String),
    /// A field that says who this is, twice with the same value.
    Twice(&'static str),
}

/// Why a text is not core metadata.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A field that must be there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field that says who this is, twice, with different values.
    #[error("line {line}: field `{field}` occurs twice, with different values")]
    Duplicate {
        /// The name of the field.
        field: &'static str,
        /// The line of the second one, counted from 1.
        line: usize,
    },
    /// A metadata version we do not know, with other rules.
    #[error("unsupported `Metadata-Version`, expected 1.x or 2.x: `{0}`")]
    Unsupported(String),
    /// The name of the project.
    #[error("invalid `Name`")]
    Name(#[source] PackageNameError),
    /// The version.
    #[error("invalid `Version`")]
    Version(#[source] VersionParseError),
}

impl Metadata {
    /// Major and minor version of the format; 1.0 where the text has none that can be read.
    pub fn metadata_version(&self) -> (u64, u64) {
        self.format_version
    }

    /// Oddities that do not matter.
    pub fn oddities(&self) -> &[MetadataOddity] {
        &self.oddities
    }

    /// The normalised name.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// All fields and the body.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The Python versions this runs on, as written.
    pub fn requires_python(&self) -> Option<&str> {
        self.headers.get("Requires-Python")
    }

    /// The dependencies in their order, each with its field.
    ///
    /// Old releases hold some that no tool accepts any more, so each is an error of its own.
    pub fn requires_dist(
        &self,
    ) -> impl Iterator<Item = (Field<'_>, Result<Requirement, RequirementError>)> {
        let fields = self.headers.get_all("Requires-Dist");
        fields.map(|field| (field, field.value.parse()))
    }

    /// The extras as written, in their order.
    pub fn provides_extra(&self) -> impl Iterator<Item = &str> {
        self.headers
            .get_all("Provides-Extra")
            .map(|field| field.value)
    }

    /// In an sdist: the fields that a build may still change.
    pub fn dynamic(&self) -> impl Iterator<Item = &str> {
        self.headers.get_all("Dynamic").map(|field| field.value)
    }
}

impl FromStr for Metadata {
    type Err = MetadataError;

    fn from_str(text: &str) -> Result<Self, MetadataError> {
        let headers = Headers::parse(text);
        let mut oddities = Vec::new();
        let version_text = headers.get("Metadata-Version").unwrap_or_default();
        let format_version = parse_version(version_text).unwrap_or_else(|| {
            oddities.push(MetadataOddity::Version(version_text.to_owned()));
            (1, 0)
        });
        if !matches!(format_version, (1 | 2, _)) {
            return Err(MetadataError::Unsupported(version_text.to_owned()));
        }
        let mut field = |name| single(&headers, name, &mut oddities);
        let name = field("Name")?.parse().map_err(MetadataError::Name)?;
        let version = field("Version")?.parse().map_err(MetadataError::Version)?;
        Ok(Self {
            headers,
            format_version,
            oddities,
            name,
            version,
        })
    }
}

fn parse_version(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The one value of a field.
fn single<'a>(
    headers: &'a Headers,
    name: &'static str,
    oddities: &mut Vec<MetadataOddity>,
) -> Result<&'a str, MetadataError> {
    let mut fields = headers.get_all(name);
    let first = fields.next().ok_or(MetadataError::Missing(name))?;
    for again in fields {
        if again.value != first.value {
            let line = again.line;
            return Err(MetadataError::Duplicate { field: name, line });
        }
        oddities.push(MetadataOddity::Twice(name));
    }
    Ok(first.value)
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headers.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<Metadata>() {
            Ok(it) => {
                assert_eq!(it.to_string(), text);
                let requires: Vec<String> = it
                    .requires_dist()
                    .map(|(field, parsed)| match parsed {
                        Ok(requirement) => format!("{}:{requirement}", field.line),
                        Err(error) => format!("{}:error: {error}", field.line),
                    })
                    .collect();
                let python = it.requires_python().unwrap_or("-");
                format!(
                    "{} {} python {python} needs {}",
                    it.name(),
                    it.version(),
                    requires.join(" ")
                )
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn the_fields_are_read() {
        check(
            "Metadata-Version: 2.4\nname: Foo_Bar\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: a>1\n\
             Requires-Dist: >2\n\nRequires-Dist: body\n",
            "foo-bar 1.0 python >=3.8 needs 5:a>1 6:error: invalid project name in requirement `>2`",
        );
    }

    #[test]
    fn other_texts_are_refused() {
        check("", "error: field `Name` is missing");
        check(
            "Metadata-Version: 2.1\nVersion: 1\n",
            "error: field `Name` is missing",
        );
        check(
            "Metadata-Version: 2.1\nName: a\n",
            "error: field `Version` is missing",
        );
        check(
            "Metadata-Version: 2.1\nName: a\nName: b\n",
            "error: line 3: field `Name` occurs twice, with different values",
        );
        check(
            "Metadata-Version: 3.0\n",
            "error: unsupported `Metadata-Version`, expected 1.x or 2.x: `3.0`",
        );
        check(
            "Metadata-Version: 2.1\nName: a b\nVersion: 1\n",
            "error: invalid `Name`",
        );
        check(
            "Metadata-Version: 2.1\nName: a\nVersion: x\n",
            "error: invalid `Version`",
        );
    }

    #[test]
    fn fields_whose_meaning_is_plain_are_read_and_told_of() {
        let oddities = |text: &str| text.parse::<Metadata>().unwrap().oddities;
        let who = "Name: a\nVersion: 1\n";
        let version = |text: &str| [MetadataOddity::Version(text.to_owned())];
        assert_eq!(oddities(who), version(""));
        assert_eq!(
            oddities(&format!("Metadata-Version: 1.2.0\n{who}")),
            version("1.2.0")
        );
        assert_eq!(
            oddities(&format!("Metadata-Version: 2.1\n{who}Name: a\n")),
            [MetadataOddity::Twice("Name")]
        );
    }
}
