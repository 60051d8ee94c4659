//! The variables that the Python of an environment sets when it starts, unless they are set.

use std::fmt::Write as _;
use std::path::Path;

use wheelfix_format::Requirement;
use wheelfix_link::{NamedPaths, Variable, VariablePlaces};

use crate::env::distribution::Distribution;
use crate::env::fault::EnvFault;
use crate::env::merge::{Node, Source, What};
use crate::env::planner::EnvPlanner;
use crate::env::requirements_check::is_met;

/// The file of `site-packages` whose lines Python runs when it starts.
pub(crate) const PTH: &str = "wheelfix-environment.pth";

/// The variables that rules give to an environment of these entries.
pub(crate) fn decide(
    planner: &EnvPlanner<'_>,
    distributions: &[Distribution],
    nodes: &[Node],
    sources: &[Source],
) -> (Vec<Variable>, Vec<EnvFault>) {
    let Some(libraries) = &planner.installation.libraries else {
        return (Vec::new(), Vec::new());
    };
    let site_packages = planner.prefix.join(planner.layout.site_packages());
    let is_met = |requirement: &Requirement| {
        let mut found = distributions.iter();
        found
            .any(|it| it.name() == requirement.name() && is_met(requirement.constraint(), Some(it)))
    };
    let is_there = |path: &Path| {
        let inside = path.strip_prefix(planner.prefix);
        inside.is_ok_and(|inside| has(nodes, sources, inside))
    };
    let places = VariablePlaces {
        site_packages: &site_packages,
        named: NamedPaths {
            driver_path: &libraries.options.driver_path,
            lib_paths: &libraries.lib_paths,
        },
    };
    let (variables, faults) = libraries.rules.variables(is_met, is_there, places);
    let faults = faults.into_iter().map(Box::new).map(EnvFault::Variable);
    (variables, faults.collect())
}

/// Whether an environment has an entry at a path below its prefix.
fn has(mut nodes: &[Node], sources: &[Source], path: &Path) -> bool {
    let mut names = path.iter();
    while let Some(name) = names.next() {
        let Some(node) = nodes.iter().find(|node| node.name.as_str() == name) else {
            return false;
        };
        match &node.what {
            What::Directory(below) => nodes = below,
            What::Whole { source } | What::Link { source } => {
                let source = sources.get(*source);
                return source.is_some_and(|it| fs_err::metadata(it.path.join(path)).is_ok());
            }
            What::File { .. } | What::Script { .. } | What::GeneratedFile { .. } => {
                return names.next().is_none();
            }
        }
    }
    true
}

/// The lines that set variables.
pub(crate) fn text(variables: &[Variable]) -> String {
    let mut text = String::new();
    for variable in variables {
        let (name, value) = (literal(&variable.name), literal(&variable.value));
        // Writing to a text does not fail.
        writeln!(text, "import os; os.environ.setdefault({name}, {value})").ok();
    }
    text
}

/// A text as Python writes it, in ASCII: the encoding of such a file depends on the locale.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') {
            literal.push(c);
        } else {
            write!(literal, "\\U{:08x}", u32::from(c)).ok();
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_literals_of_python() {
        let variable = Variable {
            name: "A".to_owned(),
            value: "/x y\"\\\u{e9}".to_owned(),
            rule: String::new(),
        };
        let want =
            "import os; os.environ.setdefault(\"A\", \"/x y\\U00000022\\U0000005c\\U000000e9\")\n";
        assert_eq!(text(&[variable]), want);
    }
}
