//! Values of lock files, read one by one: a fault is kept, and reading goes on.

use std::collections::BTreeMap;
use std::ops::Deref;

use wheelfix_format::{PackageName, Requirement, Version, VersionSpecifiers};

use crate::file::File;
use crate::lock::{DefaultGroups, Edge, Lock, Package, Root};
use crate::marker_pool::{MarkerNumber, MarkerPool};
use crate::{Fault, Faults, Format, Problem, Sri};

/// All faults and markers so far.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) faults: Faults,
    pub(crate) markers: MarkerPool,
}

impl Reading {
    /// Keeps a fault of a package, or of no package if its name is empty.
    pub(crate) fn fault(&mut self, of: &str, key: &str, problem: Problem) {
        self.faults.push(Fault::named(of, key, problem));
    }

    pub(crate) fn name(&mut self, of: &str, key: &str, text: &str) -> Option<PackageName> {
        match text.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let text = text.to_owned();
                self.fault(of, key, Problem::Name { text, error });
                None
            }
        }
    }

    pub(crate) fn names<T: Deref<Target = str>>(
        &mut self,
        of: &str,
        key: &str,
        texts: &[T],
    ) -> Vec<PackageName> {
        let mut names = Vec::with_capacity(texts.len());
        for text in texts {
            names.extend(self.name(of, key, text));
        }
        names
    }

    pub(crate) fn marker(
        &mut self,
        of: &str,
        key: &str,
        text: Option<&str>,
    ) -> Option<MarkerNumber> {
        let text = text?;
        match self.markers.number(text) {
            Ok(number) => Some(number),
            Err(error) => {
                let text = text.to_owned();
                self.fault(of, key, Problem::Marker { text, error });
                None
            }
        }
    }

    pub(crate) fn marker_list<T: Deref<Target = str>>(
        &mut self,
        of: &str,
        key: &str,
        texts: &[T],
    ) -> Vec<MarkerNumber> {
        let mut markers = Vec::with_capacity(texts.len());
        for text in texts {
            markers.extend(self.marker(of, key, Some(text)));
        }
        markers
    }

    pub(crate) fn version(&mut self, of: &str, key: &str, text: Option<&str>) -> Option<Version> {
        let text = text?;
        match text.parse() {
            Ok(version) => Some(version),
            Err(error) => {
                let error: <Version as std::str::FromStr>::Err = error;
                let (text, message) = (text.to_owned(), first_line(&error.to_string()));
                self.fault(of, key, Problem::Version { text, message });
                None
            }
        }
    }

    pub(crate) fn specifiers(
        &mut self,
        of: &str,
        key: &str,
        text: Option<&str>,
    ) -> Option<VersionSpecifiers> {
        let text = text?;
        match text.parse::<VersionSpecifiers>() {
            Ok(specifiers) => Some(specifiers),
            Err(error) => {
                let (text, message) = (text.to_owned(), first_line(&error.to_string()));
                self.fault(of, key, Problem::Specifier { text, message });
                None
            }
        }
    }

    pub(crate) fn requirement(&mut self, of: &str, key: &str, text: &str) -> Option<Requirement> {
        match text.parse::<Requirement>() {
            Ok(requirement) => Some(requirement),
            Err(error) => {
                let source = std::error::Error::source(&error);
                let message = source.map_or_else(|| error.to_string(), ToString::to_string);
                let (text, message) = (text.to_owned(), first_line(&message));
                self.fault(of, key, Problem::Requirement { text, message });
                None
            }
        }
    }

    /// The hashes of a file, as `sha256:..`. One that vouches is enough.
    pub(crate) fn hashes<'t>(
        &mut self,
        of: &str,
        key: &str,
        texts: impl Iterator<Item = &'t str>,
    ) -> Vec<Sri> {
        let mut hashes = Vec::new();
        let mut wrong = None;
        for text in texts {
            match Sri::parse(text) {
                Ok(hash) => hashes.push(hash),
                Err(error) => {
                    let text = text.to_owned();
                    wrong = Some(Problem::Hash { text, error });
                }
            }
        }
        if let (Some(problem), true) = (wrong, hashes.is_empty()) {
            self.fault(of, key, problem);
        }
        hashes
    }

    /// The file, unless it has a fault.
    pub(crate) fn file<'a>(
        &mut self,
        package: &Package<'_>,
        key: &str,
        file: Result<File<'a>, Problem>,
    ) -> Option<File<'a>> {
        match file {
            Ok(file) => Some(file),
            Err(problem) => {
                self.fault(&package.label(), key, problem);
                None
            }
        }
    }
}

