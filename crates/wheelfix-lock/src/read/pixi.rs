//! `pixi.lock`, versions 6 and 7.
//!
//! An environment is a list of packages for each platform; here it is a group, and that called `default`
//! the default one. The packages of PyPI say where their one file is and what they require.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use wheelfix_format::PackageName;

use crate::lock::{Listing, Lock, Package};
use crate::marker_pool::MarkerNumber;
use crate::read::conda::{self, Packages, platform_marker};
use crate::read::pylock::requirements;
use crate::read::reading::{ListedLock, Reading};
use crate::read::unknown_keys::UnknownKeys;
use crate::read::yaml_text;
use crate::text::Unread;
use crate::{Faults, Format, Problem};

#[derive(Debug, Deserialize)]
struct PixiFile {
    #[serde(rename = "version")]
    _version: Unread,
    #[serde(default)]
    platforms: Vec<Platform>,
    environments: BTreeMap<String, Environment>,
    packages: Vec<Value>,
}

/// A platform that may have a name of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Platform {
    name: String,
    subdir: Option<String>,
    #[serde(default, rename = "virtual-packages")]
    _virtual_packages: Unread,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Environment {
    #[serde(default, rename = "channels")]
    _channels: Unread,
    #[serde(default, rename = "indexes")]
    _indexes: Unread,
    #[serde(default, rename = "find-links")]
    _find_links: Unread,
    #[serde(default, rename = "no-index")]
    _no_index: Unread,
    #[serde(default, rename = "options")]
    _options: Unread,
    packages: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
}

#[derive(Debug, Deserialize)]
struct PypiPackage {
    pypi: String,
    name: String,
    version: Option<String>,
    sha256: Option<String>,
    #[serde(default, rename = "md5")]
    _md5: Unread,
    #[serde(default, rename = "index")]
    _index: Unread,
    #[serde(default)]
    requires_dist: Vec<String>,
    requires_python: Option<String>,
    #[serde(default)]
    editable: bool,
    #[serde(default, rename = "build_packages")]
    _build_packages: Unread,
    #[serde(default, rename = "host_packages")]
    _host_packages: Unread,
}

/// All that is read so far.
#[derive(Debug, Default)]
struct Pixi {
    reading: Reading,
    unknown: UnknownKeys,
    packages: Packages,
    /// The packages of PyPI, by where they are.
    pypi: BTreeMap<String, usize>,
    /// The names on PyPI of conda packages, by where these are.
    conda: BTreeMap<String, Vec<String>>,
    groups: Vec<PackageName>,
    /// Which platforms a group is for.
    covered: BTreeMap<PackageName, Vec<MarkerNumber>>,
}

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
    let (document, version) = yaml_text::read_versioned(
        text,
        &["6", "7"],
        "version 6 or 7, which pixi writes since 0.39",
    )
    .map_err(|fault| vec![*fault])?;
    let mut pixi = Pixi::default();
    let file = yaml_text::shape::<PixiFile>(document, "", &mut pixi.unknown);
    let file = file.map_err(|fault| vec![*fault])?;
    for (number, value) in file.packages.into_iter().enumerate() {
        pixi.package(&format!("packages[{number}]"), value);
    }
    let subdirs = file.platforms.into_iter();
    let subdirs = subdirs.filter_map(|platform| Some((platform.name, platform.subdir?)));
    let subdirs: BTreeMap<String, String> = subdirs.collect();
    for (name, environment) in &file.environments {
        pixi.environment(name, environment, &subdirs);
    }
    let mut notes = pixi.unknown.notes();
    notes.extend(pixi.packages.note());
    let lock = ListedLock {
        format: Format::Pixi,
        version,
        requires_python: None,
        environments: Vec::new(),
        extras: Vec::new(),
        groups: pixi.groups,
        default_groups: "default".parse().into_iter().collect(),
        packages: pixi.packages.all,
        requirements: pixi.packages.requirements,
        notes,
    };
    let mut lock = lock.finish(pixi.reading)?;
    for root in &mut lock.roots {
        root.group_environments.clone_from(&pixi.covered);
    }
    Ok(lock)
}

