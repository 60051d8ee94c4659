//! Descriptions of missing libraries: libraries that almost fit, and remedies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_format::LibraryName;

use crate::dlopen_dependency::Evidence;
use crate::missing::{Missing, NearMiss};
use crate::object::Object;
use crate::remedy::Candidate;
use crate::resolve::Resolver;
use crate::rules::Rules;

/// How many near misses are named.
const NAMED: usize = 5;

impl Resolver<'_> {
    /// Describes a missing library for the first object that needs it.
    pub(crate) fn missing(
        &self,
        object: &Object,
        soname: &str,
        opened: Option<&Evidence>,
    ) -> Missing {
        Missing {
            needed_by: BTreeSet::from([object.path.clone()]),
            near: self.near_misses(object, soname),
            opened: opened.cloned(),
            ..self.rules.missing(soname, self.index.entries().to_vec())
        }
    }

    fn near_misses(&self, object: &Object, soname: &str) -> Vec<NearMiss> {
        let damaged = self.index.unusable_for(soname);
        let Some(wanted) = LibraryName::parse(soname) else {
            return damaged.collect();
        };
        let ours = self.tree.objects().map(|found| (found.path.clone(), found));
        let index = self.index.libraries().iter();
        let theirs = index.map(|library| (library.directory.join(&library.name), &library.object));
        let mut found = BTreeSet::new();
        for (path, other) in ours.chain(theirs) {
            if let Some(reason) = near_miss(object, soname, &wanted, other, &path) {
                found.insert(NearMiss { path, reason });
            }
        }
        damaged.chain(found).take(NAMED).collect()
    }
}

impl Rules {
    /// A library that is missing, with what the rules know of it; nobody needs it so far.
    pub(crate) fn missing(&self, soname: &str, searched: Vec<PathBuf>) -> Missing {
        Missing {
            soname: soname.to_owned(),
            needed_by: BTreeSet::new(),
            searched,
            near: Vec::new(),
            candidates: self.candidates(soname),
            is_driver: self.is_driver(soname),
            opened: None,
        }
    }

    /// Providers of the library, by the rules. The driver's libraries come with the driver only.
    pub(crate) fn candidates(&self, soname: &str) -> Vec<Candidate> {
        if self.is_driver(soname) {
            return Vec::new();
        }
        let mut candidates: Vec<Candidate> = soname
            .split(" or ")
            .flat_map(|name| self.providers(name))
            .collect();
        candidates.dedup();
        candidates
    }
}

impl Rules {
    /// The providers of a library: by its very name, or else by globs.
    fn providers(&self, name: &str) -> Vec<Candidate> {
        let all = || {
            self.provider.iter().flat_map(|rule| {
                let nixpkgs = rule.body.nixpkgs.iter();
                let nixpkgs = nixpkgs.map(|(glob, it)| (glob, Candidate::Nixpkgs(it.clone())));
                let wheels = rule.body.wheel.iter();
                nixpkgs.chain(wheels.map(|(glob, it)| (glob, Candidate::Wheel(it.clone()))))
            })
        };
        let exact = all().filter(|(glob, _)| glob.is_literal() && glob.text() == name);
        let exact: Vec<Candidate> = exact.map(|(_, candidate)| candidate).collect();
        let has_package = exact
            .iter()
            .any(|candidate| matches!(candidate, Candidate::Nixpkgs(_)));
        let by_glob = all().filter(|(glob, candidate)| {
            // A wheel may be named by its very name and a package by a glob only.
            let is_rival =
                has_package || matches!(candidate, Candidate::Wheel(_)) && !exact.is_empty();
            !is_rival && !glob.is_literal() && glob.matches(name)
        });
        let by_glob: Vec<Candidate> = by_glob.map(|(_, candidate)| candidate).collect();
        exact.into_iter().chain(by_glob).collect()
    }
}

/// Why another object almost fits. `None` if it is something else.
fn near_miss(
    object: &Object,
    soname: &str,
    wanted: &LibraryName,
    other: &Object,
    path: &Path,
) -> Option<String> {
    let file_name = path.file_name()?.to_str()?;
    let its_soname = other.soname.as_deref();
    if file_name == soname || its_soname == Some(soname) {
        if other.abi != object.abi {
            return Some(format!("it is for {}, not for {}", other.abi, object.abi));
        }
        if other.os_abi != object.os_abi {
            return Some(format!(
                "its OS ABI is {}, not {}",
                other.os_abi, object.os_abi
            ));
        }
    }
    let kin = [Some(file_name), its_soname]
        .into_iter()
        .flatten()
        .find_map(|name| {
            let name = LibraryName::parse(name)?;
            name.is_kin_of(wanted).then_some(name)
        })?;
    if other.abi != object.abi {
        return None;
    }
    Some(if !kin.hashes().is_empty() {
        "a copy bundled under a name of its own".to_owned()
    } else if kin.version().is_empty() {
        "it has no version in its name".to_owned()
    } else if kin.version() == wanted.version() {
        "the file has another name".to_owned()
    } else {
        format!("version {}, not {}", kin.version(), wanted.version())
    })
}
