//! The libraries that library paths offer, by name.

pub(crate) mod lib_path;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;
use wheelfix_format::is_library_name;
use wheelfix_loader::{Abi, Object, ReadOutcome, Tokens, content_of, existing_path, read_object};

use crate::fault::missing::NearMiss;
use crate::fault::unusable::Unusable;
use crate::index::lib_path::{
    LibPathError, LibraryDirectory, Tier, check_writable, expand, holds_libraries,
};
use crate::rules::{Rules, any_matches};

/// One library under one name.
#[derive(Clone, Debug, Serialize)]
pub struct Library {
    /// The directory to write into a run path: absolute.
    pub directory: PathBuf,
    /// The name in that directory.
    pub name: String,
    /// The file behind the name, links followed.
    pub real: PathBuf,
    /// The tier of its directory.
    pub tier: Tier,
    /// Index of the library path that it comes from.
    pub entry: usize,
    /// The facts of its ELF file.
    #[serde(skip)]
    pub object: Object,
}

/// All libraries behind the library paths.
#[derive(Clone, Debug, Default)]
pub struct LibraryIndex {
    /// As given, in their order.
    entries: Vec<PathBuf>,
    /// In the order of preference.
    libraries: Vec<Library>,
    /// Files that have names of libraries and cannot be read as such.
    unusable: BTreeSet<Unusable>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_soname: BTreeMap<String, Vec<usize>>,
    by_directory: BTreeMap<PathBuf, BTreeMap<String, usize>>,
    /// Files that objects need by their path, and that are there.
    by_path: BTreeMap<PathBuf, Arc<Object>>,
}

