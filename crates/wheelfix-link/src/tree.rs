//! The ELF objects of one output, as they will lie when they are used.

pub(crate) mod imported;
pub(crate) mod made_executable;
pub(crate) mod other_python;
pub(crate) mod python_module;
pub(crate) mod python_source;
pub(crate) mod site;
pub(crate) mod source_uses;
pub(crate) mod stray;
pub(crate) mod text_names;
pub(crate) mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;
use wheelfix_format::is_library_name;
use wheelfix_loader::{
    Abi, Object, Place, ReadOutcome, STATIC, STORE, content_of, existing_path, normalize,
};

use crate::tree::other_python::is_of_other_python;
use crate::tree::python_module::imported_name;
pub use crate::tree::python_source::{PythonSource, may_be_like_source};
use crate::tree::source_uses::SourceUses;
use crate::tree::stray::stray_module;
use crate::tree::text_names::read_named_object;
use crate::tree::walk::{half_copy, is_half_copied, walk};

/// The objects of one output.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// By their final path.
    objects: BTreeMap<PathBuf, Object>,
    /// Symbolic links to objects: final path of the link, final path of the object.
    links: BTreeMap<PathBuf, PathBuf>,
    /// Objects of the Nix store, to which links lead, by their path in the tree. They are never edited.
    outside: BTreeMap<PathBuf, Object>,
    /// File names, per directory.
    names: BTreeMap<PathBuf, BTreeMap<String, PathBuf>>,
    /// Directories, per file name.
    holders: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Final paths, per soname.
    sonames: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Python sources, by path.
    pub sources: Vec<PythonSource>,
    /// Files that the loader has nothing to do with, and why: ELF files, and what Python takes for
    /// them.
    pub skipped: Vec<Skipped>,
    /// Files that begin like ELF files, cannot be read as such, and may be loaded.
    pub unreadable: Vec<Unreadable>,
    /// Files that begin like ELF files, cannot be read as such, and that nothing loads.
    pub data: Vec<Unreadable>,
    /// Files and directories on their way to their final names, or left behind on it; paths on disk.
    pub temporary: Vec<PathBuf>,
}

/// The content of a file of the tree.
enum Content {
    Elf(ReadOutcome),
    Python(PythonSource),
}

/// A file that is left alone.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// Its final path.
    pub path: PathBuf,
    /// Why, as the end of a sentence that begins with the path.
    pub reason: &'static str,
    /// Whether Python imports it by its name and place.
    #[serde(skip)]
    pub is_imported: bool,
    /// ABI and `EI_OSABI` of a program that is linked statically.
    #[serde(skip)]
    pub(crate) program: Option<(Abi, u8)>,
}

impl Skipped {
    /// A file that neither the kernel starts nor Python imports.
    pub(crate) fn new(path: PathBuf, reason: &'static str) -> Self {
        Self {
            path,
            reason,
            is_imported: false,
            program: None,
        }
    }
}

/// An ELF file that cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct Unreadable {
    /// Its final path.
    pub path: PathBuf,
    /// The reason why it cannot be read.
    pub reason: String,
    /// Whether it may be executed.
    #[serde(skip)]
    pub is_executable: bool,
}

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A directory cannot be listed.
    #[error(transparent)]
    Walk(#[from] walkdir::Error),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// The final place is not an absolute path.
    #[error("the place of a tree must be an absolute path, got `{}`", .0.display())]
    NotAbsolute(PathBuf),
}

impl Tree {
    /// Reads all ELF files below a directory.
    pub fn scan(place: &Place) -> Result<Self, TreeError> {
        Self::scan_all(std::slice::from_ref(place))
    }

    /// Reads all ELF files of several places, each a directory or a file, as one tree.
    ///
    /// Links are followed as [`walk()`] does. A link that is called as a Python is, as in `bin` of a
    /// virtual environment, leads to what is not part of the tree.
    pub fn scan_all(places: &[Place]) -> Result<Self, TreeError> {
        for place in places {
            if !place.used_at.is_absolute() {
                return Err(TreeError::NotAbsolute(place.used_at.clone()));
            }
        }
        let on_disk: Vec<PathBuf> = places.iter().map(|place| place.on_disk.clone()).collect();
        let mut walk = walk(&on_disk)?;
        let used = |file: &Path| {
            let place = places.iter().find(|place| file.starts_with(&place.on_disk));
            place.map_or_else(|| file.to_path_buf(), |place| place.used(file))
        };
        let mut pythons = walk.outside.clone();
        pythons.retain(|link| is_python(link));
        walk.outside.retain(|link| !is_python(link));
        let files = walk.files.iter().chain(&walk.outside);
        let mut tree = Self::read(files.map(|file| (used(file), file.clone())).collect())?;
        // What was named itself is asked for.
        let is_named = |file: &Unreadable| places.iter().any(|place| place.used_at == file.path);
        let (named, data) = std::mem::take(&mut tree.data)
            .into_iter()
            .partition::<Vec<_>, _>(is_named);
        tree.data = data;
        tree.unreadable.extend(named);
        tree.temporary = walk.temporary;
        for (link, file) in &walk.links {
            tree.add_link(used(link), used(file));
        }
        let reason = "is a link to the Python that imports the others";
        let pythons = pythons.iter().map(|link| used(link));
        tree.skipped
            .extend(pythons.map(|link| Skipped::new(link, reason)));
        tree.skipped.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(tree)
    }

