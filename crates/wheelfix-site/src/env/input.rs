//! What an environment is made from: prefixes, what they propagate, and wheels.
//!
//! nixpkgs writes the run-time inputs of a package to `nix-support/propagated-build-inputs`:
//! <https://nixos.org/manual/nixpkgs/stable/#ssec-stdenv-dependencies-propagated>.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
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
        seen: BTreeSet::new(),
        rank: 0,
        inputs: Inputs::default(),
        faults: Vec::new(),
    };
    let named = |path: &PathBuf| Candidate {
        path: path.clone(),
        users: Vec::new(),
    };
    let mut candidates: Vec<Candidate> = paths.iter().map(named).collect();
    // The shortest chains first.
    while !candidates.is_empty() {
        candidates = finder.take(&candidates);
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

/// A path that may be an input.
struct Candidate {
    /// As it is written.
    path: PathBuf,
    /// The chain of prefixes that propagate it; empty if it was named.
    users: Vec<PathBuf>,
}

/// What lies at a path.
enum Look {
    Wheel,
    /// With the paths that it propagates, sorted.
    Prefix(Result<BTreeSet<PathBuf>, EnvFault>),
    PassedOver,
}

struct Finder {
    /// Relative to a prefix.
    site_packages: String,
    /// Everything that was looked at, links resolved.
    seen: BTreeSet<PathBuf>,
    /// The place of the next input.
    rank: usize,
    inputs: Inputs,
    faults: Vec<EnvFault>,
}

impl Finder {
    /// Takes candidates in; what they propagate are the next ones.
    fn take(&mut self, candidates: &[Candidate]) -> Vec<Candidate> {
        let resolved: Vec<_> = candidates.par_iter().map(resolve).collect();
        let mut new: Vec<(PathBuf, &Candidate)> = Vec::new();
        for (candidate, real) in candidates.iter().zip(resolved) {
            match real {
                Ok(real) if self.seen.insert(real.clone()) => new.push((real, candidate)),
                Ok(_) => {}
                Err(fault) => self.faults.push(fault),
            }
        }
        let look = |(real, candidate): &(PathBuf, &Candidate)| {
            look(real, candidate.users.is_empty(), &self.site_packages)
        };
        let looks: Vec<_> = new.par_iter().map(look).collect();
        let mut next = Vec::new();
        for ((real, candidate), look) in new.into_iter().zip(looks) {
            match look {
                Ok(look) => next.extend(self.add(real, candidate, look)),
                Err(fault) => self.faults.push(fault),
            }
        }
        next
    }

    /// Adds what was looked at; what it propagates is returned.
    fn add(&mut self, path: PathBuf, candidate: &Candidate, look: Look) -> Vec<Candidate> {
        let rank = self.rank;
        self.rank += 1;
        let propagated = match look {
            Look::Prefix(propagated) => propagated,
            Look::Wheel => {
                self.inputs.wheels.push(WheelInput { path, rank });
                return Vec::new();
            }
            Look::PassedOver => {
                self.inputs.passed_over.insert(path);
                return Vec::new();
            }
        };
        let mut chain = candidate.users.clone();
        chain.push(path.clone());
        let propagated = propagated.unwrap_or_else(|fault| {
            self.faults.push(fault);
            BTreeSet::new()
        });
        let next = propagated.into_iter().map(|path| Candidate {
            path,
            users: chain.clone(),
        });
        let next = next.collect();
        self.inputs.prefixes.push(Prefix { path, chain, rank });
        next
    }
}

/// The real path of a candidate.
fn resolve(candidate: &Candidate) -> Result<PathBuf, EnvFault> {
    let path = candidate.path.clone();
    match fs::canonicalize(&path) {
        Ok(real) if real.to_str().is_none() => Err(EnvFault::Name(real)),
        Ok(real) => Ok(real),
        Err(error) => Err(match (error.kind(), candidate.users.last()) {
            (ErrorKind::NotFound, Some(user)) => EnvFault::MissingPropagated {
                path,
                user: user.clone(),
            },
            (ErrorKind::NotFound, None) => EnvFault::Missing(path),
            _ if is_loop(&error) => EnvFault::Loop(path),
            _ => EnvFault::Read(error),
        }),
    }
}

/// Looks at a path, links resolved. A wheel must be named, and so must a prefix without modules.
fn look(path: &Path, is_named: bool, site_packages: &str) -> Result<Look, EnvFault> {
    let file_type = fs::metadata(path)?.file_type();
    if is_named && file_type.is_file() {
        return Ok(Look::Wheel);
    }
    if is_named && !file_type.is_dir() {
        return Err(EnvFault::Special(path.to_owned()));
    }
    let has_modules = || path.join(site_packages).is_dir();
    let is_left_out = !is_named && !has_modules() || is_python(path, site_packages);
    Ok(if is_left_out {
        Look::PassedOver
    } else {
        Look::Prefix(propagated(path))
    })
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
