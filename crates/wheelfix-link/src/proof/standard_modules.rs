//! The extension modules that a Python brings itself, as `_ssl`: what they load first serves all that is imported later.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wheelfix_loader::{Object, ReadOutcome, existing_path, read_object};

use crate::proof::simulation::Simulation;
use crate::proof::soname_collision::bound_by;

/// The directory of these modules, beside the pure ones: `DESTSHARED` of CPython's `configure`.
const DIRECTORY: &str = "lib-dynload";

/// Those that need a library by a name that leads one of some processes to a file of its own. None where the program is not
/// known, or has them built in.
pub(crate) fn standard_modules(
    program: Option<&Path>,
    simulations: &[Simulation<'_>],
) -> Vec<Arc<Object>> {
    let names: BTreeSet<&str> = simulations
        .iter()
        .flat_map(bound_by)
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let directory = program.and_then(directory_of);
    let entries = directory.and_then(|directory| fs_err::read_dir(directory).ok());
    let entries = entries.into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let paths: BTreeSet<PathBuf> = paths.collect();
    let objects = paths
        .iter()
        .filter_map(|path| match read_object(path.clone(), path) {
            Ok(ReadOutcome::Object(object)) => Some(object),
            _ => None,
        });
    let objects = objects.filter(|object| {
        let mut needed = object.needed.iter();
        needed.any(|name| names.contains(name.as_str()))
    });
    objects.collect()
}

/// `lib/python3.13/lib-dynload` of a `bin/python3.13`.
fn directory_of(program: &Path) -> Option<PathBuf> {
    let program = existing_path(program).ok()?;
    let prefix = program.parent()?.parent()?;
    let directory = prefix
        .join("lib")
        .join(program.file_name()?)
        .join(DIRECTORY);
    directory.is_dir().then_some(directory)
}