    /// Reads the files of several places as [`Tree::scan_all`] does, to be edited: what links into the
    /// Nix store lead to is there to be used, and not part of what is edited.
    pub fn scan_own(places: &[Place]) -> Result<Self, TreeError> {
        let mut tree = Self::scan_all(places)?;
        // Of many files few are links, and many share a directory.
        let mut directories: BTreeMap<PathBuf, bool> = BTreeMap::new();
        let is_stored = |path: &Path| {
            let real = existing_path(path).unwrap_or_else(|_| path.to_path_buf());
            let mut roots = places.iter().map(|place| &place.on_disk);
            real.starts_with(STORE) && !roots.any(|root| real.starts_with(root))
        };
        let mut is_other = |file: &Path| {
            let parent = file.parent().unwrap_or(file);
            if file.is_symlink() {
                return is_stored(file);
            }
            let known = directories.entry(parent.to_path_buf());
            *known.or_insert_with_key(|parent| is_stored(parent))
        };
        let objects = std::mem::take(&mut tree.objects);
        let (outside, objects) = objects
            .into_iter()
            .partition(|(_, object)| is_other(&object.file));
        (tree.outside, tree.objects) = (outside, objects);
        tree.sources.retain(|source| !is_other(&source.file));
        Ok(tree)
    }

    /// Reads the given files: final path, and where the bytes lie now. Other files than ELF files
    /// and Python sources are passed over.
    pub fn read(files: Vec<(PathBuf, PathBuf)>) -> Result<Self, TreeError> {
        let read = |buffer: &mut Vec<u8>, (path, file): (PathBuf, PathBuf)| {
            content(&normalize(&path), &file, buffer).map(|outcome| (path, file, outcome))
        };
        let outcomes: Result<Vec<_>, std::io::Error> =
            files.into_par_iter().map_init(Vec::new, read).collect();
        let (mut tree, mut sources) = (Self::default(), Vec::new());
        let mut of_others = BTreeMap::new();
        for (path, file, content) in outcomes? {
            let outcome = match content {
                Content::Elf(outcome) => outcome,
                Content::Python(source) => {
                    sources.push(source);
                    continue;
                }
            };
            let name = path.file_name().and_then(|name| name.to_str());
            match outcome {
                // How much of it is there decides how far it can be read.
                ReadOutcome::Object(_) if name.is_some_and(is_half_copied) => {
                    tree.data.push(half_copy(path));
                }
                ReadOutcome::Object(object) if is_of_other_python(&path) => {
                    of_others.insert(path, object);
                }
                ReadOutcome::Object(object) => tree.add(Arc::unwrap_or_clone(object)),
                ReadOutcome::NoElf => {}
                ReadOutcome::Skipped(reason) => tree.skip(path, &file, reason, None),
                ReadOutcome::Static { abi, os_abi } => {
                    tree.skip(path, &file, STATIC, Some((abi, os_abi)));
                }
                ReadOutcome::Malformed(reason) => tree.unreadable.push(Unreadable {
                    path,
                    reason,
                    is_executable: is_executable(&file)?,
                }),
            }
        }
        tree.add_sources(sources);
        tree.add_loaded(&mut of_others);
        let ours = tree.objects.keys().map(PathBuf::as_path);
        let of_others = of_others.into_keys().collect();
        tree.skipped.extend(other_python::skipped(of_others, ours));
        tree.set_data_apart();
        tree.skipped.sort_by(|one, other| one.path.cmp(&other.path));
        for files in [&mut tree.unreadable, &mut tree.data] {
            files.sort_by(|one, other| one.path.cmp(&other.path));
        }
        Ok(tree)
    }

    /// Adds a file that is left alone; of a program with its ABI and `EI_OSABI`.
    fn skip(
        &mut self,
        path: PathBuf,
        file: &Path,
        reason: &'static str,
        program: Option<(Abi, u8)>,
    ) {
        self.skipped.push(Skipped {
            is_imported: imported_name(&path, file, None).is_some(),
            path,
            reason,
            program,
        });
    }

