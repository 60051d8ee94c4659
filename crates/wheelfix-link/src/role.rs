//! Which objects of an output must load: programs, what Python imports and what its sources open, with all
//! that these bring along.
//!
//! The others are what the output merely carries: plugins that their host opens if it can, or layers of
//! a library of which its user chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dlopen_dependency::{Evidence, dependencies};
use crate::object::Object;
use crate::python_module::imported_name;
use crate::rules::Rules;
use crate::site;
use crate::source_uses::SourceUses;
use crate::tree::Tree;

/// The part that an object has in an output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Without it the output does not work.
    Required,
    /// A library for other outputs, of one that has no module to import: it needs its libraries, and its
    /// users may bring symbols.
    Carried,
    /// Nothing that must load needs it.
    Optional,
}

/// The roles of all objects of an output.
#[derive(Debug)]
pub(crate) struct Roles {
    required: BTreeSet<PathBuf>,
    /// The role of all others.
    others: Role,
    /// The use that sources make of the objects.
    pub(crate) sources: SourceUses,
}

impl Roles {
    /// The roles of the objects of a tree.
    pub(crate) fn of(tree: &Tree, rules: &Rules) -> Self {
        let sources = SourceUses::of(&tree.sources, tree.objects());
        let modules: BTreeSet<&Path> = tree
            .objects()
            .filter(|object| is_module(object))
            .map(|object| object.path.as_path())
            .collect();
        let others = if !is_of_wheels(tree) {
            // Libraries that are not of a wheel: whoever named them wants all.
            Role::Required
        } else if modules.is_empty() {
            Role::Carried
        } else {
            Role::Optional
        };
        let is_root = |object: &&Object| {
            is_command(object) || modules.contains(object.path.as_path()) || sources.has(object)
        };
        let roots: Vec<&Object> = tree.objects().filter(is_root).collect();
        Self {
            required: Closure::new(tree).of(roots, rules),
            others,
            sources,
        }
    }

    /// The role of an object.
    pub(crate) fn of_object(&self, path: &Path) -> Role {
        if self.required.contains(path) {
            Role::Required
        } else {
            self.others
        }
    }
}

/// Whether objects lie where wheels are installed or unpacked.
fn is_of_wheels(tree: &Tree) -> bool {
    let directories: BTreeSet<&Path> = tree
        .objects()
        .filter_map(|object| object.file.parent())
        .collect();
    let mut directories = directories.into_iter();
    directories.any(|directory| site::prefix_of(&directory.join("x")).is_some())
}

/// Whether somebody starts an object.
fn is_command(object: &Object) -> bool {
    let directory = object.directory().file_name();
    object.is_program() || directory.is_some_and(|name| name == "bin")
}

/// Whether Python would import an object by its name and place, whatever is in it.
pub(crate) fn is_module(object: &Object) -> bool {
    imported_name(&object.path, &object.file, Some(object.abi)).is_some()
}

/// The objects by the names that others need or open them by.
struct Closure<'a> {
    tree: &'a Tree,
    by_name: BTreeMap<&'a str, BTreeSet<&'a Path>>,
}

impl<'a> Closure<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut by_name: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
        let names = tree.directories().values().flatten();
        let names = names.map(|(name, path)| (name.as_str(), path.as_path()));
        let sonames = tree.objects().filter_map(|object| {
            let soname = object.soname.as_deref()?;
            Some((soname, object.path.as_path()))
        });
        for (name, path) in names.chain(sonames) {
            by_name.entry(name).or_default().insert(path);
        }
        Self { tree, by_name }
    }

    /// The objects, and all that they need or open.
    fn of(&self, roots: Vec<&'a Object>, rules: &Rules) -> BTreeSet<PathBuf> {
        let mut reached: BTreeSet<PathBuf> = roots.iter().map(|root| root.path.clone()).collect();
        let mut pending = roots;
        while let Some(object) = pending.pop() {
            for path in self.next(object, rules) {
                if reached.insert(path.to_path_buf()) {
                    pending.extend(self.tree.get(path));
                }
            }
        }
        reached
    }

    /// The objects that one needs, or opens unless it works without.
    fn next(&self, object: &Object, rules: &Rules) -> BTreeSet<&'a Path> {
        let mut next: BTreeSet<&Path> = BTreeSet::new();
        for name in object.needs() {
            let name = name.rsplit('/').next().unwrap_or(name);
            next.extend(self.by_name.get(name).into_iter().flatten());
        }
        let mut opened = dependencies(rules, object);
        opened.retain(|it| !it.optional || it.evidence == Evidence::Data);
        for pattern in opened.iter().flat_map(|it| &it.alternatives) {
            if let Some(paths) = self.by_name.get(pattern.text()) {
                next.extend(paths);
            } else if !pattern.is_literal() {
                let matching = self
                    .by_name
                    .iter()
                    .filter(|(name, _)| pattern.matches(name));
                next.extend(matching.flat_map(|(_, paths)| paths));
            }
        }
        next
    }
}
