//! `conda-lock.yml`, version 1.
//!
//! Each package has an entry for each platform. Its category is a group here, but for `main`, which is
//! always installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use wheelfix_format::PackageName;

use crate::lock::{Listing, Lock, Package};
use crate::read::conda::{self, Packages, platform_marker};
use crate::read::reading::{ListedLock, NamedEdge, Reading};
use crate::read::unknown_keys::UnknownKeys;
use crate::read::yaml_text;
use crate::text::Unread;
use crate::{Faults, Format, Problem};

#[derive(Debug, Deserialize)]
struct CondaLockFile {
    #[serde(rename = "version")]
    _version: Unread,
    metadata: Metadata,
    package: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    platforms: Vec<String>,
    #[serde(default, rename = "content_hash")]
    _content_hash: Unread,
    #[serde(default, rename = "channels")]
    _channels: Unread,
    #[serde(default, rename = "sources")]
    _sources: Unread,
    #[serde(default, rename = "time_metadata")]
    _time: Unread,
    #[serde(default, rename = "git_metadata")]
    _git: Unread,
    #[serde(default, rename = "inputs_metadata")]
    _inputs: Unread,
    #[serde(default, rename = "custom_metadata")]
    _custom: Unread,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    version: String,
    manager: String,
    platform: String,
    #[serde(default)]
    dependencies: BTreeMap<String, Value>,
    url: String,
    #[serde(default)]
    hash: Hash,
    category: Option<String>,
    categories: Option<Vec<String>>,
    #[serde(default, rename = "optional")]
    _optional: Unread,
    #[serde(default, rename = "source")]
    _source: Unread,
    #[serde(default, rename = "build")]
    _build: Unread,
}

#[derive(Debug, Default, Deserialize)]
struct Hash {
    sha256: Option<String>,
    #[serde(default, rename = "md5")]
    _md5: Unread,
}

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
    let (document, version) =
        yaml_text::read_versioned(text, &["1"], "version 1").map_err(|fault| vec![*fault])?;
    let mut unknown = UnknownKeys::default();
    let file = yaml_text::shape::<CondaLockFile>(document, "", &mut unknown);
    let file = file.map_err(|fault| vec![*fault])?;
    let mut reading = Reading::default();
    let mut entries = Vec::new();
    for (number, value) in file.package.into_iter().enumerate() {
        match yaml_text::shape::<Entry>(value, &format!("package[{number}]"), &mut unknown) {
            Ok(entry) => entries.push(entry),
            Err(fault) => reading.faults.push(*fault),
        }
    }
    let pythons: BTreeMap<&str, &str> = entries
        .iter()
        .filter(|entry| entry.manager == "conda" && entry.name == "python")
        .map(|entry| (entry.platform.as_str(), entry.version.as_str()))
        .collect();
    let marker = |platform: &str| platform_marker(platform, pythons.get(platform).copied());
    let of_platforms = file.metadata.platforms.iter().map(String::as_str);
    let of_packages = entries.iter().map(|entry| entry.platform.as_str());
    let markers: BTreeMap<&str, String> = of_platforms
        .chain(of_packages)
        .filter_map(|platform| Some((platform, marker(platform)?)))
        .collect();
    let texts: Vec<&str> = markers.values().map(String::as_str).collect();
    let environments = reading.marker_list("", "metadata.platforms", &texts);
    let mut packages = Packages::default();
    let mut groups = BTreeSet::new();
    for entry in &entries {
        // Nothing is installed on any other platform.
        if let Some(marker) = markers.get(entry.platform.as_str()) {
            package(&mut reading, &mut packages, &mut groups, entry, marker);
        }
    }
    let mut notes = unknown.notes();
    notes.extend(packages.note());
    ListedLock {
        format: Format::CondaLock,
        version,
        requires_python: None,
        environments,
        extras: Vec::new(),
        groups: groups.into_iter().collect(),
        // As `conda-lock install` has it.
        default_groups: "dev".parse().into_iter().collect(),
        packages: packages.all,
        requirements: packages.requirements,
        notes,
    }
    .finish(reading)
}

fn package(
    reading: &mut Reading,
    packages: &mut Packages,
    groups: &mut BTreeSet<PackageName>,
    entry: &Entry,
    marker: &str,
) {
    let marker = reading.marker("", "platform", Some(marker));
    let own = [entry.category.as_deref().unwrap_or("main").to_owned()];
    let categories = entry.categories.as_deref().unwrap_or(&own);
    let mut listings = Vec::new();
    for category in categories {
        let group = match category.as_str() {
            "main" => None,
            name => {
                let Some(name) = reading.name(&entry.name, "category", name) else {
                    continue;
                };
                groups.insert(name.clone());
                Some(name)
            }
        };
        listings.push(Listing { group, marker });
    }
    match entry.manager.as_str() {
        "conda" => {
            for listing in &listings {
                packages.conda((&entry.name, &entry.version), &[], listing);
            }
        }
        "pip" => {
            let Some(name) = reading.name("", "package.name", &entry.name) else {
                return;
            };
            let mut package = Package::new(name);
            let name = package.name.clone();
            package.version = reading.version(name.as_str(), "version", Some(&entry.version));
            let hash = entry.hash.sha256.as_deref();
            conda::locate(reading, &mut package, ("url", &entry.url), hash, false);
            package.listed = listings;
            let names = entry.dependencies.keys().filter_map(|name| {
                Some(NamedEdge {
                    name: name.parse().ok()?,
                    extras: Vec::new(),
                    marker: None,
                })
            });
            packages.push(package, names.collect());
        }
        manager => {
            let problem = Problem::Structure(format!("expected `conda` or `pip`, got `{manager}`"));
            reading.fault(&entry.name, "manager", problem);
        }
    }
}
