//! The choice of the backends of a wheel that stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Fault;
use crate::object::Object;
use crate::plan::DroppedFile;
use crate::resolve::{Answer, Resolver};
use crate::rules::{Backend, Rule, any_matches};

/// The result of applying the backend rules.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// Files to leave out, by path.
    pub(crate) drops: Vec<DroppedFile>,
    /// Choices of the user that name no backend.
    pub(crate) faults: Vec<Fault>,
}

/// One file of a group.
struct Member<'a> {
    object: &'a Object,
    rule: &'a Rule<Backend>,
    name: String,
    /// Names that it needs and that nothing provides or excuses.
    missing: Vec<String>,
}

impl Member<'_> {
    fn is_named_by(&self, resolver: Resolver<'_>) -> bool {
        let wanted = &resolver.options.backends;
        any_matches(wanted, &self.name) || any_matches(wanted, &self.rule.body.accelerator)
    }
}

/// Decides for all groups of backends that the output has.
///
/// Where the user names backends of a group, these stay. Otherwise those stay that can be loaded;
/// where one must stay and none can be loaded, all stay, and what they miss becomes the fault.
pub(crate) fn decide(resolver: Resolver<'_>) -> Decision {
    let groups = groups(resolver);
    let mut decision = Decision::default();
    let mut known = BTreeSet::new();
    for members in groups.into_values() {
        for member in &members {
            known.insert(member.name.clone());
            known.insert(member.rule.body.accelerator.clone());
        }
        let named = members.iter().any(|member| member.is_named_by(resolver));
        let one_must_stay = members.iter().any(|member| member.rule.body.one_must_stay);
        let loadable = members.iter().any(|member| member.missing.is_empty());
        for member in members {
            let goes = if named {
                !member.is_named_by(resolver)
            } else {
                !member.missing.is_empty() && (loadable || !one_must_stay)
            };
            if goes {
                decision.drops.push(DroppedFile {
                    path: member.object.path.clone(),
                    file: member.object.file.clone(),
                    rule: member.rule.name.clone(),
                    backend: member.name,
                    len: fs_err::metadata(&member.object.file).map_or(0, |file| file.len()),
                    missing: member.missing,
                });
            }
        }
    }
    decision
        .drops
        .sort_by(|one, other| one.path.cmp(&other.path));
    for glob in &resolver.options.backends {
        if !known.iter().any(|name| glob.matches(name)) {
            decision.faults.push(Fault::UnusedBackend {
                glob: glob.text().to_owned(),
                known: known.clone(),
            });
        }
    }
    decision
}

fn groups(resolver: Resolver<'_>) -> BTreeMap<&str, Vec<Member<'_>>> {
    let mut groups: BTreeMap<&str, Vec<Member<'_>>> = BTreeMap::new();
    for object in resolver.tree.objects() {
        let matching = |rule: &&Rule<Backend>| {
            rule.body
                .files
                .iter()
                .any(|glob| glob.matches_end(&object.path))
        };
        let Some(rule) = resolver.rules.backend.iter().find(matching) else {
            continue;
        };
        let needs = object.needed.iter().filter(|name| {
            matches!(resolver.answer(object, name), Answer::Nothing)
                && resolver.options.excuses.of_library(&[name]).is_none()
        });
        groups.entry(&rule.body.group).or_default().push(Member {
            object,
            rule,
            name: backend_name(object, &rule.body),
            missing: needs.cloned().collect(),
        });
    }
    groups
}

/// Returns `cuda132` for `libbitsandbytes_cuda132.so` and the prefix `libbitsandbytes_`, or for the
/// directory `xla_cuda13` and the prefix `xla_`.
fn backend_name(object: &Object, rule: &Backend) -> String {
    let name = if rule.named_by_directory {
        object.directory().file_name().unwrap_or_default()
    } else {
        object.file_name()
    };
    let name = name.to_string_lossy();
    let mut stem: &str = &name;
    // What Python puts behind the name of an extension module goes as well.
    for mark in [".so", ".abi3", ".cpython-"] {
        if let Some((start, _)) = stem.split_once(mark) {
            stem = start;
        }
    }
    stem.strip_prefix(&rule.prefix).unwrap_or(stem).to_owned()
}
