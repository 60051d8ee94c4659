//! The choice of the objects that stay in the output, of those that need not all load.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::{Abi, Object};

use crate::fault::Fault;
use crate::fault::left_out::LeftOut;
use crate::fault::unused::UnusedBackend;
use crate::plan::DroppedFile;
use crate::plan::resolve::{Answer, Resolver};
use crate::role::Roles;
use crate::role::optional::{Group, GroupKind, Member, beside_rules, of_rules};
use crate::rules::any_matches;

/// The result of the choice.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// Files to leave out, by path.
    pub(crate) drops: Vec<DroppedFile>,
    /// Choices of the user that name no backend.
    pub(crate) faults: Vec<Fault>,
    /// Warnings of the files that are left out, with the libraries that these lack.
    pub(crate) warnings: Vec<Fault>,
}

/// The names that an object needs and that nothing provides or excuses, by its path: those that are left
/// out.
type Lacking = BTreeMap<PathBuf, Vec<String>>;

/// Decides for all objects of the target that need not all load.
///
/// Where the user names backends of a group, these stay. Otherwise those stay that can be loaded;
/// where one must stay and none can be loaded, those stay that miss nothing but what all of them miss, or else all, and
/// what they miss becomes the fault. So it does where nothing would be left.
pub(crate) fn decide(resolver: Resolver<'_>, target: Option<Abi>) -> Decision {
    let (tree, rules) = (resolver.tree, resolver.rules);
    let is_ours = |object: &Object| Some(object.abi) == target;
    let mut groups = of_rules(tree, rules);
    let is_ruled: BTreeSet<PathBuf> = members(&groups).map(|it| it.object.path.clone()).collect();
    let others = tree
        .objects()
        .filter(|object| !is_ruled.contains(&object.path));
    let mut others = others.filter(|object| is_ours(object));
    let is_asked_for = !resolver.options.backends.is_empty();
    if is_asked_for || others.any(|it| !missing(resolver, it, &Lacking::new()).is_empty()) {
        groups.extend(beside_rules(tree, rules, &Roles::of(tree, rules)));
    }
    let faults = unused(resolver, &groups);
    for group in &mut groups {
        group.members.retain(|member| is_ours(member.object));
    }
    let mut lacking = Lacking::new();
    loop {
        let dropped: BTreeSet<PathBuf> = lacking.keys().cloned().collect();
        let resolver = Resolver {
            dropped: &dropped,
            ..resolver
        };
        let next = choose(resolver, &groups, &lacking);
        let is_settled = next.len() <= lacking.len();
        lacking = next;
        if is_settled {
            break;
        }
    }
    if !is_asked_for {
        keep_needed(resolver, target, &mut lacking);
    }
    let mut ours = tree.objects().filter(|object| is_ours(object));
    if !is_asked_for && ours.all(|object| lacking.contains_key(&object.path)) {
        let mut states: Vec<(PathBuf, Vec<String>)> = lacking.into_iter().collect();
        retain_lacking_more(&mut states, &BTreeSet::new());
        lacking = states.into_iter().collect();
    }
    let drops = drops(&groups, lacking);
    Decision {
        warnings: warnings(resolver, &drops),
        drops,
        faults,
    }
}

/// Keeps what those need that stay, as the plugin of which one has to be there: what is told then is what it lacks, not
/// that a file of the output is missing.
fn keep_needed(resolver: Resolver<'_>, target: Option<Abi>, lacking: &mut Lacking) {
    let tree = resolver.tree;
    loop {
        let dropped: BTreeSet<PathBuf> = lacking.keys().cloned().collect();
        let resolver = Resolver {
            dropped: &dropped,
            ..resolver
        };
        let is_staying = |it: &&Object| Some(it.abi) == target && !dropped.contains(&it.path);
        let mut lost: BTreeSet<&str> = BTreeSet::new();
        for object in tree.objects().filter(is_staying) {
            let needed = object.needed.iter();
            lost.extend(
                needed
                    .filter(|name| is_nothing(resolver, object, name))
                    .map(String::as_str),
            );
        }
        lacking.retain(|path, _| {
            let object = tree.get(path);
            !object.is_some_and(|object| lost.iter().any(|name| object.answers_to(name)))
        });
        if lacking.len() == dropped.len() {
            break;
        }
    }
}

