//! Objects for an accelerator, as a GPU, without which the rest of a distribution works.

use std::collections::BTreeMap;
use std::path::Path;

use wheelfix_format::PythonImport;
use wheelfix_loader::Object;

use crate::role::{self, is_command, module_of};
use crate::rules::dlopen_dependency::dependencies;
use crate::rules::{Accelerator, Pattern, Rule, Rules, any_matches};
use crate::tree::imported::import_of_choice;
use crate::tree::site::Owners;
use crate::tree::{PythonSource, Tree};

/// The objects of some that are called as those for an accelerator and that nothing needs whatever happens: no other object
/// needs them, no source opens them whenever it is imported, and every source that imports one does so in a function, under a
/// condition or where it catches the error. Something else of the same distribution has to be there.
pub(crate) fn accelerated<'a>(
    tree: &'a Tree,
    rules: &'a Rules,
    objects: impl Iterator<Item = &'a Object>,
) -> Vec<(&'a Object, &'a Rule<Accelerator>)> {
    let named = objects.filter(|object| !is_command(object));
    let named = named.filter_map(|object| Some((object, rule_of(tree, rules, object)?)));
    let mut found: BTreeMap<&Path, (&Object, &Rule<Accelerator>)> = named
        .map(|(object, rule)| (object.path.as_path(), (object, rule)))
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    found.retain(|_, (object, rule)| !is_imported(tree, object, rule) && !is_opened(tree, object));
    // What is needed by one of them that must load must load, too.
    loop {
        let count = found.len();
        let needing: Vec<&Object> = tree
            .objects()
            .filter(|other| !found.contains_key(other.path.as_path()))
            .collect();
        found.retain(|_, (object, _)| !needing.iter().any(|other| needs(rules, other, object)));
        if found.len() == count {
            break;
        }
    }
    let owners = Owners::of(tree.objects());
    let is_alone = |object: &Object| {
        let mut others = tree.objects();
        !others.any(|other| {
            !found.contains_key(other.path.as_path()) && owners.share(&other.path, &object.path)
        })
    };
    let beside = found.values().filter(|(object, _)| !is_alone(object));
    beside.copied().collect()
}

/// The rule for objects of this name: a word of it, without `lib` before it, is the accelerator's, or one of the name of its
/// directory, if an object of the same name lies in a directory beside that one.
fn rule_of<'r>(tree: &Tree, rules: &'r Rules, object: &Object) -> Option<&'r Rule<Accelerator>> {
    let name = object.file_name().to_str()?;
    let directory = object.directory();
    let is_twin = |other: &Object| {
        other.file_name() == object.file_name()
            && other.directory() != directory
            && other.directory().parent() == directory.parent()
    };
    let of_name = rule_for(rules, name);
    of_name.or_else(|| {
        let rule = rule_for(rules, directory.file_name()?.to_str()?)?;
        tree.objects().any(is_twin).then_some(rule)
    })
}

fn rule_for<'r>(rules: &'r Rules, name: &str) -> Option<&'r Rule<Accelerator>> {
    rules.accelerator.iter().find(|rule| is_called(name, rule))
}

/// Whether a file is called as one for an accelerator.
fn is_called(name: &str, rule: &Rule<Accelerator>) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.strip_prefix("lib").unwrap_or(stem).to_lowercase();
    let globs: &[Pattern] = &rule.body.words;
    let mut words = stem.split(|c: char| !c.is_alphanumeric());
    words.any(|word| any_matches(globs, word))
}

/// Whether Python imports an object as a module for all that can be seen, and not only where it may fail. A source that is
/// called as one for the accelerator, too, is imported by statements alone: who has its name in a list tries what is there.
fn is_imported(tree: &Tree, object: &Object, rule: &Rule<Accelerator>) -> bool {
    let is_choice = |source: &PythonSource| {
        let name = source.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| is_called(name, rule))
    };
    let name = module_of(object);
    name.is_some_and(|name| {
        import_of_choice(tree, name, &is_choice) != Some(PythonImport::Optional)
    })
}

/// Whether a source opens an object whenever it is imported.
pub(super) fn is_opened(tree: &Tree, object: &Object) -> bool {
    let loads = tree.sources.iter().flat_map(|source| &source.loads);
    let mut needed = loads.filter(|load| load.is_needed);
    needed.any(|load| {
        let mut names = load.names.iter();
        names.any(|asked| object.answers_to(&asked.name))
    })
}

/// Whether an object needs another one, or opens it and does not work without.
fn needs(rules: &Rules, object: &Object, other: &Object) -> bool {
    if role::needs(object, other) {
        return true;
    }
    let name = other.file_name().to_string_lossy();
    let opened = dependencies(rules, object).into_iter();
    let mut required = opened.filter(|dependency| !dependency.optional);
    required.any(|dependency| any_matches(&dependency.alternatives, &name))
}
