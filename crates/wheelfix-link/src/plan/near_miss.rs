//! Descriptions of missing libraries: libraries that almost fit, and remedies.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wheelfix_format::LibraryName;
use wheelfix_loader::Object;

use crate::fault::evidence::Evidence;
use crate::fault::missing::{Missing, NearMiss};
use crate::fault::remedy::Candidate;
use crate::plan::resolve::Resolver;
use crate::rules::{Pattern, Provider, Rules};

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
            candidates: self.candidates(object, soname),
            ..self.rules.missing(soname, self.index.entries().to_vec())
        }
    }

    /// Providers of a library for an object: for its machine, and of the CUDA that the rest of it is of.
    fn candidates(&self, object: &Object, soname: &str) -> Vec<Candidate> {
        let cuda = self.cuda_of(object);
        let all = self.rules.candidates_of_cuda(soname, cuda).into_iter();
        if object.abi.platform() == "i686" {
            // Wheels of PyPI for x86-64 do not bring libraries for it.
            let packages = all.filter_map(|candidate| match candidate {
                Candidate::Nixpkgs(attribute) => Some(format!("pkgsi686Linux.{attribute}")),
                _ => None,
            });
            return packages.map(Candidate::Nixpkgs).collect();
        }
        all.collect()
    }

    /// The major version of CUDA that an object is for, by what else it needs, or by what the output needs.
    fn cuda_of(&self, object: &Object) -> Option<u32> {
        let of_needs = |needed: &[String]| -> BTreeSet<u32> {
            let each = needed.iter().filter_map(|name| self.rules.cuda_of(name));
            each.collect()
        };
        let own = of_needs(&object.needed);
        let versions = if own.is_empty() {
            let all = self.tree.objects();
            all.flat_map(|other| of_needs(&other.needed)).collect()
        } else {
            own
        };
        // Of two, neither is the one.
        (versions.len() == 1).then(|| versions.first().copied())?
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
            let is_left_out = self.dropped.contains(&path);
            if let Some(reason) = near_miss(object, (soname, &wanted), (other, &path), is_left_out)
            {
                found.insert(NearMiss { path, reason });
            }
        }
        // Only a name that was made for one wheel is a copy that another one left out.
        let is_bundled = !wanted.hashes().is_empty();
        let halves = is_bundled.then(|| self.other_halves(object));
        let halves = halves.into_iter().flatten();
        damaged.chain(halves).chain(found).take(NAMED).collect()
    }

    /// The directories of other wheels that are one with that of an object in an environment: the wheels were repaired
    /// together, as meshlib and meshlib-core, and what installed the other left the library out for one of the system.
    fn other_halves(&self, object: &Object) -> BTreeSet<NearMiss> {
        let name = |directory: &Path| {
            let is_private = directory.extension().is_some_and(|it| it == "libs");
            directory
                .file_name()
                .filter(|_| is_private)
                .map(OsString::from)
        };
        let Some(ours) = object.path.parent().and_then(name) else {
            return BTreeSet::new();
        };
        let directories = self.index.libraries().iter();
        let directories = directories.map(|library| library.directory.as_path());
        let halves = directories.filter(|directory| name(directory).as_ref() == Some(&ours));
        let reason = "of another wheel, which left it out: install that wheel with its own, or both as one environment";
        let miss = |directory: &Path| NearMiss {
            path: directory.to_path_buf(),
            reason: reason.to_owned(),
        };
        halves.map(miss).collect()
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
            is_answered: false,
            is_kept: false,
        }
    }

    /// Providers of the library, by the rules. The driver's libraries come with the driver only.
    pub(crate) fn candidates(&self, soname: &str) -> Vec<Candidate> {
        self.candidates_of_cuda(soname, None)
    }

    /// Those of this major version of CUDA, where it is known.
    fn candidates_of_cuda(&self, soname: &str, cuda: Option<u32>) -> Vec<Candidate> {
        if self.is_driver(soname) {
            return Vec::new();
        }
        let of_literal = |literal: &str, name: &str| {
            let is_meant = |glob: &Pattern| glob.is_literal() && glob.text() == literal;
            self.providers(cuda, &is_meant, name)
        };
        let of_name = |name: &str| {
            // What opens a library without a version takes any, as does what puts one behind the name.
            let name = name.strip_suffix(".*").unwrap_or(name);
            let found = of_literal(name, name);
            if !found.is_empty() || name.strip_suffix(".so").is_none() {
                return found;
            }
            let versions = self.versions_of(name).into_iter();
            versions
                .flat_map(|version| of_literal(version, name))
                .collect()
        };
        let mut candidates: Vec<Candidate> = Vec::new();
        for candidate in soname.split(" or ").flat_map(of_name) {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        candidates
    }

    /// The sonames of a library's versions of which providers are known, the newest first.
    fn versions_of(&self, name: &str) -> Vec<&str> {
        let bodies = self.provider.iter().map(|rule| &rule.body);
        let providers = bodies.flat_map(|body| body.nixpkgs.iter().chain(&body.wheel));
        let versions: BTreeSet<(Vec<u64>, &str)> = providers
            .filter(|(glob, _)| glob.is_literal())
            .filter_map(|(glob, _)| {
                let version = glob.text().strip_prefix(name)?.strip_prefix('.')?;
                let numbers = version.split('.').map_while(|part| part.parse().ok());
                Some((numbers.collect(), glob.text()))
            })
            .collect();
        versions.into_iter().rev().map(|(_, name)| name).collect()
    }

    /// The major version of CUDA that alone has a library of this name. `None` if several have, or none.
    fn cuda_of(&self, name: &str) -> Option<u32> {
        let of_rule = |body: &Provider| {
            let globs = body.nixpkgs.iter().chain(&body.wheel);
            globs
                .into_iter()
                .any(|(glob, _)| glob.matches(name))
                .then_some(body.cuda)
        };
        let found: BTreeSet<Option<u32>> = self
            .provider
            .iter()
            .filter_map(|rule| of_rule(&rule.body))
            .collect();
        (found.len() == 1).then(|| found.first().copied().flatten())?
    }
}

