//! All that a lock installs, for several targets and selections, as one document for other programs.
//!
//! The same input gives the same bytes: everything is sorted, and there is no time, no name of a machine
//! but in the URLs of files, and nothing secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wheelfix_format::{
    Libc, MarkerEnvironment, MarkerSets, PackageName, RankedTags, Requirement, Target,
};

use crate::file::public_url;
use crate::{
    Choice, Fault, Faults, File, Format, Location, Lock, Package, Preference, Problem, Profile,
    Provider, Resolution, Resolved, Selection, Source, Sri, choose, resolve,
};

/// Version of the schema, which `docs/json.md` describes.
const VERSION: u32 = 1;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document {
    version: u32,
    lock: LockDocument,
    /// By name; one that several different files have is numbered.
    files: BTreeMap<String, FileDocument>,
    targets: BTreeMap<String, TargetDocument>,
    notes: BTreeSet<String>,
}

/// How a document is made.
#[derive(Clone, Debug, Default)]
pub struct DocumentOptions {
    /// The name of the lock file.
    pub path: String,
    /// The choice between wheel and sdist unless a package says otherwise.
    pub preference: Preference,
    /// The same for some packages.
    pub preferences: BTreeMap<PackageName, Preference>,
    /// Packages that nixpkgs provides.
    pub nixpkgs: Vec<NixpkgsPackage>,
    /// The hardware that everything has to be for.
    pub profile: Option<Profile>,
}

impl DocumentOptions {
    /// The preference for a package: its own, or the one for all.
    pub fn preference_of(&self, name: &PackageName) -> Preference {
        let own = self.preferences.get(name).copied();
        own.unwrap_or(self.preference)
    }

    /// The attribute of the package set of a Python that provides a package; `None` if nixpkgs does not. What
    /// comes from no index, as a member of a workspace, does so only where it is named.
    pub fn attribute_of(&self, package: &Package<'_>) -> Option<String> {
        let name = &package.name;
        let mut named = self.nixpkgs.iter();
        if let Some(named) = named.find(|it| it.name == *name) {
            return Some(named.attribute.clone());
        }
        let is_asked = self.preference_of(name) == Preference::Nixpkgs;
        let is_named = self.preferences.contains_key(name);
        (is_asked && (is_named || package.source == Source::Files)).then(|| name.to_string())
    }
}

/// A package that nixpkgs provides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NixpkgsPackage {
    /// The name in the lock.
    pub name: PackageName,
    /// The attribute of the package set of a Python.
    pub attribute: String,
}

#[derive(Debug, Serialize)]
struct LockDocument {
    path: String,
    format: &'static str,
    version: String,
    hash: String,
}

#[derive(Debug, Serialize)]
struct FileDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

#[derive(Debug, Serialize)]
struct TargetDocument {
    python: String,
    system: String,
    libc: String,
    selections: BTreeMap<String, SelectionDocument>,
}

#[derive(Debug, Serialize)]
struct SelectionDocument {
    roots: BTreeSet<String>,
    packages: BTreeMap<String, PackageDocument>,
}

#[derive(Debug, Serialize)]
struct PackageDocument {
    version: Option<String>,
    #[serde(flatten)]
    provider: ProviderDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    subdirectory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<BTreeSet<String>>,
    dependencies: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    extras: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum ProviderDocument {
    Wheel(String),
    Sdist(String),
    Nixpkgs(String),
    Git(GitDocument),
    Directory(DirectoryDocument),
    Virtual(String),
}

#[derive(Debug, Serialize)]
struct GitDocument {
    url: String,
    rev: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lfs: bool,
}

#[derive(Debug, Serialize)]
struct DirectoryDocument {
    path: String,
    editable: bool,
}

impl Document {
    /// Resolves every selection on every target; all that is wrong at once.
    pub fn new(
        lock: &Lock<'_>,
        bytes: &[u8],
        targets: &[Target],
        selections: &[Selection],
        options: &DocumentOptions,
    ) -> Result<Self, Faults> {
        let mut maker = Maker {
            lock,
            options,
            keys: BTreeMap::new(),
            files: BTreeMap::new(),
            notes: lock.notes.iter().cloned().collect(),
            faults: Vec::new(),
            environment: None,
            met: BTreeSet::new(),
            silent: BTreeSet::new(),
            unmet: BTreeMap::new(),
        };
        // In one order, however they were asked for: it decides about the numbers of files.
        let targets: BTreeMap<String, &Target> = targets
            .iter()
            .map(|target| (target.to_string(), target))
            .collect();
        let targets = targets
            .into_iter()
            .map(|(name, target)| {
                let document = maker.target(&name, target, selections);
                (name, document)
            })
            .collect();
        maker.check_options();
        maker.note_silent();
        maker.note_unmet();
        if !maker.faults.is_empty() {
            return Err(told_once(maker.faults));
        }
        Ok(Self {
            version: VERSION,
            lock: LockDocument {
                path: options.path.clone(),
                format: lock.format.name(),
                version: lock.version.clone(),
                hash: Sri::of_bytes(bytes).to_string(),
            },
            files: maker.files,
            targets,
            notes: maker.notes,
        })
    }

