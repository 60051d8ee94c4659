//! `pyproject.toml` of a source distribution: what builds it.
//!
//! <https://packaging.python.org/en/latest/specifications/pyproject-toml/#declaring-build-system-dependencies-the-build-system-table>

use std::str::FromStr;

use crate::{ObjectReference, Requirement, RequirementError};

/// The build system of a source distribution.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuildSystem {
    /// The distributions that must be installed for the build.
    pub requires: Vec<Requirement>,
    /// The object that builds; `None` for setuptools' legacy one.
    pub backend: Option<ObjectReference>,
    /// Directories of the source tree to import the backend from; empty unless it is in the tree.
    pub backend_path: Vec<String>,
    /// The fields of `[project]` that the backend computes.
    pub dynamic: Vec<String>,
}

/// Why a text is not a `pyproject.toml`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildSystemError {
    /// Not TOML, or fields of other types.
    #[error("malformed pyproject.toml, line {line}: {reason}")]
    Toml {
        /// Counts from 1.
        line: usize,
        /// The fault there.
        reason: String,
    },
    /// `build-system.requires` is missing.
    #[error("`build-system.requires` is missing")]
    NoRequires,
    /// One of `build-system.requires`.
    #[error("invalid build requirement")]
    Requires(#[source] RequirementError),
    /// `build-system.build-backend` names no object.
    #[error("`build-system.build-backend` must be module or module:object, got `{0}`")]
    Backend(String),
    /// An element of `build-system.backend-path` that leaves the source tree.
    #[error("`build-system.backend-path` must stay inside the source tree: `{0}`")]
    BackendPath(String),
}

impl BuildSystemError {
    fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.as_bytes().get(..at).unwrap_or_default();
        Self::Toml {
            line: before.split(|byte| *byte == b'\n').count(),
            reason: error.message().replace('\n', ", "),
        }
    }
}

#[derive(serde::Deserialize)]
struct Document {
    #[serde(rename = "build-system")]
    build_system: Option<Table>,
    project: Option<Project>,
}

#[derive(serde::Deserialize)]
struct Table {
    requires: Option<Vec<String>>,
    #[serde(rename = "build-backend")]
    build_backend: Option<String>,
    #[serde(default, rename = "backend-path")]
    backend_path: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Project {
    #[serde(default)]
    dynamic: Vec<String>,
}

impl BuildSystem {
    /// The build system of a source distribution without `pyproject.toml` or without
    /// `[build-system]`.
    pub fn legacy() -> Self {
        #[expect(clippy::expect_used, reason = "a name alone is a requirement")]
        let setuptools = "setuptools".parse().expect("a requirement");
        Self {
            requires: vec![setuptools],
            backend: None,
            backend_path: Vec::new(),
            dynamic: Vec::new(),
        }
    }
}

impl FromStr for BuildSystem {
    type Err = BuildSystemError;

    fn from_str(text: &str) -> Result<Self, BuildSystemError> {
        let document: Document =
            toml::from_str(text).map_err(|error| BuildSystemError::of_toml(text, &error))?;
        let dynamic = document
            .project
            .map(|project| project.dynamic)
            .unwrap_or_default();
        let Some(table) = document.build_system else {
            return Ok(Self {
                dynamic,
                ..Self::legacy()
            });
        };
        let requires = table.requires.ok_or(BuildSystemError::NoRequires)?;
        let requires = requires
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, _>>();
        let backend = table
            .build_backend
            .map(|text| text.parse().map_err(|()| BuildSystemError::Backend(text)));
        if let Some(outside) = table.backend_path.iter().find(|path| leaves_tree(path)) {
            return Err(BuildSystemError::BackendPath(outside.clone()));
        }
        Ok(Self {
            requires: requires.map_err(BuildSystemError::Requires)?,
            backend: backend.transpose()?,
            backend_path: table.backend_path,
            dynamic,
        })
    }
}

fn leaves_tree(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<BuildSystem>() {
            Ok(it) => {
                let requires: Vec<String> = it.requires.iter().map(ToString::to_string).collect();
                let backend = it
                    .backend
                    .map_or_else(|| "legacy".to_owned(), |backend| backend.to_string());
                format!(
                    "{} by {backend} in {:?}, {:?}",
                    requires.join(" "),
                    it.backend_path,
                    it.dynamic
                )
            }
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                format!(
                    "error: {error} {}",
                    cause.lines().next().unwrap_or_default()
                )
            }
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn the_build_system_is_read() {
        check(
            "[build-system]\nrequires = ['flit_core >=3.2,<4']\nbuild-backend = 'flit_core.buildapi'\n",
            "flit_core >=3.2,<4 by flit_core.buildapi in [], []",
        );
        check(
            "[build-system]\nrequires = []\nbuild-backend = 'b:x.y'\nbackend-path = ['src']\n[project]\nname = 'a'\ndynamic = ['version']\n",
            " by b:x.y in [\"src\"], [\"version\"]",
        );
    }

    #[test]
    fn the_default_is_setuptools() {
        check("", "setuptools by legacy in [], []");
        check(
            "[tool.black]\nx = 1\n[project]\nname = 'a'\n",
            "setuptools by legacy in [], []",
        );
        check(
            "[build-system]\nrequires = ['setuptools<60']\n",
            "setuptools<60 by legacy in [], []",
        );
    }

    #[test]
    fn other_texts_are_refused() {
        check(
            "[",
            "error: malformed pyproject.toml, line 1: unquoted keys cannot be empty, expected letters, numbers, `-`, `_` ",
        );
        check(
            "[build-system]\n",
            "error: `build-system.requires` is missing ",
        );
        check(
            "[build-system]\nrequires = ['>1']\n",
            "error: invalid build requirement invalid project name in requirement `>1`",
        );
        check(
            "[build-system]\nrequires = []\nbuild-backend = 'a b'\n",
            "error: `build-system.build-backend` must be module or module:object, got `a b` ",
        );
        check(
            "[build-system]\nrequires = []\nbackend-path = ['../x']\n",
            "error: `build-system.backend-path` must stay inside the source tree: `../x` ",
        );
    }
}
