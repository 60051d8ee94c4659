//! `poetry.lock`, versions 2.0 and 2.1.
//!
//! Nothing says where files of an index are, only what they are called. Versions in requirements are in
//! Poetry's own syntax; their names and markers are what counts here.

mod dependency;
mod older;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dependency::Dependency;
use older::Told;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use wheelfix_format::{PackageName, VersionSpecifiers};

use crate::file::{File, Location};
use crate::lock::{Listing, Lock, Package, Source};
use crate::marker_pool::MarkerNumber;
use crate::read::reading::{ListedLock, NamedEdge, Reading, optional_hash};
use crate::read::toml_text;
use crate::text::{Text, Unread};
use crate::{Fault, Faults, Format, Problem};

/// The file, as far as it says which version it has.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Head<'a> {
    metadata: HeadMetadata<'a>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct HeadMetadata<'a> {
    lock_version: Option<Text<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct PoetryFile<'a> {
    #[serde(default)]
    package: Vec<PoetryPackage<'a>>,
    #[serde(default)]
    extras: BTreeMap<Text<'a>, Vec<Text<'a>>>,
    metadata: Metadata<'a>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    lock_version: Text<'a>,
    python_versions: Option<Text<'a>>,
    #[serde(default, rename = "content-hash")]
    _content_hash: Unread,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct PoetryPackage<'a> {
    name: Text<'a>,
    version: Text<'a>,
    #[serde(default, rename = "description")]
    _description: Unread,
    category: Option<Text<'a>>,
    #[serde(default)]
    optional: bool,
    python_versions: Option<Text<'a>>,
    groups: Option<Vec<Text<'a>>>,
    markers: Option<Markers<'a>>,
    #[serde(default)]
    files: Vec<Artifact<'a>>,
    #[serde(default)]
    develop: bool,
    #[serde(default)]
    dependencies: BTreeMap<Text<'a>, Dependency<'a>>,
    #[serde(default)]
    extras: BTreeMap<Text<'a>, Vec<Text<'a>>>,
    source: Option<PoetrySource<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Artifact<'a> {
    file: Text<'a>,
    hash: Option<Text<'a>>,
    url: Option<Text<'a>>,
    size: Option<u64>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct PoetrySource<'a> {
    r#type: Text<'a>,
    url: Text<'a>,
    #[serde(default, rename = "reference")]
    _reference: Unread,
    resolved_reference: Option<Text<'a>>,
    subdirectory: Option<Text<'a>>,
}

/// One marker, or one for each group.
#[derive(Debug)]
enum Markers<'a> {
    One(Text<'a>),
    Groups(BTreeMap<Text<'a>, Text<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Markers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MarkersVisitor;

        impl<'de> Visitor<'de> for MarkersVisitor {
            type Value = Markers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a marker, or a table of markers")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Markers<'de>, E> {
                Ok(Markers::One(Text(text.into())))
            }

            fn visit_str<E>(self, text: &str) -> Result<Markers<'de>, E> {
                Ok(Markers::One(Text(text.to_owned().into())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Markers<'de>, A::Error> {
                let mut markers = BTreeMap::new();
                while let Some((group, marker)) = map.next_entry()? {
                    markers.insert(group, marker);
                }
                Ok(Markers::Groups(markers))
            }
        }

        deserializer.deserialize_any(MarkersVisitor)
    }
}