fn members<'g, 'a>(groups: &'g [Group<'a>]) -> impl Iterator<Item = &'g Member<'a>> {
    groups.iter().flat_map(|group| &group.members)
}

/// Choices of the user that name nothing.
fn unused(resolver: Resolver<'_>, groups: &[Group<'_>]) -> Vec<Fault> {
    let named = members(groups).filter_map(|member| Some((&member.name, member.accelerator?)));
    let known: BTreeSet<String> = named
        .flat_map(|(name, accelerator)| [name.clone(), accelerator.to_owned()])
        .collect();
    let wanted = resolver.options.backends.iter();
    let unused = wanted.filter(|glob| !known.iter().any(|name| glob.matches(name)));
    unused
        .map(|glob| {
            Fault::UnusedBackend(UnusedBackend {
                glob: glob.text().to_owned(),
                known: known.clone(),
            })
        })
        .collect()
}

/// The members that go, where those of `before` are gone already.
fn choose(resolver: Resolver<'_>, groups: &[Group<'_>], before: &Lacking) -> Lacking {
    let mut lacking = Lacking::new();
    let elsewhere = missing_elsewhere(resolver, groups, before);
    for group in groups {
        let mut states: Vec<(&Member<'_>, Vec<String>)> = Vec::new();
        for member in &group.members {
            states.push((member, missing(resolver, member.object, before)));
        }
        for (member, missing) in going(resolver, group, states, &elsewhere) {
            lacking.insert(member.object.path.clone(), missing);
        }
    }
    lacking
}

/// The names that those miss which are in no group: what they miss is a fault whoever else goes.
fn missing_elsewhere(
    resolver: Resolver<'_>,
    groups: &[Group<'_>],
    before: &Lacking,
) -> BTreeSet<String> {
    let grouped: BTreeSet<&Path> = members(groups)
        .map(|member| member.object.path.as_path())
        .collect();
    let abis: BTreeSet<Abi> = members(groups).map(|member| member.object.abi).collect();
    let others = resolver
        .tree
        .objects()
        .filter(|object| abis.contains(&object.abi) && !grouped.contains(object.path.as_path()));
    let missing = others.flat_map(|object| missing(resolver, object, before));
    missing.collect()
}

/// The members of a group that go, with what each misses.
fn going<'g, 'a>(
    resolver: Resolver<'_>,
    group: &Group<'_>,
    mut states: Vec<(&'g Member<'a>, Vec<String>)>,
    elsewhere: &BTreeSet<String>,
) -> Vec<(&'g Member<'a>, Vec<String>)> {
    let wanted = &resolver.options.backends;
    if states.iter().any(|(member, _)| member.is_named_by(wanted)) {
        states.retain(|(member, _)| !member.is_named_by(wanted));
        return states;
    }
    let count = states.len();
    if let GroupKind::Alternatives(versions) = &group.kind {
        let lacks = |(member, missing): &(&Member<'_>, Vec<String>)| {
            let mut needed = member.object.needed.iter();
            let differs = |name: &String| {
                versions.contains(name) && is_nothing(resolver, member.object, name)
            };
            !missing.is_empty() && needed.any(differs)
        };
        states.retain(lacks);
        if states.len() == count {
            // One stays for its faults: what lacks least that nobody is known to have, the newest of these.
            let unknown = |missing: &[String]| {
                let mut missing = missing.to_vec();
                missing.retain(|name| resolver.rules.candidates(name).is_empty());
                missing.len()
            };
            let costs = states
                .iter()
                .map(|(_, missing)| (unknown(missing), missing.len()));
            let costs: Vec<(usize, usize)> = costs.collect();
            let least = costs.iter().min();
            let kept = costs.iter().rposition(|cost| Some(cost) == least);
            kept.map(|kept| states.remove(kept));
        }
        return states;
    }
    states.retain(|(_, missing)| !missing.is_empty());
    if let GroupKind::Accelerated(libraries) = &group.kind {
        states.retain(|(_, missing)| {
            let own = missing.iter().filter(|name| !elsewhere.contains(*name));
            let mut own = own.peekable();
            own.peek().is_some() && own.all(|name| any_matches(libraries, name))
        });
    }
    if matches!(group.kind, GroupKind::OneOrMore) && states.len() == count {
        retain_lacking_more(&mut states, elsewhere);
    }
    states
}

/// Retains, where one of all must stay, those that miss more than what all of them miss, or others do whatever happens;
/// none if each does.
fn retain_lacking_more<T>(states: &mut Vec<(T, Vec<String>)>, elsewhere: &BTreeSet<String>) {
    let is_shared = |name: &String| {
        elsewhere.contains(name) || states.iter().all(|(_, missing)| missing.contains(name))
    };
    let shared: BTreeSet<String> = states
        .iter()
        .flat_map(|(_, missing)| missing)
        .filter(|name| is_shared(name))
        .cloned()
        .collect();
    let lacks_more = |missing: &[String]| !missing.iter().all(|name| shared.contains(name));
    if states.iter().all(|(_, missing)| lacks_more(missing)) {
        states.clear();
    } else {
        states.retain(|(_, missing)| lacks_more(missing));
    }
}

fn is_nothing(resolver: Resolver<'_>, object: &Object, name: &str) -> bool {
    matches!(resolver.answer(object, name), Answer::Nothing)
        && resolver.options.excuses.of_library(&[name]).is_none()
}

/// The names that an object needs and that nothing provides or excuses; for a library that is gone, those
/// that it misses.
fn missing(resolver: Resolver<'_>, object: &Object, gone: &Lacking) -> Vec<String> {
    let mut missing = Vec::new();
    for name in object
        .needed
        .iter()
        .filter(|name| is_nothing(resolver, object, name))
    {
        let mut gone = gone.iter().filter(|(path, _)| {
            let object = resolver.tree.get(path);
            object.is_some_and(|object| object.answers_to(name))
        });
        match gone.next() {
            Some((_, theirs)) => missing.extend(theirs.iter().cloned()),
            None => missing.push(name.clone()),
        }
    }
    let mut seen = BTreeSet::new();
    missing.retain(|name| seen.insert(name.clone()));
    missing
}

fn drops(groups: &[Group<'_>], mut lacking: Lacking) -> Vec<DroppedFile> {
    let going = members(groups).filter_map(|member| {
        let missing = lacking.remove(&member.object.path)?;
        Some(DroppedFile {
            path: member.object.path.clone(),
            file: member.object.file.clone(),
            rule: member.rule.to_owned(),
            backend: member.name.clone(),
            is_backend: member.accelerator.is_some(),
            len: fs_err::metadata(&member.object.file).map_or(0, |file| file.len()),
            missing,
        })
    });
    let mut drops: Vec<DroppedFile> = going.collect();
    drops.sort_by(|one, other| one.path.cmp(&other.path));
    drops
}

/// For each rule that lets files go, what these lack.
fn warnings(resolver: Resolver<'_>, drops: &[DroppedFile]) -> Vec<Fault> {
    let mut by_rule: BTreeMap<&str, (BTreeSet<PathBuf>, BTreeSet<&str>)> = BTreeMap::new();
    for drop in drops.iter().filter(|drop| !drop.missing.is_empty()) {
        let (paths, missing) = by_rule.entry(&drop.rule).or_default();
        paths.insert(drop.path.clone());
        missing.extend(drop.missing.iter().map(String::as_str));
    }
    let left_out = by_rule.into_iter().map(|(rule, (paths, missing))| {
        let providers = missing
            .into_iter()
            .map(|name| (name.to_owned(), resolver.rules.candidates(name)));
        Fault::LeftOut(LeftOut {
            rule: rule.to_owned(),
            paths,
            missing: providers.collect(),
        })
    });
    left_out.collect()
}