    /// How many files and targets there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.files.len(), self.targets.len())
    }

    /// Whether anything lies in a directory.
    pub fn has_projects(&self) -> bool {
        let selections = self.targets.values().flat_map(|it| it.selections.values());
        let mut packages = selections.flat_map(|selection| selection.packages.values());
        packages.any(|package| matches!(package.provider, ProviderDocument::Directory(_)))
    }

    /// Whether a file lies at a path that begins at the lock.
    pub fn has_paths(&self) -> bool {
        let mut paths = self.files.values().filter_map(|file| file.path.as_ref());
        paths.any(|path| !path.starts_with('/'))
    }

    /// Everything that the user should know.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }
}

struct Maker<'l> {
    lock: &'l Lock<'l>,
    options: &'l DocumentOptions,
    /// By what tells files apart.
    keys: BTreeMap<(&'l str, &'l Location<'l>), String>,
    files: BTreeMap<String, FileDocument>,
    notes: BTreeSet<String>,
    faults: Faults,
    /// The environment of the target that is looked at.
    environment: Option<MarkerEnvironment>,
    /// The packages of all selections.
    met: BTreeSet<PackageName>,
    /// Those of which the lock does not say what they require.
    silent: BTreeSet<PackageName>,
    /// The names of requirements that the lock does not have, by who has them.
    unmet: BTreeMap<String, BTreeSet<String>>,
}

impl<'l> Maker<'l> {
    fn target(&mut self, name: &str, target: &Target, selections: &[Selection]) -> TargetDocument {
        let tags = RankedTags::new(target);
        self.environment = Some(target.marker_environment());
        let mut documents = BTreeMap::new();
        for selection in selections {
            match resolve(self.lock, selection, target) {
                Ok(resolution) => {
                    let document = self.selection(name, &tags, &resolution);
                    documents.insert(selection.name.clone(), document);
                }
                Err(faults) => {
                    let of = format!("{name}, selection `{}`", selection.name);
                    let faults = faults.into_iter().map(|fault| fault.for_target(&of));
                    self.faults.extend(faults);
                }
            }
        }
        let system = match target.libc {
            Libc::MacOs { .. } if target.arch == "arm64" => "aarch64-darwin".to_owned(),
            Libc::MacOs { .. } => format!("{}-darwin", target.arch),
            Libc::Glibc { .. } | Libc::Musl { .. } => format!("{}-linux", target.arch),
        };
        TargetDocument {
            python: target.python.to_string(),
            system,
            libc: target.libc.to_string(),
            selections: documents,
        }
    }

    /// Notes of which packages the lock does not say what they require: of all, or of some.
    fn note_silent(&mut self) {
        if self.silent.is_empty() {
            return;
        }
        let which = if self.silent == self.met {
            "packages require".to_owned()
        } else {
            let names: Vec<&str> = self.silent.iter().map(PackageName::as_str).collect();
            let verb = if names.len() == 1 {
                "requires"
            } else {
                "require"
            };
            format!("{} {verb}", names.join(", "))
        };
        self.notes
            .insert(format!("the lock does not say what {which}"));
    }

    /// Notes what is required and not in the lock: what is installed will lack it.
    fn note_unmet(&mut self) {
        let notes = self.unmet.iter().map(|(label, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!(
                "{label} requires {}, which the lock does not have: give what is wanted to a resolver, as by \
                 `uv pip compile`, for a lock of all packages",
                names.join(", ")
            )
        });
        self.notes.extend(notes);
    }

