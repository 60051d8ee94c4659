//! Why a package of a lock is not a part of a selection.

use std::collections::BTreeSet;
use std::fmt;

use wheelfix_format::{PackageName, Target};

use super::{Walk, walk};
use crate::lock::{Edge, Lock, Package, Root};
use crate::marker_pool::MarkerNumber;
use crate::{Faults, Selection};

/// A way by which a package would come into a selection, and why it does not.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Absence {
    /// A package requires it that is not selected itself.
    Unselected(String),
    /// An extra brings it that is not selected.
    Extra {
        /// The package that has the extra; `None` for the lock as a whole.
        of: Option<String>,
        /// Its name.
        extra: PackageName,
    },
    /// A dependency group brings it that is not selected.
    Group {
        /// The member of the workspace that has the group; `None` for the lock as a whole.
        of: Option<String>,
        /// Its name.
        group: PackageName,
    },
    /// It is wanted under a condition that is false.
    Condition {
        /// A package that requires it, or the lock that has it, and how.
        by: String,
        /// The condition, as written.
        marker: String,
        /// The parts of the condition, with their values: `sys_platform is linux`.
        values: Vec<String>,
    },
    /// Another version of it is taken.
    Other {
        /// The package that requires it, and how.
        by: String,
        /// The one that is taken.
        taken: String,
    },
    /// Its resolution is for other environments.
    Fork(Vec<String>),
    /// Nothing of the lock requires it.
    Unrequired,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |of: &Option<String>| match of {
            Some(of) => format!(" of `{of}`"),
            None => String::new(),
        };
        match self {
            Self::Unselected(by) => write!(f, "`{by}` requires it, and is not selected itself"),
            Self::Extra { of: owner, extra } => {
                let owner = of(owner);
                write!(
                    f,
                    "the extra `{extra}`{owner} brings it, and is not selected"
                )
            }
            Self::Group { of: owner, group } => {
                let owner = of(owner);
                write!(
                    f,
                    "the group `{group}`{owner} brings it, and is not selected"
                )
            }
            Self::Condition { by, marker, values } => {
                write!(f, "{by} only where `{marker}`")?;
                if values.is_empty() {
                    return Ok(());
                }
                write!(f, ": {}", values.join(", "))
            }
            Self::Other { by, taken } => write!(f, "{by}, and `{taken}` is taken"),
            Self::Fork(markers) => {
                let markers = markers.join("` or `");
                write!(f, "it was resolved for environments where `{markers}`")
            }
            Self::Unrequired => f.write_str("nothing of the lock requires it"),
        }
    }
}

/// Why a selection does not have a package, by each way that leads to it; nothing if it has it.
pub fn absences(
    lock: &Lock<'_>,
    selection: &Selection,
    target: &Target,
    number: usize,
) -> Result<BTreeSet<Absence>, Faults> {
    let mut walk = walk(lock, selection, target)?;
    if walk.packages.contains_key(&number) {
        return Ok(BTreeSet::new());
    }
    let mut found = BTreeSet::new();
    walk.absences_by_packages(number, &mut found);
    walk.absences_by_roots(selection, number, &mut found);
    walk.absences_by_listing(number, &mut found);
    if found.is_empty() {
        found.insert(Absence::Unrequired);
    }
    Ok(found)
}