impl Rules {
    /// The providers of a library: by a literal name that is meant, or else by globs.
    fn providers(
        &self,
        cuda: Option<u32>,
        is_meant: &dyn Fn(&Pattern) -> bool,
        name: &str,
    ) -> Vec<Candidate> {
        let all = || {
            let rules = self.provider.iter().filter(|rule| {
                let conflict = rule
                    .body
                    .cuda
                    .zip(cuda)
                    .is_some_and(|(rule, wanted)| rule != wanted);
                !conflict
            });
            rules.flat_map(|rule| {
                let nixpkgs = rule.body.nixpkgs.iter();
                let nixpkgs =
                    nixpkgs.map(|(glob, it)| (glob, Candidate::Nixpkgs(of_cuda(it, cuda))));
                let wheels = rule.body.wheel.iter();
                nixpkgs.chain(wheels.map(|(glob, it)| (glob, Candidate::Wheel(it.clone()))))
            })
        };
        let exact = all().filter(|(glob, _)| is_meant(glob));
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

/// The attribute in the package set of this major version of CUDA.
fn of_cuda(attribute: &str, cuda: Option<u32>) -> String {
    match (cuda, attribute.strip_prefix("cudaPackages.")) {
        (Some(major), Some(name)) => format!("cudaPackages_{major}.{name}"),
        _ => attribute.to_owned(),
    }
}

/// Why another object almost fits. `None` if it is something else.
fn near_miss(
    object: &Object,
    (soname, wanted): (&str, &LibraryName),
    (other, path): (&Object, &Path),
    is_left_out: bool,
) -> Option<String> {
    let file_name = path.file_name()?.to_str()?;
    let its_soname = other.soname.as_deref();
    if file_name == soname || its_soname == Some(soname) {
        if other.abi != object.abi {
            return Some(format!("it is for {}, not for {}", other.abi, object.abi));
        }
        if !other.fits(object.abi, object.os_abi) {
            return Some(format!(
                "its OS ABI is {}, not {}",
                other.os_abi, object.os_abi
            ));
        }
        if is_left_out {
            return Some("it is left out itself".to_owned());
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
