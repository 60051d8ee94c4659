//! Who requires whom in a lock of Poetry 1: its packages say neither their groups nor when they are wanted.
//!
//! Poetry itself begins at the requirements of pyproject.toml. Without that file the selection begins at what
//! no other package requires.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;
use wheelfix_format::{PackageName, VersionSpecifiers};

use super::dependency::{Alternative, Dependency};
use super::versions;
use crate::lock::{Edge, Lock, Package, Root};
use crate::read::reading::Reading;
use crate::read::toml_text;
use crate::text::Text;
use crate::{Fault, Faults};

/// The words of a package about itself and others.
pub(crate) struct Told<'a> {
    /// The group, `main` or `dev`, which Poetry wrote until 1.4.
    pub(crate) category: Option<PackageName>,
    pub(crate) python: Option<Text<'a>>,
    /// Whether only extras of the project bring it.
    pub(crate) is_optional: bool,
    /// These extras.
    pub(crate) extras: BTreeSet<String>,
    pub(crate) dependencies: BTreeMap<Text<'a>, Dependency<'a>>,
    /// Its own extras, with what they require.
    pub(crate) provides: BTreeMap<Text<'a>, Vec<Text<'a>>>,
}

impl Told<'_> {
    /// Whether it is there wherever the other one is.
    fn covers(&self, other: &Self) -> bool {
        let is_main = |told: &Self| {
            told.category
                .as_ref()
                .is_none_or(|it| it.as_str() == "main")
        };
        let of_extras = other.is_optional && other.extras.is_subset(&self.extras);
        let is_there = !self.is_optional || of_extras;
        is_there && (is_main(self) || !is_main(other))
    }
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Project<'a> {
    tool: Option<Tool<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Tool<'a> {
    poetry: Option<Poetry<'a>>,
}

/// The requirements of a project.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), rename_all = "kebab-case")]
struct Poetry<'a> {
    #[serde(default)]
    dependencies: BTreeMap<Text<'a>, Dependency<'a>>,
    /// The group `dev`, before there were groups.
    #[serde(default)]
    dev_dependencies: BTreeMap<Text<'a>, Dependency<'a>>,
    #[serde(default)]
    group: BTreeMap<Text<'a>, Group<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Group<'a> {
    #[serde(default)]
    dependencies: BTreeMap<Text<'a>, Dependency<'a>>,
}