    /// The last parts of all names that objects need or may open, and that sources open.
    fn asked_names(&self) -> BTreeSet<&str> {
        let objects = self.objects.values();
        let of_objects = objects.flat_map(|object| object.needs().chain(&object.names));
        let of_sources = self.sources.iter().flat_map(PythonSource::asked);
        let names = of_objects.chain(of_sources.map(|library| &library.name));
        names.filter_map(|name| name.rsplit('/').next()).collect()
    }

    /// Adds those of the modules for other Pythons that are loaded by their file names, as any library may be,
    /// and takes them out of `modules`.
    fn add_loaded(&mut self, modules: &mut BTreeMap<PathBuf, Arc<Object>>) {
        if modules.is_empty() {
            return;
        }
        let of_sources = SourceUses::of(&self.sources, modules.values().map(Arc::as_ref));
        loop {
            let asked = self.asked_names();
            let is_asked = |object: &Object| {
                let name = object.file_name().to_str();
                of_sources.names(object) || name.is_some_and(|name| asked.contains(name))
            };
            let loaded = modules.extract_if(.., |_, object| is_asked(object));
            let loaded: Vec<_> = loaded.collect();
            if loaded.is_empty() {
                return;
            }
            for (_, object) in loaded {
                self.add(Arc::unwrap_or_clone(object));
            }
        }
    }

    /// Of what begins like an ELF file and is not a valid one, sets apart what is neither a library or program
    /// by its place and name nor asked for by name: test data of tools for ELF files is like that, and what uv
    /// leaves of a copy that was broken off.
    fn set_data_apart(&mut self) {
        let unreadable = std::mem::take(&mut self.unreadable);
        let wanted = self.asked_names();
        let is_loaded = |file: &Unreadable| {
            let name = file.path.file_name().and_then(|name| name.to_str());
            let directory = file.path.parent().and_then(Path::file_name);
            let is_program = file.is_executable || directory.is_some_and(|it| it == "bin");
            is_program && !name.is_some_and(is_half_copied)
                || name.is_none_or(|name| is_library_name(name) || wanted.contains(name))
        };
        let (loaded, data) = unreadable.into_iter().partition(is_loaded);
        self.unreadable = loaded;
        self.data.extend::<Vec<_>>(data);
    }

    /// Adds Python sources that have been read already.
    pub fn add_sources(&mut self, sources: Vec<PythonSource>) {
        self.sources.extend(sources);
        self.sources.sort_by(|one, other| one.path.cmp(&other.path));
    }

    /// Reads the contents of needed files that have a namesake: a plan tells copies from different files by them.
    pub fn compared(mut self) -> Result<Self, TreeError> {
        let mut unclear = BTreeSet::new();
        for name in self.objects.values().flat_map(|object| &object.needed) {
            let by_name = self.holders.get(name).into_iter().flatten();
            let by_name = by_name.filter_map(|directory| self.names.get(directory)?.get(name));
            let by_soname = self.sonames.get(name).into_iter().flatten();
            for paths in [by_name.collect::<BTreeSet<_>>(), by_soname.collect()] {
                if 1 < paths.len() {
                    unclear.extend(paths.into_iter().cloned());
                }
            }
        }
        for path in unclear {
            let objects = [self.objects.get_mut(&path), self.outside.get_mut(&path)];
            for object in objects.into_iter().flatten() {
                if object.content.is_none() {
                    object.content = Some(content_of(&object.file)?);
                }
            }
        }
        Ok(self)
    }

    /// Adds the objects of another tree as what may be used, and is never edited.
    pub fn add_beside(&mut self, other: &Self) {
        for object in other.objects.values() {
            self.name(&object.path, &object.path);
            self.outside.insert(object.path.clone(), object.clone());
        }
        for (link, object) in &other.links {
            self.name(link, object);
        }
    }

    /// Adds all of another tree.
    pub fn extend(&mut self, other: Self) {
        for object in other.objects.into_values() {
            self.add(object);
        }
        for (link, object) in other.links {
            self.add_link(link, object);
        }
        self.add_sources(other.sources);
        self.skipped.extend(other.skipped);
        self.skipped.sort_by(|one, other| one.path.cmp(&other.path));
        self.unreadable.extend(other.unreadable);
        self.data.extend(other.data);
    }

