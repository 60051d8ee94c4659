//! Objects of which not all must load: those that rules name, alternatives, those that nothing needs, and those for
//! accelerators.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::Object;

use crate::role::accelerated::accelerated;
use crate::role::{Role, Roles, is_module};
use crate::rules::{Backend, Pattern, Rule, Rules, any_matches};
use crate::tree::Tree;

/// The name of the decision about objects that nothing needs.
const UNNEEDED: &str = "optional";
/// The name of the decision about objects that need different versions of one library.
const ALTERNATIVES: &str = "alternatives";

/// Objects of which not all must load.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) members: Vec<Member<'a>>,
    /// How many must.
    pub(crate) kind: GroupKind,
}

/// How many objects of a group must load.
#[derive(Clone, Debug)]
pub(crate) enum GroupKind {
    /// Any number.
    Any,
    /// One at least.
    OneOrMore,
    /// One at least, and the others may lack these libraries.
    Alternatives(BTreeSet<String>),
    /// Any number, and they may lack these libraries.
    Accelerated(Vec<Pattern>),
}

/// One object of a group.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) object: &'a Object,
    /// The rule that says so, or the name of the decision.
    pub(crate) rule: &'a str,
    /// The name that the user may say.
    pub(crate) name: String,
    /// The kind of hardware or software that it serves; `None` if the user cannot choose it.
    pub(crate) accelerator: Option<&'a str>,
    /// Whether a rule names it.
    pub(crate) is_ruled: bool,
}

impl Member<'_> {
    /// Whether the user names it as what is to stay.
    pub(crate) fn is_named_by(&self, wanted: &[Pattern]) -> bool {
        self.accelerator.is_some_and(|accelerator| {
            any_matches(wanted, &self.name) || any_matches(wanted, accelerator)
        })
    }
}

/// The groups of the output that rules make. An object is in the group of the first rule that names it.
pub(crate) fn of_rules<'a>(tree: &'a Tree, rules: &'a Rules) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&str, Vec<(&Rule<Backend>, Member<'_>)>> = BTreeMap::new();
    for object in tree.objects() {
        let rule = rule_of(rules, &object.path);
        let Some(rule) = rule.filter(|rule| !rule.body.required) else {
            continue;
        };
        let member = Member {
            object,
            rule: &rule.name,
            name: backend_name(object, &rule.body),
            accelerator: rule.body.accelerator.as_deref(),
            is_ruled: true,
        };
        let group = rule.body.group.as_deref().unwrap_or(&rule.name);
        groups.entry(group).or_default().push((rule, member));
    }
    let groups = groups.into_values().map(|members| {
        let one = members.iter().any(|(rule, _)| rule.body.one_must_stay);
        Group {
            members: members.into_iter().map(|(_, member)| member).collect(),
            kind: if one {
                GroupKind::OneOrMore
            } else {
                GroupKind::Any
            },
        }
    });
    groups.collect()
}

/// The groups of the objects that no rule names.
pub(crate) fn beside_rules<'a>(tree: &'a Tree, rules: &'a Rules, known: &Roles) -> Vec<Group<'a>> {
    let free = || {
        tree.objects()
            .filter(|object| rule_of(rules, &object.path).is_none())
    };
    let mut groups = alternatives(tree, free().filter(|object| !known.sources.names(object)));
    let taken: BTreeSet<&Path> = groups
        .iter()
        .flat_map(|group| &group.members)
        .map(|member| member.object.path.as_path())
        .collect();
    let unneeded = free().filter(|object| {
        known.of_object(&object.path) == Role::Optional && !taken.contains(object.path.as_path())
    });
    let mut families: BTreeMap<Option<&Path>, Vec<Member<'_>>> = BTreeMap::new();
    for object in unneeded {
        let family = families.entry(backends_of(object)).or_default();
        family.push(member(object, UNNEEDED));
    }
    groups.extend(families.into_iter().map(|(directory, members)| Group {
        kind: match directory {
            Some(_) if 1 < members.len() => GroupKind::OneOrMore,
            _ => GroupKind::Any,
        },
        members,
    }));
    // What is carried for others is all that its wheel is for.
    let required = free().filter(|object| {
        known.of_object(&object.path) == Role::Required && !taken.contains(object.path.as_path())
    });
    let accelerated = accelerated(tree, rules, required).into_iter();
    groups.extend(accelerated.map(|(object, rule)| Group {
        members: vec![Member {
            rule: &rule.name,
            accelerator: Some(&rule.name),
            ..member(object, UNNEEDED)
        }],
        kind: GroupKind::Accelerated(rule.body.libraries.clone()),
    }));
    groups
}

