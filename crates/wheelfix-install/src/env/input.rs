//! The inputs of an environment: prefixes, those that they propagate, and wheels.
//!
//! nixpkgs writes the run-time inputs of a package to `nix-support/propagated-build-inputs`:
//! <https://nixos.org/manual/nixpkgs/stable/#ssec-stdenv-dependencies-propagated>.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use serde::Serialize;
use wheelfix_loader::{absolute_path, existing_path};

use crate::env::fault::EnvFault;
use crate::layout::Layout;
use crate::warning::InstallWarning;

/// The file in which a package names its run-time inputs, relative to its prefix.
const PROPAGATED: &str = "nix-support/propagated-build-inputs";

/// Most bytes that a list of propagated inputs may have.
const PROPAGATED_LIMIT: u64 = 16 << 20;

/// A prefix that goes into an environment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Prefix {
    /// Where it lies, links resolved.
    pub path: PathBuf,
    /// How it came in: the input that was named, then one propagated input after the other; the
    /// last is `path`.
    pub chain: Vec<PathBuf>,
    /// Its place among the inputs, propagated ones behind those that were named.
    #[serde(skip)]
    pub(crate) rank: usize,
}

/// A wheel that is installed into an environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WheelInput {
    pub(crate) path: PathBuf,
    /// Its place among the inputs.
    pub(crate) rank: usize,
}

/// Everything that goes into an environment.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// By path.
    pub(crate) prefixes: Vec<Prefix>,
    /// By file name.
    pub(crate) wheels: Vec<WheelInput>,
    /// Propagated inputs that hold no modules, and Pythons.
    pub(crate) passed_over: BTreeSet<PathBuf>,
}

/// Finds all inputs; all faults at once.
pub(crate) fn find(paths: &[PathBuf], layout: &Layout) -> Result<Inputs, Vec<EnvFault>> {
    let mut finder = Finder {
        site_packages: layout.site_packages(),
        seen: BTreeSet::new(),
        inputs: Inputs::default(),
        faults: Vec::new(),
    };
    let mut candidates = Candidates::default();
    for path in paths {
        candidates.add(path.clone(), None);
    }
    // The shortest chains first.
    while !candidates.list.is_empty() {
        candidates = finder.take(&candidates.list);
    }
    let mut inputs = finder.inputs;
    inputs
        .prefixes
        .sort_by(|one, other| one.path.cmp(&other.path));
    let file_name = |wheel: &WheelInput| wheel.path.file_name().map(ToOwned::to_owned);
    inputs
        .wheels
        .sort_by_key(|wheel| (file_name(wheel), wheel.path.clone()));
    let mut faults = finder.faults;
    faults.extend(nested(&inputs.prefixes));
    if faults.is_empty() {
        Ok(inputs)
    } else {
        Err(faults)
    }
}

/// Refuses to make a prefix, which has no links on its way, within one of the inputs.
pub(crate) fn refuse_inside(prefix: &Path, inputs: &Inputs) -> Result<(), EnvFault> {
    match inputs
        .prefixes
        .iter()
        .find(|input| prefix.starts_with(&input.path))
    {
        Some(input) => Err(EnvFault::PrefixInside {
            prefix: prefix.to_owned(),
            input: input.path.clone(),
        }),
        None => Ok(()),
    }
}

/// The Python versions for which a directory holds modules, as `3.11`.
pub fn pythons_of(prefix: &Path) -> BTreeSet<String> {
    let mut versions = BTreeSet::new();
    let Ok(entries) = fs::read_dir(prefix.join("lib")) else {
        return versions;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let version = name.to_str().and_then(|name| name.strip_prefix("python"));
        if let Some(version) = version
            && entry.path().join("site-packages").is_dir()
        {
            versions.insert(version.to_owned());
        }
    }
    versions
}

/// A path that may be an input.
struct Candidate {
    /// As it is written.
    path: PathBuf,
    /// Positions of the prefixes that propagate it; empty if it was named.
    users: Vec<usize>,
}

/// Paths that may be inputs, each of them once, in the order in which they were first written.
#[derive(Default)]
struct Candidates {
    list: Vec<Candidate>,
    /// Positions by path.
    known: BTreeMap<PathBuf, usize>,
}

