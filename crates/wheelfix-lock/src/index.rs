//! Answers of an index, for locks that do not say where files are.
//!
//! <https://packaging.python.org/en/latest/specifications/simple-repository-api/#json-based-simple-api-for-python-package-indexes>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use url::{ParseError, Url};
use wheelfix_format::{PackageName, SdistFilename};

use crate::file::{File, Location};
use crate::lock::{Lock, Package, Source};
use crate::{Fault, Faults, Problem, Sri};

/// The files of some packages.
#[derive(Debug, Default)]
pub struct IndexAnswers {
    files: BTreeMap<PackageName, Vec<IndexFile>>,
    /// The SHA-256 of the METADATA beside a wheel, by the URL of the wheel, as far as the index has it.
    metadata: BTreeMap<String, Sri>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    files: Vec<IndexFile>,
}

#[derive(Clone, Debug, Deserialize)]
struct IndexFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    size: Option<u64>,
    #[serde(default, rename = "core-metadata")]
    core_metadata: serde_json::Value,
    /// Its older name, which may be there besides.
    #[serde(default, rename = "dist-info-metadata")]
    dist_info_metadata: serde_json::Value,
}

impl IndexFile {
    fn hash(&self) -> Option<Sri> {
        let hashes = self
            .hashes
            .iter()
            .map(|(name, digest)| (name.as_str(), digest.as_str()));
        Sri::strongest(hashes)?.ok()
    }

    fn location(&self) -> Option<Location<'static>> {
        self.url
            .contains("://")
            .then(|| Location::Url(Cow::Owned(self.url.clone())))
    }
}

impl IndexAnswers {
    /// Adds the answer about a package.
    pub fn add(&mut self, name: &PackageName, text: &str) -> Result<(), Box<Fault>> {
        self.add_from("", name, text)
    }

    /// Adds the answer about a package, which was found at a URL.
    pub fn add_from(
        &mut self,
        base: &str,
        name: &PackageName,
        text: &str,
    ) -> Result<(), Box<Fault>> {
        let mut answer: Answer = serde_json::from_str(text).map_err(|error| {
            let problem = Problem::Syntax {
                line: error.line(),
                column: error.column(),
                message: error.to_string(),
            };
            Fault::of(name.to_string(), "", problem)
        })?;
        for file in &mut answer.files {
            if let Some(url) = joined(base, &file.url) {
                file.url = url;
            }
            let keys = [&file.core_metadata, &file.dist_info_metadata];
            let digest = keys.iter().find_map(|key| key.get("sha256")?.as_str());
            let hash = digest.and_then(|digest| Sri::from_hex("sha256", digest).ok());
            self.metadata
                .extend(hash.map(|hash| (file.url.clone(), hash)));
        }
        self.files.insert(name.clone(), answer.files);
        Ok(())
    }

    /// The hash of the METADATA that lies beside a wheel.
    pub fn metadata_hash(&self, url: &str) -> Option<&Sri> {
        self.metadata.get(url)
    }
}

/// A URL that is relative to another one; `None` for one that is not, and where there is no other one.
fn joined(base: &str, url: &str) -> Option<String> {
    if Url::parse(url) != Err(ParseError::RelativeUrlWithoutBase) {
        return None;
    }
    Some(Url::parse(base).ok()?.join(url).ok()?.into())
}

