//! The decisions about bundled libraries: pure, from the facts of all.

mod deduplicate;
mod duplicates;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_link::{BundledAction, Found, Library, Tier, any_matches};
use wheelfix_loader::Object;

use crate::bundled::{Bundled, Decision, DropReason, KeepReason, Provider};
use crate::facts::FactsOf;
use crate::fault::UnbundleFault;
use crate::graph::Graph;
use crate::identify::{Candidate, has_packagers_directory, identify, is_same_file};
use crate::incompatibility::Incompatibility;
use crate::overrides::BundledOverride;
use crate::plan::{Removed, UnbundlePlan};
use crate::prove::{Prover, Substitute};
use crate::references::{Wanted, references};
use crate::request::Request;
use crate::{glibc_version, upstream};

/// Why nothing can be decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnbundleError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
}

/// Decides for each bundled library of a tree whether it stays, is replaced or goes.
///
/// Options that cannot be met do not end the planning: the plan carries all of them as faults.
pub fn plan(request: &Request<'_>) -> Result<UnbundlePlan, UnbundleError> {
    let graph = Graph::of(request.tree, request.link_plan);
    let mut facts = FactsOf::default();
    let candidates = identify(request, &graph, &mut facts);
    let substitutes: Vec<_> = candidates
        .iter()
        .map(|copy| outside(request, copy))
        .collect();
    read_for_proofs(request, &graph, &candidates, &substitutes, &mut facts);
    let mentioned = mentioned(request, &graph, &candidates)?;
    let glibc_version = glibc_version::available(request);
    let mut decider = Decider {
        prover: Prover {
            request,
            graph: &graph,
            facts: &facts,
            glibc_version: glibc_version.as_deref(),
        },
        candidates: &candidates,
        mentioned,
        decisions: Vec::new(),
    };
    for (at, substitute) in substitutes.iter().enumerate() {
        let decision = decider.decision(at, substitute);
        decider.decisions.push(decision);
    }
    decider.settle();
    if request.options.unify {
        deduplicate::unify(&mut decider);
        decider.settle();
    }
    Ok(decider.into_plan())
}

/// The decisions while they are made, in the order of the candidates.
#[derive(Debug)]
pub(crate) struct Decider<'a> {
    pub(crate) prover: Prover<'a>,
    pub(crate) candidates: &'a [Candidate<'a>],
    /// For candidates that may be dropped: a file that contains their name.
    mentioned: Vec<Option<PathBuf>>,
    pub(crate) decisions: Vec<Decision>,
}

/// The library from outside of the tree that stands in for a copy, or the reason why none does.
fn outside<'a>(request: &Request<'a>, copy: &Candidate<'a>) -> Result<Substitute<'a>, KeepReason> {
    let (index, rules) = (request.index, request.rules);
    let usable = |library: &&Library| {
        library.tier != Tier::Bundled && !is_same_file(&library.real, &copy.object.file)
    };
    let found = match index.by_file_name(&copy.soname, copy.object, rules) {
        Found::Nothing => index.by_soname(&copy.soname, copy.object, rules),
        found => found,
    };
    match found {
        Found::Library(library) if usable(&library) => {
            return Ok(substitute(request, library, copy.soname.clone()));
        }
        Found::Ambiguous(libraries) => {
            let candidates: Vec<PathBuf> =
                libraries.iter().map(|library| path_of(library)).collect();
            let by = candidates.first().cloned().unwrap_or_default();
            let incompatibilities = vec![Incompatibility::Ambiguous { candidates }];
            return Err(KeepReason::Unproved {
                by,
                incompatibilities,
            });
        }
        _ => {}
    }
    let any = copy.rule.filter(|rule| rule.body.any_soname);
    let fits = |library: &&Library| library.object.fits(copy.object.abi, copy.object.os_abi);
    let other = any.and_then(|rule| {
        let mut libraries = index.libraries().iter().filter(usable).filter(fits);
        libraries.find(|library| {
            library
                .object
                .soname
                .as_ref()
                .is_some_and(|soname| any_matches(&rule.body.soname, soname))
        })
    });
    if let Some(library) = other {
        let name = library.object.soname.clone().unwrap_or_default();
        return Ok(substitute(request, library, name));
    }
    let mut namesakes = index
        .libraries()
        .iter()
        .filter(|library| library.name == copy.soname);
    match namesakes.find(|library| !fits(library)) {
        Some(alien) => Err(KeepReason::Unproved {
            by: path_of(alien),
            incompatibilities: vec![Incompatibility::Machine {
                expected: copy.object.abi.to_string(),
                got: alien.object.abi.to_string(),
            }],
        }),
        None => Err(KeepReason::NoProvider),
    }
}

