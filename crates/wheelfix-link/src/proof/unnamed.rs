//! Calls by which Python sources open libraries that they do not name.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use wheelfix_format::is_python_source;

use crate::rules::{Pattern, Rules};
use crate::tree::imported::{Imports, is_for_other_system, is_test};
use crate::tree::site::Owners;
use crate::tree::{PythonSource, Tree};

/// Where sources open libraries by names that are not in them: path and line.
///
/// A distribution with objects of its own opens these by paths that it makes from its place, which is not told;
/// nor are its sources that nothing imports, and those of which a rule of the user says what they open.
pub(crate) fn unnamed_loads<'t>(
    tree: &'t Tree,
    rules: &Rules,
    imports: &OnceLock<Imports<'t>>,
) -> Vec<(PathBuf, usize)> {
    let is_one = |source: &&PythonSource| {
        !source.unnamed_loads.is_empty() && !is_test(&source.path) && !is_for_other_system(source)
    };
    let sources: Vec<&PythonSource> = tree.sources.iter().filter(is_one).collect();
    let mut with_objects = BTreeSet::new();
    let mut owners = Owners::default();
    if !sources.is_empty() && !tree.is_empty() {
        owners = Owners::of(tree.objects());
        let objects = tree.objects().map(|object| owners.of_file(&object.path));
        with_objects.extend(objects.flatten().flatten());
    }
    let is_alone = |source: &PythonSource| {
        let distributions = owners.of_file(&source.path);
        tree.is_empty()
            || distributions.is_some_and(|some| !some.iter().any(|it| with_objects.contains(it)))
    };
    let calls = sources.into_iter().flat_map(|source| {
        let is_alone = is_alone(source);
        let mut loads = source.unnamed_loads.iter();
        let is_told = is_alone
            || loads.any(|load| !load.is_own)
                && !is_ruled(source, rules)
                && imports.get_or_init(|| Imports::of(tree)).has(source);
        let loads = source.unnamed_loads.iter();
        let loads = loads.filter(move |load| is_told && (is_alone || !load.is_own));
        loads.map(|load| (source.path.clone(), load.line))
    });
    calls.collect()
}

/// Whether a rule of the user says what a source opens. Shipped ones are about single libraries of whole packages.
fn is_ruled(source: &PythonSource, rules: &Rules) -> bool {
    let own = rules.dlopen.iter().filter(|rule| rule.file.is_some());
    let from = own.flat_map(|rule| &rule.body.from);
    let mut of_sources = from.filter(|from: &&Pattern| is_python_source(from.text()));
    of_sources.any(|from| from.matches_end(&source.path))
}
