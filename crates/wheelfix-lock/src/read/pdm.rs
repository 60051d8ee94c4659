//! `pdm.lock`, version 4.
//!
//! A package with extras has an entry for itself and one for each set of extras, which only adds
//! requirements. With the strategy `static_urls` each file has its URL.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use wheelfix_format::PackageName;

use crate::file::{File, Location};
use crate::lock::{Listing, Lock, Package, Source};
use crate::marker_pool::MarkerNumber;
use crate::read::pylock::requirements;
use crate::read::reading::{ListedLock, NamedEdge, Reading, optional_hash, python_marker};
use crate::read::toml_text;
use crate::text::{Text, Unread};
use crate::{Fault, Faults, Format, Problem};

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct PdmFile<'a> {
    metadata: Metadata<'a>,
    #[serde(default)]
    package: Vec<PdmPackage<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    lock_version: Text<'a>,
    #[serde(default)]
    groups: Vec<Text<'a>>,
    #[serde(default)]
    targets: Vec<PdmTarget<'a>>,
    /// Until 4.3, before each package had its own: the files by name and version, with a blank between.
    #[serde(default)]
    files: BTreeMap<Text<'a>, Vec<Artifact<'a>>>,
    #[serde(default, rename = "strategy")]
    _strategy: Unread,
    #[serde(default, rename = "cross_platform")]
    _cross_platform: Unread,
    #[serde(default, rename = "content_hash")]
    _content_hash: Unread,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct PdmTarget<'a> {
    requires_python: Option<Text<'a>>,
    platform: Option<Text<'a>>,
    #[serde(default, rename = "implementation")]
    _implementation: Unread,
    #[serde(default, rename = "gil_disabled")]
    _gil_disabled: Unread,
}