/// The first line of a message, which may say that more follow.
pub(crate) fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end_matches(':').to_owned()
}

/// The marker of a Python in the range of a specifier; `None` for any, and for clauses that are none.
pub(crate) fn python_marker(specifier: &str) -> Option<String> {
    let clauses = specifier.split(',').map(str::trim);
    let parts = clauses.filter_map(|clause| {
        let (operator, version) = clause.split_at(clause.find(char::is_numeric)?);
        let operator = operator.trim();
        Some(format!("python_full_version {operator} '{version}'"))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// A lock whose packages say themselves when they are selected.
pub(crate) struct ListedLock<'a> {
    pub(crate) format: Format,
    pub(crate) version: String,
    pub(crate) requires_python: Option<VersionSpecifiers>,
    pub(crate) environments: Vec<MarkerNumber>,
    pub(crate) extras: Vec<PackageName>,
    pub(crate) groups: Vec<PackageName>,
    pub(crate) default_groups: Vec<PackageName>,
    pub(crate) packages: Vec<Package<'a>>,
    /// The requirements of each package by name, in the order of the packages.
    pub(crate) requirements: Vec<Option<Vec<NamedEdge>>>,
    pub(crate) notes: Vec<String>,
}

/// A requirement that names a package and no more.
#[derive(Clone, Debug)]
pub(crate) struct NamedEdge {
    pub(crate) name: PackageName,
    pub(crate) extras: Vec<PackageName>,
    pub(crate) marker: Option<MarkerNumber>,
}

impl<'a> ListedLock<'a> {
    /// The lock, or all that is wrong with it.
    pub(crate) fn finish(self, reading: Reading) -> Result<Lock<'a>, Faults> {
        if !reading.faults.is_empty() {
            return Err(reading.faults);
        }
        let mut packages = self.packages;
        let mut by_name: BTreeMap<PackageName, Vec<usize>> = BTreeMap::new();
        for (number, package) in packages.iter().enumerate() {
            by_name
                .entry(package.name.clone())
                .or_default()
                .push(number);
        }
        for (package, requirements) in packages.iter_mut().zip(self.requirements) {
            // What is not in the lock is not meant for any of its environments.
            package.edges = requirements.map(|requirements| {
                let edges = requirements.into_iter().filter_map(|requirement| {
                    Some(Edge {
                        targets: by_name.get(&requirement.name)?.clone(),
                        extras: requirement.extras,
                        marker: requirement.marker,
                    })
                });
                edges.collect()
            });
        }
        let empty = |names: Vec<PackageName>| names.into_iter().map(|name| (name, Vec::new()));
        let root = Root {
            package: None,
            is_default: true,
            requirements: Vec::new(),
            groups: empty(self.groups).collect(),
            extras: empty(self.extras).collect(),
            default_groups: DefaultGroups::Named(self.default_groups),
            group_requires_python: BTreeMap::new(),
            group_environments: BTreeMap::new(),
        };
        Ok(Lock {
            format: self.format,
            version: self.version,
            requires_python: self.requires_python,
            environments: self.environments,
            conflicts: Vec::new(),
            roots: vec![root],
            workspace_groups: None,
            packages,
            indexes: Vec::new(),
            notes: self.notes,
            markers: reading.markers,
        })
    }
}

/// Reads the hash of a file that has one.
pub(crate) fn optional_hash(text: Option<&str>) -> Result<Option<Sri>, Problem> {
    let hash = text.map(|text| {
        Sri::parse(text).map_err(|error| {
            let text = text.to_owned();
            Problem::Hash { text, error }
        })
    });
    hash.transpose()
}
