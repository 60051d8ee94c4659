//! The check that what the wheels need at run time is installed, without Python.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use wheelfix_format::{Metadata, MetadataEdit, PackageName, Target, UnmetDependency, Version};
use wheelfix_wheel::{InstalledError, Wheel, installed_distributions};

use crate::files::aliases::Aliases;

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
pub(crate) const BREAK: char = '\n';

/// A wheel with dependencies that nothing meets.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{wheel}` lacks what it needs at run time{}", list(.unmet))]
pub struct UnmetDependencies {
    /// Its file name.
    pub wheel: String,
    /// The requirements that nothing meets, in the order of METADATA.
    pub unmet: Vec<UnmetDependency>,
}

/// The findings about the requirements of wheels.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Wheels whose requirements are not met.
    pub(crate) unmet: Vec<UnmetDependencies>,
    /// Aliases of the user that serve for nothing.
    pub(crate) unused: Vec<String>,
}

/// Compares what the wheels require, after these edits, with what is installed below the prefixes
/// and with the wheels themselves.
pub(crate) fn check(
    wheels: &[Wheel],
    edits: &[MetadataEdit],
    target: &Target,
    prefixes: &[PathBuf],
    aliases: Aliases<'_>,
) -> Result<Checked, InstalledError> {
    let environment = target.marker_environment();
    let mut installed: BTreeMap<PackageName, Version> = installed_distributions(prefixes)?
        .into_iter()
        .map(|(name, distribution)| (name, distribution.version))
        .collect();
    for wheel in wheels {
        let (name, version) = (wheel.filename().name(), wheel.filename().version());
        installed.insert(name.clone(), version.clone());
    }
    let there = installed.clone();
    let serving = aliases.serving(|name| there.contains_key(name));
    for (name, server) in &serving {
        if let Some(version) = there.get(*server) {
            installed.insert((*name).clone(), version.clone());
        }
    }
    let mut found = Vec::new();
    for wheel in wheels {
        let edited = wheel.metadata().edit(edits);
        // An edit takes nothing that makes metadata valid.
        let edited: Option<Metadata> = edited.text.parse().ok();
        let metadata = edited.as_ref().unwrap_or(wheel.metadata());
        let unmet = metadata.unmet_dependencies(&environment, &installed);
        if !unmet.is_empty() {
            found.push(UnmetDependencies {
                wheel: wheel.filename().to_string(),
                unmet,
            });
        }
    }
    Ok(Checked {
        unmet: found,
        unused: aliases.unused(&serving).collect(),
    })
}

/// As nixpkgs' hook prints them.
fn list(unmet: &[UnmetDependency]) -> impl fmt::Display {
    fmt::from_fn(|f| unmet.iter().try_for_each(|it| write!(f, "{BREAK}  - {it}")))
}
