//! The RECORD files of trees on disk.

pub(crate) mod check;
pub(crate) mod update;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where RECORD files that list the files of the places may be: a place itself, or the
/// `site-packages` around it. None is below another.
pub(crate) fn record_roots<'p>(places: impl Iterator<Item = &'p Path>) -> BTreeSet<PathBuf> {
    let around = |path: &Path| {
        let mut ancestors = path.ancestors();
        let found = ancestors.find(|it| it.file_name().is_some_and(|name| name == "site-packages"));
        found.unwrap_or(path).to_owned()
    };
    tops(&places.map(around).collect())
}

/// Those of the paths that are not below another.
pub(crate) fn tops(paths: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let is_top = |path: &&PathBuf| {
        let mut above = path.ancestors().skip(1);
        !above.any(|ancestor| paths.contains(ancestor))
    };
    paths.iter().filter(is_top).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_looked_for_around_a_place() {
        let places = ["/p", "/p/lib/x", "/q/site-packages/a/b.so", "/r/b.so"];
        let roots: Vec<_> = record_roots(places.map(Path::new).into_iter())
            .into_iter()
            .collect();
        let want = ["/p", "/q/site-packages", "/r/b.so"].map(PathBuf::from);
        assert_eq!(roots, want);
    }
}
