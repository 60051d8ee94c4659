//! `pylock.toml`, version 1.
//!
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/>. The packages say themselves when
//! they are selected. Most writers leave out what packages require; pdm has it in a table of its own.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::Deserialize;

use crate::file::{File, Location};
use crate::lock::{Listing, Lock, Package, Source};
use crate::read::reading::{ListedLock, NamedEdge, Reading};
use crate::read::toml_text;
use crate::text::{Text, Unread};
use crate::{Fault, Faults, Format, Problem, Sri};

/// The file, as far as it says which version it has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct Head<'a> {
    lock_version: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct PylockFile<'a> {
    lock_version: Text<'a>,
    #[serde(rename = "created-by")]
    _created_by: Text<'a>,
    #[serde(default)]
    environments: Vec<Text<'a>>,
    requires_python: Option<Text<'a>>,
    #[serde(default)]
    extras: Vec<Text<'a>>,
    #[serde(default)]
    dependency_groups: Vec<Text<'a>>,
    #[serde(default)]
    default_groups: Vec<Text<'a>>,
    packages: Vec<PylockPackage<'a>>,
    #[serde(default, rename = "tool")]
    _tool: Unread,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct PylockPackage<'a> {
    name: Text<'a>,
    version: Option<Text<'a>>,
    marker: Option<Text<'a>>,
    requires_python: Option<Text<'a>>,
    dependencies: Option<Vec<Reference<'a>>>,
    index: Option<Text<'a>>,
    #[serde(default, rename = "attestation-identities")]
    _attestation_identities: Unread,
    #[serde(default)]
    tool: Tool<'a>,
    vcs: Option<Vcs<'a>>,
    directory: Option<Directory<'a>>,
    archive: Option<Artifact<'a>>,
    sdist: Option<Artifact<'a>>,
    #[serde(default)]
    wheels: Vec<Artifact<'a>>,
}

/// A package that is required: the keys that tell it from others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct Reference<'a> {
    name: Text<'a>,
    #[serde(default, rename = "version")]
    _version: Unread,
    #[serde(default, rename = "marker")]
    _marker: Unread,
    #[serde(default, rename = "index")]
    _index: Unread,
    #[serde(default, rename = "vcs")]
    _vcs: Unread,
    #[serde(default, rename = "directory")]
    _directory: Unread,
    #[serde(default, rename = "archive")]
    _archive: Unread,
    #[serde(default, rename = "sdist")]
    _sdist: Unread,
    #[serde(default, rename = "wheels")]
    _wheels: Unread,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Tool<'a> {
    pdm: Option<PdmTool<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct PdmTool<'a> {
    dependencies: Option<Vec<Text<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct Vcs<'a> {
    r#type: Text<'a>,
    url: Option<Text<'a>>,
    path: Option<Text<'a>>,
    #[serde(default, rename = "requested-revision")]
    _requested_revision: Unread,
    commit_id: Text<'a>,
    subdirectory: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Directory<'a> {
    path: Text<'a>,
    #[serde(default)]
    editable: bool,
    subdirectory: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
struct Artifact<'a> {
    name: Option<Text<'a>>,
    url: Option<Text<'a>>,
    path: Option<Text<'a>>,
    size: Option<u64>,
    #[serde(default, rename = "upload-time")]
    _upload_time: Unread,
    #[serde(default)]
    hashes: BTreeMap<Text<'a>, Text<'a>>,
    subdirectory: Option<Text<'a>>,
}

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
    let (file, mut notes) = toml_text::read::<PylockFile<'_>>(text).map_err(|fault| {
        // Another version may have another shape, and then its number is what is wrong.
        let head = toml_text::read::<Head<'_>>(text).ok();
        let version = head.and_then(|(head, _)| head.lock_version);
        let check = |text: &str| toml_text::read::<PylockFile<'_>>(text).err();
        match version.as_deref().and_then(version_fault) {
            Some(wrong) => vec![wrong],
            None => toml_text::all_faults(text, *fault, check),
        }
    })?;
    if let Some(fault) = version_fault(&file.lock_version) {
        return Err(vec![fault]);
    }
    if &*file.lock_version != "1.0" {
        notes.push(format!(
            "version {} is newer than 1.0, the newest that is known",
            &*file.lock_version
        ));
    }
    notes.retain(|note| !note.contains("`packages.tool."));
    let mut reading = Reading::default();
    let mut packages = Vec::new();
    let mut requirements = Vec::new();
    for package in file.packages {
        let read = self::package(&mut reading, package);
        if let Some((package, required)) = read {
            packages.push(package);
            requirements.push(required);
        }
    }
    ListedLock {
        format: Format::Pylock,
        version: file.lock_version.0.into_owned(),
        requires_python: reading.specifiers("", "requires-python", file.requires_python.as_deref()),
        environments: reading.marker_list("", "environments", &file.environments),
        extras: reading.names("", "extras", &file.extras),
        groups: reading.names("", "dependency-groups", &file.dependency_groups),
        default_groups: reading.names("", "default-groups", &file.default_groups),
        packages,
        requirements,
        notes,
    }
    .finish(reading)
}

/// A fault if the major version is not 1.
fn version_fault(version: &str) -> Option<Fault> {
    let parsed = version.parse::<wheelfix_format::Version>().ok();
    let major = parsed.and_then(|version| version.release().first().copied());
    let expected = "version 1";
    (major != Some(1)).then(|| {
        let got = format!("version {version}");
        Fault::at("lock-version", Problem::FormatVersion { expected, got })
    })
}