/// The result of a look-up by name in the index.
#[derive(Debug)]
pub enum Found<'a> {
    /// Nothing that fits.
    Nothing,
    /// The one that a rule prefers, or else the first in the order of preference.
    Library(&'a Library),
    /// Several that differ, none before the others.
    Ambiguous(Vec<&'a Library>),
}

impl LibraryIndex {
    /// Refuses an entry that no library can be behind: it is not an absolute path of a directory.
    pub fn check(entry: &Path) -> Result<(), LibPathError> {
        crate::index::lib_path::check(entry)
    }

    /// Whether there are libraries behind an entry.
    pub fn has_libraries(entry: &Path) -> Result<bool, LibPathError> {
        expand(0, entry).map(|directories| !directories.is_empty())
    }

    /// Reads all libraries behind the entries, in their order.
    ///
    /// `driver_path` is never indexed: what it holds is known only at run time.
    pub fn read(
        entries: &[PathBuf],
        rules: &Rules,
        driver_path: &Path,
    ) -> Result<Self, LibPathError> {
        let expanded: Vec<Result<_, LibPathError>> = entries
            .par_iter()
            .enumerate()
            .map(|(number, entry)| expand(number, entry))
            .collect();
        // Of several errors, the first by order and not by time.
        let expanded: Result<Vec<_>, LibPathError> = expanded.into_iter().collect();
        let mut seen = BTreeSet::from([driver_path.to_path_buf()]);
        let mut pending: Vec<LibraryDirectory> = expanded?.into_iter().flatten().collect();
        pending.retain(|directory| seen.insert(directory.path.clone()));
        let mut index = Self {
            entries: entries.to_vec(),
            ..Self::default()
        };
        while !pending.is_empty() {
            let libraries = index.read_all(&pending)?;
            pending = run_path_directories(&libraries, rules, &mut seen)?;
            index.libraries.extend(libraries);
        }
        index.finish()?;
        Ok(index)
    }

    /// Adds what the objects themselves name and what is there: the directories of their run paths, so that what an earlier
    /// run found stays findable, and libraries that they need by path.
    pub fn add_named_by<'a>(
        &mut self,
        objects: impl Iterator<Item = &'a Object>,
        rules: &Rules,
        driver_path: &Path,
    ) -> Result<(), LibPathError> {
        let mut seen: BTreeSet<PathBuf> = self.by_directory.keys().cloned().collect();
        seen.insert(driver_path.to_path_buf());
        let entry = self.entries.len();
        let mut elements = BTreeSet::new();
        for object in objects {
            for name in object.needed.iter().filter(|name| name.contains('/')) {
                self.add_path(object, name)?;
            }
            elements.extend(
                object
                    .run_path
                    .iter()
                    .flat_map(|path| path.elements.iter().cloned()),
            );
        }
        let mut pending =
            usable_directories(elements.iter().map(|text| (text, entry)), rules, &mut seen)?;
        while !pending.is_empty() {
            let libraries = self.read_all(&pending)?;
            pending = run_path_directories(&libraries, rules, &mut seen)?;
            self.libraries.extend(libraries);
        }
        self.finish()?;
        Ok(())
    }

    /// Reads the libraries of directories, and notes what cannot be read.
    fn read_all(&mut self, directories: &[LibraryDirectory]) -> Result<Vec<Library>, io::Error> {
        let read: Result<Vec<_>, io::Error> = directories.par_iter().map(read_directory).collect();
        let mut all = Vec::new();
        for (libraries, unusable) in read? {
            all.extend(libraries);
            self.unusable.extend(unusable);
        }
        Ok(all)
    }

    /// Adds a library that is needed by path. One that is not absolute depends on where a program is started.
    fn add_path(&mut self, object: &Object, name: &str) -> Result<(), io::Error> {
        let path = needed_path(object, name);
        if path.is_absolute()
            && path.is_file()
            && !self.by_path.contains_key(&path)
            && let ReadOutcome::Object(found) = read_object(path.clone(), &path)?
        {
            self.by_path.insert(path, found);
        }
        Ok(())
    }

    /// The object outside of the output that is needed by this path, see [`needed_path`].
    pub(crate) fn by_path(&self, path: &Path) -> Option<&Object> {
        self.by_path.get(path).map(AsRef::as_ref)
    }

    /// An index of libraries that were read already.
    pub(crate) fn of(entries: Vec<PathBuf>, libraries: Vec<Library>) -> Self {
        let mut index = Self {
            entries,
            libraries,
            ..Self::default()
        };
        index.sort();
        index
    }

    /// Sorts by preference, builds the maps, and reads the contents where names meet.
    fn finish(&mut self) -> Result<(), io::Error> {
        self.sort();
        let meeting: BTreeSet<usize> = self
            .by_name
            .values()
            .flat_map(|at| self.rivals(at))
            .filter(|at| {
                self.libraries
                    .get(*at)
                    .is_some_and(|library| library.object.content.is_none())
            })
            .collect();
        for at in meeting {
            if let Some(library) = self.libraries.get_mut(at) {
                library.object.content = Some(content_of(&library.real)?);
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        // Stable: within a tier of an entry, directories and names keep their order.
        self.libraries
            .sort_by_key(|library| (library.tier, library.entry));
        self.by_name.clear();
        self.by_soname.clear();
        self.by_directory.clear();
        for (at, library) in self.libraries.iter().enumerate() {
            self.by_name
                .entry(library.name.clone())
                .or_default()
                .push(at);
            if let Some(soname) = &library.object.soname {
                self.by_soname.entry(soname.clone()).or_default().push(at);
            }
            let names = self
                .by_directory
                .entry(library.directory.clone())
                .or_default();
            names.entry(library.name.clone()).or_insert(at);
        }
    }

    /// Those of the positions whose libraries lie in the same tier of the same entry, in different
    /// files.
    fn rivals(&self, at: &[usize]) -> Vec<usize> {
        let mut groups: BTreeMap<(Tier, usize, Abi), BTreeMap<&Path, usize>> = BTreeMap::new();
        for at in at {
            if let Some(library) = self.libraries.get(*at) {
                let key = (library.tier, library.entry, library.object.abi);
                groups.entry(key).or_default().insert(&library.real, *at);
            }
        }
        let rivals = groups.into_values().filter(|group| 1 < group.len());
        rivals.flat_map(BTreeMap::into_values).collect()
    }

    /// The library that a need for the file name `name` means.
    pub fn by_file_name(&self, name: &str, wanted: &Object, rules: &Rules) -> Found<'_> {
        self.best(self.by_name.get(name), name, wanted, rules)
    }

    /// The library with this soname, under whatever file name.
    pub fn by_soname(&self, name: &str, wanted: &Object, rules: &Rules) -> Found<'_> {
        self.best(self.by_soname.get(name), name, wanted, rules)
    }

    fn best(
        &self,
        at: Option<&Vec<usize>>,
        name: &str,
        wanted: &Object,
        rules: &Rules,
    ) -> Found<'_> {
        let all = at
            .into_iter()
            .flatten()
            .filter_map(|at| self.libraries.get(*at));
        let fitting: Vec<&Library> = all
            .filter(|library| library.object.fits(wanted.abi, wanted.os_abi))
            .collect();
        let preferred = fitting
            .iter()
            .copied()
            .find(|library| is_preferred(library, name, rules));
        let Some(first) = preferred.or(fitting.first().copied()) else {
            return Found::Nothing;
        };
        let rivals: Vec<&Library> = fitting
            .into_iter()
            .filter(|other| {
                (other.tier, other.entry) == (first.tier, first.entry) && differ(first, other)
            })
            .collect();
        if rivals.is_empty() || preferred.is_some() || first.tier == Tier::RunPath {
            return Found::Library(first);
        }
        Found::Ambiguous([vec![first], rivals].concat())
    }

    /// The library that a directory has under a name.
    pub fn lookup(&self, directory: &Path, name: &str) -> Option<&Library> {
        let at = self.by_directory.get(directory)?.get(name)?;
        self.libraries.get(*at)
    }

    /// All libraries, in the order of preference.
    pub fn libraries(&self) -> &[Library] {
        &self.libraries
    }

    /// Files that a need for this name would find if they could be read.
    pub(crate) fn unusable_for(&self, name: &str) -> impl Iterator<Item = NearMiss> {
        let unusable = self.unusable.iter();
        let of_name = unusable.filter(move |file| file.name() == Some(name));
        of_name.map(|file| NearMiss {
            path: file.path.clone(),
            reason: file.reason.clone(),
        })
    }

    /// Files with names of libraries that cannot be read, and that are not called as something that is missing.
    pub(crate) fn unusable_besides(&self, is_missing: impl Fn(&str) -> bool) -> Vec<Unusable> {
        let is_called = |file: &&Unusable| file.name().is_some_and(&is_missing);
        let unusable = self.unusable.iter();
        unusable.filter(|file| !is_called(file)).cloned().collect()
    }

    /// The library paths, as given.
    pub fn entries(&self) -> &[PathBuf] {
        &self.entries
    }

    /// Whether libraries of the index lie in this directory.
    pub fn has_directory(&self, directory: &Path) -> bool {
        self.by_directory.contains_key(directory)
    }
}

