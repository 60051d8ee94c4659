//! Keeps the lists of software in `.dist-info/sboms/` true after bundled libraries were removed.
//!
//! <https://peps.python.org/pep-0770/>

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_format::LibraryName;
use wheelfix_unbundle::{Bundled, Component, Decision, Provider, Sbom, SbomError, UnbundlePlan};

use crate::atomic::transaction::Changes;
use crate::digest::FileDigest;
use crate::pipeline::applied::Applied;

/// The list that we write.
const OWN: &str = "wheelfix.cdx.json";

/// Why a list cannot be updated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SbomUpdateError {
    /// Our own list is not valid.
    #[error("invalid list of software: `{}`", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The reason why it is not valid.
        source: SbomError,
    },
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Updates the lists of each distribution that lost a library: ours gets the libraries that stand
/// in, others lose those that are gone.
///
/// `owners` has the removed files of each `.dist-info` directory, both as they lie now.
pub(crate) fn update(
    plan: &UnbundlePlan,
    owners: &BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    applied: &mut Applied,
) -> Result<(), SbomUpdateError> {
    for (dist_info, files) in owners {
        let gone: Vec<&Bundled> = plan
            .libraries
            .iter()
            .filter(|library| files.contains(&library.file))
            .collect();
        let names = names_of(&gone, &plan.libraries);
        for path in lists_in(&dist_info.join("sboms"))? {
            forget(&path, &names, applied)?;
        }
        let mut components = Vec::new();
        for library in &gone {
            if let Decision::Replace { by, .. } = &library.decision {
                components.push(component(library, by, applied)?);
            }
        }
        if !components.is_empty() {
            write_own(dist_info, &components, applied)?;
        }
    }
    Ok(())
}

/// Adds the lists beside a RECORD to what is to be changed.
pub(crate) fn add_to(changes: &mut Changes, record: &Path) -> io::Result<()> {
    let directory = record.with_file_name("sboms");
    for list in lists_in(&directory)? {
        changes.replace(&list)?;
    }
    changes.make(&directory)?;
    changes.make(&directory.join(OWN))
}

/// The names under which other lists have the libraries that are gone; not those of which a copy is
/// left.
fn names_of(gone: &[&Bundled], all: &[Bundled]) -> BTreeSet<String> {
    let left: BTreeSet<&str> = all
        .iter()
        .filter(|library| !library.goes())
        .map(|library| library.soname.as_str())
        .collect();
    let mut names = BTreeSet::new();
    for library in gone
        .iter()
        .filter(|library| !left.contains(library.soname.as_str()))
    {
        let name = name_of(library);
        names.extend(name.strip_prefix("lib").map(str::to_lowercase));
        names.extend(library.rule.iter().map(|rule| rule.to_lowercase()));
        names.insert(name.to_lowercase());
    }
    names
}

/// Replacements of libraries that go, in words, by the final path of each library.
pub(crate) fn standing_in(plan: &UnbundlePlan) -> BTreeMap<PathBuf, String> {
    let libraries = plan.libraries.iter();
    let replaced = libraries.filter_map(|library| match &library.decision {
        Decision::Replace { by, .. } => {
            let text = format!("replaced by {}", by.path.display());
            Some((library.path.clone(), text))
        }
        _ => None,
    });
    replaced.collect()
}

/// A list without the libraries that go; `None` if it names none of them, or is not `CycloneDX`.
pub(crate) fn without_removed(text: &str, plan: &UnbundlePlan) -> Option<String> {
    let libraries = plan.libraries.iter();
    let gone: Vec<&Bundled> = libraries.filter(|library| library.goes()).collect();
    let names = names_of(&gone, &plan.libraries);
    let mut list = Sbom::parse(text).ok()?;
    let changes = list.remove(|name| names.contains(&name.to_lowercase()));
    changes.then(|| list.text())
}

/// `libgfortran` for `libgfortran.so.5`.
fn name_of(library: &Bundled) -> String {
    let parsed = LibraryName::parse(&library.soname);
    parsed.map_or_else(|| library.soname.clone(), |name| name.stem().to_owned())
}

/// The lists of others.
fn lists_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    if !directory.is_dir() {
        return Ok(paths);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "json")
            && name != OWN
            && path.is_file()
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Takes the names out of a list. One that is not `CycloneDX` is left alone.
fn forget(
    path: &Path,
    names: &BTreeSet<String>,
    applied: &mut Applied,
) -> Result<(), SbomUpdateError> {
    let Ok(mut list) = Sbom::parse(&fs::read_to_string(path)?) else {
        return Ok(());
    };
    if list.remove(|name| names.contains(&name.to_lowercase())) {
        applied.replace(path, &list.text())?;
    }
    Ok(())
}

fn component(library: &Bundled, by: &Provider, applied: &Applied) -> io::Result<Component> {
    let digest = match applied.changes.edited.get(&by.file) {
        Some(digest) => *digest,
        None => FileDigest::of_file(&by.file)?,
    };
    Ok(Component {
        name: name_of(library),
        soname: by.name.clone(),
        version: by.version.clone(),
        path: by.path.to_string_lossy().into_owned(),
        sha256: digest.hex(),
    })
}

fn write_own(
    dist_info: &Path,
    components: &[Component],
    applied: &mut Applied,
) -> Result<(), SbomUpdateError> {
    let path = dist_info.join("sboms").join(OWN);
    let mut list = if path.is_file() {
        let parsed = Sbom::parse(&fs::read_to_string(&path)?);
        parsed.map_err(|source| SbomUpdateError::Invalid {
            path: path.clone(),
            source,
        })?
    } else {
        let stem = dist_info.file_stem().unwrap_or_default().to_string_lossy();
        let (name, version) = stem.rsplit_once('-').unwrap_or((&stem, ""));
        Sbom::of(&name.to_lowercase().replace('_', "-"), version)
    };
    for component in components {
        list.add(component);
    }
    let text = list.text();
    if path.is_file() {
        applied.replace(&path, &text)?;
    } else {
        applied.write(&path, &text)?;
    }
    let digest = FileDigest::of_bytes(text.as_bytes());
    applied.changes.added.insert(path, digest);
    Ok(())
}
