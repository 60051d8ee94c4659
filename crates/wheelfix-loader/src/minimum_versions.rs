//! Minimum versions of the C and C++ runtimes and of the processor that objects need.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use wheelfix_elf::minimum_versions;

use crate::object::Object;

/// The newest version that is needed of each runtime, and of the instruction set.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct MinimumVersions {
    /// By the name of the version, without its number: `GLIBC`, `GLIBCXX`, `CXXABI`, `GOMP`; `x86-64` for
    /// the level of the processor, if an object says that it needs more than the first.
    pub newest: BTreeMap<String, MinimumVersion>,
}

/// The newest version of one runtime.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MinimumVersion {
    /// The version: `2.34`; of `x86-64` the level: `3`.
    pub version: String,
    /// Final path of the first object that needs it.
    pub needed_by: PathBuf,
}

/// The name under which the level of the processor is kept.
const PROCESSOR: &str = "x86-64";

impl MinimumVersions {
    /// Returns the minimum versions that some objects need.
    pub fn of<'a>(objects: impl Iterator<Item = &'a Object>) -> Self {
        let objects: Vec<&Object> = objects.collect();
        let needs = objects.iter().flat_map(|object| {
            let needs = object.version_needs.iter();
            needs.map(|need| (need.version.as_str(), need.weak, &object.path))
        });
        let minimum = |version: String, path: &PathBuf| MinimumVersion {
            version,
            needed_by: path.clone(),
        };
        let newest = minimum_versions(needs).into_iter();
        let newest = newest
            .map(|(name, (version, path))| (name.to_owned(), minimum(version.to_owned(), path)));
        let mut newest: BTreeMap<String, MinimumVersion> = newest.collect();
        let level = |object: &Object| object.load_conditions.x86_level.filter(|level| 1 < *level);
        // Of equal ones the last is the greatest.
        let most = objects.iter().rev().max_by_key(|object| level(object));
        if let Some((level, object)) = most.and_then(|object| Some((level(object)?, object))) {
            newest.insert(
                PROCESSOR.to_owned(),
                minimum(level.to_string(), &object.path),
            );
        }
        Self { newest }
    }
}

impl fmt::Display for MinimumVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minimum_versions = self
            .newest
            .iter()
            .map(|(name, minimum)| match name.as_str() {
                PROCESSOR => format!("{name}-v{}", minimum.version),
                _ => format!("{name} {}", minimum.version),
            });
        f.write_str(&minimum_versions.collect::<Vec<_>>().join(", "))
    }
}
