//! Excuses and rules of the user that no longer apply: each is a fault, or it would hide the next one.

use std::path::PathBuf;

use wheelfix_loader::Object;

use crate::excuse::{Excused, Excuses};
use crate::fault::Fault;
use crate::fault::excuse_kind::ExcuseKind;
use crate::fault::unused::{UnusedIgnore, UnusedRule};
use crate::plan::resolve::Resolver;
use crate::rules::dlopen_dependency::dependencies;
use crate::rules::{Pattern, Rule, any_matches};
use crate::tree::{PythonSource, Tree};

/// The user's excuses for libraries that match no name at all which anything needs or opens. A proof
/// says which of the others are of no use.
pub(crate) fn excuses(resolver: Resolver<'_>, used: &[Excused]) -> Vec<Fault> {
    let (tree, excuses) = (resolver.tree, &resolver.options.excuses);
    if excuses.libraries.is_empty() {
        return Vec::new();
    }
    let dependencies = tree
        .objects()
        .flat_map(|object| dependencies(resolver.rules, object));
    let opened = dependencies.flat_map(|dependency| dependency.alternatives);
    let opened: Vec<String> = opened.map(|pattern| pattern.text().to_owned()).collect();
    let theirs = resolver.index.libraries().iter();
    let objects = tree.objects().chain(theirs.map(|library| &library.object));
    let mut names: Vec<&str> = objects
        .flat_map(Object::needs)
        .map(String::as_str)
        .collect();
    names.extend(opened.iter().map(String::as_str));
    names.extend(loads(tree));
    libraries_beside(excuses.unused(used), |glob| {
        names.iter().any(|name| glob.matches(name))
    })
}

/// The user's excuses for libraries that a plan did not use, where no proof will follow that could. What
/// Python sources open is for a proof to say.
pub fn excuses_without_proof(tree: &Tree, excuses: &Excuses, used: &[Excused]) -> Vec<Fault> {
    libraries_beside(excuses.unused(used), |glob| {
        loads(tree).any(|name| glob.matches(name))
    })
}

/// Those of the unused excuses that are for libraries and match none of some names.
fn libraries_beside(mut unused: Vec<Fault>, matches: impl Fn(&Pattern) -> bool) -> Vec<Fault> {
    unused.retain(|fault| match fault {
        Fault::UnusedIgnore(UnusedIgnore {
            kind: ExcuseKind::Library,
            glob,
        }) => !Pattern::new(glob).is_ok_and(|glob| matches(&glob)),
        _ => false,
    });
    unused
}

/// The libraries that Python sources open.
fn loads(tree: &Tree) -> impl Iterator<Item = &str> {
    let asked = tree.sources.iter().flat_map(PythonSource::asked);
    asked.map(|library| library.name.as_str())
}

/// The user's rules that match nothing. Shipped rules may.
pub(crate) fn rules(resolver: Resolver<'_>) -> Vec<Fault> {
    let rules = resolver.rules;
    let objects = || resolver.tree.objects();
    let needed = |globs: &[Pattern]| {
        objects().any(|object| object.needed.iter().any(|name| any_matches(globs, name)))
    };
    let opened = |globs: &[Pattern]| {
        objects().any(|object| {
            let dependencies = dependencies(rules, object);
            dependencies.iter().any(|dependency| {
                dependency
                    .alternatives
                    .iter()
                    .any(|name| any_matches(globs, name.text()))
            })
        })
    };
    let is_there = |globs: &[Pattern]| {
        objects().any(|object| globs.iter().any(|glob| glob.matches_end(&object.path)))
    };
    let mut unused = Unused::default();
    unused.check(&rules.driver, |body| {
        needed(&body.soname) || opened(&body.soname)
    });
    unused.check(&rules.libc, |body| needed(&body.soname));
    unused.check(&rules.dlopen, |body| {
        let mut sources = resolver.tree.sources.iter();
        objects().any(|object| is_from(&body.from, object))
            || sources.any(|source| body.from.iter().any(|glob| glob.matches_end(&source.path)))
    });
    unused.check(&rules.probe, |body| {
        let mut names = objects().flat_map(|object| &object.names);
        names.any(|name| any_matches(&body.names, name))
    });
    unused.check(&rules.accelerator, |body| needed(&body.libraries));
    unused.check(&rules.backend, |body| is_there(&body.files));
    unused.check(&rules.together, |body| is_there(&body.completed));
    unused.check(&rules.sought, |body| is_there(&body.from));
    unused.check(&rules.preload, |body| is_there(&body.files));
    unused.check(&rules.stale, |body| {
        let mut elements = objects()
            .flat_map(|object| &object.run_path)
            .flat_map(|path| &path.elements);
        elements.any(|element| any_matches(&body.element, element))
    });
    unused.check(&rules.prefer, |body| {
        let ours = objects().map(|object| object.path.clone());
        let index = resolver.index.libraries().iter();
        let theirs = index.map(|library| library.directory.join(&library.name));
        needed(&body.soname)
            && ours
                .chain(theirs)
                .any(|path| body.path.iter().any(|glob| glob.matches_end(&path)))
    });
    unused.check(&rules.provider, |body| {
        let globs = body.nixpkgs.iter().chain(&body.wheel);
        let globs: Vec<Pattern> = globs.map(|(glob, _)| glob.clone()).collect();
        needed(&globs) || opened(&globs)
    });
    unused.faults
}

fn is_from(from: &[Pattern], object: &Object) -> bool {
    let file_name = object.file_name().to_string_lossy();
    any_matches(from, &file_name)
        || object
            .soname
            .as_deref()
            .is_some_and(|soname| any_matches(from, soname))
}

#[derive(Default)]
struct Unused {
    faults: Vec<Fault>,
}

impl Unused {
    fn check<T>(&mut self, rules: &[Rule<T>], applies: impl Fn(&T) -> bool) {
        for rule in rules {
            if let Some(file) = &rule.file
                && !applies(&rule.body)
            {
                self.faults.push(Fault::UnusedRule(UnusedRule {
                    name: rule.name.clone(),
                    file: PathBuf::clone(file),
                }));
            }
        }
    }
}
