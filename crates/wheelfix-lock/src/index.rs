//! Answers of an index, for locks that do not say where files are.
//!
//! <https://packaging.python.org/en/latest/specifications/simple-repository-api/#json-based-simple-api-for-python-package-indexes>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use wheelfix_format::PackageName;

use crate::file::{File, Location};
use crate::lock::{Lock, Package, Source};
use crate::{Fault, Faults, Problem, Sri};

/// The files of some packages.
#[derive(Debug, Default)]
pub struct IndexAnswers {
    files: BTreeMap<PackageName, Vec<IndexFile>>,
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
        // Without the address of the answer a relative one leads nowhere.
        self.url
            .contains("://")
            .then(|| Location::Url(Cow::Owned(self.url.clone())))
    }
}

impl IndexAnswers {
    /// Adds the answer about a package.
    pub fn add(&mut self, name: &PackageName, text: &str) -> Result<(), Box<Fault>> {
        let answer: Answer = serde_json::from_str(text).map_err(|error| {
            let problem = Problem::Syntax {
                line: error.line(),
                column: error.column(),
                message: error.to_string(),
            };
            Fault::of(name.to_string(), "", problem)
        })?;
        self.files.insert(name.clone(), answer.files);
        Ok(())
    }
}

impl Lock<'_> {
    /// The packages of which the lock does not say where their files are.
    pub fn unlocated(&self) -> BTreeSet<&PackageName> {
        let is_unlocated = |package: &&Package<'_>| {
            let files = package.wheels.iter().chain(&package.sdist);
            let is_unknown = |file: &File<'_>| file.location == Location::Unknown;
            package.source == Source::Files
                && (!package.hashes.is_empty() || files.into_iter().any(is_unknown))
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
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// Whether the index has the hash of the lock among its own.
fn is_same(hash: Option<&Sri>, known: &IndexFile) -> bool {
    let mut hashes = known.hashes.iter();
    hashes.any(|(name, digest)| Sri::from_hex(name, digest).ok().as_ref() == hash)
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
        match File::new(package, name, location, Some(hash), known.size) {
            Ok(file) if file.wheel.is_some() => package.wheels.push(file),
            Ok(file) => package.sdist = Some(file),
            Err(_) => {}
        }
    }
}