fn substitute<'a>(request: &Request<'a>, library: &'a Library, name: String) -> Substitute<'a> {
    Substitute {
        object: &library.object,
        file: &library.real,
        path: path_of(library),
        name,
        // One that was found through a run path is as good as the last entry.
        lib_path: Some(
            request
                .index
                .entries()
                .get(library.entry)
                .unwrap_or(&library.directory)
                .clone(),
        ),
    }
}

fn path_of(library: &Library) -> PathBuf {
    library.directory.join(&library.name)
}

/// Reads the files that proofs will look at: libraries that stand in, and all users of those they
/// replace.
fn read_for_proofs(
    request: &Request<'_>,
    graph: &Graph,
    candidates: &[Candidate<'_>],
    substitutes: &[Result<Substitute<'_>, KeepReason>],
    facts: &mut FactsOf,
) {
    let mut files: BTreeSet<&Path> = BTreeSet::new();
    for (copy, substitute) in candidates.iter().zip(substitutes) {
        if let Ok(substitute) = substitute {
            files.insert(substitute.file);
        }
        if substitute.is_ok() || request.options.unify {
            let loaders = graph.loaders(&copy.object.path);
            files.extend(
                loaders
                    .iter()
                    .filter_map(|path| Some(request.tree.get(path)?.file.as_path())),
            );
        }
    }
    facts.read(files.into_iter());
}

/// For each candidate that may be dropped: a file that contains its name, and may open it.
fn mentioned<'a>(
    request: &Request<'_>,
    graph: &Graph,
    candidates: &[Candidate<'a>],
) -> Result<Vec<Option<PathBuf>>, UnbundleError> {
    let copies: BTreeSet<&Path> = candidates
        .iter()
        .map(|copy| copy.object.path.as_path())
        .collect();
    let wanted = |copy: &Candidate<'a>| {
        let object = copy.object;
        if copy.is_home {
            None
        } else if is_orphan(graph, object) {
            Some(Wanted::loosely(object))
        } else {
            let only_copies = graph
                .users(&object.path)
                .all(|(user, _)| copies.contains(user));
            only_copies.then(|| Wanted::exactly(object))
        }
    };
    let wanted: Vec<Option<Wanted<'a>>> = candidates.iter().map(wanted).collect();
    let is_wanted: Vec<bool> = wanted.iter().map(Option::is_some).collect();
    let wanted: Vec<Wanted<'a>> = wanted.into_iter().flatten().collect();
    let mut found = references(request.tree, request.places, &wanted)?.into_iter();
    let of = |is_wanted: bool| is_wanted.then(|| found.next().flatten()).flatten();
    Ok(is_wanted.into_iter().map(of).collect())
}

fn is_orphan(graph: &Graph, object: &Object) -> bool {
    graph.users(&object.path).next().is_none() && graph.openers(&object.path).next().is_none()
}

impl<'a> Decider<'a> {
    pub(crate) fn request(&self) -> &'a Request<'a> {
        self.prover.request
    }

    /// The option that decides about a candidate: the last that matches.
    fn given(&self, copy: &Candidate<'_>) -> Option<&'a BundledOverride> {
        let overrides = self.request().options.overrides.iter();
        overrides
            .rev()
            .find(|given| given.is_about(&copy.object.path, &copy.soname))
    }

    /// The decision about a candidate, looked at alone.
    fn decision(&self, at: usize, substitute: &Result<Substitute<'_>, KeepReason>) -> Decision {
        let Some(copy) = self.candidates.get(at) else {
            return keep(KeepReason::Unknown);
        };
        if let Some(given) = self.given(copy) {
            let text = given.to_string();
            return match given.action {
                BundledAction::Keep => keep(KeepReason::Overridden { given: text }),
                BundledAction::Replace => self.replace(copy, substitute),
                BundledAction::Drop => Decision::Drop {
                    reason: DropReason::Overridden { given: text },
                },
            };
        }
        if copy.is_home {
            return keep(KeepReason::Home);
        }
        if is_orphan(self.prover.graph, copy.object) {
            return self.orphan(at, copy);
        }
        match copy.rule {
            Some(rule) if rule.body.action == BundledAction::Replace => {
                self.replace(copy, substitute)
            }
            Some(_) => keep(KeepReason::Rule),
            None if copy.impostor.is_empty() => keep(KeepReason::Unknown),
            None => keep(KeepReason::Impostor {
                incompatibilities: copy.impostor.clone(),
            }),
        }
    }

    fn orphan(&self, at: usize, copy: &Candidate<'_>) -> Decision {
        if let Some(Some(path)) = self.mentioned.get(at) {
            return keep(KeepReason::Mentioned { path: path.clone() });
        }
        if !self.is_beside_needed(copy.object) {
            return keep(KeepReason::Carried);
        }
        // A library that no rule knows may be opened by a name that is put together.
        let is_renamed = copy.object.file_name().to_str() != Some(&copy.soname);
        if copy.rule.is_some() || is_renamed {
            let reason = DropReason::Orphan;
            return Decision::Drop { reason };
        }
        keep(KeepReason::Unknown)
    }

    /// Whether a repair tool put it into a directory of libraries that objects elsewhere need. Rtree and
    /// scipy-openblas64 carry libraries that no object needs: sources, or other wheels, load them.
    fn is_beside_needed(&self, object: &Object) -> bool {
        let is_beside = |other: &&Object| other.directory() == object.directory();
        let is_needed = |other: &Object| {
            let mut users = self.prover.graph.users(&other.path);
            users.any(|(user, _)| user.parent() != Some(object.directory()))
        };
        let mut beside = self.request().tree.objects().filter(is_beside);
        has_packagers_directory(object) && beside.any(is_needed)
    }

    fn replace(
        &self,
        copy: &Candidate<'_>,
        substitute: &Result<Substitute<'_>, KeepReason>,
    ) -> Decision {
        match substitute {
            Ok(substitute) => self.proved(copy, substitute),
            Err(reason) => keep(reason.clone()),
        }
    }

    /// The decision that the proof gives.
    pub(crate) fn proved(&self, copy: &Candidate<'_>, substitute: &Substitute<'_>) -> Decision {
        let proved = self.prover.prove(copy, substitute);
        if proved.incompatibilities.is_empty() {
            let facts = self.prover.facts.get(substitute.file).ok();
            let version = copy.rule.zip(facts).and_then(|(rule, facts)| {
                upstream::version(rule, substitute.file, substitute.file, facts)
            });
            return Decision::Replace {
                symbols: proved.symbols,
                by: Provider {
                    path: substitute.path.clone(),
                    file: substitute.file.to_path_buf(),
                    name: substitute.name.clone(),
                    lib_path: substitute.lib_path.clone(),
                    version,
                },
            };
        }
        keep(KeepReason::Unproved {
            by: substitute.path.clone(),
            incompatibilities: proved.incompatibilities,
        })
    }

    /// Takes back decisions that do not go together, and drops libraries that are no longer needed.
    fn settle(&mut self) {
        while self.keep_namesakes() {}
        while self.drop_unneeded() {}
    }

    /// Keeps copies whose substitute has a name that another object which stays answers to: the
    /// loader may take that one instead.
    fn keep_namesakes(&mut self) -> bool {
        let removed = self.removed();
        let tree = self.request().tree;
        let mut changed = false;
        for (copy, decision) in self.candidates.iter().zip(&mut self.decisions) {
            let Decision::Replace { by, .. } = decision else {
                continue;
            };
            let is_stand = |object: &&Object| object.path == by.path;
            let mut others = tree.objects().filter(|object| {
                object.path != copy.object.path && object.answers_to(&by.name) && !is_stand(object)
            });
            if let Some(other) = others.find(|other| !removed.contains(&other.path)) {
                let path = other.path.clone();
                *decision = keep(KeepReason::Namesake { path });
                changed = true;
            }
        }
        changed
    }

    fn drop_unneeded(&mut self) -> bool {
        let removed = self.removed();
        let stand_ins = self.stand_ins();
        let graph = self.prover.graph;
        let mut changed = false;
        let candidates = self.candidates.iter().zip(&self.mentioned);
        for ((copy, mentioned), decision) in candidates.zip(&mut self.decisions) {
            let path = &copy.object.path;
            let stays = mentioned.is_some()
                || stand_ins.contains(path)
                || matches!(
                    decision,
                    Decision::Drop { .. }
                        | Decision::Keep {
                            reason: KeepReason::Overridden { .. } | KeepReason::Home
                        }
                );
            let users: Vec<PathBuf> = graph
                .users(path)
                .map(|(user, _)| user.to_path_buf())
                .collect();
            let gone = |user: &Path| removed.contains(user);
            if !stays
                && !users.is_empty()
                && users.iter().all(|user| gone(user))
                && graph.openers(path).all(gone)
            {
                let reason = DropReason::OnlyRemoved { users };
                *decision = Decision::Drop { reason };
                changed = true;
            }
        }
        changed
    }

    /// Final paths of the copies that users of others get, whoever needs them by their own names.
    fn stand_ins(&self) -> BTreeSet<PathBuf> {
        let stand_ins = self.decisions.iter().filter_map(|decision| match decision {
            Decision::Replace { by, .. } => Some(by.path.clone()),
            _ => None,
        });
        stand_ins.collect()
    }

    /// Final paths of the libraries that go.
    pub(crate) fn removed(&self) -> BTreeSet<PathBuf> {
        let decisions = self.candidates.iter().zip(&self.decisions);
        decisions
            .filter(|(_, decision)| !matches!(decision, Decision::Keep { .. }))
            .map(|(copy, _)| copy.object.path.clone())
            .collect()
    }

    fn into_plan(self) -> UnbundlePlan {
        let tree = self.request().tree;
        let gone = self.removed();
        let removed = tree
            .objects()
            .filter(|object| gone.contains(&object.path))
            .flat_map(|object| {
                let links = tree.links_to(&object.path).map(|link| Removed {
                    path: link.to_path_buf(),
                    file: beside(object, link),
                });
                let own = Removed {
                    path: object.path.clone(),
                    file: object.file.clone(),
                };
                links.chain([own]).collect::<Vec<_>>()
            });
        let mut plan = UnbundlePlan {
            removed: removed.collect(),
            renames: self.renames(&gone),
            faults: self.faults(&gone),
            duplicates: duplicates::find(&self),
            libraries: Vec::new(),
        };
        plan.removed.sort();
        let of_same_library = self.copies();
        let libraries = self.candidates.iter().zip(self.decisions.clone());
        plan.libraries = libraries
            .map(|(copy, decision)| self.bundled(copy, decision, &of_same_library))
            .collect();
        plan
    }

    /// By the real soname: all candidates.
    fn copies(&self) -> BTreeMap<&str, Vec<&Path>> {
        let mut copies: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for copy in self.candidates {
            copies
                .entry(&copy.soname)
                .or_default()
                .push(&copy.object.path);
        }
        copies
    }

    fn bundled(
        &self,
        copy: &Candidate<'_>,
        decision: Decision,
        copies: &BTreeMap<&str, Vec<&Path>>,
    ) -> Bundled {
        let object = copy.object;
        let facts = self.prover.facts.get(&object.file).ok();
        let version = copy
            .rule
            .zip(facts)
            .and_then(|(rule, facts)| upstream::version(rule, &object.file, &object.path, facts));
        let others = copies.get(copy.soname.as_str()).into_iter().flatten();
        Bundled {
            path: object.path.clone(),
            file: object.file.clone(),
            soname: copy.soname.clone(),
            rule: copy.rule.map(|rule| rule.name.clone()),
            version,
            build_id: facts.and_then(|facts| facts.elf.notes.build_id.clone()),
            len: facts.map_or(0, |facts| facts.elf.file_len),
            users: self
                .prover
                .graph
                .users(&object.path)
                .map(|(user, _)| user.to_path_buf())
                .collect(),
            copies: others
                .filter(|path| **path != object.path)
                .map(|path| path.to_path_buf())
                .collect(),
            decision,
        }
    }

    /// The new names of needs of all that stays.
    fn renames(&self, gone: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, Vec<(String, String)>> {
        let mut renames: BTreeMap<PathBuf, Vec<(String, String)>> = BTreeMap::new();
        for (copy, decision) in self.candidates.iter().zip(&self.decisions) {
            let Decision::Replace { by, .. } = decision else {
                continue;
            };
            for (user, names) in self.prover.graph.users(&copy.object.path) {
                let old = names
                    .iter()
                    .filter(|name| **name != by.name && !gone.contains(user));
                for name in old {
                    renames
                        .entry(user.to_path_buf())
                        .or_default()
                        .push((name.clone(), by.name.clone()));
                }
            }
        }
        renames
    }

    fn faults(&self, gone: &BTreeSet<PathBuf>) -> Vec<UnbundleFault> {
        let mut faults = Vec::new();
        for given in &self.request().options.overrides {
            let is_about = |copy: &Candidate<'_>| given.is_about(&copy.object.path, &copy.soname);
            if !given.is_content() && !self.candidates.iter().any(is_about) {
                faults.push(UnbundleFault::UnusedOverride {
                    given: given.to_string(),
                    known: self
                        .candidates
                        .iter()
                        .map(|copy| copy.soname.clone())
                        .collect(),
                });
            }
        }
        for (copy, decision) in self.candidates.iter().zip(&self.decisions) {
            if let Some(given) = self.given(copy) {
                faults.extend(self.unmet(copy, decision, given, gone));
            }
        }
        faults
    }

    fn unmet(
        &self,
        copy: &Candidate<'_>,
        decision: &Decision,
        given: &BundledOverride,
        gone: &BTreeSet<PathBuf>,
    ) -> Option<UnbundleFault> {
        let path = copy.object.path.clone();
        match (given.action, decision) {
            (BundledAction::Replace, Decision::Keep { reason }) => {
                Some(UnbundleFault::NotReplaced {
                    path,
                    soname: copy.soname.clone(),
                    given: given.to_string(),
                    reason: reason.clone(),
                })
            }
            (BundledAction::Drop, _) => {
                let users = self
                    .prover
                    .graph
                    .users(&path)
                    .map(|(user, _)| user.to_path_buf());
                let users: BTreeSet<PathBuf> = users.filter(|user| !gone.contains(user)).collect();
                (!users.is_empty()).then(|| UnbundleFault::StillNeeded {
                    path,
                    given: given.to_string(),
                    users,
                })
            }
            _ => None,
        }
    }
}

/// Where a link to an object lies now: as far from it as it will be.
fn beside(object: &Object, link: &Path) -> PathBuf {
    let mut on_disk = object.file.as_path();
    let mut used_at = object.path.as_path();
    // Both paths end alike up to where the tree begins.
    while let (Some(disk), Some(used)) = (on_disk.parent(), used_at.parent()) {
        (on_disk, used_at) = (disk, used);
        if let Ok(inside) = link.strip_prefix(used_at) {
            return on_disk.join(inside);
        }
    }
    link.to_path_buf()
}

pub(crate) fn keep(reason: KeepReason) -> Decision {
    Decision::Keep { reason }
}