fn is_preferred(library: &Library, name: &str, rules: &Rules) -> bool {
    rules.prefer.iter().any(|rule| {
        any_matches(&rule.body.soname, name)
            && rule
                .body
                .path
                .iter()
                .any(|path| path.matches_end(&library.directory.join(&library.name)))
    })
}

/// Whether two libraries are different files with different contents.
fn differ(one: &Library, other: &Library) -> bool {
    one.real != other.real
        && (one.object.content.is_none() || one.object.content != other.object.content)
}

/// Reads the libraries of one directory, by name, and what has such a name and cannot be read.
fn read_directory(
    directory: &LibraryDirectory,
) -> Result<(Vec<Library>, Vec<Unusable>), io::Error> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(&directory.path)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str()
            && is_library_name(name)
        {
            names.push((name.to_owned(), entry.file_type()?));
        }
    }
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (mut libraries, mut unusable) = (Vec::new(), Vec::new());
    for (name, kind) in names {
        let path = directory.path.join(&name);
        // No link is on the way to the directory.
        let (real, home) = if kind.is_file() {
            (path.clone(), directory.path.clone())
        } else {
            // A broken link is not a library.
            match existing_path(&path) {
                Ok(real) if real.is_file() => (real, home_of(&path, &name)?),
                Ok(_) | Err(_) => continue,
            }
        };
        // What cannot be read is a fault where it is needed, and only there.
        let reason = match read_object(path.clone(), &real) {
            Ok(ReadOutcome::Object(object)) => {
                libraries.push(Library {
                    directory: home,
                    name,
                    real,
                    tier: directory.tier,
                    entry: directory.entry,
                    object: Arc::unwrap_or_clone(object),
                });
                continue;
            }
            // A script of the linker, say.
            Ok(ReadOutcome::NoElf | ReadOutcome::Skipped(_) | ReadOutcome::Static { .. }) => {
                continue;
            }
            Ok(ReadOutcome::Malformed(reason)) => format!("it is damaged: {reason}"),
            Err(error) => format!("it cannot be read: {}", cause_of(&error)),
        };
        unusable.push(Unusable { path, reason });
    }
    Ok((libraries, unusable))
}

