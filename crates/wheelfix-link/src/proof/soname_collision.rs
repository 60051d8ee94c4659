//! Different files that answer to one name in one process: the loader gives all the one that was loaded
//! first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::{
    ContentId, Loaded, Outcome, Scope, SymbolTables, Target, content_of, normalize,
};

use crate::fault::Fault;
use crate::fault::soname_collision::SonameCollision;
use crate::fault::soname_collision::{Binding, FailingPair};
use crate::proof::assumption::Assumptions;
use crate::proof::simulation::{LoadFailure, Simulation};
use crate::rules::Rules;

/// Modules that are tried for each two files of a name: they tend to need the same of them.
const MODULES: usize = 8;

/// Most modules that are tried beside others in all.
const MAX_TRIED: usize = 2_000;

/// The files of one name, by content: each with the positions of the simulations that bring it along.
type Files<'a> = BTreeMap<ContentId, (&'a Loaded, Vec<usize>)>;

/// Modules that one program imports.
pub(crate) struct SonameCollisions<'a> {
    pub(crate) simulations: &'a [Simulation<'a>],
    /// The positions of those that are modules and that load.
    pub(crate) modules: Vec<usize>,
    pub(crate) tables: &'a SymbolTables,
    pub(crate) assumptions: &'a Assumptions<'a>,
    pub(crate) rules: &'a Rules,
    pub(crate) target: &'a Target,
}

impl SonameCollisions<'_> {
    /// A fault for each name with files of which one does not serve the modules of another, and a
    /// warning for each with other different files.
    pub(crate) fn find(&self) -> (Vec<Fault>, Vec<Fault>) {
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        let mut left = MAX_TRIED;
        for (name, files) in self.files() {
            let failing = self.failing(&files, &mut left);
            let list = if failing.is_some() {
                &mut faults
            } else {
                &mut warnings
            };
            let bound = files.values().map(|(file, simulations)| Binding {
                path: normalize(Path::new(&file.path)),
                modules: self.paths(simulations),
            });
            list.push(Fault::SonameCollision(SonameCollision {
                soname: name.to_owned(),
                bound: bound.collect(),
                failing,
                is_standard: false,
            }));
        }
        (faults, warnings)
    }

    /// A warning for each name of which a module of Python's own and one of these modules bring different files, and one
    /// does not load after the other. Which is imported first is for the user's program to say.
    pub(crate) fn after_standard(&self, standard: &[Simulation<'_>]) -> Vec<Fault> {
        let mut left = MAX_TRIED;
        let mut warnings: BTreeMap<&str, Fault> = BTreeMap::new();
        for first in standard {
            for (name, theirs) in bound_by(first) {
                if warnings.contains_key(name) {
                    continue;
                }
                let modules = self.modules.iter();
                let modules = modules.filter_map(|at| self.simulations.get(*at));
                let bound = modules.filter_map(|second| {
                    let ours = bound_by(second).find(|(other, ours)| {
                        *other == name && ours.key != theirs.key && differ(ours, theirs)
                    });
                    Some((second, ours?.1))
                });
                for (second, ours) in bound.take(MODULES) {
                    let Some(less) = left.checked_sub(1) else {
                        return warnings.into_values().collect();
                    };
                    left = less;
                    let [one, other] = [(first, theirs), (second, ours)];
                    let found = [[one, other], [other, one]].into_iter().find_map(|pair| {
                        let [(first, _), (second, _)] = pair;
                        Some((pair, self.reason(first, second)?))
                    });
                    if let Some((pair, reason)) = found {
                        warnings.insert(name, of_standard(name, pair, reason));
                        break;
                    }
                }
            }
        }
        warnings.into_values().collect()
    }

    fn paths(&self, simulations: &[usize]) -> BTreeSet<PathBuf> {
        let simulations = simulations
            .iter()
            .filter_map(|at| self.simulations.get(*at));
        simulations
            .map(|simulation| simulation.object.path.clone())
            .collect()
    }

    /// The names that lead to different files.
    fn files(&self) -> BTreeMap<&str, Files<'_>> {
        let mut bound = BTreeMap::new();
        for at in &self.modules {
            for (name, found) in self.simulations.get(*at).into_iter().flat_map(bound_by) {
                let files: &mut BTreeMap<_, (&Loaded, Vec<usize>)> = bound.entry(name).or_default();
                let (_, simulations) = files.entry(found.key).or_insert((found, Vec::new()));
                if simulations.last() != Some(at) {
                    simulations.push(*at);
                }
            }
        }
        bound.retain(|_, files| 1 < files.len());
        let by_content = bound.into_iter().map(|(name, files)| {
            let mut different: Files<'_> = BTreeMap::new();
            for (file, simulations) in files.into_values() {
                // What cannot be read is told of elsewhere.
                if let Ok(content) = content_of(&file.object.file) {
                    let (_, all) = different.entry(content).or_insert((file, Vec::new()));
                    all.extend(simulations);
                }
            }
            (name, different)
        });
        by_content
            .filter(|(_, different)| 1 < different.len())
            .collect()
    }

    /// The first two modules of which one does not load after the other.
    fn failing(&self, files: &Files<'_>, left: &mut usize) -> Option<FailingPair> {
        for (content, (_, firsts)) in files {
            let first = self.simulations.get(*firsts.first()?)?;
            let others = files.iter().filter(|(other, _)| *other != content);
            for second in others.flat_map(|(_, (_, seconds))| seconds.iter().take(MODULES)) {
                *left = left.checked_sub(1)?;
                let second = self.simulations.get(*second)?;
                if let Some(reason) = self.reason(first, second) {
                    return Some(FailingPair {
                        first: first.object.path.clone(),
                        second: second.object.path.clone(),
                        reason,
                    });
                }
            }
        }
        None
    }

    /// The first thing that a module lacks after another one was loaded; `None` if it loads.
    fn reason(&self, first: &Simulation<'_>, second: &Simulation<'_>) -> Option<String> {
        let (simulation, failures) = second.after(first, self.rules, self.target);
        if let Some(failure) = failures.first() {
            return Some(match failure {
                LoadFailure::Library { name, .. } => format!("`{name}` is missing"),
                LoadFailure::Version {
                    key: (soname, version, _),
                    ..
                } => format!("`{soname}` does not define the version `{version}`"),
                LoadFailure::Blocked { stop, .. } => stop.reason.clone(),
                _ => "the driver would be loaded from elsewhere".to_owned(),
            });
        }
        let root = simulation.root?;
        let process = &simulation.process;
        let scope = Scope::of(process, self.tables, root);
        let new = first.process.loaded.len()..process.loaded.len();
        let mut symbols = new.flat_map(|index| scope.undefined(index));
        let symbol = symbols.find(|symbol| !self.assumptions.has(symbol, process))?;
        Some(format!("nothing defines `{symbol}`"))
    }
}