impl Walk<'_> {
    fn absences_by_packages(&mut self, number: usize, found: &mut BTreeSet<Absence>) {
        let lock = self.lock;
        for (from, package) in lock.packages.iter().enumerate() {
            if from == number {
                continue;
            }
            let by = package.label();
            for edge in leading_to(package.edges.iter().flatten(), number) {
                found.insert(if self.packages.contains_key(&from) {
                    self.absence_by(edge, number, &format!("`{by}` requires it"))
                } else {
                    Absence::Unselected(by.clone())
                });
            }
            for (extra, edges) in &package.extras {
                for edge in leading_to(edges, number) {
                    let of_extra = Absence::Extra {
                        of: Some(package.name.to_string()),
                        extra: extra.clone(),
                    };
                    let reached = self.packages.get(&from);
                    found.insert(match reached.map(|it| it.extras.contains(extra)) {
                        None => Absence::Unselected(by.clone()),
                        Some(false) => of_extra,
                        Some(true) => {
                            let by = format!("`{}[{extra}]` requires it", package.name);
                            self.absence_by(edge, number, &by)
                        }
                    });
                }
            }
        }
    }

    fn absences_by_roots(
        &mut self,
        selection: &Selection,
        number: usize,
        found: &mut BTreeSet<Absence>,
    ) {
        let lock = self.lock;
        let chosen = self.chosen_roots(selection);
        for root in &lock.roots {
            let is_chosen = chosen.iter().any(|other| std::ptr::eq(*other, root));
            let of = || Some(package_of(lock, root)?.name.to_string());
            for edge in leading_to(&root.requirements, number) {
                found.insert(self.absence_by(edge, number, "the lock requires it"));
            }
            for (group, edges) in &root.groups {
                let is_selected = is_chosen && self.is_selected(selection, root, group);
                for edge in leading_to(edges, number) {
                    let group = group.clone();
                    let by = format!("the group `{group}` requires it");
                    found.insert(if is_selected {
                        self.absence_by(edge, number, &by)
                    } else {
                        Absence::Group { of: of(), group }
                    });
                }
            }
            for (extra, edges) in &root.extras {
                let is_selected = is_chosen && selection.extras.contains(extra);
                for edge in leading_to(edges, number) {
                    let extra = extra.clone();
                    let by = format!("the extra `{extra}` requires it");
                    found.insert(if is_selected {
                        self.absence_by(edge, number, &by)
                    } else {
                        Absence::Extra { of: of(), extra }
                    });
                }
            }
        }
    }

    /// The conditions under which it is a part without being required.
    fn absences_by_listing(&mut self, number: usize, found: &mut BTreeSet<Absence>) {
        let lock = self.lock;
        let listed = lock.packages.get(number).map(|package| &package.listed);
        for listing in listed.into_iter().flatten() {
            let groups = &self.answers.sets().groups;
            match (&listing.group, listing.marker) {
                (Some(group), _) if !groups.contains(group) => {
                    let group = group.clone();
                    found.insert(Absence::Group { of: None, group });
                }
                (_, Some(marker)) if !self.answers.holds(Some(marker)) => {
                    found.insert(self.condition("the lock has it".to_owned(), marker));
                }
                _ => {}
            }
        }
    }

    /// Why a requirement that counts does not bring it.
    fn absence_by(&mut self, edge: &Edge, number: usize, by: &str) -> Absence {
        if let Some(marker) = edge.marker.filter(|_| !self.wants(edge)) {
            return self.condition(by.to_owned(), marker);
        }
        let lock = self.lock;
        let label = |number: usize| lock.packages.get(number).map(Package::label_and_origin);
        if let Some(taken) = self.target(edge).and_then(label) {
            let by = by.to_owned();
            return Absence::Other { by, taken };
        }
        let package = lock.packages.get(number);
        let forks = package.into_iter().flat_map(|package| &package.forks);
        Absence::Fork(forks.map(|fork| lock.marker_text(*fork)).collect())
    }

    /// A condition that is false, with the values of all that it asks for.
    fn condition(&self, by: String, marker: MarkerNumber) -> Absence {
        let text = self.lock.marker_text(marker);
        let of_environment = self.lock.markers.get(marker);
        let of_environment = of_environment
            .map(|marker| marker.values(self.answers.environment()))
            .unwrap_or_default();
        let of_environment = of_environment
            .into_iter()
            .map(|(name, value)| format!("{name} is `{value}`"));
        let roots = self.lock.roots.iter();
        let groups: BTreeSet<&PackageName> =
            roots.clone().flat_map(|it| it.groups.keys()).collect();
        let extras: BTreeSet<&PackageName> = roots.flat_map(|it| it.extras.keys()).collect();
        let sets = self.answers.sets();
        let of_sets = [
            ("group", groups, &sets.groups),
            ("extra", extras, &sets.extras),
        ];
        let of_sets = of_sets.iter().flat_map(|(kind, names, selected)| {
            let named = names.iter().filter(|name| names_text(&text, name.as_str()));
            named.map(move |name| {
                let not = if selected.contains(*name) { "" } else { "not " };
                format!("the {kind} `{name}` is {not}selected")
            })
        });
        let conflicting = self.lock.conflicts.iter().flatten();
        let named = conflicting.filter(|it| names_text(&text, &it.invented_extra()));
        let of_conflicts = named.map(|it| {
            let not = if self.active.contains(it) { "" } else { "not " };
            format!("{it} is {not}selected")
        });
        let values = of_environment.chain(of_sets).chain(of_conflicts).collect();
        Absence::Condition {
            by,
            marker: text,
            values,
        }
    }
}

/// Whether a marker compares something with a text.
fn names_text(marker: &str, text: &str) -> bool {
    let mut quoted = ['\'', '"'].into_iter();
    quoted.any(|quote| marker.contains(&format!("{quote}{text}{quote}")))
}

/// The package of a root.
fn package_of<'l>(lock: &'l Lock<'_>, root: &Root) -> Option<&'l Package<'l>> {
    lock.packages.get(root.package?)
}

fn leading_to<'e>(
    edges: impl IntoIterator<Item = &'e Edge>,
    number: usize,
) -> impl Iterator<Item = &'e Edge> {
    let edges = edges.into_iter();
    edges.filter(move |edge| edge.targets.contains(&number))
}