/// The words of the system for an error, without the path, which is told already.
fn cause_of(error: &io::Error) -> String {
    let code = error.raw_os_error();
    let source = std::error::Error::source(error).map(ToString::to_string);
    match (code, source) {
        (None, Some(source)) => source,
        _ => error.to_string(),
    }
}

/// The directory to write into a run path: links are followed as long as the name stays, so that
/// the output depends on the package that has the library and not on a forest of links to it. No link is on the way to `path`.
fn home_of(path: &Path, name: &str) -> Result<PathBuf, io::Error> {
    let mut home = path.to_path_buf();
    let mut links = 0;
    // The kernel follows at most 40 links.
    while links < 40 {
        let Ok(target) = fs_err::read_link(&home) else {
            break;
        };
        let next = home.parent().unwrap_or(Path::new("/")).join(target);
        if next.file_name().and_then(|last| last.to_str()) != Some(name) {
            break;
        }
        home = next;
        links += 1;
    }
    let home = home.parent().unwrap_or(Path::new("/"));
    if links == 0 {
        return Ok(home.to_owned());
    }
    existing_path(home)
}

/// The absolute directories in the run paths of libraries, that are there, hold libraries and were
/// not seen.
fn run_path_directories(
    libraries: &[Library],
    rules: &Rules,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<Vec<LibraryDirectory>, LibPathError> {
    let elements = libraries.iter().flat_map(|library| {
        let path = library.object.run_path.iter();
        path.flat_map(|path| path.elements.iter())
            .map(|text| (text, library.entry))
    });
    usable_directories(elements, rules, seen)
}

fn usable_directories<'a>(
    elements: impl Iterator<Item = (&'a String, usize)>,
    rules: &Rules,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<Vec<LibraryDirectory>, LibPathError> {
    let mut found = Vec::new();
    for (text, entry) in elements {
        let path = Path::new(text);
        let stale = rules
            .stale
            .iter()
            .any(|rule| !rule.body.unless_there && any_matches(&rule.body.element, text));
        if !path.is_absolute() || stale || seen.contains(path) || !holds_libraries(path)? {
            continue;
        }
        let real = existing_path(path)?;
        if seen.insert(real.clone()) {
            check_writable(&real)?;
            found.push(LibraryDirectory {
                path: real,
                tier: Tier::RunPath,
                entry,
            });
        }
        seen.insert(path.to_path_buf());
    }
    Ok(found)
}

/// The path that a `DT_NEEDED` with a `/` means, its tokens replaced: what the loader opens instead of searching
/// (`_dl_map_object` in glibc's `elf/dl-load.c`).
pub(crate) fn needed_path(object: &Object, name: &str) -> PathBuf {
    let origin = object.directory().to_string_lossy();
    PathBuf::from(Tokens::new(&origin, object.abi, true).expand(name))
}
