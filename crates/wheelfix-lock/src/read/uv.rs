//! `uv.lock`, version 1, revisions 0 to 5.
//!
//! Its markers have extras that uv makes up, `extra == 'extra-4-feat-cpu'`, which are about all that is
//! selected; most of its dependencies do not say which version or source they mean, as there is one.

mod default_groups;
mod schema;

use std::borrow::Cow;
use std::collections::BTreeMap;

use wheelfix_format::{PackageName, VersionSpecifiers};

use crate::file::{File, Location, decoded};
use crate::lock::{Conflict, DefaultGroups, Edge, Lock, Package, Root, Source};
use crate::read::reading::{Reading, optional_hash};
use crate::read::toml_text;
use crate::text::Text;
use crate::{Fault, Faults, Format, Problem};

/// The newest revision whose keys are all known.
const NEWEST_REVISION: i64 = 5;

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
    let (file, mut notes) = toml_text::read::<schema::File<'_>>(text).map_err(|fault| {
        // Another version may have another shape, and then its number is what is wrong.
        let head = toml_text::read::<schema::Head>(text).ok();
        let version = head.and_then(|(head, _)| head.version);
        let check = |text: &str| toml_text::read::<schema::File<'_>>(text).err();
        match version.filter(|version| *version != 1) {
            Some(version) => vec![version_fault(version)],
            None => toml_text::all_faults(text, *fault, check),
        }
    })?;
    if file.version != 1 {
        return Err(vec![version_fault(file.version)]);
    }
    if NEWEST_REVISION < file.revision {
        notes.push(format!(
            "revision {} is newer than {NEWEST_REVISION}, the newest that is known",
            file.revision
        ));
    }
    Reader::default().lock(file, notes)
}

fn version_fault(version: i64) -> Fault {
    let expected = "version 1";
    let got = format!("version {version}");
    Fault::at("version", Problem::FormatVersion { expected, got })
}

/// All faults so far, and what dependencies are looked up in.
#[derive(Default)]
struct Reader<'a> {
    reading: Reading,
    by_name: BTreeMap<PackageName, Vec<usize>>,
    /// As written, of each package: what a dependency that is ambiguous repeats.
    identities: Vec<(Option<Text<'a>>, schema::Source<'a>)>,
}

/// The dependencies of a package, until all packages are known.
struct Pending<'a> {
    dependencies: Vec<schema::Dependency<'a>>,
    optional: BTreeMap<PackageName, Vec<schema::Dependency<'a>>>,
}