    /// The names of what a package requires on the target and the lock does not have, with the versions that are allowed where it has
    /// another one.
    fn unmet(&self, package: &Package<'_>, resolved: &Resolved) -> BTreeSet<String> {
        let extras: Vec<PackageName> = resolved.extras.iter().cloned().collect();
        let is_required = |it: &&Requirement| {
            let both = it.marker().zip(self.environment.as_ref());
            both.is_none_or(|(marker, environment)| marker.applies(environment, &extras))
        };
        let unmet = package.unmet.iter().filter(is_required);
        let has_other = |it: &Requirement| {
            let mut packages = self.lock.packages.iter();
            packages.any(|package| package.name == *it.name())
        };
        let texts = unmet.map(|it| match it.name() {
            name if has_other(it) => format!("{name}{}", it.specifier_text()),
            name => name.to_string(),
        });
        texts.collect()
    }

    fn selection(
        &mut self,
        target: &str,
        tags: &RankedTags,
        resolution: &Resolution,
    ) -> SelectionDocument {
        let lock = self.lock;
        let mut packages = BTreeMap::new();
        for (name, resolved) in &resolution.packages {
            let Some(package) = lock.packages.get(resolved.number) else {
                continue;
            };
            self.met.insert(name.clone());
            let profile = self.options.profile.as_ref();
            let version = package.version.as_ref();
            if let Some(problem) = profile
                .zip(version)
                .and_then(|(it, version)| it.check(version))
            {
                let fault = package.fault("version", problem);
                self.faults.push(fault.for_target(target));
            }
            let (provider, why) = match self.provider(target, tags, package) {
                Ok(provided) => provided,
                Err(fault) => {
                    self.faults.push(fault.for_target(target));
                    continue;
                }
            };
            let dependencies = resolved.dependencies.as_ref().map(texts);
            if dependencies.is_none() {
                self.silent.insert(name.clone());
            }
            let unmet = self.unmet(package, resolved);
            if !unmet.is_empty() {
                self.unmet.entry(package.label()).or_default().extend(unmet);
            }
            let build = self.build(package, &provider);
            let document = PackageDocument {
                version: package.version.as_ref().map(ToString::to_string),
                provider,
                subdirectory: package.subdirectory.clone(),
                build,
                why,
                dependencies,
                extras: texts(&resolved.extras),
                component: resolved.component.as_ref().map(ToString::to_string),
            };
            packages.insert(name.to_string(), document);
        }
        SelectionDocument {
            roots: texts(&resolution.roots),
            packages,
        }
    }

    /// The names of what an sdist is built with on the target, if that is known.
    fn build(
        &self,
        package: &Package<'_>,
        provider: &ProviderDocument,
    ) -> Option<BTreeSet<String>> {
        let required = package.build.as_ref()?;
        let (environment, sets) = (self.environment.as_ref()?, MarkerSets::default());
        let is_required = |it: &&Requirement| {
            let mut marker = it.marker().into_iter();
            marker.all(|marker| marker.holds(environment, &sets))
        };
        let names = required.iter().filter(is_required);
        let names = names.map(|it| it.name().to_string()).collect();
        matches!(provider, ProviderDocument::Sdist(_)).then_some(names)
    }

    /// The provider of a package; where that is no wheel although it might have been, with the reason.
    fn provider(
        &mut self,
        target: &str,
        tags: &RankedTags,
        package: &'l Package<'l>,
    ) -> Result<(ProviderDocument, Option<String>), Box<Fault>> {
        if let Some(attribute) = self.options.attribute_of(package) {
            return Ok((ProviderDocument::Nixpkgs(attribute), None));
        }
        let preference = self.options.preference_of(&package.name);
        let chosen = choose(package, tags, preference).map_err(|reasons| {
            let label = package.label();
            let is_of_pipenv = self.lock.format == Format::Pipfile;
            if is_of_pipenv && package.version.is_none() && reasons.is_empty() {
                return Box::new(package.fault("version", Problem::AnyVersion));
            }
            let has_hashes = !package.hashes.is_empty() && package.wheels.is_empty();
            let problem = match package.is_answered {
                true if has_hashes => {
                    Problem::NotInIndex(format!("a file of `{label}` with a hash of the lock"))
                }
                true if reasons.is_empty() => Problem::NotInIndex(format!("`{label}`")),
                false if has_hashes => Problem::NoUrl(label),
                false if reasons.is_empty() => Problem::NoFiles,
                _ => Problem::NoFile(reasons),
            };
            Box::new(package.fault("wheels", problem))
        });
        let Choice { provider, why } = chosen?;
        let document = match provider {
            Provider::Wheel(file) => ProviderDocument::Wheel(self.file(package, file)?),
            Provider::Sdist(file) => {
                let why = why.as_deref().unwrap_or_default();
                let label = package.label();
                self.notes
                    .insert(format!("{target}: {label} is built from its sdist: {why}"));
                ProviderDocument::Sdist(self.file(package, file)?)
            }
            Provider::Source => self.source(package)?,
        };
        Ok((document, why))
    }

