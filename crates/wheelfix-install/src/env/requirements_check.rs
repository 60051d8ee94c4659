//! The check of a set of distributions, from their metadata alone: duplicates, requirements and
//! tags.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use wheelfix_format::{Constraint, PackageName, TagSet, Target, Version, VersionSpecifiers};
use wheelfix_link::{Pattern, Remedy};

use crate::env::distribution::Distribution;
use crate::env::fault::EnvFault;
use crate::files::aliases::Aliases;
use crate::files::dependencies::BREAK;
use crate::files::{FileFault, all_but_newest};
use crate::warning::InstallWarning;

/// One distribution, brought by two inputs.
///
/// The text begins with the message of nixpkgs' `pythonCatchConflictsHook`, because people and scripts
/// know it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DuplicateDistribution {
    /// The distribution's normalised name.
    pub name: String,
    /// Who brings it, by path.
    pub copies: Vec<DistributionCopy>,
    /// How many files of them collide.
    pub collisions: usize,
}

/// One of several copies of a distribution.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DistributionCopy {
    /// Its version.
    pub version: String,
    /// The prefix, or the wheel.
    pub path: PathBuf,
    /// How it came in: inputs, the one that was named first.
    pub chain: Vec<PathBuf>,
    /// Distributions that need it, the first that nothing else needs; without the distribution
    /// itself. Empty if nothing needs it.
    pub needed_by: Vec<String>,
}

impl DuplicateDistribution {
    /// Remedies: all inputs but one can be left out that nothing propagates.
    pub fn remedies(&self) -> Vec<Remedy> {
        let copies = self.copies.iter();
        let copies = copies.map(|it| (it.path.as_path(), it.version.parse::<Version>().ok()));
        let inputs = all_but_newest(copies);
        let is_named = |path: &PathBuf| {
            let mut copies = self.copies.iter();
            copies.any(|it| it.path == *path && it.chain.len() == 1)
        };
        if inputs.iter().all(is_named) {
            vec![Remedy::LeaveOut { inputs }]
        } else {
            Vec::new()
        }
    }
}

impl fmt::Display for DuplicateDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        write!(
            f,
            "Found duplicated packages in closure for dependency '{name}':"
        )?;
        for copy in &self.copies {
            let path = copy.path.display();
            write!(f, "{BREAK}  {name} {} ({path})", copy.version)?;
            write!(
                f,
                "{BREAK}    dependency chain:{BREAK}      this environment"
            )?;
            for path in &copy.chain {
                write!(f, "{BREAK}      ...depending on: {}", path.display())?;
            }
            if !copy.needed_by.is_empty() {
                write!(
                    f,
                    "{BREAK}    needed by: {}",
                    copy.needed_by.join(", which is needed by ")
                )?;
            }
        }
        if self.collisions != 0 {
            write!(f, "{BREAK}  {} of their files collide", self.collisions)?;
        }
        write!(
            f,
            "{BREAK}  keep one of them: leave one input out, or build both users with the same one"
        )
    }
}

/// A requirement that the environment does not meet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct UnmetRequirement {
    /// Who requires it, as `name version`, with the extras for which it counts: `name[extra] version`.
    pub user: String,
    /// The requirement, as written.
    pub requirement: String,
    /// The name that is required.
    pub name: String,
    /// The version that is there; `None` if none is.
    pub found: Option<String>,
    /// Why the extras count: users that asked for them, the last first. Empty without extras.
    pub asked_by: Vec<String>,
}

impl fmt::Display for UnmetRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requires `{}`, ", self.user, self.requirement)?;
        match &self.found {
            Some(version) => write!(f, "the environment has {} {version}", self.name)?,
            None => write!(f, "which is not in the environment")?,
        }
        for user in &self.asked_by {
            write!(f, "; asked for by {user}")?;
        }
        Ok(())
    }
}

/// The findings about a set of distributions.
#[derive(Debug, Default)]
pub(crate) struct RequirementsCheck {
    pub(crate) duplicates: Vec<DuplicateDistribution>,
    pub(crate) unmet: Vec<UnmetRequirement>,
    /// Unmet requirements that the user allows.
    pub(crate) allowed: Vec<UnmetRequirement>,
    pub(crate) faults: Vec<EnvFault>,
    /// Requirements that cannot be read.
    pub(crate) unreadable: Vec<InstallWarning>,
}

impl RequirementsCheck {
    /// Takes out what is installed twice, or missing.
    pub(crate) fn take_unmet(&mut self) -> impl Iterator<Item = EnvFault> {
        let duplicates = self.duplicates.drain(..).map(EnvFault::Duplicate);
        let unmet = self.unmet.drain(..).map(Box::new).map(EnvFault::Unmet);
        duplicates.chain(unmet)
    }
}