impl<'a> Reader<'a> {
    fn lock(mut self, file: schema::File<'a>, notes: Vec<String>) -> Result<Lock<'a>, Faults> {
        let version = format!("1.{}", file.revision);
        let requires_python =
            self.reading
                .specifiers("", "requires-python", file.requires_python.as_deref());
        let environments =
            self.reading
                .marker_list("", "supported-markers", &file.supported_markers);
        let conflicts = self.conflicts(&file.conflicts);
        let mut packages = Vec::new();
        let mut pending = Vec::new();
        let mut roots = Vec::new();
        for package in file.package {
            self.package(package, &mut packages, &mut pending, &mut roots);
        }
        self.find_duplicates(&packages);
        for (number, pending) in pending.into_iter().enumerate() {
            if let Some(package) = packages.get_mut(number) {
                self.edges_of(package, pending);
            }
        }
        let has_top = packages.iter().any(is_top);
        let of_workspace = file.manifest.default_groups.clone();
        let workspace_groups = (!has_top).then(|| self.default_groups("", of_workspace));
        let roots = self.roots(&packages, roots, file.manifest);
        if !self.reading.faults.is_empty() {
            return Err(self.reading.faults);
        }
        Ok(Lock {
            format: Format::Uv,
            version,
            requires_python,
            environments,
            conflicts,
            roots,
            workspace_groups,
            packages,
            indexes: Vec::new(),
            notes,
            markers: self.reading.markers,
        })
    }

    fn conflicts(&mut self, sets: &[Vec<schema::ConflictItem<'_>>]) -> Vec<Vec<Conflict>> {
        let mut read = Vec::new();
        for set in sets {
            let mut items = Vec::new();
            for item in set {
                let Some(package) = self.reading.name("", "conflicts", &item.package) else {
                    continue;
                };
                let extra = item
                    .extra
                    .as_ref()
                    .and_then(|it| self.reading.name("", "conflicts", it));
                let group = item
                    .group
                    .as_ref()
                    .and_then(|it| self.reading.name("", "conflicts", it));
                items.push(match (extra, group) {
                    (Some(extra), _) => Conflict::Extra(package, extra),
                    (None, Some(group)) => Conflict::Group(package, group),
                    (None, None) => Conflict::Project(package),
                });
            }
            read.push(items);
        }
        read
    }

    fn package(
        &mut self,
        read: schema::Package<'a>,
        packages: &mut Vec<Package<'a>>,
        pending: &mut Vec<Pending<'a>>,
        roots: &mut Vec<(usize, RootTables<'a>)>,
    ) {
        let Some(name) = self.reading.name("", "package.name", &read.name) else {
            return;
        };
        let number = packages.len();
        let mut package = Package::new(name.clone());
        package.version = self
            .reading
            .version(name.as_str(), "version", read.version.as_deref());
        let label = package.label();
        package.forks =
            self.reading
                .marker_list(&label, "resolution-markers", &read.resolution_markers);
        let identity = (read.version, read.source);
        self.source(&mut package, &identity);
        self.files(&mut package, &identity.1, read.sdist, read.wheels);
        let mut optional = BTreeMap::new();
        for (extra, dependencies) in read.optional_dependencies {
            if let Some(extra) = self.reading.name(&label, "optional-dependencies", &extra) {
                optional.insert(extra, dependencies);
            }
        }
        for extra in self.reading.names(
            &label,
            "metadata.provides-extras",
            &read.metadata.provides_extras,
        ) {
            optional.entry(extra).or_default();
        }
        pending.push(Pending {
            dependencies: read.dependencies,
            optional,
        });
        if matches!(
            package.source,
            Source::Directory { .. } | Source::Virtual { .. }
        ) {
            let tables = RootTables {
                groups: read.dev_dependencies,
                declared: read.metadata.requires_dev.0,
                default_groups: read.default_groups,
                requires_python: read.group_requires_python,
            };
            roots.push((number, tables));
        }
        self.by_name.entry(name).or_default().push(number);
        self.identities.push(identity);
        packages.push(package);
    }

    fn source(
        &mut self,
        package: &mut Package<'a>,
        identity: &(Option<Text<'a>>, schema::Source<'a>),
    ) {
        let source = &identity.1;
        let is_versioned = source.registry.is_some();
        if is_versioned && identity.0.is_none() {
            self.reading
                .faults
                .push(package.fault("version", Problem::NoVersion));
        }
        package.subdirectory = source.subdirectory.as_deref().map(str::to_owned);
        let texts = [&source.registry, &source.url, &source.path];
        if let Some(text) = texts.into_iter().flatten().next() {
            package.origin.clone_from(&text.0);
            return;
        }
        let directory = |path: &Text<'a>, editable| Source::Directory {
            path: path.0.clone(),
            editable,
        };
        let (origin, read) = match source {
            schema::Source { git: Some(url), .. } => (url, git(&url.0)),
            schema::Source {
                directory: Some(path),
                ..
            } => (path, Some((directory(path, false), None))),
            schema::Source {
                editable: Some(path),
                ..
            } => (path, Some((directory(path, true), None))),
            schema::Source {
                r#virtual: Some(path),
                ..
            } => {
                let path = path.0.clone();
                (
                    source.r#virtual.as_ref().unwrap_or(&EMPTY),
                    Some((Source::Virtual { path }, None)),
                )
            }
            _ => (&EMPTY, None),
        };
        package.origin.clone_from(&origin.0);
        match read {
            Some((source, subdirectory)) => {
                package.source = source;
                if subdirectory.is_some() {
                    package.subdirectory = subdirectory;
                }
            }
            None => self
                .reading
                .faults
                .push(package.fault("source", Problem::UnknownSource)),
        }
    }

    fn files(
        &mut self,
        package: &mut Package<'a>,
        source: &schema::Source<'a>,
        sdist: Option<schema::Artifact<'a>>,
        wheels: Vec<schema::Artifact<'a>>,
    ) {
        if package.source != Source::Files {
            return;
        }
        let mut read = Vec::with_capacity(wheels.len());
        for (number, wheel) in wheels.into_iter().enumerate() {
            match artifact(package, source, wheel) {
                Ok(file) => read.push(file),
                Err(problem) => self
                    .reading
                    .faults
                    .push(package.fault(format!("wheels[{number}]"), problem)),
            }
        }
        package.wheels = read;
        if let Some(sdist) = sdist {
            match artifact(package, source, sdist) {
                Ok(file) => package.sdist = Some(file),
                Err(problem) => self.reading.faults.push(package.fault("sdist", problem)),
            }
        }
    }

    /// Packages are told apart by name, version and source.
    fn find_duplicates(&mut self, packages: &[Package<'a>]) {
        for numbers in self.by_name.values().filter(|numbers| 1 < numbers.len()) {
            for (at, number) in numbers.iter().enumerate() {
                let before = numbers.get(..at).unwrap_or_default();
                let identity = self.identities.get(*number);
                let is_double = before
                    .iter()
                    .any(|other| self.identities.get(*other) == identity);
                if let Some(package) = packages.get(*number).filter(|_| is_double) {
                    self.reading
                        .faults
                        .push(package.fault("", Problem::Duplicate));
                }
            }
        }
    }

    fn edges_of(&mut self, package: &mut Package<'a>, pending: Pending<'a>) {
        let label = package.label();
        package.edges = Some(self.edges(&label, "dependencies", &pending.dependencies));
        for (extra, dependencies) in pending.optional {
            let key = format!("optional-dependencies.{extra}");
            let edges = self.edges(&label, &key, &dependencies);
            package.extras.insert(extra, edges);
        }
    }

    fn edges(&mut self, of: &str, key: &str, read: &[schema::Dependency<'_>]) -> Vec<Edge> {
        let mut edges = Vec::with_capacity(read.len());
        for dependency in read {
            let marker = self.reading.marker(of, key, dependency.marker.as_deref());
            let extras = self.reading.names(of, key, &dependency.extra);
            let Some(name) = self.reading.name(of, key, &dependency.name) else {
                continue;
            };
            let candidates = self.by_name.get(&name).cloned().unwrap_or_default();
            let is_meant = |number: &usize| {
                let Some((version, source)) = self.identities.get(*number) else {
                    return false;
                };
                let same_version = dependency.version.is_none() || dependency.version == *version;
                let same_source = dependency.source.as_ref().is_none_or(|it| it == source);
                same_version && same_source
            };
            let targets: Vec<usize> = candidates.into_iter().filter(is_meant).collect();
            let problem = match targets.as_slice() {
                [_] => None,
                [] => Some(Problem::UnknownDependency(dependency_label(dependency))),
                several => Some(Problem::AmbiguousDependency(
                    several
                        .iter()
                        .map(|number| self.identity_label(&name, *number))
                        .collect(),
                )),
            };
            match problem {
                None => edges.push(Edge {
                    targets,
                    extras,
                    marker,
                }),
                Some(problem) => self.reading.faults.push(Fault::named(of, key, problem)),
            }
        }
        edges
    }

    fn identity_label(&self, name: &PackageName, number: usize) -> String {
        let version = self
            .identities
            .get(number)
            .and_then(|(version, _)| version.as_deref());
        format!("{name} {}", version.unwrap_or("of an unknown version"))
    }
}

/// Whether a package is the project beside the lock.
fn is_top(package: &Package<'_>) -> bool {
    match &package.source {
        Source::Directory { path, .. } | Source::Virtual { path } => path == ".",
        Source::Files | Source::Git { .. } | Source::Conda => false,
    }
}

/// The tables of a package at which a selection may begin.
struct RootTables<'a> {
    groups: BTreeMap<Text<'a>, Vec<schema::Dependency<'a>>>,
    declared: Vec<Text<'a>>,
    default_groups: Option<schema::Groups<'a>>,
    requires_python: BTreeMap<Text<'a>, Text<'a>>,
}

impl<'a> Reader<'a> {
    fn roots(
        &mut self,
        packages: &[Package<'a>],
        tables: Vec<(usize, RootTables<'a>)>,
        manifest: schema::Manifest<'a>,
    ) -> Vec<Root> {
        let members = self
            .reading
            .names("", "manifest.members", &manifest.members);
        let is_member = |package: &Package<'_>| is_top(package) || members.contains(&package.name);
        let has_top = packages.iter().any(is_top);
        let mut roots = Vec::new();
        for (number, tables) in tables {
            let Some(package) = packages.get(number).filter(|package| is_member(package)) else {
                continue;
            };
            let label = package.label();
            let mut groups = BTreeMap::new();
            for (group, dependencies) in tables.groups {
                if let Some(name) = self.reading.name(&label, "dev-dependencies", &group) {
                    let key = format!("dev-dependencies.{name}");
                    let edges = self.edges(&label, &key, &dependencies);
                    groups.insert(name, edges);
                }
            }
            for group in self
                .reading
                .names(&label, "metadata.requires-dev", &tables.declared)
            {
                groups.entry(group).or_insert_with(Vec::new);
            }
            roots.push(Root {
                package: Some(number),
                is_default: is_top(package) || !has_top,
                requirements: Vec::new(),
                groups,
                extras: BTreeMap::new(),
                default_groups: self.default_groups(&label, tables.default_groups),
                group_requires_python: self.group_pythons(tables.requires_python),
                group_environments: BTreeMap::new(),
            });
        }
        // A script, or a project without a `[project]`.
        let has_own = !manifest.requirements.is_empty() || !manifest.dependency_groups.is_empty();
        if has_own || roots.is_empty() {
            let root = self.manifest_root(manifest);
            roots.push(root);
        }
        roots
    }

    fn manifest_root(&mut self, manifest: schema::Manifest<'a>) -> Root {
        let requirements = self.requirements("manifest.requirements", &manifest.requirements);
        let mut groups = BTreeMap::new();
        for (group, requirements) in manifest.dependency_groups {
            if let Some(name) = self.reading.name("", "manifest.dependency-groups", &group) {
                let key = format!("manifest.dependency-groups.{name}");
                let edges = self.requirements(&key, &requirements);
                groups.insert(name, edges);
            }
        }
        Root {
            package: None,
            is_default: true,
            requirements,
            groups,
            extras: BTreeMap::new(),
            default_groups: self.default_groups("", manifest.default_groups),
            group_requires_python: self.group_pythons(manifest.group_requires_python),
            group_environments: BTreeMap::new(),
        }
    }

    /// Requirements as they were declared: which of several packages is meant, their forks say.
    fn requirements(&mut self, key: &str, read: &[schema::Requirement<'_>]) -> Vec<Edge> {
        let mut edges = Vec::new();
        for requirement in read {
            let marker = self.reading.marker("", key, requirement.marker.as_deref());
            let extras = self.reading.names("", key, &requirement.extras);
            let Some(name) = self.reading.name("", key, &requirement.name) else {
                continue;
            };
            match self.by_name.get(&name).cloned() {
                Some(targets) => edges.push(Edge {
                    targets,
                    extras,
                    marker,
                }),
                // One whose marker holds nowhere that the lock is for.
                None if requirement.marker.is_some() => {}
                None => {
                    let problem = Problem::UnknownDependency(name.to_string());
                    self.reading.faults.push(Fault::at(key, problem));
                }
            }
        }
        edges
    }

    fn default_groups(&mut self, of: &str, read: Option<schema::Groups<'_>>) -> DefaultGroups {
        match read {
            // Not written by uv, as it is its default.
            None => DefaultGroups::Named(self.reading.names(
                of,
                "default-groups",
                &[Text(Cow::Borrowed("dev"))],
            )),
            Some(schema::Groups::All) => DefaultGroups::All,
            Some(schema::Groups::Named(names)) => {
                DefaultGroups::Named(self.reading.names(of, "default-groups", &names))
            }
        }
    }

    fn group_pythons(
        &mut self,
        read: BTreeMap<Text<'_>, Text<'_>>,
    ) -> BTreeMap<PackageName, VersionSpecifiers> {
        let mut pythons = BTreeMap::new();
        for (group, specifiers) in read {
            let name = self.reading.name("", "group-requires-python", &group);
            let specifiers =
                self.reading
                    .specifiers("", "group-requires-python", Some(&specifiers));
            pythons.extend(name.zip(specifiers));
        }
        pythons
    }
}

static EMPTY: Text<'static> = Text(Cow::Borrowed(""));

fn dependency_label(dependency: &schema::Dependency<'_>) -> String {
    match &dependency.version {
        Some(version) => format!("{} {}", &*dependency.name, &**version),
        None => dependency.name.to_string(),
    }
}

/// A file of a package. Where it is may stand in the source of the package instead.
fn artifact<'a>(
    package: &Package<'a>,
    source: &schema::Source<'a>,
    read: schema::Artifact<'a>,
) -> Result<File<'a>, Problem> {
    let of_source = source.url.as_ref().or(source.path.as_ref());
    let location = match (read.url, read.path) {
        (Some(url), _) => Location::of(url.0),
        (None, Some(path)) => match &source.registry {
            // Relative to the directory with links, if that is one.
            Some(registry) if !path.starts_with('/') && !registry.starts_with("http") => {
                let directory = registry.strip_prefix("file://").unwrap_or(registry);
                Location::Path(format!("{}/{}", directory.trim_end_matches('/'), &*path))
            }
            _ => Location::Path(path.0.into_owned()),
        },
        (None, None) => match of_source {
            Some(source) => Location::of(source.0.clone()),
            None => return Err(Problem::NoLocation),
        },
    };
    let hash = optional_hash(read.hash.as_deref())?;
    let name = read.filename.map(|name| name.0);
    File::new(package.owner(), name, location, hash, read.size)
}

/// Reads `URL?tag=..&subdirectory=..&lfs=true#COMMIT`.
/// The repository and the directory in it of uv's `URL?subdirectory=..#COMMIT`.
pub(crate) fn git<'a>(text: &Cow<'a, str>) -> Option<(Source<'a>, Option<String>)> {
    let (rest, commit) = text.rsplit_once('#')?;
    let (url, query) = rest.split_once('?').unwrap_or((rest, ""));
    let value = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == key)?;
        Some(decoded(value).into_owned())
    };
    if commit.is_empty() {
        return None;
    }
    let source = Source::Git {
        url: Cow::Owned(url.to_owned()),
        commit: Cow::Owned(commit.to_owned()),
        lfs: value("lfs").is_some_and(|lfs| lfs == "true"),
    };
    Some((source, value("subdirectory").or_else(|| value("path"))))
}
