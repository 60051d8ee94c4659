//! What an environment is made from: prefixes, what they propagate, and wheels.
//!
//! nixpkgs writes the run-time inputs of a package to `nix-support/propagated-build-inputs`:
//! <https://nixos.org/manual/nixpkgs/stable/#ssec-stdenv-dependencies-propagated>.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;

use crate::env::fault::EnvFault;
use crate::layout::Layout;

/// Where a package names what it needs at run time, relative to its prefix.
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
        queue: VecDeque::new(),
        prefixes: BTreeMap::new(),
        inputs: Inputs::default(),
        faults: Vec::new(),
    };
    for (rank, path) in paths.iter().enumerate() {
        finder.named(path, rank);
    }
    finder.follow(paths.len());
    let mut inputs = finder.inputs;
    inputs.prefixes = finder.prefixes.into_values().collect();
    let file_name = |wheel: &WheelInput| wheel.path.file_name().map(ToOwned::to_owned);
    inputs
        .wheels
        .sort_by_key(|wheel| (file_name(wheel), wheel.path.clone()));
    inputs.wheels.dedup_by(|one, other| one.path == other.path);
    let mut faults = finder.faults;
    faults.extend(nested(&inputs.prefixes));
    if faults.is_empty() {
        Ok(inputs)
    } else {
        Err(faults)
    }
}

/// Refuses to make a prefix within one of the inputs.
pub(crate) fn refuse_inside(prefix: &Path, inputs: &Inputs) -> Result<(), EnvFault> {
    // The prefix and directories above it need not exist yet.
    let existing = prefix.ancestors().find_map(|ancestor| {
        let real = fs::canonicalize(ancestor).ok()?;
        Some(match prefix.strip_prefix(ancestor) {
            Ok(rest) => real.join(rest),
            Err(_) => real,
        })
    });
    let real = existing.unwrap_or_else(|| prefix.to_owned());
    match inputs
        .prefixes
        .iter()
        .find(|input| real.starts_with(&input.path))
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

struct Finder {
    /// Relative to a prefix.
    site_packages: String,
    /// Prefixes whose propagated inputs are to be looked at.
    queue: VecDeque<Prefix>,
    prefixes: BTreeMap<PathBuf, Prefix>,
    inputs: Inputs,
    faults: Vec<EnvFault>,
}

impl Finder {
    fn named(&mut self, path: &Path, rank: usize) {
        let Some(real) = self.resolve(path, None) else {
            return;
        };
        if real.is_file() {
            self.inputs.wheels.push(WheelInput { path: real, rank });
        } else if real.is_dir() {
            if is_python(&real, &self.site_packages) {
                self.inputs.passed_over.insert(real);
            } else {
                let chain = vec![real.clone()];
                self.add(Prefix {
                    path: real,
                    chain,
                    rank,
                });
            }
        } else {
            self.faults.push(EnvFault::Special(real));
        }
    }

    /// Adds a prefix, unless it is there.
    fn add(&mut self, prefix: Prefix) {
        if !self.prefixes.contains_key(&prefix.path) {
            self.queue.push_back(prefix.clone());
            self.prefixes.insert(prefix.path.clone(), prefix);
        }
    }

    /// Adds what prefixes propagate, the shortest chains first.
    fn follow(&mut self, mut rank: usize) {
        while let Some(prefix) = self.queue.pop_front() {
            for path in self.propagated(&prefix.path) {
                let Some(real) = self.resolve(&path, Some(&prefix.path)) else {
                    continue;
                };
                let has_modules = real.join(&self.site_packages).is_dir();
                if !has_modules || is_python(&real, &self.site_packages) {
                    self.inputs.passed_over.insert(real);
                    continue;
                }
                let mut chain = prefix.chain.clone();
                chain.push(real.clone());
                self.add(Prefix {
                    path: real,
                    chain,
                    rank,
                });
                rank += 1;
            }
        }
    }

    /// The paths that a prefix propagates, sorted.
    fn propagated(&mut self, prefix: &Path) -> BTreeSet<PathBuf> {
        let file = prefix.join(PROPAGATED);
        match fs::metadata(&file) {
            Err(error) if is_absent(error.kind()) => return BTreeSet::new(),
            Err(error) => {
                self.faults.push(EnvFault::Read(error));
                return BTreeSet::new();
            }
            Ok(metadata) if metadata.len() > PROPAGATED_LIMIT => {
                self.faults.push(EnvFault::Propagated(file));
                return BTreeSet::new();
            }
            Ok(_) => {}
        }
        let text = fs::read(&file).map(String::from_utf8);
        match text {
            Ok(Ok(text)) => text.split_whitespace().map(PathBuf::from).collect(),
            Ok(Err(_)) => {
                self.faults.push(EnvFault::Propagated(file));
                BTreeSet::new()
            }
            Err(error) => {
                self.faults.push(EnvFault::Read(error));
                BTreeSet::new()
            }
        }
    }

    /// The real path of an input; `user` is the prefix that propagates it.
    fn resolve(&mut self, path: &Path, user: Option<&Path>) -> Option<PathBuf> {
        match fs::canonicalize(path) {
            Ok(real) if real.to_str().is_none() => {
                self.faults.push(EnvFault::Name(real));
                None
            }
            Ok(real) => Some(real),
            Err(error) => {
                let path = path.to_owned();
                self.faults.push(match (error.kind(), user) {
                    (ErrorKind::NotFound, Some(user)) => EnvFault::MissingPropagated {
                        path,
                        user: user.to_owned(),
                    },
                    (ErrorKind::NotFound, None) => EnvFault::Missing(path),
                    _ if is_loop(&error) => EnvFault::Loop(path),
                    _ => EnvFault::Read(error),
                });
                None
            }
        }
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
