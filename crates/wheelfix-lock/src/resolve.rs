//! The packages that a selection of a lock installs on a target.

mod absence;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use absence::{Absence, absences};
use wheelfix_format::{MarkerSets, PackageName, Target, Version};

use crate::component::components;
use crate::lock::{Conflict, DefaultGroups, Edge, Lock, Package, Root, Source};
use crate::marker_pool::MarkerAnswers;
use crate::{Fault, Faults, Format, Problem, Selection};

/// The packages of a selection on a target.
#[derive(Debug)]
pub struct Resolution {
    /// All packages, those that install nothing included.
    pub packages: BTreeMap<PackageName, Resolved>,
    /// The packages that are wanted for themselves: members, and what groups require.
    pub roots: BTreeSet<PackageName>,
}

/// A package of a selection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolved {
    /// Its number among [`Lock::packages`].
    pub number: usize,
    /// The packages that it requires on the target, through the extras that are wanted of it; `None` where the lock
    /// does not say.
    pub dependencies: Option<BTreeSet<PackageName>>,
    /// The extras that are wanted of it.
    pub extras: BTreeSet<PackageName>,
    /// The first name of the packages that require it and that it requires, if there are some.
    pub component: Option<PackageName>,
}

/// Decides what a selection installs on a target; all that stands against it at once.
pub fn resolve(
    lock: &Lock<'_>,
    selection: &Selection,
    target: &Target,
) -> Result<Resolution, Faults> {
    walk(lock, selection, target)?.finish()
}

/// Follows all that a selection requires.
fn walk<'l>(
    lock: &'l Lock<'l>,
    selection: &Selection,
    target: &Target,
) -> Result<Walk<'l>, Faults> {
    let answers = MarkerAnswers::new(&lock.markers, target.marker_environment());
    let mut walk = Walk {
        lock,
        answers,
        active: BTreeSet::new(),
        faults: Vec::new(),
        packages: BTreeMap::new(),
        roots: BTreeSet::new(),
    };
    walk.check_target();
    let roots = walk.chosen_roots(selection);
    let start = walk.start(selection, &roots);
    if !walk.faults.is_empty() {
        return Err(walk.faults);
    }
    if !lock.conflicts.is_empty() {
        walk.activate(&start);
        walk.check_conflicts();
        if !walk.faults.is_empty() {
            return Err(walk.faults);
        }
    }
    walk.follow_all(&start);
    walk.take_listed();
    Ok(walk)
}

/// A package, with one of its extras or without.
type Node = (usize, Option<PackageName>);

/// Where a walk begins.
struct Start<'l> {
    nodes: Vec<Node>,
    edges: Vec<&'l Edge>,
}

/// The nodes that a walk has still to look at, each once.
struct Frontier {
    seen: BTreeSet<Node>,
    queue: VecDeque<Node>,
}

impl Frontier {
    fn of(nodes: &[Node]) -> Self {
        Self {
            seen: nodes.iter().cloned().collect(),
            queue: nodes.iter().cloned().collect(),
        }
    }

    /// Adds a package, by itself and with extras.
    fn add(&mut self, package: usize, extras: &[PackageName]) {
        let extras = extras.iter().cloned().map(Some);
        for extra in [None].into_iter().chain(extras) {
            let node = (package, extra);
            if self.seen.insert(node.clone()) {
                self.queue.push_back(node);
            }
        }
    }

    fn next(&mut self) -> Option<Node> {
        self.queue.pop_front()
    }
}

struct Walk<'l> {
    lock: &'l Lock<'l>,
    answers: MarkerAnswers<'l>,
    /// All that is selected, as conflicts name it.
    active: BTreeSet<Conflict>,
    faults: Faults,
    packages: BTreeMap<usize, Reached>,
    roots: BTreeSet<usize>,
}

/// The requirements of a package that were followed so far.
#[derive(Default)]
struct Reached {
    dependencies: BTreeSet<usize>,
    extras: BTreeSet<PackageName>,
}

