//! The distributions of an environment, with their metadata.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use wheelfix_format::{Metadata, PackageName, Record, TagSet, WheelFile};
use wheelfix_wheel::Wheel;

use crate::env::fault::EnvFault;
use crate::layout::Layout;

/// A distribution that an input brings.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    pub(crate) metadata: Metadata,
    /// One set per line of WHEEL; empty if it is not known.
    pub(crate) tags: Vec<TagSet>,
    /// Its `.dist-info` or `.egg-info`, or the wheel.
    pub(crate) path: PathBuf,
    /// Position of the source that brings it.
    pub(crate) source: usize,
}

impl Distribution {
    /// Its normalised name.
    pub(crate) fn name(&self) -> &PackageName {
        self.metadata.name()
    }

    /// The wheel that brings it; `None` if a prefix does.
    pub(crate) fn wheel<'w>(&self, wheels: &'w [Wheel]) -> Option<&'w Wheel> {
        // The environment's own files come first, then the wheels.
        wheels.get(self.source.checked_sub(1)?)
    }

    /// `name version`.
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.metadata.name(), self.metadata.version())
    }
}

/// Reads the distributions of prefixes: pairs of a source's position and its path.
pub(crate) fn read_prefixes(
    prefixes: &[(usize, &Path)],
    layout: &Layout,
) -> (Vec<Distribution>, Vec<EnvFault>) {
    let site_packages = layout.site_packages();
    let read = |(source, prefix): &(usize, &Path)| {
        let (mut distributions, mut faults) = (Vec::new(), Vec::new());
        for path in info_directories(&prefix.join(&site_packages), &mut faults) {
            match read(&path, *source) {
                Ok(distribution) => distributions.extend(distribution),
                Err(fault) => faults.push(fault),
            }
        }
        (distributions, faults)
    };
    let read: Vec<_> = prefixes.par_iter().map(read).collect();
    let (mut distributions, mut faults) = (Vec::new(), Vec::new());
    for (found, wrong) in read {
        distributions.extend(found);
        faults.extend(wrong);
    }
    (distributions, faults)
}

/// The distribution of a wheel; `metadata` is its text after the user's edits.
pub(crate) fn of_wheel(
    wheel: &Wheel,
    metadata: &str,
    source: usize,
) -> Result<Distribution, EnvFault> {
    let metadata = metadata.parse().map_err(|error| EnvFault::Metadata {
        path: wheel.path().to_owned(),
        source: Box::new(error),
    })?;
    Ok(Distribution {
        metadata,
        // The tags of wheels are looked at before they are opened.
        tags: Vec::new(),
        path: wheel.path().to_owned(),
        source,
    })
}

/// The `.dist-info` and `.egg-info` of a directory, sorted; none if it does not exist.
fn info_directories(site_packages: &Path, faults: &mut Vec<EnvFault>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(site_packages) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Vec::new(),
        Err(error) => {
            faults.push(error.into());
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let path = entry.path();
                let extension = path.extension().and_then(|extension| extension.to_str());
                if matches!(extension, Some("dist-info" | "egg-info")) {
                    paths.push(path);
                }
            }
            Err(error) => faults.push(error.into()),
        }
    }
    paths.sort();
    paths
}

fn read(path: &Path, source: usize) -> Result<Option<Distribution>, EnvFault> {
    let is_dist_info = path
        .extension()
        .is_some_and(|extension| extension == "dist-info");
    let metadata_path = if is_dist_info {
        path.join("METADATA")
    } else if path.is_dir() {
        path.join("PKG-INFO")
    } else {
        path.to_owned()
    };
    let Some(text) = read_text(&metadata_path)? else {
        // What is left of an uninstalled one; Python passes it over.
        return Ok(None);
    };
    let metadata = text.parse().map_err(|error| EnvFault::Metadata {
        path: metadata_path,
        source: Box::new(error),
    })?;
    let mut tags = Vec::new();
    if is_dist_info {
        if let Some(text) = read_text(&path.join("WHEEL"))? {
            let wheel: WheelFile = text.parse().map_err(|error| EnvFault::WheelFile {
                path: path.join("WHEEL"),
                source: Box::new(error),
            })?;
            tags = wheel.tags;
        }
        read_record(path)?;
    }
    Ok(Some(Distribution {
        metadata,
        tags,
        path: path.to_owned(),
        source,
    }))
}

/// The RECORD of a `.dist-info`; empty if it has none, as where a system package manager removed it.
pub(crate) fn read_record(dist_info: &Path) -> Result<Record, EnvFault> {
    let path = dist_info.join("RECORD");
    let Some(text) = read_text(&path)? else {
        return Ok(Record { rows: Vec::new() });
    };
    match Record::parse(&text) {
        Ok(record) => Ok(record),
        Err(faults) => match faults.into_iter().next() {
            Some(source) => Err(EnvFault::Record {
                path,
                source: Box::new(source),
            }),
            None => Ok(Record { rows: Vec::new() }),
        },
    }
}

/// A text file; `None` if it does not exist.
fn read_text(path: &Path) -> Result<Option<String>, EnvFault> {
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Some(text)),
        Ok(Err(_)) => Err(EnvFault::Text(path.to_owned())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Says which distribution a file belongs to. Reads a RECORD when it is first asked about its source.
#[derive(Debug)]
pub(crate) struct Owners<'a> {
    distributions: &'a [Distribution],
    layout: &'a Layout,
    /// Of each source that was asked for: paths relative to `site-packages`, with the label.
    known: BTreeMap<usize, BTreeMap<String, String>>,
}

impl<'a> Owners<'a> {
    /// The owners among these distributions.
    pub(crate) fn new(distributions: &'a [Distribution], layout: &'a Layout) -> Self {
        Self {
            distributions,
            layout,
            known: BTreeMap::new(),
        }
    }

    /// The distribution that lists a file of a source, as `name version`; `None` if none does.
    ///
    /// For a directory it is that of the first file below it.
    pub(crate) fn of(&mut self, source: usize, path: &str) -> Option<String> {
        let distributions = self.distributions;
        let of_source = || distributions.iter().filter(move |it| it.source == source);
        if let (Some(one), None) = (of_source().next(), of_source().nth(1))
            && one.path.is_file()
        {
            return Some(one.label());
        }
        let files = self.known.entry(source).or_insert_with(|| {
            let rows = of_source().flat_map(|distribution| {
                let record = read_record(&distribution.path);
                let rows = record.map(|record| record.rows).unwrap_or_default();
                rows.into_iter().map(|row| (row.path, distribution.label()))
            });
            rows.collect()
        });
        let path = self.layout.from_site_packages(path);
        let below = format!("{path}/");
        let file = files.get(&path).or_else(|| {
            let (first, label) = files.range(below.clone()..).next()?;
            first.starts_with(&below).then_some(label)
        });
        // Bytecode is in no RECORD; it belongs to its source.
        file.or_else(|| files.get(&source_of_bytecode(&path)?))
            .cloned()
    }
}

/// `a/b.py` of `a/__pycache__/b.cpython-311.pyc`.
pub(crate) fn source_of_bytecode(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let module = name.strip_suffix(".pyc")?.split('.').next()?;
    let parent = directory.strip_suffix("__pycache__")?;
    Some(format!("{parent}{module}.py"))
}