impl Candidates {
    /// Adds a path, and the position of the prefix that propagates it.
    fn add(&mut self, path: PathBuf, user: Option<usize>) {
        let position = *self.known.entry(path).or_insert_with_key(|path| {
            self.list.push(Candidate {
                path: path.clone(),
                users: Vec::new(),
            });
            self.list.len() - 1
        });
        if let Some(candidate) = self.list.get_mut(position) {
            candidate.users.extend(user);
        }
    }
}

/// The kind of input at a path.
enum Look {
    Wheel,
    /// With the paths that it propagates, sorted.
    Prefix(BTreeSet<PathBuf>),
    PassedOver,
}

struct Finder {
    /// Relative to a prefix.
    site_packages: String,
    /// Everything that was looked at, links resolved.
    seen: BTreeSet<PathBuf>,
    inputs: Inputs,
    faults: Vec<EnvFault>,
}

impl Finder {
    /// Adds candidates to the inputs; returns the paths that they propagate.
    fn take(&mut self, candidates: &[Candidate]) -> Candidates {
        let find = |candidate: &Candidate| {
            let real = existing_path(&candidate.path)?;
            let look = look(&real, candidate.users.is_empty(), &self.site_packages);
            // A wheel is what its name says, also where it is a link to a file of another name.
            let place = match &look {
                Ok(Look::Wheel) => absolute_path(&candidate.path)?,
                _ => real.clone(),
            };
            Ok((real, (place, look)))
        };
        let found: Vec<io::Result<_>> = candidates.par_iter().map(find).collect();
        let mut next = Candidates::default();
        for (candidate, found) in candidates.iter().zip(found) {
            match found {
                Ok((real, _)) if self.seen.contains(&real) => {}
                Ok((real, (place, look))) => {
                    self.seen.insert(real);
                    match look {
                        Ok(look) => self.add(place, candidate, look, &mut next),
                        Err(fault) => self.faults.push(fault),
                    }
                }
                Err(error) => self.refuse(candidate, error),
            }
        }
        next
    }

    /// Adds an input, and the paths that it propagates to the next candidates.
    fn add(&mut self, path: PathBuf, candidate: &Candidate, look: Look, next: &mut Candidates) {
        // Every path that was looked at has a place, also one that is passed over.
        let rank = self.seen.len();
        match look {
            Look::Wheel => self.inputs.wheels.push(WheelInput { path, rank }),
            Look::PassedOver => {
                self.inputs.passed_over.insert(path);
            }
            Look::Prefix(propagated) => {
                let position = self.inputs.prefixes.len();
                for path in propagated {
                    next.add(path, Some(position));
                }
                let user = candidate.users.first();
                let user = user.and_then(|user| self.inputs.prefixes.get(*user));
                let mut chain = user.map(|user| user.chain.clone()).unwrap_or_default();
                chain.push(path.clone());
                self.inputs.prefixes.push(Prefix { path, chain, rank });
            }
        }
    }

    /// Adds the fault of a candidate that cannot be looked at; for one that is missing a fault for
    /// each prefix that propagates it.
    fn refuse(&mut self, candidate: &Candidate, error: io::Error) {
        let path = &candidate.path;
        if error.kind() == ErrorKind::NotFound && !candidate.users.is_empty() {
            let users = candidate.users.iter();
            let users = users.filter_map(|user| self.inputs.prefixes.get(*user));
            let missing = users.map(|user| EnvFault::MissingPropagated {
                path: path.clone(),
                user: user.path.clone(),
            });
            self.faults.extend(missing);
        } else if error.kind() == ErrorKind::NotFound {
            self.faults.push(EnvFault::Missing(path.clone()));
        } else if is_loop(&error) {
            self.faults.push(EnvFault::Loop(path.clone()));
        } else {
            self.faults.push(EnvFault::Read(error));
        }
    }
}