/// Reads a lock; `project` is the pyproject.toml beside it.
pub(crate) fn read<'a>(text: &'a str, project: Option<&str>) -> Result<Lock<'a>, Faults> {
    let (file, mut notes) = toml_text::read::<PoetryFile<'_>>(text).map_err(|fault| {
        // Older versions have another shape, and then the number is what is wrong.
        let head = toml_text::read::<Head<'_>>(text).ok();
        let version = head.and_then(|(head, _)| head.metadata.lock_version);
        let check = |text: &str| toml_text::read::<PoetryFile<'_>>(text).err();
        match version.as_deref().and_then(version_fault) {
            Some(wrong) => vec![wrong],
            None => toml_text::all_faults(text, *fault, check),
        }
    })?;
    if let Some(fault) = version_fault(&file.metadata.lock_version) {
        return Err(vec![fault]);
    }
    let mut reading = Reading::default();
    let mut groups: BTreeSet<PackageName> = BTreeSet::new();
    let (mut packages, mut requirements, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let by_extra = optional_of_extras(&file);
    let is_older = file.package.iter().all(|package| package.groups.is_none());
    for package in file.package {
        let Some((package, required, of_package)) = self::package(&mut reading, package) else {
            continue;
        };
        let of_packages = package.listed.iter();
        groups.extend(of_packages.filter_map(|listing| listing.group.clone()));
        groups.extend(of_package.category.clone());
        packages.push(package);
        requirements.push(Some(required));
        told.push(of_package);
    }
    let (requires_python, environments) = pythons(
        &mut reading,
        file.metadata.python_versions.as_deref(),
        &mut notes,
    );
    let main = "main".parse().ok();
    let extras: Vec<&str> = file.extras.keys().map(|extra| &**extra).collect();
    let lock = ListedLock {
        format: Format::Poetry,
        version: file.metadata.lock_version.0.into_owned(),
        requires_python,
        environments,
        extras: reading.names("", "extras", &extras),
        groups: groups.into_iter().collect(),
        default_groups: main.into_iter().collect(),
        packages,
        requirements,
        notes,
    };
    let mut lock = lock.finish(reading)?;
    if is_older {
        for (told, package) in told.iter_mut().zip(&mut lock.packages) {
            package.listed.clear();
            let extras = by_extra.get(package.name.as_str());
            told.extras = extras.cloned().unwrap_or_default();
        }
        older::link(&mut lock, &told, &file.extras, project)?;
    }
    Ok(lock)
}

/// The Pythons that the lock is for; as markers if there are several ranges of them.
fn pythons(
    reading: &mut Reading,
    text: Option<&str>,
    notes: &mut Vec<String>,
) -> (Option<VersionSpecifiers>, Vec<MarkerNumber>) {
    let Some(text) = text else {
        return (None, Vec::new());
    };
    match versions::ranges(text) {
        Some(ranges) if ranges.len() <= 1 => (ranges.into_iter().next(), Vec::new()),
        Some(_) => {
            let marker = versions::python(text);
            let key = "metadata.python-versions";
            let marker = reading.marker("", key, marker.as_deref());
            (None, marker.into_iter().collect())
        }
        None => {
            notes.push(format!(
                "`{text}` is in no syntax that is known, and not compared with the target"
            ));
            (None, Vec::new())
        }
    }
}

/// A fault if the major version is not 2.
fn version_fault(version: &str) -> Option<Fault> {
    let expected = "version 2, which Poetry writes since 1.3";
    (version.split('.').next() != Some("2")).then(|| {
        let got = format!("version {version}");
        Fault::at(
            "metadata.lock-version",
            Problem::FormatVersion { expected, got },
        )
    })
}

