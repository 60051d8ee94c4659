//! Edits of the requirements of what is installed already: METADATA alone is written anew.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_format::{Change, Metadata, MetadataEdit, MetadataError};
use wheelfix_loader::Place;

use crate::files::{self, FileFault};
use crate::pipeline::applied::Applied;
use crate::warning::InstallWarning;

/// A distribution with edited requirements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EditedRequirements {
    /// Its normalised name.
    pub name: String,
    /// Its METADATA: the file, or its path in a wheel.
    pub path: PathBuf,
    /// The edits, in the order of the file; not empty.
    pub changes: Vec<Change>,
    /// The new text.
    pub(crate) text: String,
}

/// The results of edits.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    /// One entry for each distribution that changes.
    pub(crate) edited: Vec<EditedRequirements>,
    /// Edits that are more or less than what was asked for.
    pub(crate) warnings: Vec<InstallWarning>,
    /// Options that match nothing, and METADATA that cannot be read.
    pub(crate) faults: Vec<FileFault>,
}

impl Requirements {
    /// Decides edits of what is installed below places.
    pub(crate) fn on_disk(places: &[Place], edits: &[MetadataEdit]) -> io::Result<Self> {
        let mut requirements = Self::default();
        if edits.is_empty() {
            return Ok(requirements);
        }
        let mut unmatched = edits.to_vec();
        // One place may lie in another.
        let mut paths = BTreeSet::new();
        for place in places {
            paths.extend(metadata_below(&place.on_disk)?);
        }
        for path in paths {
            let text = String::from_utf8(fs::read(&path)?);
            let text = text.map_err(|error| error.to_string());
            match text.and_then(|text| text.parse().map_err(|it: MetadataError| chain(&it))) {
                Ok(metadata) => requirements.add(&metadata, path, edits, &mut unmatched),
                Err(reason) => requirements.faults.push(FileFault::Metadata {
                    path: path.display().to_string(),
                    reason,
                }),
            }
        }
        requirements.finish(unmatched);
        Ok(requirements)
    }

    /// Decides edits of one METADATA.
    pub(crate) fn of_metadata(metadata: &Metadata, path: PathBuf, edits: &[MetadataEdit]) -> Self {
        let mut requirements = Self::default();
        let mut unmatched = edits.to_vec();
        requirements.add(metadata, path, edits, &mut unmatched);
        requirements.finish(unmatched);
        requirements
    }

    fn add(
        &mut self,
        metadata: &Metadata,
        path: PathBuf,
        edits: &[MetadataEdit],
        unmatched: &mut Vec<MetadataEdit>,
    ) {
        let edited = metadata.edit(edits);
        unmatched.retain(|edit| edited.unmatched.contains(edit));
        if edited.changes.is_empty() {
            return;
        }
        let by_prefix = edited.changes.iter().filter(|change| change.by_prefix);
        self.warnings
            .extend(by_prefix.map(|change| InstallWarning::Prefix {
                wheel: metadata.name().to_string(),
                change: change.clone(),
            }));
        self.edited.push(EditedRequirements {
            name: metadata.name().to_string(),
            path,
            changes: edited.changes,
            text: edited.text,
        });
    }

    fn finish(&mut self, unmatched: Vec<MetadataEdit>) {
        for edit in unmatched {
            match files::unmatched(edit) {
                Ok(warning) => self.warnings.push(warning),
                Err(fault) => self.faults.push(fault),
            }
        }
    }
}

/// An error with what caused it.
fn chain(error: &MetadataError) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Writes the texts, each at once or not at all.
///
/// `applied` is true also after an error.
pub(crate) fn apply(edited: &[EditedRequirements], applied: &mut Applied) -> io::Result<()> {
    for distribution in edited {
        applied.replace(&distribution.path, &distribution.text)?;
    }
    Ok(())
}

/// The METADATA of what is installed at or below a path, sorted. What lies beside or below a
/// `.dist-info` directory is not looked at: a distribution may carry others for its own use.
fn metadata_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if is_dist_info(path) {
        let metadata = path.join("METADATA");
        return Ok(metadata.is_file().then_some(metadata).into_iter().collect());
    }
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut directories = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            directories.push(entry.path());
        }
    }
    directories.sort();
    if directories.iter().any(|path| is_dist_info(path)) {
        directories.retain(|path| is_dist_info(path));
    }
    let mut found = Vec::new();
    for directory in directories {
        found.extend(metadata_below(&directory)?);
    }
    Ok(found)
}

fn is_dist_info(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "dist-info")
}
