//! `poetry.lock`, versions 2.0 and 2.1.
//!
//! Nothing says where files of an index are, only what they are called. Versions in requirements are in
//! Poetry's own syntax; their names and markers are what counts here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use wheelfix_format::{PackageName, VersionSpecifiers};

use crate::file::{File, Location};
use crate::lock::{Listing, Lock, Package, Source};
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
    #[serde(default, rename = "category")]
    _category: Unread,
    #[serde(default)]
    optional: bool,
    #[serde(default, rename = "python-versions")]
    _python_versions: Unread,
    groups: Option<Vec<Text<'a>>>,
    markers: Option<Markers<'a>>,
    #[serde(default)]
    files: Vec<Artifact<'a>>,
    #[serde(default)]
    develop: bool,
    #[serde(default)]
    dependencies: BTreeMap<Text<'a>, Dependency<'a>>,
    #[serde(default, rename = "extras")]
    _extras: Unread,
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

/// The alternatives of a requirement, each with its marker: a text, a table, or a list of these.
#[derive(Debug)]
struct Dependency<'a>(Vec<Option<Text<'a>>>);

impl<'de: 'a, 'a> Deserialize<'de> for Dependency<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DependencyVisitor;

        impl<'de> Visitor<'de> for DependencyVisitor {
            type Value = Dependency<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version, a table, or a list of them")
            }

            fn visit_str<E>(self, _: &str) -> Result<Dependency<'de>, E> {
                Ok(Dependency(vec![None]))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dependency<'de>, A::Error> {
                let mut marker = None;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if &*key == "markers" {
                        marker = Some(map.next_value()?);
                    } else {
                        let Unread = map.next_value()?;
                    }
                }
                Ok(Dependency(vec![marker]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dependency<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(Dependency(one)) = seq.next_element()? {
                    all.extend(one);
                }
                Ok(Dependency(all))
            }
        }

        deserializer.deserialize_any(DependencyVisitor)
    }
}

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
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
    let (mut packages, mut requirements) = (Vec::new(), Vec::new());
    let by_extra = optional_of_extras(&file);
    for package in file.package {
        let has_groups = package.groups.is_some();
        let Some((mut package, required)) = self::package(&mut reading, package, &by_extra) else {
            continue;
        };
        groups.extend(
            package
                .listed
                .iter()
                .filter_map(|listing| listing.group.clone()),
        );
        if !has_groups {
            notes.push(format!(
                "the lock does not say which groups {} belongs to: it is taken",
                package.name
            ));
        }
        package
            .listed
            .dedup_by(|one, other| one.group == other.group && one.marker == other.marker);
        packages.push(package);
        requirements.push(Some(required));
    }
    let requires_python = pythons(file.metadata.python_versions.as_deref(), &mut notes);
    let main = "main".parse().ok();
    let extras: Vec<Text<'_>> = file.extras.into_keys().collect();
    ListedLock {
        format: Format::Poetry,
        version: file.metadata.lock_version.0.into_owned(),
        requires_python,
        environments: Vec::new(),
        extras: reading.names("", "extras", &extras),
        groups: groups.into_iter().collect(),
        default_groups: main.into_iter().collect(),
        packages,
        requirements,
        notes,
    }
    .finish(reading)
}

/// The Pythons that the lock is for, where they are written as everywhere else.
fn pythons(text: Option<&str>, notes: &mut Vec<String>) -> Option<VersionSpecifiers> {
    let text = text.filter(|text| *text != "*")?;
    let pythons = text.parse().ok();
    if pythons.is_none() {
        notes.push(format!(
            "`{text}` is in Poetry's own syntax, and not compared with the target"
        ));
    }
    pythons
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
        // `markupsafe`, or `httpx (>=0.28)`.
        let names = texts
            .iter()
            .filter_map(|text| normal(text.split([' ', '[', '(']).next()?));
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

fn package<'a>(
    reading: &mut Reading,
    read: PoetryPackage<'a>,
    by_extra: &BTreeMap<String, BTreeSet<String>>,
) -> Option<(Package<'a>, Vec<NamedEdge>)> {
    let name = reading.name("", "package.name", &read.name)?;
    let mut package = Package::new(name);
    package.version = reading.version(package.name.as_str(), "version", Some(&read.version));
    let label = package.label();
    listings(reading, &mut package, &read, by_extra);
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
    for (name, Dependency(markers)) in &read.dependencies {
        let Some(name) = reading.name(&label, "dependencies", name) else {
            continue;
        };
        for marker in markers {
            let marker = reading.marker(&label, "dependencies", marker.as_deref());
            requirements.push(NamedEdge {
                name: name.clone(),
                extras: Vec::new(),
                marker,
            });
        }
    }
    Some((package, requirements))
}

/// When the package is selected.
fn listings(
    reading: &mut Reading,
    package: &mut Package<'_>,
    read: &PoetryPackage<'_>,
    by_extra: &BTreeMap<String, BTreeSet<String>>,
) {
    let label = package.label();
    let Some(groups) = &read.groups else {
        if read.optional {
            let extras = by_extra.get(package.name.as_str()).into_iter().flatten();
            for extra in extras {
                let marker = reading.marker(&label, "extras", Some(&format!("extra == '{extra}'")));
                let listing = Listing {
                    group: None,
                    marker,
                };
                package.listed.push(listing);
            }
        } else {
            let listing = Listing {
                group: None,
                marker: None,
            };
            package.listed.push(listing);
        }
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
