//! A set of ELF files that are installed together: who needs whom, and what none of them provides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wheelfix_elf::{Elf, is_newer_version, minimum_versions};
use wheelfix_format::LibraryName;

/// ELF files that are installed together.
#[derive(Clone, Debug, Default)]
pub struct ElfSet<'a> {
    /// By path, relative to whatever all of them are in.
    files: BTreeMap<&'a str, &'a Elf>,
}

/// The newest version of one kind that some file needs from outside the set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MinimumVersion {
    /// The kind: `GLIBC`, `GLIBCXX`.
    pub name: String,
    /// The version: `2.28`.
    pub version: String,
    /// The library that has to define it.
    pub library: String,
    /// The first of the files that need it.
    pub path: String,
    /// How many files need this very version.
    pub count: usize,
}

/// A library of others that a wheel carries.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BundledLibrary {
    /// Its path.
    pub path: String,
    /// Its soname.
    pub soname: Option<String>,
    /// Its name as its makers had it.
    pub canonical: String,
    /// Whether a repair tool has put a hash into its name.
    pub is_renamed: bool,
    /// The files of the set that need it.
    pub needed_by: Vec<String>,
}

/// The runtime libraries of compilers, which count as libraries of others even under their own
/// names.
const RUNTIMES: [&str; 8] = [
    "libatomic",
    "libgcc_s",
    "libgfortran",
    "libgomp",
    "libiomp5",
    "libomp",
    "libquadmath",
    "libstdc++",
];

/// The libraries that a wheel may need of every system: those that all `manylinux` policies allow,
/// and the loaders.
const SYSTEM: [&str; 24] = [
    "libGL.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libanl.so.1",
    "libatomic.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libexpat.so.1",
    "libgcc_s.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libm.so.6",
    "libmvec.so.1",
    "libnsl.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
];

/// Whether a library is among those that a `manylinux` wheel may need of the system, a `musllinux`
/// wheel's C library, or the loader.
///
/// <https://github.com/pypa/auditwheel/blob/main/src/auditwheel/policy/manylinux-policy.json>
pub fn is_system_library(soname: &str) -> bool {
    let is_loader = ["ld-linux", "ld64.so.", "ld.so.", "libc.musl-", "ld-musl-"]
        .iter()
        .any(|begin| soname.starts_with(begin));
    is_loader || SYSTEM.contains(&soname)
}

impl<'a> ElfSet<'a> {
    /// A set of files with their paths.
    pub fn new(files: impl IntoIterator<Item = (&'a str, &'a Elf)>) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }

    /// Sonames and file names by which files of the set can be found.
    fn provided(&self) -> BTreeSet<&'a str> {
        let names = self.files.iter().flat_map(|(path, elf)| names(path, elf));
        names.collect()
    }

    /// The libraries that the files need and none of them provides, each with the files that need
    /// it.
    pub fn external(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let provided = self.provided();
        let mut external: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (path, elf) in &self.files {
            let needed = elf.dynamic.iter().flat_map(|dynamic| &dynamic.needed);
            for name in needed.filter(|name| !provided.contains(name.as_str())) {
                external.entry(name).or_default().push(path);
            }
        }
        external
    }

    /// The files that need one of these names.
    fn users(&self, wanted: &[&str]) -> Vec<String> {
        let needs = |elf: &Elf| {
            let mut needed = elf.dynamic.iter().flat_map(|dynamic| &dynamic.needed);
            needed.any(|name| wanted.contains(&name.as_str()))
        };
        let users = self.files.iter().filter(|(_, elf)| needs(elf));
        users.map(|(path, _)| (*path).to_owned()).collect()
    }

    /// The libraries of others among the files: those with a hash in their names, those in a directory
    /// `*.libs`, and the runtimes of compilers.
    pub fn bundled(&self) -> Vec<BundledLibrary> {
        let found = self.files.iter().filter_map(|(path, elf)| {
            let (dir, file) = path.rsplit_once('/').unwrap_or(("", path));
            let name = LibraryName::parse(file)?;
            let is_renamed = !name.hashes().is_empty();
            let is_in_libs = dir.strip_suffix(".libs").is_some();
            if !is_renamed && !is_in_libs && !RUNTIMES.contains(&name.stem()) {
                return None;
            }
            Some(BundledLibrary {
                path: (*path).to_owned(),
                soname: elf
                    .dynamic
                    .as_ref()
                    .and_then(|dynamic| dynamic.soname.clone()),
                canonical: name.canonical(),
                is_renamed,
                needed_by: self.users(&names(path, elf).collect::<Vec<_>>()),
            })
        });
        found.collect()
    }

    /// The newest version of each kind that is needed from outside the set, by kind.
    pub fn minimum_versions(&self) -> Vec<MinimumVersion> {
        let provided = self.provided();
        let mut newest: BTreeMap<&str, MinimumVersion> = BTreeMap::new();
        for (path, elf) in &self.files {
            let dynamic = elf.dynamic.iter();
            let needs = dynamic.flat_map(|dynamic| &dynamic.version_needs);
            let needs = needs.filter(|need| !provided.contains(need.file.as_str()));
            let needs = needs.flat_map(|need| {
                let versions = need.versions.iter();
                versions.map(|version| (version.name.as_str(), version.weak, &need.file))
            });
            for (name, (version, library)) in minimum_versions(needs) {
                let minimum = MinimumVersion {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    library: library.clone(),
                    path: (*path).to_owned(),
                    count: 1,
                };
                match newest.get_mut(name) {
                    None => drop(newest.insert(name, minimum)),
                    Some(other) if other.version == version => other.count += 1,
                    Some(other) if is_newer_version(version, &other.version) => *other = minimum,
                    Some(_) => {}
                }
            }
        }
        newest.into_values().collect()
    }
}

/// The names by which a file can be found: its soname and its file name.
fn names<'a>(path: &'a str, elf: &'a Elf) -> impl Iterator<Item = &'a str> {
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    let soname = elf
        .dynamic
        .as_ref()
        .and_then(|dynamic| dynamic.soname.as_deref());
    soname.into_iter().chain([file])
}