    /// A URL without its user, which is noted.
    fn public_url(&mut self, of: &str, url: &str) -> String {
        let public = public_url(url).into_owned();
        if public != url {
            let note = format!("the URL of {of} had a user, which was left out");
            self.notes.insert(note);
        }
        public
    }

    fn source(&mut self, package: &Package<'_>) -> Result<ProviderDocument, Box<Fault>> {
        let mut local = |path: &str| {
            if path.starts_with('/') {
                self.notes.insert(format!(
                    "{} is at an absolute path: `{path}`",
                    package.label()
                ));
            }
            path.to_owned()
        };
        Ok(match &package.source {
            Source::Git { url, commit, lfs } => {
                if Location::Url(url.clone()).has_secret() {
                    return Err(Box::new(
                        package.fault("source", Problem::Secret(package.label())),
                    ));
                }
                ProviderDocument::Git(GitDocument {
                    url: self.public_url(&package.label(), url),
                    rev: commit.clone().into_owned(),
                    lfs: *lfs,
                })
            }
            Source::Directory { path, editable } => {
                ProviderDocument::Directory(DirectoryDocument {
                    path: local(path),
                    editable: *editable,
                })
            }
            Source::Conda => {
                let (label, name) = (package.label(), &package.name);
                self.notes.insert(format!(
                    "{label} is a conda package, and taken from nixpkgs as `{name}`"
                ));
                ProviderDocument::Nixpkgs(name.to_string())
            }
            Source::Virtual { path } => ProviderDocument::Virtual(local(path)),
            Source::Files => return Err(Box::new(package.fault("source", Problem::NoFiles))),
        })
    }

    /// The key of a file, which is fit to be fetched.
    fn file(&mut self, package: &Package<'_>, file: &'l File<'l>) -> Result<String, Box<Fault>> {
        let identity = (&*file.name, &file.location);
        if let Some(key) = self.keys.get(&identity) {
            return Ok(key.clone());
        }
        let name = file.name.clone().into_owned();
        let fault = |problem| Err(Box::new(package.fault("files", problem)));
        let (mut url, mut path) = (None, None);
        match &file.location {
            Location::Unknown if package.is_answered => {
                return fault(Problem::NotInIndex(format!("`{name}`")));
            }
            Location::Unknown => return fault(Problem::NoUrl(name)),
            location if location.has_secret() => return fault(Problem::Secret(name)),
            Location::Url(_) if file.hash.is_none() => return fault(Problem::NoHash(name)),
            Location::Url(of) => {
                url = Some(self.public_url(&name, of));
            }
            Location::Path(of) => path = Some(of.clone()),
        }
        let mut key = name.clone();
        let mut number = 1;
        while self.files.contains_key(&key) {
            number += 1;
            key = format!("{name}#{number}");
        }
        let document = FileDocument {
            url,
            path,
            hash: file.hash.as_ref().map(ToString::to_string),
            size: file.size,
        };
        self.files.insert(key.clone(), document);
        self.keys.insert(identity, key.clone());
        Ok(key)
    }

    /// A choice for a package that is in no selection is a mistake.
    fn check_options(&mut self) {
        let preferences = self.options.preferences.keys();
        let nixpkgs = self.options.nixpkgs.iter().map(|package| &package.name);
        let names: BTreeSet<&PackageName> = preferences.chain(nixpkgs).collect();
        // What was not resolved cannot be known.
        if self.faults.is_empty() {
            let unused = names.into_iter().filter(|name| !self.met.contains(*name));
            let problems = unused.map(|name| Problem::Unused(name.to_string()));
            self.faults.extend(problems.map(Fault::of_file));
        }
    }
}

fn texts(names: &BTreeSet<PackageName>) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Faults that read the same come from several selections.
fn told_once(faults: Faults) -> Faults {
    let mut told = BTreeSet::new();
    let is_new = |fault: &Fault| told.insert(fault.to_string());
    let mut is_new = is_new;
    faults.into_iter().filter(|fault| is_new(fault)).collect()
}
