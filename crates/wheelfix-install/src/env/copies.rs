//! Run-time libraries of which a process must have one copy, and an environment has several.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use wheelfix_format::LibraryName;
use wheelfix_link::Tree;
use wheelfix_loader::existing_path;

/// A run-time library with several copies in an environment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RuntimeCopies {
    /// The library without version and hash, as `libgomp`.
    pub library: String,
    /// The harm that two of them may do in one process.
    pub reason: &'static str,
    /// Where the copies lie in the environment, sorted.
    pub paths: Vec<PathBuf>,
}

/// Libraries that keep state for the whole process, and the harm that two copies do.
const RUNTIMES: &[(&str, &str)] = &[
    ("libcudart", "each has its own contexts and streams"),
    ("libgcc_s", "exceptions do not pass from one to the other"),
    ("libgfortran", "each has its own table of open units"),
    (
        "libgomp",
        "each starts its own threads; scikit-learn beside torch runs out of static TLS",
    ),
    ("libiomp5", "each starts its own threads"),
    ("libomp", "each starts its own threads"),
    ("libquadmath", "each has its own tables"),
    (
        "libstdc++",
        "exceptions and type information do not pass from one to the other",
    ),
];

/// Finds the libraries with several copies: files of different inodes are copies, links are not.
pub(crate) fn find(tree: &Tree) -> Vec<RuntimeCopies> {
    let mut copies: BTreeMap<&str, BTreeMap<PathBuf, PathBuf>> = BTreeMap::new();
    for object in tree.objects() {
        let name = object.file_name().to_str().and_then(LibraryName::parse);
        let Some(name) = name else { continue };
        let Some((library, _)) = RUNTIMES.iter().find(|(library, _)| *library == name.stem())
        else {
            continue;
        };
        let real = existing_path(&object.file).unwrap_or_else(|_| object.file.clone());
        let paths = copies.entry(library).or_default();
        paths.entry(real).or_insert_with(|| object.path.clone());
    }
    let several = copies.into_iter().filter(|(_, paths)| 1 < paths.len());
    several
        .filter_map(|(library, paths)| {
            let (_, reason) = RUNTIMES.iter().find(|(name, _)| *name == library)?;
            let mut paths: Vec<PathBuf> = paths.into_values().collect();
            paths.sort();
            Some(RuntimeCopies {
                library: library.to_owned(),
                reason,
                paths,
            })
        })
        .collect()
}