/// Compares all distributions with each other and with the target.
///
/// `chains` says how each source came in.
pub(crate) fn check(
    distributions: &[Distribution],
    chains: &BTreeMap<usize, Vec<PathBuf>>,
    target: &Target,
    allow_unmet: &[Pattern],
    aliases: Aliases<'_>,
) -> RequirementsCheck {
    let mut checked = RequirementsCheck {
        faults: unfit(distributions, target),
        unreadable: unreadable(distributions),
        ..RequirementsCheck::default()
    };
    let mut by_name: BTreeMap<&PackageName, Vec<&Distribution>> = BTreeMap::new();
    for distribution in distributions {
        by_name
            .entry(distribution.name())
            .or_default()
            .push(distribution);
    }
    let serving = aliases.serving(|name| by_name.contains_key(name));
    let unused = aliases.unused(&serving).map(FileFault::UnusedAlias);
    let unused = unused.map(|fault| EnvFault::File(Box::new(fault)));
    checked.faults.extend(unused);
    let graph = Graph::new(&by_name, &serving, target);
    for (name, copies) in &by_name {
        if 1 < copies.len() {
            let copy = |distribution: &&Distribution| {
                let chain = chains
                    .get(&distribution.source)
                    .cloned()
                    .unwrap_or_default();
                DistributionCopy {
                    version: distribution.metadata.version().to_string(),
                    path: chain
                        .last()
                        .cloned()
                        .unwrap_or_else(|| distribution.path.clone()),
                    needed_by: graph.chain(name, chains, &chain),
                    chain,
                }
            };
            checked.duplicates.push(DuplicateDistribution {
                name: name.to_string(),
                copies: copies.iter().map(copy).collect(),
                collisions: 0,
            });
        }
    }
    checked.sort_unmet(graph.unmet, allow_unmet);
    checked
}

impl RequirementsCheck {
    /// Sorts unmet requirements by whether the user allows them.
    fn sort_unmet(&mut self, all: Vec<UnmetRequirement>, allow_unmet: &[Pattern]) {
        let mut used = BTreeSet::new();
        for unmet in all {
            let allowed = allow_unmet
                .iter()
                .position(|glob| glob.matches(&unmet.name));
            match allowed {
                Some(index) => {
                    used.insert(index);
                    self.allowed.push(unmet);
                }
                None => self.unmet.push(unmet),
            }
        }
        for (index, glob) in allow_unmet.iter().enumerate() {
            // Whatever there is may be nothing.
            if !used.contains(&index) && glob.text() != "*" {
                self.faults
                    .push(EnvFault::UnusedUnmet(glob.text().to_owned()));
            }
        }
    }
}

/// Requirements that cannot be read.
fn unreadable(distributions: &[Distribution]) -> Vec<InstallWarning> {
    let of = |distribution: &Distribution| {
        let requirements = distribution.metadata.requires_dist();
        let errors = requirements.filter_map(|(_, requirement)| requirement.err());
        let warnings = errors.map(|error| InstallWarning::Requirement {
            distribution: distribution.label(),
            path: distribution.path.clone(),
            reason: error.to_string(),
        });
        warnings.collect::<Vec<_>>()
    };
    distributions.iter().flat_map(of).collect()
}

/// Distributions for another Python or machine.
fn unfit(distributions: &[Distribution], target: &Target) -> Vec<EnvFault> {
    let mut faults = Vec::new();
    // There are more than a thousand: they are made once.
    let supported = target.supported_tags();
    for distribution in distributions {
        // One tag that fits is enough; of several sets that do not fit, the first gives the reason.
        let fits = |tags: &TagSet| supported.iter().any(|tag| tags.contains(tag));
        if let Some(tags) = distribution.tags.first()
            && !distribution.tags.iter().any(fits)
            && let Err(source) = target.rank(tags)
        {
            faults.push(EnvFault::Tag {
                distribution: distribution.label(),
                path: distribution.path.clone(),
                source: Box::new(source),
            });
        }
        let needs = distribution.metadata.requires_python();
        // What cannot be read is no one's fault here: installers pass it over, too.
        let specifiers = needs.and_then(|needs| needs.parse::<VersionSpecifiers>().ok());
        if let (Some(needs), Some(specifiers)) = (needs, specifiers)
            && !may_satisfy(&specifiers, target)
        {
            faults.push(EnvFault::RequiresPython {
                distribution: distribution.label(),
                path: distribution.path.clone(),
                needs: needs.to_owned(),
                target: target.python.to_string(),
            });
        }
    }
    faults
}

/// Whether some micro version of the target's Python will do; which one it is is not always known.
fn may_satisfy(specifiers: &VersionSpecifiers, target: &Target) -> bool {
    (0..=99).any(|micro| {
        let version = format!("{}.{micro}", target.python).parse();
        version.is_ok_and(|version| specifiers.contains(&version))
    })
}

