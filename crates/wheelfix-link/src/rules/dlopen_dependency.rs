//! Libraries that an object opens while it runs: dependencies that no `DT_NEEDED` shows.

use std::collections::BTreeMap;
use std::path::Path;

use wheelfix_loader::Object;

use crate::fault::evidence::Evidence;
use crate::rules::{Dlopen, Pattern, Rule, Rules, any_matches};

/// One such dependency.
#[derive(Debug)]
pub(crate) struct DlopenDependency {
    /// Alternatives; the first that is there is opened. A glob stands for all that are there.
    pub(crate) alternatives: Vec<Pattern>,
    /// The evidence for it.
    pub(crate) evidence: Evidence,
    /// Whether the object works without.
    pub(crate) optional: bool,
}

impl DlopenDependency {
    /// The name in messages: the alternatives, joined by ` or `.
    pub(crate) fn name(&self) -> String {
        self.names().join(" or ")
    }

    /// The alternatives as they are written.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.alternatives.iter().map(Pattern::text).collect()
    }
}

/// The dependencies of an object: by the rules, by its own `.note.dlopen`, and by the names in its data
/// that neither of them covers.
pub(crate) fn dependencies(rules: &Rules, object: &Object) -> Vec<DlopenDependency> {
    let file_name = object.file_name().to_string_lossy();
    let soname = object.soname.as_deref().unwrap_or_default();
    let mut dependencies = Vec::new();
    let is_ours = |rule: &&Rule<Dlopen>| {
        let from = &rule.body.from;
        any_matches(from, &file_name) || any_matches(from, soname)
    };
    let ours = rules.dlopen.iter().filter(is_ours);
    let (in_process, opened): (Vec<_>, Vec<_>) = ours.partition(|rule| rule.body.in_process);
    for rule in opened {
        dependencies.extend(rule.body.opens.iter().map(|opens| DlopenDependency {
            alternatives: vec![opens.clone()],
            evidence: Evidence::Rule(rule.name.clone()),
            optional: rule.body.optional,
        }));
    }
    for note in &object.dlopen_notes {
        // Names of real libraries are not globs; one that cannot be compiled is left out.
        let alternatives = note
            .soname
            .iter()
            .filter_map(|name| Pattern::new(name).ok());
        dependencies.push(DlopenDependency {
            alternatives: alternatives.collect(),
            evidence: Evidence::Note,
            optional: note.priority.as_deref() != Some("required"),
        });
    }
    let mut guesses: BTreeMap<(&str, Option<String>), DlopenDependency> = BTreeMap::new();
    for name in &object.names {
        let mut known = dependencies
            .iter()
            .flat_map(|dependency| &dependency.alternatives)
            .chain(in_process.iter().flat_map(|rule| &rule.body.opens));
        let is_of = |text: &str| without_version(text) == without_version(name);
        if !known.any(|pattern| pattern.covers(name) || is_of(pattern.text())) {
            let probe = rules
                .probe
                .iter()
                .find(|rule| any_matches(&rule.body.names, name));
            let is_versioned = probe.is_some_and(|rule| rule.body.versioned);
            let versions = is_versioned.then(|| format!("{name}.*"));
            let names = std::iter::once(name).chain(&versions);
            let alternatives: Vec<Pattern> = names.filter_map(|it| Pattern::new(it).ok()).collect();
            let by_rule = probe.filter(|_| !is_versioned);
            let by_rule = by_rule.map(|rule| rule.name.clone());
            // Versions of one library are tried until one is there, as .NET does with those of OpenSSL.
            let guess = guesses.entry((without_version(name), by_rule.clone()));
            let guess = guess.or_insert_with(|| DlopenDependency {
                alternatives: Vec::new(),
                evidence: by_rule.map_or(Evidence::Data, Evidence::Rule),
                optional: true,
            });
            guess.alternatives.extend(alternatives);
            // A text is not a promise; only the driver's libraries are what they look like.
            guess.optional &= probe.is_some() || !rules.is_driver(name);
        }
    }
    dependencies.extend(guesses.into_values());
    dependencies
}

/// The name of a library up to its version.
fn without_version(name: &str) -> &str {
    name.split_once(".so").map_or(name, |(stem, _)| stem)
}

/// The rule for what a Python source opens.
pub(crate) fn rule_of_source<'r>(
    rules: &'r Rules,
    path: &Path,
    name: &str,
) -> Option<&'r Rule<Dlopen>> {
    rules.dlopen.iter().find(|rule| {
        let body = &rule.body;
        body.opens.iter().any(|opens| opens.covers(name))
            && body.from.iter().any(|from| from.matches_end(path))
    })
}
