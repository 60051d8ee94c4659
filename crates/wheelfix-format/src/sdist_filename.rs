//! The file name of a source distribution.
//!
//! <https://packaging.python.org/en/latest/specifications/source-distribution-format/#source-distribution-file-name>

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionParseError};

use crate::{PackageName, PackageNameError};

/// The parsed file name of a source distribution. Printing gives the text that was parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SdistFilename {
    text: String,
    name: PackageName,
    version: Version,
    format: SdistFormat,
}

/// How a source distribution is packed. New ones are `.tar.gz`; old ones are anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SdistFormat {
    /// `.tar.gz` or `.tgz`
    TarGz,
    /// `.tar.bz2`
    TarBz2,
    /// `.tar.xz`
    TarXz,
    /// `.tar.zst`
    TarZst,
    /// `.zip`
    Zip,
}

const EXTENSIONS: [(&str, SdistFormat); 6] = [
    (".tar.gz", SdistFormat::TarGz),
    (".tgz", SdistFormat::TarGz),
    (".tar.bz2", SdistFormat::TarBz2),
    (".tar.xz", SdistFormat::TarXz),
    (".tar.zst", SdistFormat::TarZst),
    (".zip", SdistFormat::Zip),
];

/// Why a text is not the file name of a source distribution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdistFilenameError {
    /// An extension that no source distribution has.
    #[error(
        "a source distribution must end in .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst or .zip: `{0}`"
    )]
    Extension(String),
    /// No `-` between name and version.
    #[error("expected name-version before the extension: `{0}`")]
    NoVersion(String),
    /// The project name.
    #[error("invalid project name")]
    Name(#[source] PackageNameError),
    /// The version.
    #[error("invalid version")]
    Version(#[source] VersionParseError),
}

impl SdistFilename {
    /// The normalised project name.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// How it is packed, by its extension.
    pub fn format(&self) -> SdistFormat {
        self.format
    }
}

impl FromStr for SdistFilename {
    type Err = SdistFilenameError;

    fn from_str(text: &str) -> Result<Self, SdistFilenameError> {
        let known = |(extension, format)| Some((text.strip_suffix(extension)?, format));
        let Some((stem, format)) = EXTENSIONS.into_iter().find_map(known) else {
            return Err(SdistFilenameError::Extension(text.to_owned()));
        };
        // A version has no dash, an old project name may have some.
        let Some((name, version)) = stem.rsplit_once('-') else {
            return Err(SdistFilenameError::NoVersion(text.to_owned()));
        };
        Ok(Self {
            text: text.to_owned(),
            name: name.parse().map_err(SdistFilenameError::Name)?,
            version: version.parse().map_err(SdistFilenameError::Version)?,
            format,
        })
    }
}

impl fmt::Display for SdistFilename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<SdistFilename>() {
            Ok(it) => format!("{} {} {:?}", it.name(), it.version(), it.format()),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn names_versions_and_formats_are_read() {
        check("grpclib-0.4.9.tar.gz", "grpclib 0.4.9 TarGz");
        check("ruamel.yaml-0.17.tar.bz2", "ruamel-yaml 0.17 TarBz2");
        check(
            "python-dateutil-2.9.0.post0.zip",
            "python-dateutil 2.9.0.post0 Zip",
        );
    }

    #[test]
    fn other_names_are_refused() {
        check(
            "a-1.whl",
            "error: a source distribution must end in .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst or .zip: `a-1.whl`",
        );
        check(
            "a.tar.gz",
            "error: expected name-version before the extension: `a.tar.gz`",
        );
        check("a-x.zip", "error: invalid version");
        check("-1.zip", "error: invalid project name");
    }
}
