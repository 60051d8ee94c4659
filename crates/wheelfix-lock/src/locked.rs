//! The document of [`Document`](crate::Document), read again: which files a selection is made of.

use std::collections::BTreeMap;

use serde::Deserialize;
use wheelfix_format::{PackageName, Target, WheelFilename};

use crate::{Sri, SriError};

/// A document, as far as it says what is installed.
#[derive(Debug, Deserialize)]
pub struct Locked {
    files: BTreeMap<String, FileEntry>,
    targets: BTreeMap<String, TargetEntry>,
}

#[derive(Debug, Deserialize)]
struct FileEntry {
    url: Option<String>,
    path: Option<String>,
    hash: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TargetEntry {
    selections: BTreeMap<String, SelectionEntry>,
}

#[derive(Debug, Deserialize)]
struct SelectionEntry {
    packages: BTreeMap<String, PackageEntry>,
}

#[derive(Debug, Deserialize)]
struct PackageEntry {
    version: Option<String>,
    wheel: Option<String>,
    sdist: Option<String>,
    nixpkgs: Option<String>,
    git: Option<GitEntry>,
    directory: Option<DirectoryEntry>,
    r#virtual: Option<String>,
    why: Option<String>,
    dependencies: Option<Vec<String>>,
    component: Option<String>,
}

#[derive(Debug, Deserialize)]
struct GitEntry {
    url: String,
    rev: String,
}

#[derive(Debug, Deserialize)]
struct DirectoryEntry {
    path: String,
}

/// Why a text is not such a document, or has not what is wanted of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockedError {
    /// It is something else.
    #[error("is not the document of a lock: {0}")]
    Json(#[from] serde_json::Error),
    /// Its schema is not known.
    #[error("has version {got} of the schema, this reads 1: make it anew")]
    Version {
        /// The version.
        got: String,
    },
    /// No target fits, or several do.
    #[error("{found} for {wanted}; it has {}", names.join(", "))]
    Target {
        /// How many fit.
        found: &'static str,
        /// The target that they have to fit.
        wanted: String,
        /// Those of the document.
        names: Vec<String>,
    },
    /// There is no such selection.
    #[error("has no selection `{wanted}` for {target}; it has {}", names.join(", "))]
    Selection {
        /// Its name.
        wanted: String,
        /// The target.
        target: String,
        /// Those of the document.
        names: Vec<String>,
    },
    /// A hash that does not vouch for a file.
    #[error("`{name}`: {source}")]
    Hash {
        /// The file.
        name: String,
        /// Why not.
        source: SriError,
    },
    /// A package whose file is not in the list of files, or is that of another one.
    #[error("`{package}` names the file `{name}`, which {reason}")]
    File {
        /// The package.
        package: String,
        /// The file.
        name: String,
        /// Why it is not its wheel, as the end of a sentence.
        reason: &'static str,
    },
}

/// A package of a selection.
#[derive(Debug)]
pub struct LockedPackage {
    /// Its normalised name.
    pub name: String,
    /// Its version, if it is known.
    pub version: Option<String>,
    /// Where it comes from.
    pub from: LockedSource,
    /// The key of its sdist among the files, if it is built from one.
    pub sdist: Option<String>,
    /// The names of what it requires, if that is known.
    pub dependencies: Option<Vec<String>>,
    /// The first name of the packages that require each other, if it is one of some.
    pub component: Option<String>,
}

/// Where a package comes from.
#[derive(Debug)]
pub enum LockedSource {
    /// A wheel.
    Wheel(LockedFile),
    /// Something that is no wheel; in words, as the end of a sentence.
    Other(String),
    /// A directory of the project.
    Directory(String),
    /// A project that is not installed.
    Virtual,
}

/// A file to have.
#[derive(Debug)]
pub struct LockedFile {
    /// Its name.
    pub name: String,
    /// The URL that it is at.
    pub url: Option<String>,
    /// The path that it is at, relative to the lock.
    pub path: Option<String>,
    /// Its hash; `None` where the lock has none for a path.
    pub hash: Option<Sri>,
}

impl Locked {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// It is none, or of a version that is not known.
    pub fn read(text: &[u8]) -> Result<Self, LockedError> {
        #[derive(Deserialize)]
        struct Head {
            version: serde_json::Value,
        }
        let head: Head = serde_json::from_slice(text)?;
        if head.version != 1 {
            return Err(LockedError::Version {
                got: head.version.to_string(),
            });
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// The name of the one target of the document that is this one, or that a Python of it uses.
    ///
    /// # Errors
    ///
    /// None is, or several are.
    pub fn target(&self, wanted: &Target) -> Result<&str, LockedError> {
        let name = wanted.to_string();
        if let Some((exact, _)) = self.targets.get_key_value(&name) {
            return Ok(exact);
        }
        let fits = |name: &&String| {
            let target = name.parse::<Target>();
            target.is_ok_and(|target| target.is_alike(wanted))
        };
        let mut fitting = self.targets.keys().filter(fits);
        let found = match (fitting.next(), fitting.next()) {
            (Some(one), None) => return Ok(one),
            (None, _) => "has no target",
            (Some(_), Some(_)) => "has several targets",
        };
        Err(LockedError::Target {
            found,
            wanted: name,
            names: self.targets.keys().cloned().collect(),
        })
    }

    /// The keys of all files.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// A file by its key; `None` where there is none, or its hash is none.
    pub fn file(&self, key: &str) -> Option<LockedFile> {
        let entry = self.files.get(key)?;
        let hash = entry.hash.as_deref().map(Sri::read).transpose().ok()?;
        Some(LockedFile {
            // One of several different files of a name is numbered.
            name: key.split('#').next().unwrap_or(key).to_owned(),
            url: entry.url.clone(),
            path: entry.path.clone(),
            hash,
        })
    }

    /// The packages of a selection on a target.
    ///
    /// # Errors
    ///
    /// There is no such selection, or the document contradicts itself.
    pub fn packages(
        &self,
        target: &str,
        selection: &str,
    ) -> Result<Vec<LockedPackage>, LockedError> {
        let selections = self.targets.get(target).map(|target| &target.selections);
        let found = selections.and_then(|selections| selections.get(selection));
        let found = found.ok_or_else(|| LockedError::Selection {
            wanted: selection.to_owned(),
            target: target.to_owned(),
            names: selections
                .into_iter()
                .flat_map(BTreeMap::keys)
                .cloned()
                .collect(),
        })?;
        let packages = found.packages.iter();
        packages
            .map(|(name, entry)| {
                Ok(LockedPackage {
                    name: name.clone(),
                    version: entry.version.clone(),
                    from: self.source(name, entry)?,
                    sdist: entry.sdist.clone(),
                    dependencies: entry.dependencies.clone(),
                    component: entry.component.clone(),
                })
            })
            .collect()
    }

    fn source(&self, name: &str, entry: &PackageEntry) -> Result<LockedSource, LockedError> {
        let why = entry.why.as_deref();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        Ok(match entry {
            PackageEntry {
                wheel: Some(key), ..
            } => LockedSource::Wheel(self.wheel(name, key)?),
            PackageEntry {
                sdist: Some(file), ..
            } => LockedSource::Other(format!("is built from its sdist `{file}`{why}")),
            PackageEntry {
                nixpkgs: Some(attribute),
                ..
            } => LockedSource::Other(format!("comes from nixpkgs, `{attribute}`")),
            PackageEntry { git: Some(git), .. } => {
                let GitEntry { url, rev } = git;
                LockedSource::Other(format!("is built from `{url}` at {rev}"))
            }
            PackageEntry {
                directory: Some(directory),
                ..
            } => LockedSource::Directory(directory.path.clone()),
            PackageEntry {
                r#virtual: Some(_), ..
            } => LockedSource::Virtual,
            _ => LockedSource::Other(format!("comes from nowhere{why}")),
        })
    }

    fn wheel(&self, package: &str, key: &str) -> Result<LockedFile, LockedError> {
        // One of several different files of a name is numbered.
        let name = key.split('#').next().unwrap_or(key).to_owned();
        let wrong = |reason| LockedError::File {
            package: package.to_owned(),
            name: name.clone(),
            reason,
        };
        let entry = self.files.get(key);
        let entry = entry.ok_or_else(|| wrong("is not among the files"))?;
        let file: Option<WheelFilename> = name.parse().ok();
        let file = file.ok_or_else(|| wrong("is not the name of a wheel"))?;
        let is_its = package
            .parse::<PackageName>()
            .is_ok_and(|it| it == *file.name());
        if !is_its {
            return Err(wrong("is the wheel of another package"));
        }
        let hash = entry.hash.as_deref().map(Sri::read).transpose();
        let hash = hash.map_err(|source| LockedError::Hash {
            name: name.clone(),
            source,
        })?;
        if hash.is_none() && entry.url.is_some() {
            return Err(wrong("has a URL and no hash"));
        }
        Ok(LockedFile {
            url: entry.url.clone(),
            path: entry.path.clone(),
            hash,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../nix/tests/lock/wheelfix.lock.json");

    fn packages(change: &[(&str, &str)]) -> Result<Vec<LockedPackage>, LockedError> {
        let text = change.iter().fold(SAMPLE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        Locked::read(text.as_bytes())?.packages("x86_64-linux-cp311", "default")
    }

    #[test]
    fn a_selection_is_files_and_what_is_none() {
        let packages = packages(&[]).unwrap();
        let mut lines = packages.iter().map(|package| {
            let name = &package.name;
            match &package.from {
                LockedSource::Wheel(file) => format!("{name}: {}", file.hash.as_ref().unwrap()),
                LockedSource::Virtual => format!("{name} is not installed"),
                other => format!("{name}: {other:?}"),
            }
        });
        assert_eq!(lines.next().unwrap(), "app is not installed");
        assert_eq!(
            lines.next().unwrap(),
            "docutils: sha256-zzFsg3CnN6AitytWh09mAqz5dKN6n7pC7Ch2OHVJ/GE="
        );
        assert_eq!(packages.len(), 6);
    }

    #[test]
    fn a_target_is_found_by_its_name_or_by_all_that_counts() {
        let locked = Locked::read(SAMPLE.as_bytes()).unwrap();
        let target = |name: &str| locked.target(&name.parse().unwrap());
        for name in ["x86_64-linux-cp311", "x86_64-glibc2.36-cp311.9"] {
            assert_eq!(target(name).unwrap(), "x86_64-linux-cp311");
        }
        for name in [
            "x86_64-linux-cp312",
            "aarch64-linux-cp311",
            "x86_64-musl-cp311",
            "x86_64-macos-cp311",
            "x86_64-linux-cp311t",
            "x86_64-linux-pp311",
        ] {
            let error = target(name).unwrap_err().to_string();
            assert!(error.starts_with("has no target for "), "{error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let sum = "sha256-zzFsg3CnN6AitytWh09mAqz5dKN6n7pC7Ch2OHVJ/GE=";
        for (from, to, want) in [
            (
                "\"version\": 1,\n",
                "\"version\": 2,\n",
                "has version 2 of the schema",
            ),
            ("{\n  \"version\"", "{\"version\"", ""),
            ("\"default\"", "\"gpu\"", "has no selection `default`"),
            (
                sum,
                "md5-aaaa",
                "expected SHA-256, SHA-384 or SHA-512, got md5",
            ),
            (sum, "sha256-aaaa", "expected 32 bytes"),
            (
                "\"wheel\": \"docutils",
                "\"wheel\": \"dinutils",
                "is not among the files",
            ),
            (
                "\"docutils\": {",
                "\"other\": {",
                "is the wheel of another package",
            ),
        ] {
            match packages(&[(from, to)]) {
                Ok(_) => assert_eq!(want, "", "{from}"),
                Err(error) => assert!(error.to_string().contains(want), "{error}"),
            }
        }
    }
}