/// Looks at a path, links resolved. A wheel must be named, and so must a prefix without modules.
fn look(path: &Path, is_named: bool, site_packages: &str) -> Result<Look, EnvFault> {
    if path.to_str().is_none() {
        return Err(EnvFault::Name(path.to_owned()));
    }
    let file_type = fs::metadata(path)?.file_type();
    if is_named && file_type.is_file() {
        return Ok(Look::Wheel);
    }
    if is_named && !file_type.is_dir() {
        return Err(EnvFault::Special(path.to_owned()));
    }
    let has_modules = path.join(site_packages).is_dir();
    if is_named && !has_modules {
        refuse_others(path)?;
    }
    let is_needed = is_named || has_modules;
    if !is_needed || is_python(path, site_packages) {
        return Ok(Look::PassedOver);
    }
    propagated(path).map(Look::Prefix)
}

/// Whether a directory is a source tree, which a build backend makes a wheel of.
pub fn is_source_tree(directory: &Path) -> bool {
    let has = |name: &str| fs::metadata(directory.join(name)).is_ok();
    has("pyproject.toml") || has("setup.py")
}

/// Refuses a directory that holds wheels, a source tree and an unpacked wheel: these were not meant
/// to be linked as they are.
fn refuse_others(path: &Path) -> Result<(), EnvFault> {
    let mut count = 0;
    let mut metadata = None;
    for entry in fs::read_dir(path)? {
        let name = PathBuf::from(entry?.file_name());
        let extension = name.extension().and_then(|it| it.to_str());
        count += usize::from(extension == Some("whl"));
        if extension == Some("dist-info") {
            let name = name.to_string_lossy().into_owned();
            metadata = metadata.into_iter().chain([name]).min();
        }
    }
    let path = path.to_owned();
    match metadata {
        _ if is_source_tree(&path) => Err(EnvFault::SourceTree(path)),
        _ if 0 < count => Err(EnvFault::Wheels { path, count }),
        Some(metadata) => Err(EnvFault::Unpacked { path, metadata }),
        None => Ok(()),
    }
}

/// A warning for each input in which nothing is.
pub(crate) fn empty(prefixes: &[Prefix]) -> impl Iterator<Item = InstallWarning> {
    let is_empty = |prefix: &&Prefix| {
        fs::read_dir(&prefix.path).is_ok_and(|mut entries| entries.next().is_none())
    };
    let empty = prefixes.iter().filter(is_empty);
    empty.map(|prefix| InstallWarning::EmptyInput(prefix.path.clone()))
}

/// The paths that a prefix propagates, sorted.
fn propagated(prefix: &Path) -> Result<BTreeSet<PathBuf>, EnvFault> {
    let file = prefix.join(PROPAGATED);
    match fs::metadata(&file) {
        Err(error) if is_absent(error.kind()) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error.into()),
        Ok(metadata) if metadata.len() > PROPAGATED_LIMIT => {
            return Err(EnvFault::Propagated(file));
        }
        Ok(_) => {}
    }
    match String::from_utf8(fs::read(&file)?) {
        Ok(text) => Ok(text.split_whitespace().map(PathBuf::from).collect()),
        Err(_) => Err(EnvFault::Propagated(file)),
    }
}

/// Whether a prefix is a Python itself: its standard library is there.
fn is_python(prefix: &Path, site_packages: &str) -> bool {
    let library = prefix.join(site_packages);
    library
        .parent()
        .is_some_and(|library| library.join("os.py").is_file())
}

/// Inputs that lie within another input.
fn nested(prefixes: &[Prefix]) -> Vec<EnvFault> {
    // Sorted by components, what lies within a directory follows it at once.
    let mut faults = Vec::new();
    let mut outer: Option<&Prefix> = None;
    for prefix in prefixes {
        match outer {
            Some(outer) if prefix.path.starts_with(&outer.path) => {
                faults.push(EnvFault::Nested {
                    inner: prefix.path.clone(),
                    outer: outer.path.clone(),
                });
            }
            _ => outer = Some(prefix),
        }
    }
    faults
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Whether the kernel gave up on a chain of links.
pub(crate) fn is_loop(error: &std::io::Error) -> bool {
    // The kind has a name in nightly Rust only, and `fs_err` keeps nothing else.
    let code = rustix::io::Errno::LOOP.raw_os_error();
    error.kind() == std::io::Error::from_raw_os_error(code).kind()
}