impl<'l> Walk<'l> {
    /// Whether the lock is for the target at all.
    fn check_target(&mut self) {
        let python = self.answers.environment().python_full_version.clone();
        let version = python.parse::<Version>();
        if let (Some(requires), Ok(version)) = (&self.lock.requires_python, version)
            && !requires.contains(&version)
        {
            let requires = requires.to_string();
            let problem = Problem::RequiresPython {
                requires,
                got: python,
            };
            self.faults.push(Fault::at("requires-python", problem));
        }
        let environments = &self.lock.environments;
        let is_covered =
            environments.is_empty() || environments.iter().any(|it| self.answers.holds(Some(*it)));
        if !is_covered {
            let texts = environments.iter().map(|it| self.lock.marker_text(*it));
            self.faults
                .push(Fault::of_file(Problem::Environment(texts.collect())));
        }
    }

    /// The members that the selection names, or the ones that it means without naming any.
    fn chosen_roots(&mut self, selection: &Selection) -> Vec<&'l Root> {
        let lock = self.lock;
        let name = |root: &Root| {
            let package = lock.packages.get(root.package?)?;
            Some(package.name.clone())
        };
        let Some(wanted) = &selection.package else {
            return lock.roots.iter().filter(|root| root.is_default).collect();
        };
        let found: Vec<&Root> = lock
            .roots
            .iter()
            .filter(|root| name(root).as_ref() == Some(wanted))
            .collect();
        if found.is_empty() {
            let known = lock.roots.iter().filter_map(name);
            self.undeclared("package", wanted, &known.collect());
        }
        found
    }

    fn undeclared(
        &mut self,
        kind: &'static str,
        name: &PackageName,
        known: &BTreeSet<PackageName>,
    ) {
        let problem = Problem::Undeclared {
            kind,
            name: name.to_string(),
            known: known.iter().map(ToString::to_string).collect(),
        };
        self.faults.push(Fault::of_file(problem));
    }

    /// The packages and requirements at which the walk begins, and what is selected by that.
    fn start(&mut self, selection: &Selection, roots: &[&'l Root]) -> Start<'l> {
        let lock = self.lock;
        let package = |root: &Root| root.package.and_then(|number| lock.packages.get(number));
        let extras = |root: &'l Root| {
            let of_package = package(root).into_iter().flat_map(|it| it.extras.keys());
            of_package.chain(root.extras.keys())
        };
        self.check_selection(selection, roots);
        let mut start = Start {
            nodes: Vec::new(),
            edges: Vec::new(),
        };
        let mut sets = MarkerSets::default();
        for root in roots {
            let name = package(root).map(|package| package.name.clone());
            if let (Some(number), Some(name)) = (root.package, &name) {
                start.nodes.push((number, None));
                self.active.insert(Conflict::Project(name.clone()));
            }
            start.edges.extend(&root.requirements);
            for extra in extras(root).filter(|extra| selection.extras.contains(*extra)) {
                start
                    .edges
                    .extend(root.extras.get(extra).into_iter().flatten());
                sets.extras.insert(extra.clone());
                if let (Some(number), Some(name)) = (root.package, &name) {
                    start.nodes.push((number, Some(extra.clone())));
                    self.active
                        .insert(Conflict::Extra(name.clone(), extra.clone()));
                }
            }
            for (group, edges) in &root.groups {
                if !self.is_selected(selection, root, group) {
                    continue;
                }
                start.edges.extend(edges);
                sets.groups.insert(group.clone());
                self.check_group_python(root, group);
                self.check_group_environment(root, group);
                if let Some(name) = &name {
                    self.active
                        .insert(Conflict::Group(name.clone(), group.clone()));
                }
            }
        }
        self.answers.set(sets);
        self.publish_active(&[]);
        start
    }

    fn is_selected(&self, selection: &Selection, root: &Root, group: &PackageName) -> bool {
        let of_workspace = self.lock.workspace_groups.as_ref();
        let of_workspace = of_workspace.filter(|_| selection.package.is_none());
        let is_default = match of_workspace.unwrap_or(&root.default_groups) {
            DefaultGroups::All => true,
            DefaultGroups::Named(names) => names.contains(group),
        };
        selection.groups.contains(group) || (is_default && !selection.no_default_groups)
    }

    /// Whether the extras and groups of the selection are there.
    fn check_selection(&mut self, selection: &Selection, roots: &[&'l Root]) {
        let lock = self.lock;
        let (mut extras, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for root in roots {
            let package = root.package.and_then(|number| lock.packages.get(number));
            let of_package = package
                .into_iter()
                .flat_map(|package| package.extras.keys());
            extras.extend(of_package.chain(root.extras.keys()).cloned());
            groups.extend(root.groups.keys().cloned());
        }
        self.check_declared("extra", &selection.extras, &extras);
        self.check_declared("group", &selection.groups, &groups);
    }

    fn check_declared(
        &mut self,
        kind: &'static str,
        wanted: &BTreeSet<PackageName>,
        known: &BTreeSet<PackageName>,
    ) {
        for name in wanted.difference(known) {
            self.undeclared(kind, name, known);
        }
    }

    fn check_group_python(&mut self, root: &Root, group: &PackageName) {
        let python = self.answers.environment().python_full_version.clone();
        if let (Some(requires), Ok(version)) = (
            root.group_requires_python.get(group),
            python.parse::<Version>(),
        ) && !requires.contains(&version)
        {
            let requires = requires.to_string();
            let problem = Problem::RequiresPython {
                requires,
                got: python,
            };
            self.faults
                .push(Fault::at(format!("group-requires-python.{group}"), problem));
        }
    }

    fn check_group_environment(&mut self, root: &Root, group: &PackageName) {
        let Some(environments) = root.group_environments.get(group) else {
            return;
        };
        if !environments.iter().any(|it| self.answers.holds(Some(*it))) {
            let texts = environments.iter().map(|it| self.lock.marker_text(*it));
            let problem = Problem::Environment(texts.collect());
            self.faults
                .push(Fault::at(format!("environments.{group}"), problem));
        }
    }

    /// Makes the extras of uv's markers of what is selected, and of some more.
    fn publish_active(&mut self, more: &[Conflict]) {
        if self.lock.conflicts.is_empty() {
            return;
        }
        let mut sets = self.answers.sets().clone();
        for active in self.active.iter().chain(more) {
            if let Ok(name) = active.invented_extra().parse() {
                sets.extras.insert(name);
            }
        }
        self.answers.set(sets);
    }

    /// Finds all extras that the selection wants of any package: uv's markers are about all of them, so
    /// that they have to be known before the first one is asked.
    fn activate(&mut self, start: &Start<'l>) {
        let mut frontier = Frontier::of(&start.nodes);
        let mut edges: Vec<&'l Edge> = start.edges.clone();
        loop {
            for edge in std::mem::take(&mut edges) {
                let Some(target) = self.activated(edge) else {
                    continue;
                };
                frontier.add(target, &edge.extras);
            }
            let Some((number, extra)) = frontier.next() else {
                return;
            };
            edges.extend(self.edges_of(number, extra.as_ref()));
        }
    }

    /// The target of a requirement whose marker holds once its own extras are selected.
    fn activated(&mut self, edge: &Edge) -> Option<usize> {
        let before = self.answers.sets().clone();
        let lock = self.lock;
        let names = edge
            .targets
            .iter()
            .filter_map(|number| lock.packages.get(*number));
        let name = names.map(|package| package.name.clone()).next()?;
        let extras = edge.extras.iter();
        let more: Vec<Conflict> = extras
            .map(|extra| Conflict::Extra(name.clone(), extra.clone()))
            .filter(|extra| !self.active.contains(extra))
            .collect();
        if !more.is_empty() {
            self.publish_active(&more);
        }
        let found = self.target(edge);
        if found.is_some() {
            self.active.extend(more);
        } else {
            self.answers.set(before);
        }
        found
    }

    fn check_conflicts(&mut self) {
        for set in &self.lock.conflicts {
            let active: Vec<&Conflict> = set
                .iter()
                .filter(|item| self.active.contains(item))
                .collect();
            if 1 < active.len() {
                self.faults.push(Fault::of_file(Problem::Conflict {
                    active: active.into_iter().map(ToString::to_string).collect(),
                    set: set.iter().map(ToString::to_string).collect(),
                }));
            }
        }
    }

    fn edges_of(&self, number: usize, extra: Option<&PackageName>) -> &'l [Edge] {
        let Some(package) = self.lock.packages.get(number) else {
            return &[];
        };
        match extra {
            None => package.edges.as_deref().unwrap_or_default(),
            Some(extra) => package.extras.get(extra).map_or(&[], Vec::as_slice),
        }
    }

    /// Whether the marker of a requirement holds.
    fn wants(&mut self, edge: &Edge) -> bool {
        // Only uv's markers are about the extras of all that is selected, not of the package that requires.
        match self.lock.format {
            Format::Uv => self.answers.holds(edge.marker),
            _ => self.answers.may_hold(edge.marker),
        }
    }

    /// The package that a requirement leads to, if its marker holds.
    fn target(&mut self, edge: &Edge) -> Option<usize> {
        if !self.wants(edge) {
            return None;
        }
        if let [target] = edge.targets.as_slice() {
            return Some(*target);
        }
        let lock = self.lock;
        let fitting = edge.targets.iter().copied().filter(|number| {
            let package = lock.packages.get(*number);
            let forks = package.map_or(&[][..], |package| &package.forks);
            forks.is_empty() || forks.iter().any(|fork| self.answers.holds(Some(*fork)))
        });
        // One that another requirement brings serves this one, too; else the newest, as for Poetry.
        let fitting: Vec<usize> = fitting.collect();
        let is_there = |number: &&usize| self.packages.contains_key(*number);
        let version = |number: &&usize| Some(lock.packages.get(**number)?.version.clone());
        let there = fitting.iter().find(is_there);
        there
            .or_else(|| fitting.iter().max_by_key(version))
            .copied()
    }

    /// Follows every requirement that holds.
    fn follow_all(&mut self, start: &Start<'l>) {
        let mut frontier = Frontier::of(&start.nodes);
        for (number, extra) in &start.nodes {
            self.roots.insert(*number);
            let reached = self.packages.entry(*number).or_default();
            reached.extras.extend(extra.clone());
        }
        let mut edges: Vec<(Option<usize>, &'l Edge)> =
            start.edges.iter().map(|edge| (None, *edge)).collect();
        loop {
            for (from, edge) in std::mem::take(&mut edges) {
                let Some(target) = self.target(edge) else {
                    continue;
                };
                match from {
                    Some(from) if from != target => {
                        let reached = self.packages.entry(from).or_default();
                        reached.dependencies.insert(target);
                    }
                    Some(_) => {}
                    None => {
                        self.roots.insert(target);
                    }
                }
                let reached = self.packages.entry(target).or_default();
                reached.extras.extend(edge.extras.iter().cloned());
                frontier.add(target, &edge.extras);
            }
            let Some((number, extra)) = frontier.next() else {
                return;
            };
            let of_node = self.edges_of(number, extra.as_ref()).iter();
            edges.extend(of_node.map(|edge| (Some(number), edge)));
        }
    }

    /// Takes the packages that are selected without being required.
    fn take_listed(&mut self) {
        let lock = self.lock;
        let mut taken = Vec::new();
        let mut of_conda = BTreeSet::new();
        for (number, package) in lock.packages.iter().enumerate() {
            let groups = self.answers.sets().groups.clone();
            let is_listed = package.listed.iter().any(|listing| {
                let in_group = listing
                    .group
                    .as_ref()
                    .is_none_or(|group| groups.contains(group));
                in_group && self.answers.holds(listing.marker)
            });
            if is_listed && package.source == Source::Conda {
                of_conda.insert(number);
            } else if is_listed {
                let reached = self.packages.entry(number).or_default();
                reached.extras.extend(package.listed_extras.iter().cloned());
                self.roots.insert(number);
                taken.push((number, package));
            }
        }
        for (number, package) in &taken {
            for edge in package.edges.iter().flatten() {
                // Nobody says which extras are wanted of which package: what is there is wanted.
                if !self.answers.may_hold(edge.marker) {
                    continue;
                }
                let is_taken = |target: &&usize| self.packages.contains_key(*target);
                let taken = edge.targets.iter().find(is_taken);
                // Of conda only what is required for sure.
                let is_of_conda = |target: &&usize| of_conda.contains(*target);
                let target = taken.or_else(|| {
                    let is_required = self.answers.holds(edge.marker);
                    edge.targets
                        .iter()
                        .find(|it| is_required && is_of_conda(it))
                });
                let target = target.copied();
                if let Some(target) = target.filter(|target| target != number) {
                    let reached = self.packages.entry(*number).or_default();
                    reached.dependencies.insert(target);
                    self.packages.entry(target).or_default();
                }
            }
        }
    }

    fn finish(mut self) -> Result<Resolution, Faults> {
        let lock = self.lock;
        let mut numbers: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
        for number in self.packages.keys() {
            if let Some(package) = lock.packages.get(*number) {
                numbers.entry(&package.name).or_default().push(*number);
            }
        }
        for numbers in numbers.values().filter(|numbers| 1 < numbers.len()) {
            let packages = numbers
                .iter()
                .filter_map(|number| lock.packages.get(*number));
            let labels = packages.map(Package::label_and_origin);
            self.faults
                .push(Fault::of_file(Problem::Twice(labels.collect())));
        }
        self.check_package_pythons();
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let name = |number: &usize| lock.packages.get(*number).map(|package| &package.name);
        let edges = self.packages.iter().filter_map(|(number, reached)| {
            Some((
                name(number)?,
                reached.dependencies.iter().filter_map(name).collect(),
            ))
        });
        let edges: BTreeMap<&PackageName, Vec<&PackageName>> = edges.collect();
        let components = components(&edges);
        let mut packages = BTreeMap::new();
        for (number, reached) in &self.packages {
            let Some(package) = lock.packages.get(*number) else {
                continue;
            };
            let dependencies = reached
                .dependencies
                .iter()
                .filter_map(name)
                .cloned()
                .collect();
            let resolved = Resolved {
                number: *number,
                dependencies: package.edges.is_some().then_some(dependencies),
                extras: reached.extras.clone(),
                component: components.get(&package.name).copied().cloned(),
            };
            packages.insert(package.name.clone(), resolved);
        }
        let roots = self.roots.iter().filter_map(name).cloned().collect();
        Ok(Resolution { packages, roots })
    }

    /// A package that is selected and is for other Pythons is a fault: nobody decides to leave it out.
    fn check_package_pythons(&mut self) {
        let python = self.answers.environment().python_full_version.clone();
        let Ok(version) = python.parse::<Version>() else {
            return;
        };
        for number in self.packages.keys() {
            if let Some(package) = self.lock.packages.get(*number)
                && let Some(requires) = &package.requires_python
                && !requires.contains(&version)
            {
                let problem = Problem::RequiresPython {
                    requires: requires.to_string(),
                    got: python.clone(),
                };
                self.faults.push(package.fault("requires-python", problem));
            }
        }
    }
}
