//! Minimum versions of the C and C++ runtimes and of the processor that objects need.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

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
        let mut newest: BTreeMap<String, MinimumVersion> = BTreeMap::new();
        for object in objects {
            // A loader goes on without a version that is needed weakly.
            let needs = object.version_needs.iter().filter(|need| !need.weak);
            let versions = needs.filter_map(|need| need.version.rsplit_once('_'));
            let level = object.load_conditions.x86_level.filter(|level| 1 < *level);
            let level = level.map(|level| level.to_string());
            let level = level.as_deref().map(|level| (PROCESSOR, level));
            for (name, version) in versions.chain(level) {
                let Some(numbers) = numbers(version) else {
                    continue;
                };
                let known = newest
                    .get(name)
                    .and_then(|minimum| crate::minimum_versions::numbers(&minimum.version));
                if known.is_none_or(|known| known < numbers) {
                    let minimum = MinimumVersion {
                        version: version.to_owned(),
                        needed_by: object.path.clone(),
                    };
                    newest.insert(name.to_owned(), minimum);
                }
            }
        }
        Self { newest }
    }
}

/// The numbers of a version; `None` for `PRIVATE` and the like.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("2.4") < numbers("2.17"));
        assert!(numbers("3.4") < numbers("3.4.1"));
        assert_eq!(numbers("PRIVATE"), None);
    }
}
