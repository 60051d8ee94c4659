//! The check that no distribution comes twice in what a package brings along, as
//! `pythonCatchConflictsHook` makes it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use wheelfix_format::PackageName;
use wheelfix_wheel::{InstalledDistribution, installed_distributions};

use crate::builder::inputs;
use crate::error::{Error, print};
use crate::install_error;
use crate::message::BREAK;

/// Refuses a package that brings along a distribution from two prefixes.
pub(crate) fn run(out: &Path) -> Result<(), Error> {
    let mut found: BTreeMap<PackageName, Vec<InstalledDistribution>> = BTreeMap::new();
    for prefix in inputs::closure(std::iter::once(out))? {
        if !prefix.is_dir() {
            continue;
        }
        let installed = installed_distributions(&[prefix]).map_err(install_error::installed)?;
        for (name, distribution) in installed {
            found.entry(name).or_default().push(distribution);
        }
    }
    found.retain(|_, places| 1 < places.len());
    if found.is_empty() {
        return Ok(());
    }
    print(
        "error",
        found.iter().map(|(name, places)| describe(name, places)),
    );
    print("error", ["package duplicates found in closure, see above"]);
    print(
        "hint",
        [
            "two packages depend on different versions of the same dependency: give all of them \
            the one of the package set, `torchEverywhere` for torch; \
            `catchConflicts = false` turns this check off",
        ],
    );
    Err(Error::Reported)
}

/// The words are nixpkgs', which people search for.
fn describe(name: &PackageName, places: &[InstalledDistribution]) -> impl Display {
    fmt::from_fn(move |f| {
        write!(
            f,
            "Found duplicated packages in closure for dependency '{name}':"
        )?;
        places.iter().try_for_each(|place| {
            let prefix = prefix_of(&place.path);
            let (version, prefix) = (&place.version, prefix.display());
            write!(f, "{BREAK}  {name} {version} ({prefix})")
        })
    })
}

/// The prefix of `lib/pythonX.Y/site-packages/NAME.dist-info`.
fn prefix_of(dist_info: &Path) -> PathBuf {
    dist_info
        .ancestors()
        .nth(4)
        .unwrap_or(dist_info)
        .to_path_buf()
}
