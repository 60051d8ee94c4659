//! The distributions that are installed below given prefixes, found without Python.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_format::{Headers, PackageName, Version};

/// An installed distribution.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstalledDistribution {
    /// Its version.
    pub version: Version,
    /// Its `.dist-info` or `.egg-info`.
    pub path: PathBuf,
}

/// Why the distributions below a prefix cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstalledError {
    /// A directory or file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Metadata without a name and a version that can be read.
    #[error("`{}` has no valid `Name` and `Version`", .0.display())]
    Metadata(PathBuf),
}

/// Lists the distributions in `lib/python*/site-packages` below the prefixes, by name. Of several with
/// one name the first counts, as it does for Python: prefixes in their order, names within one sorted.
///
/// A prefix without such a directory holds none; one that does not exist is an error.
pub fn installed_distributions(
    prefixes: &[PathBuf],
) -> Result<BTreeMap<PackageName, InstalledDistribution>, InstalledError> {
    let mut found = BTreeMap::new();
    for prefix in prefixes {
        fs_err::metadata(prefix)?;
        for site in sites(prefix)? {
            for path in entries(&site)? {
                if let Some((name, version)) = read(&path)? {
                    found
                        .entry(name)
                        .or_insert(InstalledDistribution { version, path });
                }
            }
        }
    }
    Ok(found)
}

/// The `site-packages` directories of a prefix.
fn sites(prefix: &Path) -> Result<Vec<PathBuf>, InstalledError> {
    let is_python = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("python") || name.starts_with("pypy"))
    };
    let pythons = entries(&prefix.join("lib"))?.into_iter().filter(is_python);
    Ok(pythons.map(|python| python.join("site-packages")).collect())
}

/// The entries of a directory, sorted; none if it does not exist.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, InstalledError> {
    let read = match fs_err::read_dir(dir) {
        Ok(read) => read,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let mut paths = read
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

/// Name and version of a distribution; `None` if the path is not one.
fn read(path: &Path) -> Result<Option<(PackageName, Version)>, InstalledError> {
    let file = match path.extension().and_then(|extension| extension.to_str()) {
        Some("dist-info") => path.join("METADATA"),
        // An old `.egg-info` may be the file itself.
        Some("egg-info") if fs_err::metadata(path)?.is_dir() => path.join("PKG-INFO"),
        Some("egg-info") => path.to_owned(),
        _ => return Ok(None),
    };
    let text = match fs_err::read(&file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // A remnant of an uninstalled one; Python passes it over.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let headers = Headers::parse(text);
    let name = headers.get("Name").and_then(|name| name.parse().ok());
    let version = headers
        .get("Version")
        .and_then(|version| version.parse().ok());
    match (name, version) {
        (Some(name), Some(version)) => Ok(Some((name, version))),
        _ => Err(InstalledError::Metadata(file)),
    }
}