impl PdmTarget<'_> {
    /// The target as a marker; `None` for one that is for all systems and Pythons.
    ///
    /// <https://pdm-project.org/en/latest/usage/lock-targets/>
    fn marker(&self) -> Option<String> {
        let python = self.requires_python.as_deref();
        let mut parts: Vec<String> = python.and_then(python_marker).into_iter().collect();
        let platform = self.platform.as_deref().unwrap_or_default();
        let system = platform.split('_').next().unwrap_or_default();
        let (system, is_windows) = match system {
            "linux" | "manylinux" | "musllinux" | "alpine" => ("linux", false),
            "macos" => ("darwin", false),
            "windows" => ("win32", true),
            _ => ("", false),
        };
        if !system.is_empty() {
            parts.push(format!("sys_platform == '{system}'"));
        }
        let machines = [
            "x86_64", "amd64", "aarch64", "arm64", "x86", "i686", "armv7l",
        ];
        let machines = machines.iter().chain(&["ppc64le", "s390x", "riscv64"]);
        let ends = |machine: &&&str| platform.ends_with(&format!("_{machine}"));
        if let Some(machine) = machines.clone().find(ends) {
            let machine = match *machine {
                "x86_64" | "amd64" if is_windows => "AMD64",
                "arm64" | "aarch64" if is_windows => "ARM64",
                "amd64" => "x86_64",
                "arm64" if system == "linux" => "aarch64",
                machine => machine,
            };
            parts.push(format!("platform_machine == '{machine}'"));
        }
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

/// The targets, one of which must hold; none where the lock is for all of one range of Pythons, or one of
/// them is for everything.
fn environments(reading: &mut Reading, targets: &[PdmTarget<'_>]) -> Vec<MarkerNumber> {
    let is_plain = targets.iter().all(|target| target.platform.is_none());
    let markers: Option<Vec<String>> = targets.iter().map(PdmTarget::marker).collect();
    match markers {
        Some(markers) if !(is_plain && markers.len() < 2) => {
            reading.marker_list("", "metadata.targets", &markers)
        }
        _ => Vec::new(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct PdmPackage<'a> {
    name: Text<'a>,
    version: Option<Text<'a>>,
    requires_python: Option<Text<'a>>,
    #[serde(default, rename = "summary")]
    _summary: Unread,
    groups: Option<Vec<Text<'a>>>,
    marker: Option<Text<'a>>,
    #[serde(default)]
    extras: Vec<Text<'a>>,
    #[serde(default)]
    dependencies: Vec<Text<'a>>,
    #[serde(default)]
    files: Vec<Artifact<'a>>,
    url: Option<Text<'a>>,
    path: Option<Text<'a>>,
    #[serde(default)]
    editable: bool,
    git: Option<Text<'a>>,
    revision: Option<Text<'a>>,
    #[serde(default, rename = "ref")]
    _ref: Unread,
    subdirectory: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Artifact<'a> {
    file: Option<Text<'a>>,
    url: Option<Text<'a>>,
    hash: Option<Text<'a>>,
}

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
    let read = toml_text::read::<PdmFile<'_>>;
    let check = |text: &str| toml_text::read::<PdmFile<'_>>(text).err();
    let (file, mut notes) =
        read(text).map_err(|fault| toml_text::all_faults(text, *fault, check))?;
    let version = &file.metadata.lock_version;
    if version.split('.').next() != Some("4") {
        let expected = "version 4, which pdm writes since 2.8";
        let got = format!("version {}", &**version);
        let problem = Problem::FormatVersion { expected, got };
        return Err(vec![Fault::at("metadata.lock_version", problem)]);
    }
    notes.extend(without_groups(&file));
    let mut reading = Reading::default();
    let (packages, required) = packages(&mut reading, file.package, file.metadata.files);
    // Of several targets one must hold, and which one is for the markers of the packages.
    let python = match file.metadata.targets.as_slice() {
        [target] => target.requires_python.as_deref(),
        _ => None,
    };
    let default = "default".parse().ok();
    ListedLock {
        format: Format::Pdm,
        version: file.metadata.lock_version.to_string(),
        requires_python: reading.specifiers("", "metadata.targets", python),
        environments: environments(&mut reading, &file.metadata.targets),
        extras: Vec::new(),
        groups: reading.names("", "metadata.groups", &file.metadata.groups),
        default_groups: default.into_iter().collect(),
        packages,
        requirements: required,
        notes,
    }
    .finish(reading)
}

/// The name, the version and where it lies: two entries of one are its parts.
type Identity = (PackageName, Option<String>, Option<String>);

/// The packages, each with what it requires; those with extras are added to those without.
fn packages<'a>(
    reading: &mut Reading,
    entries: Vec<PdmPackage<'a>>,
    mut files: BTreeMap<Text<'a>, Vec<Artifact<'a>>>,
) -> (Vec<Package<'a>>, Vec<Option<Vec<NamedEdge>>>) {
    let mut packages: Vec<Package<'_>> = Vec::new();
    let mut required: Vec<Option<Vec<NamedEdge>>> = Vec::new();
    let mut numbers: BTreeMap<Identity, usize> = BTreeMap::new();
    for mut read in entries {
        let version = read.version.as_ref().map(|version| version.to_string());
        let label = format!("{} {}", &*read.name, version.as_deref().unwrap_or_default());
        if let Some(files) = files.remove(&Text(Cow::Owned(label))) {
            read.files.extend(files);
        }
        let places = [&read.url, &read.path, &read.git].into_iter().flatten();
        let place = places.map(|place| place.to_string()).next();
        let Some((package, more)) = self::package(reading, read) else {
            continue;
        };
        let number = *numbers
            .entry((package.name.clone(), version, place))
            .or_insert(packages.len());
        if let (Some(known), Some(Some(edges))) =
            (packages.get_mut(number), required.get_mut(number))
        {
            known.listed.extend(package.listed);
            edges.extend(more);
            if known.wheels.is_empty() && known.sdist.is_none() {
                known.wheels = package.wheels;
                known.sdist = package.sdist;
            }
        } else {
            packages.push(package);
            required.push(Some(more));
        }
    }
    (packages, required)
}

/// A note where packages do not say their groups: until 4.3, or without the strategy `inherit_metadata`.
fn without_groups(file: &PdmFile<'_>) -> Option<String> {
    let says_none = file.package.iter().all(|package| package.groups.is_none());
    (1 < file.metadata.groups.len() && says_none).then(|| {
        "the lock does not say of which groups its packages are, and all of them are taken; \
         pdm writes them with its strategy `inherit_metadata`"
            .to_owned()
    })
}

fn package<'a>(
    reading: &mut Reading,
    read: PdmPackage<'a>,
) -> Option<(Package<'a>, Vec<NamedEdge>)> {
    let name = reading.name("", "package.name", &read.name)?;
    let mut package = Package::new(name);
    package.version = reading.version(package.name.as_str(), "version", read.version.as_deref());
    let label = package.label();
    package.requires_python =
        reading.specifiers(&label, "requires_python", read.requires_python.as_deref());
    package.subdirectory = read.subdirectory.map(|it| it.0.into_owned());
    let marker = reading.marker(&label, "marker", read.marker.as_deref());
    let groups = match &read.groups {
        Some(groups) => reading
            .names(&label, "groups", groups)
            .into_iter()
            .map(Some)
            .collect(),
        None => vec![None],
    };
    package.listed = groups
        .into_iter()
        .map(|group| Listing { group, marker })
        .collect();
    let mut location = Location::Unknown;
    if let Some(url) = read.url {
        package.origin.clone_from(&url.0);
        location = Location::Url(url.0);
    } else if let Some(path) = read.path {
        package.origin.clone_from(&path.0);
        let ends = [".whl", ".tar.gz", ".zip"];
        if ends.iter().any(|end| path.ends_with(end)) {
            location = Location::Path(path.0.into_owned());
        } else {
            package.source = Source::Directory {
                path: path.0,
                editable: read.editable,
            };
        }
    } else if let Some(url) = read.git {
        package.origin.clone_from(&url.0);
        match read.revision {
            Some(commit) => {
                package.source = Source::Git {
                    url: url.0,
                    commit: commit.0,
                    lfs: false,
                };
            }
            None => reading.fault(&label, "revision", Problem::NoCommit),
        }
    }
    // Those of a package with extras are those of the package.
    if read.extras.is_empty() && package.source == Source::Files {
        files(reading, &mut package, &location, read.files);
    }
    let requirements = requirements(reading, &label, "dependencies", &read.dependencies);
    Some((package, requirements))
}

fn files<'a>(
    reading: &mut Reading,
    package: &mut Package<'a>,
    location: &Location<'a>,
    files: Vec<Artifact<'a>>,
) {
    if files.is_empty() && *location != Location::Unknown {
        let file = File::new(package.owner(), None, location.clone(), None, None);
        let file = reading.file(package, "files", file);
        place(package, file);
    }
    for (number, read) in files.into_iter().enumerate() {
        let name: Option<Cow<'a, str>> = read.file.map(|name| name.0);
        let location = match read.url {
            // A path in the lock holds on other machines, too, where its URL does not.
            Some(url) if !matches!(location, Location::Path(_)) => Location::of(url.0),
            _ => location.clone(),
        };
        let file = optional_hash(read.hash.as_deref())
            .and_then(|hash| File::new(package.owner(), name, location, hash, None));
        let file = reading.file(package, &format!("files[{number}]"), file);
        place(package, file);
    }
}

fn place<'a>(package: &mut Package<'a>, file: Option<File<'a>>) {
    match file {
        Some(file) if file.wheel.is_some() => package.wheels.push(file),
        Some(file) => package.sdist = Some(file),
        None => {}
    }
}
