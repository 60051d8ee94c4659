//! The libraries of a tree that are copies of others' libraries, identified by rules.

use std::path::Path;

use wheelfix_format::LibraryName;
use wheelfix_link::{Bundled as BundledRule, Found, Pattern, Rule, any_matches};
use wheelfix_loader::{Object, existing_path};

use crate::facts::{Facts, FactsOf};
use crate::graph::Graph;
use crate::request::Request;

/// A library that may be a copy.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) object: &'a Object,
    /// The rule whose library it is.
    pub(crate) rule: Option<&'a Rule<BundledRule>>,
    /// The soname that its makers gave it.
    pub(crate) soname: String,
    /// The symbols that it does not define, if it only has the name of a known library.
    pub(crate) impostor: Vec<String>,
    /// Whether it is where its makers put it.
    pub(crate) is_home: bool,
}

/// Returns the candidates of a tree, by path, and reads the facts of all of them.
pub(crate) fn identify<'a>(
    request: &Request<'a>,
    graph: &Graph,
    facts: &mut FactsOf,
) -> Vec<Candidate<'a>> {
    let objects: Vec<&Object> = request
        .tree
        .objects()
        .filter(|object| graph.has(&object.path) && is_suspect(request, object))
        .collect();
    facts.read(objects.iter().map(|object| object.file.as_path()));
    objects
        .into_iter()
        .map(|object| candidate(request, object, facts))
        .collect()
}

/// Whether name, place, versions or the user say that an object may be a copy.
fn is_suspect(request: &Request<'_>, object: &Object) -> bool {
    let file = object.file_name().to_string_lossy();
    if object.soname.is_none() && !file.starts_with("lib") {
        return false;
    }
    let names = names(object);
    let of_packager = is_of_packager(object);
    let of_rule = request.rules.bundled.iter().any(|rule| {
        names
            .iter()
            .any(|name| any_matches(&rule.body.soname, name))
            || has_versions(rule, object)
    });
    let overridden = || {
        let soname = names.first().map_or(&*file, String::as_str);
        let overrides = &request.options.overrides;
        overrides
            .iter()
            .any(|given| given.is_about(&object.path, soname))
    };
    of_packager || of_rule || overridden()
}

/// Whether a repair tool put it there: into a directory of its own, or under a name with a hash.
fn is_of_packager(object: &Object) -> bool {
    let hashed =
        |name: &str| LibraryName::parse(name).is_some_and(|name| !name.hashes().is_empty());
    has_packagers_directory(object)
        || hashed(&object.file_name().to_string_lossy())
        || object.soname.as_deref().is_some_and(hashed)
}

/// Whether it lies in a directory of the kind that repair tools make.
pub(crate) fn has_packagers_directory(object: &Object) -> bool {
    let directory = object.directory().file_name().unwrap_or_default();
    let directory = directory.to_string_lossy();
    directory.ends_with(".libs") || directory.ends_with(".dylibs")
}

/// Whether it defines a version that identifies the library, whatever its name.
fn has_versions(rule: &Rule<BundledRule>, object: &Object) -> bool {
    let mut versions = object.version_definitions.iter();
    versions.any(|version| any_matches(&rule.body.versions, version))
}

/// Whether its name fits a rule but for the number, which a packager has changed: libopenjp2.so.7
/// is in libopenjp2-e530e1bf.so.2.5.4. Its exports have to identify it then.
fn has_stem(rule: &Rule<BundledRule>, object: &Object) -> bool {
    let file = object.file_name().to_string_lossy();
    let Some(name) = LibraryName::parse(object.soname.as_deref().unwrap_or(&file)) else {
        return false;
    };
    let stem = |glob: &Pattern| {
        LibraryName::parse(glob.text()).is_some_and(|known| known.stem() == name.stem())
    };
    !name.hashes().is_empty() && !rule.body.exports.is_empty() && rule.body.soname.iter().any(stem)
}

/// The sonames that it may have had, the most likely one first. Never empty.
fn names(object: &Object) -> Vec<String> {
    let file = object.file_name().to_string_lossy();
    let mut names = Vec::new();
    for name in object.soname.as_deref().into_iter().chain([&*file]) {
        match LibraryName::parse(name) {
            Some(parsed)
                if parsed.hashes().is_empty() && object.soname.as_deref() == Some(name) =>
            {
                names.push(name.to_owned());
                names.extend(parsed.sonames());
            }
            Some(parsed) => names.extend(parsed.sonames()),
            None => names.push(name.to_owned()),
        }
    }
    names
}

fn candidate<'a>(request: &Request<'a>, object: &'a Object, facts: &FactsOf) -> Candidate<'a> {
    let names = names(object);
    let facts = facts.get(&object.file).ok();
    let has_name = |rule: &&Rule<BundledRule>| {
        names
            .iter()
            .any(|name| any_matches(&rule.body.soname, name))
    };
    let is_claimed = |rule: &&Rule<BundledRule>| has_name(rule) || has_stem(rule, object);
    let claims = request.rules.bundled.iter().filter(is_claimed);
    let versions = request
        .rules
        .bundled
        .iter()
        .filter(|rule| has_versions(rule, object));
    let mut impostor = Vec::new();
    for rule in claims.chain(versions) {
        let incompatibilities = facts.map_or_else(Vec::new, |facts| incompatibilities(rule, facts));
        if incompatibilities.is_empty() {
            return Candidate {
                object,
                soname: soname_of(rule, &names),
                rule: Some(rule),
                impostor,
                is_home: rule
                    .body
                    .home
                    .iter()
                    .any(|home| home.matches_end(&object.path)),
            };
        }
        if impostor.is_empty() && has_name(&rule) {
            impostor = incompatibilities;
        }
    }
    let has = |name: &&String| {
        !matches!(
            request.index.by_file_name(name, object, request.rules),
            Found::Nothing
        )
    };
    let soname = names.iter().find(has).or(names.first()).cloned();
    Candidate {
        object,
        rule: None,
        soname: soname.unwrap_or_default(),
        impostor,
        is_home: false,
    }
}

/// The symbols that the library of a rule defines and this one does not.
pub(crate) fn incompatibilities(rule: &Rule<BundledRule>, facts: &Facts) -> Vec<String> {
    let exports = rule.body.exports.iter();
    exports
        .filter(|name| !facts.defines(name))
        .cloned()
        .collect()
}

/// The first of the names that fits the rule; the rule's own for a file of another name.
fn soname_of(rule: &Rule<BundledRule>, names: &[String]) -> String {
    let fitting = names
        .iter()
        .find(|name| any_matches(&rule.body.soname, name));
    let literal = rule.body.soname.iter().find(|glob| glob.is_literal());
    fitting
        .cloned()
        .or_else(|| literal.map(|glob| glob.text().to_owned()))
        .or_else(|| names.first().cloned())
        .unwrap_or_default()
}

/// Whether a path is the file itself or a link to it.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (existing_path(one), existing_path(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