/// The extras that bring each optional package of a lock that does not say it by markers.
fn optional_of_extras(file: &PoetryFile<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let normal = |text: &str| {
        text.parse::<PackageName>()
            .map(|name| name.to_string())
            .ok()
    };
    let mut requires: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in file.package.iter().filter(|package| package.optional) {
        let names = package.dependencies.keys().filter_map(|name| normal(name));
        requires.extend(normal(&package.name).map(|name| (name, names.collect())));
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (extra, texts) in &file.extras {
        let names = texts
            .iter()
            .filter_map(|text| Some(required_name(text)?.to_string()));
        let mut pending: Vec<String> = names.collect();
        while let Some(name) = pending.pop() {
            let Some(more) = requires.get(&name) else {
                continue;
            };
            if found.entry(name).or_default().insert(extra.to_string()) {
                pending.extend(more.iter().cloned());
            }
        }
    }
    found
}

/// The name in a requirement: `markupsafe`, or `httpx (>=0.28)`.
fn required_name(text: &str) -> Option<PackageName> {
    text.split([' ', '[', '(']).next()?.parse().ok()
}

/// A package, what it requires, and what it tells where it does not say its groups.
fn package<'a>(
    reading: &mut Reading,
    read: PoetryPackage<'a>,
) -> Option<(Package<'a>, Vec<NamedEdge>, Told<'a>)> {
    let name = reading.name("", "package.name", &read.name)?;
    let mut package = Package::new(name);
    package.version = reading.version(package.name.as_str(), "version", Some(&read.version));
    let label = package.label();
    listings(reading, &mut package, &read);
    let location = source(reading, &mut package, read.source, read.develop);
    for (number, file) in read.files.into_iter().enumerate() {
        let key = format!("files[{number}]");
        let file = artifact(&package, &location, file);
        let Some(file) = reading.file(&package, &key, file) else {
            continue;
        };
        match (file.wheel.is_some(), &package.source) {
            (
                _,
                Source::Git { .. }
                | Source::Directory { .. }
                | Source::Virtual { .. }
                | Source::Conda,
            ) => {}
            (true, Source::Files) => package.wheels.push(file),
            (false, Source::Files) => package.sdist = Some(file),
        }
    }
    let mut requirements = Vec::new();
    for (name, Dependency(alternatives)) in &read.dependencies {
        let Some(name) = reading.name(&label, "dependencies", name) else {
            continue;
        };
        for alternative in alternatives {
            let marker = alternative.marker();
            let marker = reading.marker(&label, "dependencies", marker.as_deref());
            requirements.push(NamedEdge {
                name: name.clone(),
                extras: Vec::new(),
                marker,
            });
        }
    }
    let category = read.category.as_deref();
    let told = Told {
        category: category.and_then(|category| reading.name(&label, "category", category)),
        python: read.python_versions,
        is_optional: read.optional,
        extras: BTreeSet::new(),
        dependencies: read.dependencies,
        provides: read.extras,
    };
    Some((package, requirements, told))
}

/// When the package is selected.
fn listings(reading: &mut Reading, package: &mut Package<'_>, read: &PoetryPackage<'_>) {
    let label = package.label();
    let Some(groups) = &read.groups else {
        let (group, marker) = (None, None);
        package.listed.push(Listing { group, marker });
        return;
    };
    for group in groups {
        let marker = match &read.markers {
            None => None,
            Some(Markers::One(marker)) => Some(marker),
            Some(Markers::Groups(markers)) => markers.get(group),
        };
        let marker = reading.marker(&label, "markers", marker.map(|it| &**it));
        if let Some(group) = reading.name(&label, "groups", group) {
            let group = Some(group);
            package.listed.push(Listing { group, marker });
        }
    }
}

/// Where the files of the package are.
fn source<'a>(
    reading: &mut Reading,
    package: &mut Package<'a>,
    source: Option<PoetrySource<'a>>,
    editable: bool,
) -> Location<'a> {
    let Some(source) = source else {
        return Location::Unknown;
    };
    package.origin.clone_from(&source.url.0);
    package.subdirectory = source.subdirectory.map(|it| it.0.into_owned());
    match &*source.r#type {
        "legacy" => {}
        "url" => return Location::Url(source.url.0),
        "file" => return Location::Path(source.url.0.into_owned()),
        "directory" => {
            let path = source.url.0;
            package.source = Source::Directory { path, editable };
        }
        "git" => match source.resolved_reference {
            Some(commit) => {
                package.source = Source::Git {
                    url: source.url.0,
                    commit: commit.0,
                    lfs: false,
                }
            }
            None => reading.fault(
                &package.label(),
                "source.resolved_reference",
                Problem::NoCommit,
            ),
        },
        _ => reading.fault(&package.label(), "source.type", Problem::UnknownSource),
    }
    Location::Unknown
}

fn artifact<'a>(
    package: &Package<'a>,
    location: &Location<'a>,
    read: Artifact<'a>,
) -> Result<File<'a>, Problem> {
    let location = match read.url {
        Some(url) => Location::of(url.0),
        None => location.clone(),
    };
    let hash = optional_hash(read.hash.as_deref())?;
    File::new(
        package.owner(),
        Some(read.file.0),
        location,
        hash,
        read.size,
    )
}
