//! The PyPI part of the locks of conda's tools: `pixi.lock` and `conda-lock.yml`.
//!
//! Both lock each platform by itself, for the Python that is one of the conda packages. What conda brings
//! is another builder's: such a package is taken from nixpkgs where one of PyPI requires it, and named in
//! a note where none does.

use std::collections::{BTreeMap, BTreeSet};

use wheelfix_format::PackageName;

use crate::Problem;
use crate::file::{File, Location};
use crate::lock::{Listing, Package, Source};
use crate::read::reading::{NamedEdge, Reading, optional_hash};
use crate::read::requirements::{at_commit, url_source};

/// The marker of a platform with a Python; `None` where nothing can be installed.
pub(crate) fn platform_marker(platform: &str, python: Option<&str>) -> Option<String> {
    let (system, machine) = match platform.split_once('-')? {
        ("linux", "64") => ("linux", "x86_64"),
        ("linux", "32") => ("linux", "i686"),
        ("linux", machine) => ("linux", machine),
        ("osx", "64") => ("darwin", "x86_64"),
        ("osx", machine) => ("darwin", machine),
        _ => return None,
    };
    let is_word = |text: &str| {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        text.bytes().all(is_legal)
    };
    let mut marker = format!("sys_platform == '{system}' and platform_machine == '{machine}'");
    let mut parts = python.unwrap_or_default().split('.');
    if let (Some(major), Some(minor)) = (parts.next(), parts.next()) {
        let version = format!(" and python_version == '{major}.{minor}'");
        marker.push_str(if is_word(major) && is_word(minor) {
            &version
        } else {
            ""
        });
    }
    is_word(machine).then_some(marker)
}

/// The name and the version in the URL of a conda package: `.../numpy-2.3.5-py312h33ff503_1.conda`.
pub(crate) fn of_url(url: &str) -> Option<(&str, &str)> {
    let file = url.rsplit('/').next()?;
    let stem = [".conda", ".tar.bz2"]
        .iter()
        .find_map(|end| file.strip_suffix(end))?;
    let (rest, _build) = stem.rsplit_once('-')?;
    rest.rsplit_once('-')
}

/// The packages of a lock, and those of conda.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) all: Vec<Package<'static>>,
    pub(crate) requirements: Vec<Option<Vec<NamedEdge>>>,
    numbers: BTreeMap<(String, String), usize>,
    names: BTreeSet<String>,
}

impl Packages {
    pub(crate) fn push(
        &mut self,
        package: Package<'static>,
        requirements: Vec<NamedEdge>,
    ) -> usize {
        self.all.push(package);
        self.requirements.push(Some(requirements));
        self.all.len() - 1
    }

    /// Says when a package is a part of a selection.
    pub(crate) fn list(&mut self, number: usize, listing: Listing) {
        if let Some(package) = self.all.get_mut(number) {
            package.listed.push(listing);
        }
    }

    /// Adds a conda package, by its own name or by those that it has on PyPI.
    pub(crate) fn conda(
        &mut self,
        (name, version): (&str, &str),
        of_pypi: &[String],
        listing: &Listing,
    ) {
        self.names.insert(name.to_owned());
        let own = [name.to_owned()];
        let names = if of_pypi.is_empty() { &own } else { of_pypi };
        for name in names {
            // Not all of conda's names are names on PyPI, and none of those is required.
            let Ok(parsed) = name.parse::<PackageName>() else {
                continue;
            };
            let key = (name.clone(), version.to_owned());
            let number = if let Some(number) = self.numbers.get(&key) {
                *number
            } else {
                let mut package = Package::new(parsed);
                package.version = version.parse().ok();
                package.source = Source::Conda;
                package.origin = "conda".into();
                self.numbers.insert(key, self.all.len());
                self.push(package, Vec::new())
            };
            self.list(number, listing.clone());
        }
    }

    /// A note that names what is of conda, if anything is.
    pub(crate) fn note(&self) -> Option<String> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "conda packages are not installed, nixpkgs has to give what is needed of them: {}",
                names.join(", ")
            )
        })
    }
}

/// Where a package of PyPI comes from.
pub(crate) fn locate(
    reading: &mut Reading,
    package: &mut Package<'static>,
    (key, location): (&str, &str),
    hash: Option<&str>,
    is_editable: bool,
) {
    let location = location.strip_prefix("direct+").unwrap_or(location);
    package.origin = location.to_owned().into();
    let archives = [
        ".whl", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip",
    ];
    let label = package.label();
    if at_commit(location).is_some() {
        url_source(reading, key, package, location, &[]);
        return;
    }
    if let Some(git) = location.strip_prefix("git+") {
        match crate::read::uv::git(&git.to_owned().into()) {
            Some((source, subdirectory)) => {
                package.source = source;
                package.subdirectory = subdirectory;
            }
            None => reading.fault(&label, key, Problem::NoCommit),
        }
        return;
    }
    let place = Location::of(location.to_owned().into());
    if let Location::Path(path) = &place
        && !archives.iter().any(|end| path.ends_with(end))
    {
        package.source = Source::Directory {
            path: path.clone().into(),
            editable: is_editable,
        };
        return;
    }
    let hash = hash.map(|digest| format!("sha256:{digest}"));
    let hash = optional_hash(hash.as_deref());
    let file = hash.and_then(|hash| File::new(package.owner(), None, place, hash, None));
    match reading.file(package, key, file) {
        Some(file) if file.wheel.is_some() => package.wheels.push(file),
        Some(file) => package.sdist = Some(file),
        None => {}
    }
}