impl Lock<'_> {
    /// The packages of which the lock does not say where their files are.
    pub fn unlocated(&self) -> BTreeSet<&PackageName> {
        let is_unlocated = |package: &&Package<'_>| {
            let files = package.wheels.iter().chain(&package.sdist);
            let is_unknown = |file: &File<'_>| file.location == Location::Unknown;
            package.source == Source::Files
                && (!package.hashes.is_empty()
                    || is_unlisted(package)
                    || files.into_iter().any(is_unknown))
        };
        let packages = self.packages.iter().filter(is_unlocated);
        packages.map(|package| &package.name).collect()
    }

    /// Adds what an index says about files: where they are. A file whose hash is not the one of the lock is
    /// not the file of the lock.
    pub fn locate(&mut self, answers: &IndexAnswers) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for package in &mut self.packages {
            let Some(files) = answers.files.get(&package.name) else {
                continue;
            };
            if package.source != Source::Files {
                continue;
            }
            let label = package.label();
            // Without the address of the answer a relative URL leads nowhere.
            package.is_answered = files.iter().all(|file| file.location().is_some());
            for file in package.wheels.iter_mut().chain(&mut package.sdist) {
                if file.location != Location::Unknown {
                    continue;
                }
                let Some(known) = files.iter().find(|known| known.filename == *file.name) else {
                    continue;
                };
                let hash = known.hash();
                if file.hash.is_some() && hash.is_some() && !is_same(file.hash.as_ref(), known) {
                    let problem = Problem::OtherHash(known.filename.clone());
                    faults.push(Fault::of(label.clone(), "hashes", problem));
                } else if let Some(location) = known.location() {
                    file.location = location;
                    file.size = file.size.or(known.size);
                    file.hash = file.hash.take().or(hash);
                }
            }
            if !package.hashes.is_empty() {
                add_by_hash(package, files);
            } else if is_unlisted(package) {
                add_by_version(package, files);
                if !is_unlisted(package) {
                    self.notes.push(format!(
                        "the lock has no hash of {label}, which is what the index has now"
                    ));
                }
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// Whether nothing is known of a package but its version.
fn is_unlisted(package: &Package<'_>) -> bool {
    package.version.is_some()
        && package.wheels.is_empty()
        && package.sdist.is_none()
        && package.hashes.is_empty()
}

/// Whether the index has the hash of the lock among its own.
fn is_same(hash: Option<&Sri>, known: &IndexFile) -> bool {
    let mut hashes = known.hashes.iter();
    hashes.any(|(name, digest)| Sri::from_hex(name, digest).ok().as_ref() == hash)
}

/// Adds the files of the version.
fn add_by_version(package: &mut Package<'_>, files: &[IndexFile]) {
    for known in files {
        let (Some(location), Some(hash)) = (known.location(), known.hash()) else {
            continue;
        };
        let sdist = known.filename.parse::<SdistFilename>();
        let of_other = |sdist: SdistFilename| Some(sdist.version()) != package.version.as_ref();
        let is_other = sdist.is_ok_and(of_other);
        let name = Some(Cow::Owned(known.filename.clone()));
        match File::new(package.owner(), name, location, Some(hash), known.size) {
            Ok(file) if file.wheel.is_some() => package.wheels.push(file),
            Ok(file) if !is_other && is_sdist(&file.name) => package.sdist = Some(file),
            Ok(_) | Err(_) => {}
        }
    }
}

fn is_sdist(name: &str) -> bool {
    name.parse::<SdistFilename>().is_ok()
}

/// Adds the files whose hashes the lock has.
fn add_by_hash(package: &mut Package<'_>, files: &[IndexFile]) {
    for known in files {
        let Some(hash) = package
            .hashes
            .iter()
            .find(|hash| is_same(Some(hash), known))
            .cloned()
        else {
            continue;
        };
        let Some(location) = known.location() else {
            continue;
        };
        let name = Some(Cow::Owned(known.filename.clone()));
        // A file of another version is none of the package, whatever its hash.
        match File::new(package.owner(), name, location, Some(hash), known.size) {
            Ok(file) if file.wheel.is_some() => package.wheels.push(file),
            Ok(file) => package.sdist = Some(file),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_are_those_of_the_answer() {
        let base = "https://x:8/simple/a/?v=1";
        let check = |base: &str, url: &str, want: Option<&str>| {
            assert_eq!(joined(base, url).as_deref(), want, "{url:?} at {base:?}");
        };
        check(base, "https://y/a.whl", None);
        check(base, "HTTP://y/a.whl", None);
        check(base, "//y/a.whl", Some("https://y/a.whl"));
        check(base, "/a.whl#b", Some("https://x:8/a.whl#b"));
        check(base, "a.whl", Some("https://x:8/simple/a/a.whl"));
        check(
            base,
            "a+b%2Bc.whl",
            Some("https://x:8/simple/a/a+b%2Bc.whl"),
        );
        check(base, "a b.whl", Some("https://x:8/simple/a/a%20b.whl"));
        check(
            base,
            "a.whl?at=https://y/",
            Some("https://x:8/simple/a/a.whl?at=https://y/"),
        );
        check(base, "?w=2", Some("https://x:8/simple/a/?w=2"));
        check(base, "#b", Some("https://x:8/simple/a/?v=1#b"));
        check(base, "", Some(base));
        check(
            base,
            "../../f/./a.whl?c=../d",
            Some("https://x:8/f/a.whl?c=../d"),
        );
        check(base, "../../../../a.whl", Some("https://x:8/a.whl"));
        check(base, "..", Some("https://x:8/simple/"));
        // Without a slash behind it the last part of the address is not a directory.
        check(
            "https://x/simple/a",
            "a.whl",
            Some("https://x/simple/a.whl"),
        );
        check(
            "https://x/simple/a#b/c",
            "a.whl",
            Some("https://x/simple/a.whl"),
        );
        check("https://x/a?b=c/d", "../a.whl", Some("https://x/a.whl"));
        check("https://x", "a.whl", Some("https://x/a.whl"));
        check("https://x?v=1", "a.whl", Some("https://x/a.whl"));
        check("https://[::1]:8/a/", "//[::2]/b", Some("https://[::2]/b"));
        check(
            "file:///srv/simple/a/",
            "../../f/a.whl",
            Some("file:///srv/f/a.whl"),
        );
        check("", "a.whl", None);
        check("simple/a/", "a.whl", None);
        check(base, "//", None);
    }
}