type ReadPackage<'a> = (Package<'a>, Option<Vec<NamedEdge>>);

fn package<'a>(reading: &mut Reading, read: PylockPackage<'a>) -> Option<ReadPackage<'a>> {
    let name = reading.name("", "packages.name", &read.name)?;
    let mut package = Package::new(name);
    package.version = reading.version(package.name.as_str(), "version", read.version.as_deref());
    let label = package.label();
    package.requires_python =
        reading.specifiers(&label, "requires-python", read.requires_python.as_deref());
    let marker = reading.marker(&label, "marker", read.marker.as_deref());
    package.listed = vec![Listing {
        group: None,
        marker,
    }];
    if let Some(index) = read.index {
        package.origin = index.0;
    }
    let has_files = read.sdist.is_some() || !read.wheels.is_empty();
    let sources = [
        read.vcs.is_some(),
        read.directory.is_some(),
        read.archive.is_some(),
        has_files,
    ];
    if sources.into_iter().filter(|is_there| *is_there).count() != 1 {
        reading.fault(&label, "", Problem::UnknownSource);
    }
    if let Some(vcs) = read.vcs {
        self::vcs(reading, &mut package, vcs);
    }
    if let Some(directory) = read.directory {
        package.origin.clone_from(&directory.path.0);
        package.subdirectory = directory.subdirectory.map(|it| it.0.into_owned());
        package.source = Source::Directory {
            path: directory.path.0,
            editable: directory.editable,
        };
    }
    files(reading, &mut package, read.archive, read.sdist, read.wheels);
    let of_pdm = read.tool.pdm.and_then(|pdm| pdm.dependencies);
    let requirements = match (read.dependencies, of_pdm) {
        (Some(references), _) => Some(references_of(reading, &label, &references)),
        (None, Some(texts)) => Some(requirements(
            reading,
            &label,
            "tool.pdm.dependencies",
            &texts,
        )),
        (None, None) => None,
    };
    Some((package, requirements))
}

fn files<'a>(
    reading: &mut Reading,
    package: &mut Package<'a>,
    archive: Option<Artifact<'a>>,
    sdist: Option<Artifact<'a>>,
    wheels: Vec<Artifact<'a>>,
) {
    if let Some(archive) = archive {
        package.subdirectory = archive.subdirectory.as_deref().map(str::to_owned);
        let file = artifact(package, archive);
        if let Some(file) = reading.file(package, "archive", file) {
            if file.wheel.is_some() {
                package.wheels.push(file);
            } else {
                package.sdist = Some(file);
            }
        }
    }
    for (number, wheel) in wheels.into_iter().enumerate() {
        let file = artifact(package, wheel);
        let file = reading.file(package, &format!("wheels[{number}]"), file);
        package.wheels.extend(file);
    }
    if let Some(sdist) = sdist {
        let file = artifact(package, sdist);
        package.sdist = reading.file(package, "sdist", file);
    }
}

fn vcs<'a>(reading: &mut Reading, package: &mut Package<'a>, vcs: Vcs<'a>) {
    package.subdirectory = vcs.subdirectory.map(|it| it.0.into_owned());
    let url = match (vcs.url, vcs.path) {
        (Some(url), _) => url.0,
        (None, Some(path)) => path.0,
        (None, None) => {
            reading.fault(&package.label(), "vcs", Problem::NoLocation);
            return;
        }
    };
    if &*vcs.r#type != "git" {
        reading.fault(&package.label(), "vcs.type", Problem::UnknownSource);
    }
    package.origin.clone_from(&url);
    package.source = Source::Git {
        url,
        commit: vcs.commit_id.0,
        lfs: false,
    };
}

fn artifact<'a>(package: &Package<'a>, read: Artifact<'a>) -> Result<File<'a>, Problem> {
    let location = match (read.url, read.path) {
        // Both may be there, and the path is relative to the lock.
        (Some(url), _) => Location::of(url.0),
        (None, Some(path)) => Location::Path(path.0.into_owned()),
        (None, None) => return Err(Problem::NoLocation),
    };
    let hashes = read
        .hashes
        .iter()
        .map(|(algorithm, digest)| (&**algorithm, &**digest));
    let hash = Sri::strongest(hashes).transpose();
    let hash = hash.map_err(|(text, error)| Problem::Hash { text, error })?;
    let name = read.name.map(|name| name.0);
    File::new(package.owner(), name, location, hash, read.size)
}

fn references_of(reading: &mut Reading, of: &str, read: &[Reference<'_>]) -> Vec<NamedEdge> {
    let mut edges = Vec::new();
    for reference in read {
        let name = reading.name(of, "dependencies", &reference.name);
        edges.extend(name.map(|name| NamedEdge {
            name,
            extras: Vec::new(),
            marker: None,
        }));
    }
    edges
}

/// Requirements as METADATA has them.
pub(crate) fn requirements<T: Deref<Target = str>>(
    reading: &mut Reading,
    of: &str,
    key: &str,
    texts: &[T],
) -> Vec<NamedEdge> {
    let mut edges = Vec::new();
    for text in texts {
        let Some(requirement) = reading.requirement(of, key, text) else {
            continue;
        };
        let marker = requirement.marker().map(ToString::to_string);
        edges.push(NamedEdge {
            name: requirement.name().clone(),
            extras: requirement.extras().to_vec(),
            marker: reading.marker(of, key, marker.as_deref()),
        });
    }
    edges
}
