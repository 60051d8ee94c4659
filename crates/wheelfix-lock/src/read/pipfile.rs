//! `Pipfile.lock`, specification 6: JSON, without URLs and without what packages require.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use wheelfix_format::PackageName;

use crate::lock::{Listing, Lock, Package, Source};
use crate::read::reading::{ListedLock, Reading};
use crate::read::requirements::{add, is_commit, local, url_source};
use crate::{Fault, Faults, Format, Problem};

#[derive(Debug, Deserialize)]
struct Meta {
    #[serde(rename = "pipfile-spec")]
    pipfile_spec: Option<u64>,
    #[serde(default)]
    requires: BTreeMap<String, String>,
    #[serde(default)]
    sources: Vec<Index>,
}

#[derive(Debug, Deserialize)]
struct Index {
    url: String,
}

pub(crate) fn read(text: &str) -> Result<Lock<'static>, Faults> {
    let mut categories: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(structure)?;
    let meta = categories.remove("_meta").unwrap_or_default();
    let meta: Option<Meta> = serde_json::from_value(meta).map_err(structure)?;
    let spec = meta.as_ref().and_then(|meta| meta.pipfile_spec);
    if spec != Some(6) {
        let expected = "specification 6";
        let got = spec.map_or_else(|| "none".to_owned(), |spec| format!("specification {spec}"));
        let problem = Problem::FormatVersion { expected, got };
        return Err(vec![Fault::at("_meta.pipfile-spec", problem)]);
    }
    let mut reading = Reading::default();
    let mut packages: Vec<Package<'static>> = Vec::new();
    let mut groups = Vec::new();
    for (category, entries) in categories {
        let Some(group) = reading.name("", "category", &category) else {
            continue;
        };
        let entries: Option<Entries> = value(&mut reading, "", &category, entries);
        for (name, fields) in entries.unwrap_or_default() {
            let Some(fields) = value(&mut reading, &name, &category, fields) else {
                continue;
            };
            let entry = Entry {
                category: &category,
                name: &name,
                fields,
            };
            let Some(package) = package(&mut reading, entry, &group) else {
                continue;
            };
            // What several categories require has an entry in each.
            add(&mut packages, package);
        }
        groups.push(group);
    }
    let python = meta.as_ref().and_then(python);
    let default = "default".parse().ok();
    let lock = ListedLock {
        format: Format::Pipfile,
        version: "6".to_owned(),
        requires_python: reading.specifiers("", "_meta.requires", python.as_deref()),
        environments: Vec::new(),
        extras: Vec::new(),
        groups,
        default_groups: default.into_iter().collect(),
        requirements: packages.iter().map(|_| None).collect(),
        packages,
        notes: Vec::new(),
    };
    let mut lock = lock.finish(reading)?;
    let indexes = meta.into_iter().flat_map(|meta| meta.sources);
    // Parts of some are variables of the environment.
    let indexes = indexes.map(|index| index.url);
    lock.indexes = indexes.filter(|url| !url.contains('$')).collect();
    Ok(lock)
}

/// Values by their keys.
type Entries = BTreeMap<String, serde_json::Value>;

/// A value, unless it has another shape.
fn value<T: DeserializeOwned>(
    reading: &mut Reading,
    of: &str,
    key: &str,
    value: serde_json::Value,
) -> Option<T> {
    match serde_json::from_value(value) {
        Ok(value) => Some(value),
        Err(error) => {
            reading.fault(of, key, Problem::Structure(error.to_string()));
            None
        }
    }
}

/// A package of a category.
struct Entry<'t> {
    category: &'t str,
    name: &'t str,
    fields: Entries,
}

impl Entry<'_> {
    fn take<T: DeserializeOwned>(&mut self, reading: &mut Reading, key: &str) -> Option<T> {
        let field = self.fields.remove(key)?;
        value(
            reading,
            self.name,
            &format!("{}.{key}", self.category),
            field,
        )
    }

    fn text(&mut self, reading: &mut Reading, key: &str) -> Option<String> {
        self.take(reading, key)
    }
}

/// A file that is no JSON, or has another shape.
fn structure(error: serde_json::Error) -> Faults {
    let problem = Problem::Syntax {
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    };
    drop(error);
    vec![Fault::of_file(problem)]
}

/// The Python that the lock is for.
fn python(meta: &Meta) -> Option<String> {
    let full = meta.requires.get("python_full_version");
    let full = full.map(|version| format!("=={version}"));
    let minor = meta.requires.get("python_version");
    full.or_else(|| minor.map(|version| format!("=={version}.*")))
}

fn package(
    reading: &mut Reading,
    mut entry: Entry<'_>,
    group: &PackageName,
) -> Option<Package<'static>> {
    let name = entry.name;
    let has_version = entry.fields.contains_key("version");
    let version = entry.text(reading, "version");
    let hashes: Option<Vec<String>> = entry.take(reading, "hashes");
    let hashes = hashes.iter().flatten().map(String::as_str);
    let hashes = reading.hashes(name, "hashes", hashes);
    let marker = entry.text(reading, "markers");
    let path = entry.text(reading, "path");
    let is_editable: Option<bool> = entry.take(reading, "editable");
    let mut package = Package::new(reading.name("", group.as_str(), name)?);
    let marker = reading.marker(name, "markers", marker.as_deref());
    let group = Some(group.clone());
    package.listed = vec![Listing { group, marker }];
    if let Some(url) = entry.text(reading, "git") {
        package.origin = Cow::Owned(url.clone());
        match entry.text(reading, "ref").filter(|it| is_commit(it)) {
            Some(commit) => {
                package.source = Source::Git {
                    url: Cow::Owned(url),
                    commit: Cow::Owned(commit),
                    lfs: false,
                };
            }
            None => reading.fault(name, "ref", Problem::NoCommit),
        }
        package.subdirectory = entry.text(reading, "subdirectory");
    } else if let Some(found) = path.as_deref().and_then(|path| {
        let file = local(reading, "path", path, &hashes)?;
        (file.name == package.name).then_some(file)
    }) {
        package = Package {
            listed: package.listed,
            ..found
        };
    } else if let Some(path) = path {
        package.origin = Cow::Owned(path.clone());
        package.source = Source::Directory {
            path: Cow::Owned(path),
            editable: is_editable.unwrap_or_default(),
        };
    } else if let Some(url) = entry.text(reading, "file") {
        package.origin = Cow::Owned(url.clone());
        url_source(reading, "file", &mut package, &url, &hashes);
    } else {
        if !has_version {
            reading.fault(name, "version", Problem::NoVersion);
        }
        // Any version is none, which is a fault where the package is selected.
        let version = version.as_deref().filter(|version| *version != "*");
        let version = version.map(|version| version.trim_start_matches('='));
        package.version = reading.version(name, "version", version);
        package.hashes = hashes;
    }
    Some(package)
}
