//! Which objects of an output must load: programs, what Python imports and what its sources open, with all
//! that these bring along.
//!
//! The others are what the output merely carries: plugins that their host opens if it can, or layers of
//! a library of which its user chooses.

pub(crate) mod accelerated;
pub(crate) mod indispensable;
pub(crate) mod optional;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use wheelfix_loader::Object;

use crate::fault::evidence::Evidence;
use crate::rules::Rules;
use crate::rules::dlopen_dependency::dependencies;
use crate::tree::Tree;
use crate::tree::python_module::imported_name;
use crate::tree::site::{self, package_of};
use crate::tree::source_uses::SourceUses;
use crate::tree::text_names::{has_library_name, names_in};

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

/// The role of what nothing that must load needs.
#[derive(Debug, Eq, PartialEq)]
enum Others {
    Required,
    Carried,
    Optional,
    /// Of several distributions: optional in these packages and carried elsewhere.
    ByPackage(BTreeSet<PathBuf>),
}

/// The roles of all objects of an output.
#[derive(Debug)]
pub(crate) struct Roles {
    required: BTreeSet<PathBuf>,
    /// The role of all others.
    others: Others,
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
        let is_root = |object: &&Object| {
            is_command(object) || modules.contains(object.path.as_path()) || sources.has(object)
        };
        let closure = Closure::new(tree);
        let mut roots: Vec<&Object> = tree.objects().filter(is_root).collect();
        let next = |object: &Object| closure.next(object, rules);
        let mut required = closure.of(roots.clone(), next);
        let others = match site::distributions_of(tree.objects()) {
            // Libraries that are not of a wheel: whoever named them wants all.
            0 => Others::Required,
            1 if modules.is_empty() => Others::Carried,
            1 => Others::Optional,
            _ => Others::ByPackage(modules.iter().map(|path| package(path)).collect()),
        };
        if others != Others::Required {
            // What is named may name others.
            let mut searched = BTreeSet::new();
            loop {
                let more = named_by(tree, &required, &searched);
                if more.is_empty() {
                    break;
                }
                searched = required;
                roots.extend(more);
                required = closure.of(roots.clone(), next);
            }
        }
        Self {
            required,
            others,
            sources,
        }
    }

    /// Whether the objects are of a distribution, and not what somebody names.
    pub(crate) fn is_of_distribution(&self) -> bool {
        self.others != Others::Required
    }

    /// The role of an object.
    pub(crate) fn of_object(&self, path: &Path) -> Role {
        match &self.others {
            _ if self.required.contains(path) => Role::Required,
            Others::Required => Role::Required,
            _ if !has_library_name(path) => Role::Optional,
            Others::Carried => Role::Carried,
            Others::Optional => Role::Optional,
            Others::ByPackage(with_modules) => {
                let package = package(path);
                let is_beside = package.extension().is_some_and(|ending| ending == "libs");
                if is_beside || with_modules.contains(&package) {
                    Role::Optional
                } else {
                    Role::Carried
                }
            }
        }
    }
}

/// The package of a file; empty for one that is in none.
fn package(path: &Path) -> PathBuf {
    package_of(path).map(Path::to_path_buf).unwrap_or_default()
}

/// The objects whose file name stands in the data of one that must load and was not searched, or whose stem is
/// a whole text there: Cython's modules call `ctypes`, and what imports no `dlopen` may give the name to who does.
fn named_by<'a>(
    tree: &'a Tree,
    required: &BTreeSet<PathBuf>,
    searched: &BTreeSet<PathBuf>,
) -> Vec<&'a Object> {
    let mut by_stem: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for object in tree
        .objects()
        .filter(|object| !required.contains(&object.path))
    {
        if let Some(name) = object.file_name().to_str() {
            let stem = name.split_once(".so").map_or(name, |(stem, _)| stem);
            by_stem.entry(stem).or_default().push(object);
        }
    }
    let stems: BTreeSet<&str> = by_stem.keys().copied().collect();
    let is_new = |path: &PathBuf| required.contains(path) && !searched.contains(path);
    let files: Vec<&Path> = tree
        .objects()
        .filter(|object| !stems.is_empty() && is_new(&object.path))
        .map(|object| object.file.as_path())
        .collect();
    let found: BTreeSet<&str> = files
        .par_iter()
        .flat_map_iter(|file| names_in(file, &stems))
        .collect();
    by_stem.retain(|stem, _| found.contains(stem));
    by_stem.into_values().flatten().collect()
}

/// Whether an object has another one among the libraries that it needs.
pub(crate) fn needs(object: &Object, other: &Object) -> bool {
    let mut needed = object.needed_names();
    needed.any(|name| other.answers_to(name))
}

/// Whether somebody starts an object.
fn is_command(object: &Object) -> bool {
    let directory = object.directory().file_name();
    object.is_program() || directory.is_some_and(|name| name == "bin")
}

/// Whether Python would import an object by its name and place, whatever is in it.
pub(crate) fn is_module(object: &Object) -> bool {
    module_of(object).is_some()
}

/// The name by which Python would import an object.
pub(crate) fn module_of(object: &Object) -> Option<&str> {
    imported_name(&object.path, &object.file, Some(object.abi))
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

    /// The objects, and all that `next` leads to.
    fn of(
        &self,
        roots: Vec<&'a Object>,
        next: impl Fn(&Object) -> BTreeSet<&'a Path>,
    ) -> BTreeSet<PathBuf> {
        let mut reached: BTreeSet<PathBuf> = roots.iter().map(|root| root.path.clone()).collect();
        let mut pending = roots;
        while let Some(object) = pending.pop() {
            for path in next(object) {
                if reached.insert(path.to_path_buf()) {
                    pending.extend(self.tree.get(path));
                }
            }
        }
        reached
    }

    /// The objects that one needs.
    fn needed(&self, object: &Object) -> BTreeSet<&'a Path> {
        let names = object.needed_names();
        names
            .filter_map(|name| self.by_name.get(name))
            .flatten()
            .copied()
            .collect()
    }

    /// The objects that one needs, or opens unless it works without.
    fn next(&self, object: &Object, rules: &Rules) -> BTreeSet<&'a Path> {
        let mut next = self.needed(object);
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