fn text<'v>(entry: &'v BTreeMap<String, Value>, kind: &str) -> Option<&'v str> {
    entry.get(kind).and_then(Value::as_str)
}

impl Pixi {
    /// Reads an entry of the list of all packages.
    fn package(&mut self, key: &str, value: Value) {
        if let Some(url) = value.get("conda").and_then(Value::as_str) {
            let purls = value.get("purls").and_then(Value::as_array);
            let names = purls.into_iter().flatten().filter_map(|purl| {
                let name = purl.as_str()?.strip_prefix("pkg:pypi/")?;
                Some(name.split(['@', '?', '#']).next()?.to_owned())
            });
            self.conda.insert(url.to_owned(), names.collect());
            return;
        }
        if value.get("conda_source").is_some() {
            return;
        }
        let read = match yaml_text::shape::<PypiPackage>(value, key, &mut self.unknown) {
            Ok(read) => read,
            Err(fault) => return self.reading.faults.push(*fault),
        };
        let reading = &mut self.reading;
        let Some(name) = reading.name("", key, &read.name) else {
            return;
        };
        let mut package = Package::new(name);
        let version = read.version.as_deref();
        package.version = reading.version(package.name.as_str(), "version", version);
        let label = package.label();
        package.requires_python =
            reading.specifiers(&label, "requires_python", read.requires_python.as_deref());
        let (hash, location) = (read.sha256.as_deref(), ("pypi", read.pypi.as_str()));
        conda::locate(reading, &mut package, location, hash, read.editable);
        let required = requirements(reading, &label, "requires_dist", &read.requires_dist);
        let number = self.packages.push(package, required);
        if self.pypi.insert(read.pypi, number).is_some() {
            reading.fault(&label, key, Problem::Duplicate);
        }
    }

    fn environment(
        &mut self,
        name: &str,
        environment: &Environment,
        subdirs: &BTreeMap<String, String>,
    ) {
        let Some(group) = self.reading.name("", "environments", name) else {
            return;
        };
        for (platform, entries) in &environment.packages {
            let key = format!("environments.{name}.packages.{platform}");
            let pythons = entries.iter().filter_map(|entry| text(entry, "conda"));
            let python = pythons.filter_map(conda::of_url);
            let mut python = python.filter(|(name, _)| *name == "python");
            let python = python.next().map(|(_, version)| version);
            let subdir = subdirs.get(platform).unwrap_or(platform);
            // Nothing is installed on any other.
            let Some(marker) = platform_marker(subdir, python) else {
                continue;
            };
            let marker = self.reading.marker("", &key, Some(&marker));
            let listing = Listing {
                group: Some(group.clone()),
                marker,
            };
            self.list(&key, entries, &listing);
            let covered = self.covered.entry(group.clone()).or_default();
            covered.extend(marker);
        }
        self.groups.push(group);
    }

    /// Lists the packages of an environment on a platform.
    fn list(&mut self, key: &str, entries: &[BTreeMap<String, Value>], listing: &Listing) {
        for entry in entries {
            if let Some(url) = text(entry, "pypi") {
                if let Some(number) = self.pypi.get(url) {
                    self.packages.list(*number, listing.clone());
                } else {
                    let problem = Problem::UnknownDependency(url.to_owned());
                    self.reading.fault("", key, problem);
                }
            } else if let Some(url) = text(entry, "conda") {
                let names = self.conda.get(url).map_or(&[][..], Vec::as_slice);
                // One that is built from a source is a directory.
                let of_url = conda::of_url(url).unwrap_or((url, ""));
                self.packages.conda(of_url, names, listing);
            } else if let Some(source) = text(entry, "conda_source") {
                let name = source.split('[').next().unwrap_or_default();
                self.packages.conda((name, ""), &[], listing);
            } else {
                let problem = Problem::Structure("expected `pypi` or `conda`".to_owned());
                self.reading.fault("", key, problem);
            }
        }
    }
}