/// The directory of an object that is called a backend: who opens those of a directory needs one of them.
fn backends_of(object: &Object) -> Option<&Path> {
    let name = object.file_name().to_str()?;
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words
        .any(|word| word == "backend")
        .then(|| object.directory())
}

fn rule_of<'r>(rules: &'r Rules, path: &Path) -> Option<&'r Rule<Backend>> {
    rules.backend.iter().find(|rule| {
        let mut files = rule.body.files.iter();
        files.any(|glob| glob.matches_end(path))
    })
}

fn member<'a>(object: &'a Object, rule: &'a str) -> Member<'a> {
    Member {
        object,
        rule,
        name: stem(&object.file_name().to_string_lossy()).to_owned(),
        accelerator: None,
        is_ruled: false,
    }
}

/// Words in names of modules that are built once for each implementation of MPI: mpi4py.
const IMPLEMENTATIONS: [&str; 5] = ["mpich", "openmpi", "impi", "mpiabi", "mvapich"];

/// Objects of one directory whose names differ in a number, or in the name of an implementation, each of which
/// needs another version of one library: a process has one of them. What Python imports by its name is none, nor
/// what another object needs.
fn alternatives<'a>(tree: &'a Tree, objects: impl Iterator<Item = &'a Object>) -> Vec<Group<'a>> {
    let mut alike: BTreeMap<(PathBuf, String), Vec<&Object>> = BTreeMap::new();
    for object in objects.filter(|object| !object.is_program() && !is_module(object)) {
        let key = (object.directory().to_path_buf(), pattern_of(object));
        alike.entry(key).or_default().push(object);
    }
    alike.retain(|_, objects| !versions(objects).is_empty());
    let members: BTreeSet<&Path> = alike
        .values()
        .flatten()
        .map(|object| object.path.as_path())
        .collect();
    let others = tree.objects();
    let others = others.filter(|object| !members.contains(object.path.as_path()));
    let needed: BTreeSet<&str> = others.flat_map(Object::needed_names).collect();
    let is_needed = |object: &&Object| needed.iter().any(|name| object.answers_to(name));
    let groups = alike.into_values().filter_map(|mut objects| {
        objects.retain(|object| !is_needed(object));
        let versions = versions(&objects);
        (!versions.is_empty()).then(|| Group {
            members: objects
                .into_iter()
                .map(|object| member(object, ALTERNATIVES))
                .collect(),
            kind: GroupKind::Alternatives(versions),
        })
    });
    groups.collect()
}

/// The file name without its numbers before `.so`, and of `MPI.mpich.cpython-311-x86_64-linux-gnu.so` without
/// its second word, which names an implementation.
fn pattern_of(object: &Object) -> String {
    let name = object.file_name().to_string_lossy();
    let (stem, version) = name.split_once(".so").unwrap_or((&name, ""));
    let words: Vec<&str> = stem.split('.').collect();
    let stem = match words.as_slice() {
        [module, word, tag] if IMPLEMENTATIONS.contains(word) => {
            format!("{}.*.{tag}", unnumbered(module))
        }
        _ => unnumbered(stem),
    };
    format!("{stem}.so{version}")
}

/// The libraries that some of the objects need, and others in another version.
fn versions(objects: &[&Object]) -> BTreeSet<String> {
    let mut by_stem: BTreeMap<String, BTreeSet<&String>> = BTreeMap::new();
    for name in objects.iter().flat_map(|object| &object.needed) {
        by_stem.entry(unnumbered(name)).or_default().insert(name);
    }
    let differ = |name: &&String| {
        let others = objects
            .iter()
            .filter(|object| !object.needed.contains(name));
        others.clone().any(|object| {
            let mut needed = object.needed.iter();
            needed.any(|other| unnumbered(other) == unnumbered(name))
        })
    };
    let several = by_stem.into_values().filter(|names| 1 < names.len());
    several.flatten().filter(differ).cloned().collect()
}

/// A name with `#` for each number.
fn unnumbered(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            c => text.push(c),
        }
    }
    text
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
    let stem = stem(&name);
    stem.strip_prefix(&rule.prefix).unwrap_or(stem).to_owned()
}

/// A file name without what the linker, and Python for an extension module, put behind it.
fn stem(name: &str) -> &str {
    let mut stem = name;
    for mark in [".so", ".abi3", ".cpython-"] {
        if let Some((start, _)) = stem.split_once(mark) {
            stem = start;
        }
    }
    stem
}