/// The users of each distribution.
struct Graph<'a> {
    /// Labels of those that need a name, sorted.
    users: BTreeMap<PackageName, BTreeMap<String, &'a Distribution>>,
    unmet: Vec<UnmetRequirement>,
}

/// A distribution with an extra that someone asked for; `None` for what always counts.
type Asked = (PackageName, Option<PackageName>);

impl<'a> Graph<'a> {
    /// Follows every requirement that counts for the target.
    ///
    /// `serving` has the distribution that serves for each that is not there.
    fn new(
        by_name: &BTreeMap<&PackageName, Vec<&'a Distribution>>,
        serving: &BTreeMap<&PackageName, &PackageName>,
        target: &Target,
    ) -> Self {
        let environment = target.marker_environment();
        let mut graph = Self {
            users: BTreeMap::new(),
            unmet: Vec::new(),
        };
        // Who asked first; a fixed order makes the answer the same each time.
        let mut asked_by: BTreeMap<Asked, Option<Asked>> = BTreeMap::new();
        let mut queue = VecDeque::new();
        for name in by_name.keys() {
            asked_by.insert(((*name).clone(), None), None);
            queue.push_back(((*name).clone(), None));
        }
        while let Some(asked) = queue.pop_front() {
            let (name, extra) = &asked;
            let extras: Vec<PackageName> = extra.iter().cloned().collect();
            for distribution in by_name.get(name).into_iter().flatten() {
                for (field, requirement) in distribution.metadata.requires_dist() {
                    let Ok(requirement) = requirement else {
                        // It is reported as a warning.
                        continue;
                    };
                    // With an extra, only what it adds.
                    let counts = requirement.applies(&environment, &extras)
                        && (extra.is_none() || !requirement.applies(&environment, &[]));
                    if !counts {
                        continue;
                    }
                    let name = requirement.name();
                    let name = serving.get(name).copied().unwrap_or(name);
                    let users = graph.users.entry(name.clone()).or_default();
                    users.insert(distribution.label(), distribution);
                    for wanted in requirement.extras() {
                        let next = (name.clone(), Some(wanted.clone()));
                        if !asked_by.contains_key(&next) {
                            asked_by.insert(next.clone(), Some(asked.clone()));
                            queue.push_back(next);
                        }
                    }
                    let found = by_name.get(name).and_then(|found| found.first());
                    if is_met(requirement.constraint(), found.copied()) {
                        continue;
                    }
                    graph.unmet.push(UnmetRequirement {
                        user: user(distribution, extra.as_ref()),
                        requirement: field.value.to_owned(),
                        name: requirement.name().to_string(),
                        found: found.map(|found| found.metadata.version().to_string()),
                        asked_by: origin(&asked, &asked_by, by_name),
                    });
                }
            }
        }
        graph
    }

    /// Users of a copy up to one that nothing needs. Of several users, one that came in by the
    /// same inputs.
    fn chain(
        &self,
        name: &PackageName,
        chains: &BTreeMap<usize, Vec<PathBuf>>,
        chain: &[PathBuf],
    ) -> Vec<String> {
        let mut seen = BTreeSet::from([name.clone()]);
        let mut labels = Vec::new();
        let mut name = name.clone();
        while let Some(users) = self.users.get(&name) {
            let came_along = |user: &&&Distribution| {
                let path = chains.get(&user.source).and_then(|chain| chain.last());
                path.is_some_and(|path| chain.contains(path))
            };
            let unseen = || users.values().filter(|user| !seen.contains(user.name()));
            let Some(user) = unseen().find(came_along).or_else(|| unseen().next()) else {
                break;
            };
            labels.push(user.label());
            seen.insert(user.name().clone());
            name = user.name().clone();
        }
        labels
    }
}

pub(crate) fn is_met(constraint: &Constraint, found: Option<&Distribution>) -> bool {
    match (constraint, found) {
        (_, None) => false,
        (Constraint::Url(_), Some(_)) => true,
        (Constraint::Versions(versions), Some(found)) => {
            versions.contains(found.metadata.version())
        }
    }
}

fn user(distribution: &Distribution, extra: Option<&PackageName>) -> String {
    let version = distribution.metadata.version();
    match extra {
        Some(extra) => format!("{}[{extra}] {version}", distribution.name()),
        None => distribution.label(),
    }
}

/// Who asked for an extra, and who for the extra that asked, and so on.
fn origin(
    asked: &Asked,
    asked_by: &BTreeMap<Asked, Option<Asked>>,
    by_name: &BTreeMap<&PackageName, Vec<&Distribution>>,
) -> Vec<String> {
    let mut users = Vec::new();
    let mut current = asked;
    while let Some(Some(next)) = asked_by.get(current) {
        let distribution = by_name.get(&next.0).and_then(|found| found.first());
        users.extend(distribution.map(|distribution| user(distribution, next.1.as_ref())));
        current = next;
    }
    users
}