/// Links the packages of a lock, and its root with them.
pub(crate) fn link<'a>(
    lock: &mut Lock<'_>,
    told: &[Told<'a>],
    extras: &BTreeMap<Text<'a>, Vec<Text<'a>>>,
    project: Option<&str>,
) -> Result<(), Faults> {
    let project = project.map(toml_text::read::<Project<'_>>);
    // Most of its keys are for others.
    let project = project.transpose().map_err(|fault| {
        let key = "pyproject.toml".to_owned();
        vec![Fault { key, ..*fault }]
    })?;
    let project = project.and_then(|(project, _)| project.tool?.poetry);
    let mut linker = Linker {
        reading: Reading {
            markers: std::mem::take(&mut lock.markers),
            ..Reading::default()
        },
        by_name: BTreeMap::new(),
        missing: BTreeSet::new(),
    };
    for (number, package) in lock.packages.iter().enumerate() {
        let numbers = linker.by_name.entry(package.name.clone()).or_default();
        numbers.push(number);
    }
    let has_project = project.is_some();
    linker.packages(&mut lock.packages, told, has_project);
    if let Some(root) = lock.roots.first_mut() {
        match &project {
            Some(project) => linker.project(root, &lock.packages, project, extras),
            None => assume(root, &lock.packages, told),
        }
    }
    if !has_project {
        lock.notes.push(
            "the lock does not say what the project itself requires, and no pyproject.toml beside it does: \
             what no other package requires is taken for that"
                .to_owned(),
        );
    }
    lock.notes.extend(linker.missing.iter().map(|name| {
        format!("pyproject.toml requires {name}, which the lock does not have: `poetry lock` makes it anew")
    }));
    lock.markers = linker.reading.markers;
    if linker.reading.faults.is_empty() {
        Ok(())
    } else {
        Err(linker.reading.faults)
    }
}

struct Linker {
    reading: Reading,
    by_name: BTreeMap<PackageName, Vec<usize>>,
    /// The names in pyproject.toml that the lock does not have.
    missing: BTreeSet<String>,
}

impl Linker {
    /// Adds what packages require; what their extras do by itself only where it is known which are wanted.
    fn packages(&mut self, packages: &mut [Package<'_>], told: &[Told<'_>], by_extra: bool) {
        for (number, told) in told.iter().enumerate() {
            let Some(label) = packages.get(number).map(Package::label) else {
                continue;
            };
            let (mut edges, mut extras) = (Vec::new(), BTreeMap::new());
            for extra in told.provides.keys() {
                extras.extend(
                    self.reading
                        .name(&label, "extras", extra)
                        .map(|it| (it, Vec::new())),
                );
            }
            for (name, Dependency(alternatives)) in &told.dependencies {
                for alternative in alternatives {
                    let Some(edge) = self.edge(&label, packages, name, alternative) else {
                        continue;
                    };
                    if !by_extra || !alternative.optional {
                        edges.push(edge);
                        continue;
                    }
                    for extra in naming(&told.provides, name) {
                        if let Some(of_extra) = extras.get_mut(&extra) {
                            of_extra.push(edge.clone());
                        }
                    }
                }
            }
            let is_one_of_several = |name| self.by_name.get(name).is_some_and(|it| 1 < it.len());
            if let Some(package) = packages.get_mut(number) {
                package.edges = Some(edges);
                package.extras = extras;
                let python = told.python.as_deref().and_then(versions::python);
                let python = python.filter(|_| is_one_of_several(&package.name));
                let fork = self
                    .reading
                    .marker(&label, "python-versions", python.as_deref());
                package.forks.extend(fork);
            }
        }
    }

    /// The packages that a requirement may mean; `None` if there are none, for then it is for no environment of
    /// the lock.
    fn edge(
        &mut self,
        of: &str,
        packages: &[Package<'_>],
        name: &str,
        alternative: &Alternative<'_>,
    ) -> Option<Edge> {
        let name = self.reading.name(of, "dependencies", name)?;
        let mut targets = self.by_name.get(&name)?.clone();
        let versions = alternative.version.as_deref().and_then(versions::ranges);
        if 1 < targets.len()
            && let Some(versions) = versions.filter(|versions| !versions.is_empty())
        {
            targets.retain(|number| {
                let version = packages.get(*number).and_then(|it| it.version.as_ref());
                version.is_none_or(|version| {
                    let contains = |range: &VersionSpecifiers| range.contains(version);
                    versions.iter().any(contains)
                })
            });
        }
        let marker = alternative.marker();
        Some(Edge {
            targets,
            extras: self.reading.names(of, "dependencies", &alternative.extras),
            marker: self.reading.marker(of, "dependencies", marker.as_deref()),
        })
    }

    /// Begins at what pyproject.toml requires.
    fn project(
        &mut self,
        root: &mut Root,
        packages: &[Package<'_>],
        project: &Poetry<'_>,
        extras: &BTreeMap<Text<'_>, Vec<Text<'_>>>,
    ) {
        let groups = project.group.iter();
        let groups = groups.map(|(name, group)| (&**name, &group.dependencies));
        let dev = ("dev", &project.dev_dependencies);
        let all = [("main", &project.dependencies), dev]
            .into_iter()
            .chain(groups);
        root.groups.clear();
        for (group, dependencies) in all {
            if dependencies.is_empty() && group == "dev" {
                continue;
            }
            let Some(group) = self.reading.name("", "tool.poetry.group", group) else {
                continue;
            };
            root.groups.entry(group.clone()).or_default();
            for (name, Dependency(alternatives)) in dependencies {
                if &**name == "python" {
                    continue;
                }
                for alternative in alternatives {
                    let Some(edge) = self.edge("", packages, name, alternative) else {
                        // One with a marker may be for no environment of the lock.
                        if alternative.marker().is_none() {
                            self.missing.insert(name.to_string());
                        }
                        continue;
                    };
                    if !alternative.optional {
                        root.groups.entry(group.clone()).or_default().push(edge);
                        continue;
                    }
                    for extra in naming(extras, name) {
                        root.extras.entry(extra).or_default().push(edge.clone());
                    }
                }
            }
        }
    }
}

/// The extras that name a package: as `httpx`, or `httpx (>=0.28)`.
fn naming(extras: &BTreeMap<Text<'_>, Vec<Text<'_>>>, name: &str) -> Vec<PackageName> {
    let name = name.parse::<PackageName>().ok();
    let is_it = |text: &Text<'_>| super::required_name(text) == name;
    let naming = extras
        .iter()
        .filter(|(_, texts)| name.is_some() && texts.iter().any(is_it));
    naming.filter_map(|(extra, _)| extra.parse().ok()).collect()
}

/// Begins at the packages that no other one requires that is there wherever they are.
fn assume(root: &mut Root, packages: &[Package<'_>], told: &[Told<'_>]) {
    let covered = |number: usize| -> Vec<usize> {
        let edges = packages
            .get(number)
            .and_then(|package| package.edges.as_ref());
        let targets = edges.into_iter().flatten().flat_map(|edge| &edge.targets);
        let is_covered = |target: &usize| {
            let both = told.get(number).zip(told.get(*target));
            *target != number && both.is_some_and(|(one, other)| one.covers(other))
        };
        targets.copied().filter(is_covered).collect()
    };
    let required: BTreeSet<usize> = (0..told.len()).flat_map(covered).collect();
    let mut reached = BTreeSet::new();
    // Those that require each other come last: one of them stands for all.
    let by_need = (0..told.len()).filter(|number| !required.contains(number));
    for number in by_need.chain(0..told.len()) {
        if reached.contains(&number) {
            continue;
        }
        let mut pending = VecDeque::from([number]);
        while let Some(next) = pending.pop_front() {
            if reached.insert(next) {
                pending.extend(covered(next));
            }
        }
        let Some(told) = told.get(number) else {
            continue;
        };
        let edge = Edge {
            targets: vec![number],
            extras: Vec::new(),
            marker: None,
        };
        for extra in told.extras.iter().filter_map(|extra| extra.parse().ok()) {
            root.extras.entry(extra).or_default().push(edge.clone());
        }
        match &told.category {
            _ if told.is_optional => {}
            Some(group) => root.groups.entry(group.clone()).or_default().push(edge),
            None => root.requirements.push(edge),
        }
    }
}