    /// Adds one object that has been read already.
    pub fn add(&mut self, object: Object) {
        self.name(&object.path, &object.path);
        if let Some(soname) = &object.soname {
            let paths = self.sonames.entry(soname.clone()).or_default();
            paths.insert(object.path.clone());
        }
        self.objects.insert(object.path.clone(), object);
    }

    /// The same tree without the objects at these final paths and the links to them, and with
    /// `edit` applied to every other object.
    #[must_use]
    pub fn revised(&self, removed: &BTreeSet<PathBuf>, edit: impl Fn(&mut Object)) -> Self {
        let mut tree = Self {
            outside: self.outside.clone(),
            skipped: self.skipped.clone(),
            unreadable: self.unreadable.clone(),
            data: self.data.clone(),
            sources: self.sources.clone(),
            ..Self::default()
        };
        for object in self.objects.values() {
            if !removed.contains(&object.path) {
                let mut object = object.clone();
                edit(&mut object);
                tree.add(object);
            }
        }
        for path in self.outside.keys() {
            tree.name(path, path);
        }
        for (link, target) in &self.links {
            if !removed.contains(target) {
                tree.name(link, target);
                tree.links.insert(link.clone(), target.clone());
            }
        }
        tree
    }

    /// The symbolic links to the object at a final path.
    pub fn links_to(&self, path: &Path) -> impl Iterator<Item = &Path> {
        let links = self.links.iter().filter(move |(_, target)| *target == path);
        links.map(|(link, _)| link.as_path())
    }

    /// Adds a symbolic link, if it leads to an object of the tree.
    fn add_link(&mut self, link: PathBuf, object: PathBuf) {
        if self.objects.contains_key(&object) {
            self.name(&link, &object);
            self.links.insert(link, object);
        }
    }

    fn name(&mut self, path: &Path, object: &Path) {
        // A name that is not Unicode is needed by nobody: sonames are checked to be Unicode.
        if let (Some(directory), Some(name)) = (
            path.parent(),
            path.file_name().and_then(|name| name.to_str()),
        ) {
            let names = self.names.entry(directory.to_path_buf()).or_default();
            names.insert(name.to_owned(), object.to_path_buf());
            let holders = self.holders.entry(name.to_owned()).or_default();
            holders.insert(directory.to_path_buf());
        }
    }

    /// The objects, by their final path.
    pub fn objects(&self) -> impl Iterator<Item = &Object> + Clone {
        self.objects.values()
    }

    /// The object at a final path, links followed.
    pub fn get(&self, path: &Path) -> Option<&Object> {
        let path = self.links.get(path).map_or(path, PathBuf::as_path);
        self.objects.get(path).or_else(|| self.outside.get(path))
    }

    /// The object that is named `name` in a directory of the tree.
    pub fn lookup(&self, directory: &Path, name: &str) -> Option<&Object> {
        let path = self.names.get(directory)?.get(name)?;
        self.objects.get(path).or_else(|| self.outside.get(path))
    }

    /// The directories that hold objects, with the names in them.
    pub fn directories(&self) -> &BTreeMap<PathBuf, BTreeMap<String, PathBuf>> {
        &self.names
    }

    /// The directories that have an object of this name.
    pub fn holders(&self, name: &str) -> impl Iterator<Item = &Path> {
        self.holders
            .get(name)
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    /// The objects with this soname.
    pub fn with_soname(&self, soname: &str) -> impl Iterator<Item = &Object> {
        let paths = self.sonames.get(soname).into_iter().flatten();
        paths.filter_map(|path| self.objects.get(path))
    }

    /// Whether links lead to objects of the Nix store.
    pub(crate) fn has_outside(&self) -> bool {
        !self.outside.is_empty()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

/// Whether a file is called as a Python is: `python3.11`, `python`, `pypy3`.
fn is_python(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    let version = name.strip_prefix("python").or(name.strip_prefix("pypy"));
    version.is_some_and(|version| {
        let version = version.trim_end_matches(['d', 't']);
        version.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

/// Whether anyone may execute a file.
pub(crate) fn is_executable(file: &Path) -> std::io::Result<bool> {
    Ok(fs_err::metadata(file)?.permissions().mode() & 0o111 != 0)
}

/// Reads one file of a tree, objects with the names in their data.
fn content(path: &Path, file: &Path, buffer: &mut Vec<u8>) -> std::io::Result<Content> {
    if let Some(source) = PythonSource::read(path, file, buffer)? {
        return Ok(Content::Python(source));
    }
    let mut outcome = read_named_object(path.to_owned(), file)?;
    if matches!(outcome, ReadOutcome::NoElf)
        && let Some(reason) = stray_module(path, file)?
    {
        outcome = ReadOutcome::Skipped(reason);
    }
    Ok(Content::Elf(outcome))
}
