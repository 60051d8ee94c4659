//! Texts of Python sources that rules replace: in wheels before they are written, and on disk.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_format::HashAlgorithm;
use wheelfix_link::{Fault, NamedPaths, SourceEdit, Tree, is_of_table};
use wheelfix_wheel::Wheel;

use crate::atomic::staging::Staging;
use crate::digest::FileDigest;
use crate::files::{Files, Source};
use crate::pipeline::applied::Applied;
use crate::pipeline::context::Libraries;

/// Larger Python sources are data; in bytes.
const MAX_LEN: u64 = 16 << 20;

/// The edits of Python sources by rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The new texts.
    pub(crate) edits: Vec<SourceEdit>,
    /// Texts that rules do not know, and rules that apply to nothing.
    pub(crate) faults: Vec<Fault>,
}

impl Sources {
    /// Replaces texts in the files of wheels: those become texts of ours. A file that is not as its
    /// RECORD says is left alone, so that writing it reports that.
    pub(crate) fn in_wheels(
        files: &mut Files<'_>,
        wheels: &[Wheel],
        libraries: &Libraries,
        staging: &Staging,
    ) -> Self {
        let mut sources = Self::default();
        for file in files
            .list
            .iter_mut()
            .filter(|file| file.compile || file.script)
        {
            let path = staging.prefix().join(&file.path);
            if libraries.rules.replacements(&path).is_empty() {
                continue;
            }
            let text = match &file.source {
                Source::Text(text) => Some(text.clone()),
                Source::Member { .. } => verified(&file.source, wheels),
            };
            let on_disk = staging.root().join(&file.path);
            if let Some(text) = text
                && let Some(new) = sources.replace(path, on_disk, &text, libraries)
            {
                file.source = Source::Text(new);
            }
        }
        let paths = files.list.iter().map(|file| Path::new(&file.path));
        sources
            .faults
            .extend(libraries.rules.unused_replacements(paths));
        sources
    }

    /// Decides which texts to replace in the sources of a tree.
    pub(crate) fn on_disk(tree: &Tree, libraries: &Libraries) -> io::Result<Self> {
        let mut sources = Self::default();
        for source in &tree.sources {
            if !libraries.rules.replacements(&source.path).is_empty() {
                // Texts in other encodings have none of the rules' texts.
                let Ok(text) = String::from_utf8(fs::read(&source.file)?) else {
                    continue;
                };
                let (path, file) = (source.path.clone(), source.file.clone());
                sources.replace(path, file, &text, libraries);
            }
        }
        let paths = tree.sources.iter().map(|source| source.path.as_path());
        let unused = libraries.rules.unused_replacements(paths);
        sources.faults.extend(unused);
        Ok(sources)
    }

    /// Replaces the texts of rules in a source; returns the new text, `None` if nothing changes.
    fn replace(
        &mut self,
        path: PathBuf,
        file: PathBuf,
        text: &str,
        libraries: &Libraries,
    ) -> Option<String> {
        let paths = NamedPaths {
            driver_path: &libraries.options.driver_path,
            lib_paths: &libraries.lib_paths,
        };
        let (new, faults) = libraries.rules.replace_in(&path, text, paths);
        self.faults.extend(faults);
        let (text, rules) = new?;
        self.edits.push(SourceEdit {
            path,
            file,
            rules,
            text: text.clone(),
        });
        Some(text)
    }
}

/// The text of a member that is as RECORD says.
fn verified(source: &Source<'_>, wheels: &[Wheel]) -> Option<String> {
    let Source::Member {
        wheel,
        member,
        hash,
    } = source
    else {
        return None;
    };
    let bytes = wheels.get(*wheel)?.archive().read(member, MAX_LEN).ok()?;
    let is_sound = hash.is_none_or(|hash| {
        hash.algorithm() == HashAlgorithm::Sha256
            && hash.digest() == FileDigest::of_bytes(&bytes).sha256
    });
    if is_sound {
        String::from_utf8(bytes).ok()
    } else {
        None
    }
}

/// Writes the sources of a plan, and removes the bytecode of the old ones.
///
/// `applied` is true also after an error: each file is new or as it was.
pub(crate) fn apply(edits: &[SourceEdit], applied: &mut Applied) -> io::Result<()> {
    for edit in edits {
        for stale in bytecode_of(&edit.file)? {
            applied.remove(&stale)?;
        }
        applied.replace(&edit.file, &edit.text)?;
    }
    Ok(())
}

/// The compiled files of a source in `__pycache__`, sorted.
pub(crate) fn bytecode_of(source: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let (Some(parent), Some(stem)) = (source.parent(), source.file_stem()) else {
        return Ok(BTreeSet::new());
    };
    let cache = parent.join("__pycache__");
    if !cache.is_dir() {
        return Ok(BTreeSet::new());
    }
    let begin = [stem.as_encoded_bytes(), b"."].concat();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(&begin) && name.ends_with(b".pyc") {
            found.insert(entry.path());
        }
    }
    Ok(found)
}

/// The files of a table in a directory of modules, sorted; none in one that cannot be read.
pub(crate) fn files_of_table(site: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(site).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_of_table));
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
    let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    files.sort();
    files
}