/// The names by which a process was led to files after its program had started, with these.
pub(super) fn bound_by<'s>(
    simulation: &'s Simulation<'_>,
) -> impl Iterator<Item = (&'s str, &'s Loaded)> {
    let process = &simulation.process;
    let needs = process.opened().iter().flat_map(|loaded| {
        let names = loaded.object.needs();
        names.zip(&loaded.needed)
    });
    needs.filter_map(|(name, outcome)| {
        let Outcome::Loaded(found) = outcome else {
            return None;
        };
        // What the program has loaded itself is the same for all.
        let found = process.opened_at(*found)?;
        (!name.contains('/')).then_some((name.as_str(), found))
    })
}

/// Whether two files have different bytes; what cannot be read is told of elsewhere.
fn differ(one: &Loaded, other: &Loaded) -> bool {
    let contents = [one, other].map(|loaded| content_of(&loaded.object.file).ok());
    matches!(contents, [Some(one), Some(other)] if one != other)
}

/// That the second module does not load after the first, each with the file that a name leads to; one of them is Python's own.
fn of_standard(name: &str, modules: [(&Simulation<'_>, &Loaded); 2], reason: String) -> Fault {
    let bound = modules.map(|(simulation, file)| Binding {
        path: normalize(Path::new(&file.path)),
        modules: BTreeSet::from([simulation.object.path.clone()]),
    });
    let [first, second] = modules.map(|(simulation, _)| simulation.object.path.clone());
    Fault::SonameCollision(SonameCollision {
        soname: name.to_owned(),
        bound: bound.into(),
        failing: Some(FailingPair {
            first,
            second,
            reason,
        }),
        is_standard: true,
    })
}
