//! Libraries that an object opens while it runs: dependencies that no `DT_NEEDED` shows.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use wheelfix_loader::Object;

use crate::plan::resolve::{Answer, Resolver};
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

/// The evidence for a dependency.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A rule, by its name.
    Rule(String),
    /// The object's own `.note.dlopen`.
    Note,
    /// The name stands in the read-only data of an object that calls `dlopen`.
    Data,
    /// The name stands in a call in a Python source; the lines that have it, as `x.py:3`.
    Source(BTreeSet<String>),
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(name) => write!(f, "rule `{name}`"),
            Self::Note => f.write_str("its `.note.dlopen`"),
            Self::Data => f.write_str("the name is in its read-only data"),
            Self::Source(lines) => {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                write!(f, "{}", lines.join(", "))
            }
        }
    }
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
    for rule in &rules.dlopen {
        let from = &rule.body.from;
        if any_matches(from, &file_name) || any_matches(from, soname) {
            dependencies.extend(rule.body.opens.iter().map(|opens| DlopenDependency {
                alternatives: vec![opens.clone()],
                evidence: Evidence::Rule(rule.name.clone()),
                optional: rule.body.optional,
            }));
        }
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
    for name in &object.names {
        let mut known = dependencies
            .iter()
            .flat_map(|dependency| &dependency.alternatives);
        if !known.any(|pattern| pattern.covers(name)) {
            let probe = rules
                .probe
                .iter()
                .find(|rule| any_matches(&rule.body.names, name));
            dependencies.extend(Pattern::new(name).map(|pattern| DlopenDependency {
                alternatives: vec![pattern],
                evidence: probe.map_or(Evidence::Data, |rule| Evidence::Rule(rule.name.clone())),
                // A text is not a promise; only the driver's libraries are what they look like.
                optional: probe.is_some() || !rules.is_driver(name),
            }));
        }
    }
    dependencies
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

impl<'a> Resolver<'a> {
    /// The answers for the first alternative that is there, by name; empty if none is there.
    pub(crate) fn open(
        &self,
        object: &Object,
        dependency: &DlopenDependency,
    ) -> Vec<(String, Answer<'a>)> {
        for alternative in &dependency.alternatives {
            let names = if alternative.is_literal() {
                vec![alternative.text().to_owned()]
            } else {
                self.names_matching(object, alternative)
            };
            let answers = names.into_iter().map(|name| {
                let answer = self.answer(object, &name);
                (name, answer)
            });
            let found: Vec<_> = answers
                .filter(|(_, answer)| !matches!(answer, Answer::Nothing))
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The names of libraries that a glob matches: those of the output, or else those of the first
    /// library path that has some.
    fn names_matching(&self, object: &Object, glob: &Pattern) -> Vec<String> {
        let fits =
            |found: &Object| found.fits(object.abi, object.os_abi) && found.path != object.path;
        let ours: BTreeSet<String> = self
            .tree
            .objects()
            .filter(|found| fits(found) && !self.dropped.contains(&found.path))
            .filter_map(|found| found.file_name().to_str())
            .filter(|name| glob.matches(name))
            .map(ToOwned::to_owned)
            .collect();
        if !ours.is_empty() {
            return ours.into_iter().collect();
        }
        let theirs = self
            .index
            .libraries()
            .iter()
            .filter(|library| fits(&library.object));
        let matching: Vec<_> = theirs
            .filter(|library| glob.matches(&library.name))
            .collect();
        let Some(first) = matching.first() else {
            return Vec::new();
        };
        let same = matching
            .iter()
            .filter(|other| (other.tier, other.entry) == (first.tier, first.entry));
        let names: BTreeSet<String> = same.map(|library| library.name.clone()).collect();
        names.into_iter().collect()
    }
}
