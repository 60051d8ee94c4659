//! Additions to a lock for the files that are installed, where it lacks them: their hashes, and what they
//! require.

use std::collections::{BTreeMap, BTreeSet};

use wheelfix_format::{Constraint, PackageName, RankedTags, Requirement, Target};

use crate::lock::{Edge, Lock, Package};
use crate::read::pylock::requirements;
use crate::read::reading::Reading;
use crate::{DocumentOptions, Faults, File, Provider, Selection, Source, Sri, choose, resolve};

/// A file that is installed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Wanted {
    /// The number of its package among [`Lock::packages`].
    pub package: usize,
    /// Its number among the wheels; `None` for the sdist.
    pub wheel: Option<usize>,
}

impl<'a> Lock<'a> {
    /// The files of all selections on all targets. What stands against them is not told here.
    pub fn wanted(
        &self,
        targets: &[Target],
        selections: &[Selection],
        options: &DocumentOptions,
    ) -> BTreeSet<Wanted> {
        let mut wanted = BTreeSet::new();
        for target in targets {
            let tags = RankedTags::new(target);
            for selection in selections {
                let Ok(resolution) = resolve(self, selection, target) else {
                    continue;
                };
                for resolved in resolution.packages.values() {
                    wanted.extend(self.wanted_of(resolved.number, &tags, options));
                }
            }
        }
        wanted
    }

    /// The file that is taken of a package.
    fn wanted_of(
        &self,
        number: usize,
        tags: &RankedTags,
        options: &DocumentOptions,
    ) -> Option<Wanted> {
        let package = self.packages.get(number)?;
        if package.source != Source::Files || options.attribute_of(package).is_some() {
            return None;
        }
        let preference = options.preference_of(&package.name);
        let wheel = match choose(package, tags, preference).ok()?.provider {
            Provider::Wheel(file) => {
                let is_it = |it: &File<'_>| it.name == file.name && it.location == file.location;
                Some(package.wheels.iter().position(is_it)?)
            }
            Provider::Sdist(_) => None,
            Provider::Source => return None,
        };
        Some(Wanted {
            package: number,
            wheel,
        })
    }

    /// A file that is installed.
    pub fn file(&self, wanted: Wanted) -> Option<&File<'a>> {
        let package = self.packages.get(wanted.package)?;
        match wanted.wheel {
            Some(number) => package.wheels.get(number),
            None => package.sdist.as_ref(),
        }
    }

    /// Adds the hash of a file that has none.
    pub fn add_hash(&mut self, wanted: Wanted, hash: Sri) {
        let package = self.packages.get_mut(wanted.package);
        let file = package.and_then(|package| match wanted.wheel {
            Some(number) => package.wheels.get_mut(number),
            None => package.sdist.as_mut(),
        });
        if let Some(file) = file {
            file.hash.get_or_insert(hash);
        }
    }

    /// Adds the requirements of the build of an sdist.
    pub fn add_build(&mut self, package: usize, required: Vec<Requirement>) {
        if let Some(package) = self.packages.get_mut(package) {
            package.build = Some(required);
        }
    }

    /// Adds what a package requires, as METADATA has it, to what is known of that.
    pub fn add_requirements(&mut self, package: usize, texts: &[String]) -> Result<(), Faults> {
        let mut reading = Reading {
            markers: std::mem::take(&mut self.markers),
            ..Reading::default()
        };
        let label = self.packages.get(package).map(Package::label);
        let label = label.unwrap_or_default();
        let required = requirements(&mut reading, &label, "Requires-Dist", texts);
        self.markers = reading.markers;
        let mut by_name: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
        for (number, package) in self.packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(number);
        }
        let edges = required.into_iter().filter_map(|required| {
            Some(Edge {
                targets: by_name.get(&required.name)?.clone(),
                extras: required.extras,
                marker: required.marker,
            })
        });
        let edges: Vec<Edge> = edges.collect();
        let parsed = texts
            .iter()
            .filter_map(|text| text.parse::<Requirement>().ok());
        let unmet: Vec<Requirement> = parsed
            .filter(|it| !self.packages.iter().any(|package| serves(package, it)))
            .collect();
        if let Some(package) = self.packages.get_mut(package) {
            package.edges.get_or_insert_default().extend(edges);
            package.unmet.extend(unmet);
        }
        if reading.faults.is_empty() {
            Ok(())
        } else {
            Err(reading.faults)
        }
    }
}

/// Whether a package is one that a requirement allows. What is known only once it is built may be.
fn serves(package: &Package<'_>, required: &Requirement) -> bool {
    let allows = match (required.constraint(), &package.version) {
        (Constraint::Versions(specifiers), Some(version)) => specifiers.contains(version),
        _ => true,
    };
    package.name == *required.name() && allows
}
