//! The files as they will lie when the output is used, with what was read of them.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::absolute::existing_path;
use crate::object::Object;
use crate::place::Place;
use crate::read::{Answers, ReadOutcome, read_object};
use crate::run_path::normalize;
use wheelfix_elf::load::LoaderKind;

/// The identity of a file: the loader takes two paths with the same one for one file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FileKey {
    device: u64,
    inode: u64,
}

/// A file that a path leads to.
#[derive(Clone, Debug)]
pub struct ViewedFile {
    /// Its identity.
    pub key: FileKey,
    /// Where its bytes lie now.
    pub disk: PathBuf,
    /// Whether it is a directory, which `file` does not give.
    pub(crate) is_directory: bool,
}

/// The file system with the output in its final place. Look-ups and what was read are kept, for all
/// threads.
#[derive(Debug, Default)]
pub struct FileView {
    /// Trees that lie elsewhere now; those in their place need no entry.
    places: Vec<Place>,
    /// Where relative paths start; without it they lead nowhere.
    current_directory: Option<PathBuf>,
    files: Mutex<BTreeMap<String, Option<Arc<ViewedFile>>>>,
    directories: Mutex<BTreeMap<String, bool>>,
    outcomes: Mutex<BTreeMap<FileKey, Arc<ReadOutcome>>>,
    answers: Mutex<BTreeMap<FileKey, Arc<Answers>>>,
}

impl FileView {
    /// The file system, with these trees in their final places.
    pub fn new(places: Vec<Place>) -> Self {
        let places = places
            .into_iter()
            .filter(|place| place.on_disk != place.used_at);
        Self {
            places: places.collect(),
            ..Self::default()
        }
    }

    /// The same with a current directory, which relative paths start from.
    #[must_use]
    pub fn in_directory(self, directory: PathBuf) -> Self {
        Self {
            current_directory: Some(directory),
            ..self
        }
    }

    /// The regular file at a final path. `None` if it is not there or cannot be looked at, which
    /// the loader takes for the same.
    pub fn file(&self, path: &str) -> Option<Arc<ViewedFile>> {
        self.entry(path).filter(|file| !file.is_directory)
    }

    /// The same, directories too.
    pub(crate) fn entry(&self, path: &str) -> Option<Arc<ViewedFile>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = files.get(path) {
            return known.clone();
        }
        let found = self.on_disk(path).into_iter().find_map(|disk| {
            let metadata = fs_err::metadata(&disk).ok()?;
            let is_directory = metadata.is_dir();
            (metadata.is_file() || is_directory).then(|| {
                let key = FileKey {
                    device: metadata.dev(),
                    inode: metadata.ino(),
                };
                Arc::new(ViewedFile {
                    key,
                    disk,
                    is_directory,
                })
            })
        });
        files.insert(path.to_owned(), found.clone());
        found
    }

    /// Where a final path leads, links followed; the path itself where it leads to a file that is not
    /// in its final place, or nowhere.
    pub(crate) fn real_path(&self, path: &Path) -> PathBuf {
        let disk = self.on_disk(&path.to_string_lossy());
        let found = disk.iter().find_map(|disk| existing_path(disk).ok());
        let is_staged = |real: &PathBuf| {
            let mut places = self.places.iter();
            places.any(|place| real.starts_with(&place.on_disk))
        };
        found
            .filter(|real| !is_staged(real))
            .unwrap_or_else(|| path.to_path_buf())
    }

    /// Whether there is a directory at a final path.
    pub fn is_directory(&self, path: &str) -> bool {
        let mut directories = self
            .directories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = directories.get(path) {
            return *known;
        }
        let found = self.on_disk(path).iter().any(|disk| disk.is_dir());
        directories.insert(path.to_owned(), found);
        found
    }

    /// The names in a directory, sorted; none if it cannot be listed.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let listed = self
            .on_disk(directory)
            .into_iter()
            .find_map(|disk| fs_err::read_dir(disk).ok());
        let names = listed
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The result of reading a file. One that cannot be read counts as malformed.
    pub fn outcome(&self, file: &ViewedFile, path: &str) -> Arc<ReadOutcome> {
        let known = self
            .outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&file.key)
            .cloned();
        known.unwrap_or_else(|| {
            let read = read_object(PathBuf::from(path), &file.disk);
            let outcome =
                Arc::new(read.unwrap_or_else(|error| ReadOutcome::Malformed(error.to_string())));
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(outcomes.entry(file.key).or_insert(outcome))
        })
    }

    /// The loader's answer to a file, whatever else is loaded. It is asked for only where a process comes upon the file.
    pub(crate) fn answers(&self, file: &ViewedFile, loader: LoaderKind) -> Arc<Answers> {
        let known = self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&file.key)
            .filter(|answers| answers.loader == loader)
            .cloned();
        known.unwrap_or_else(|| {
            let answers = Arc::new(Answers::of(&file.disk, loader));
            let mut all = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(file.key, Arc::clone(&answers));
            answers
        })
    }

    /// Takes an object as it will be for what its file holds, whatever the file holds now.
    pub fn assume(&self, object: &Object) {
        let Ok(metadata) = fs_err::metadata(&object.file) else {
            return;
        };
        let key = FileKey {
            device: metadata.dev(),
            inode: metadata.ino(),
        };
        let outcome = Arc::new(ReadOutcome::Object(Arc::new(object.clone())));
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.insert(key, outcome);
    }

    /// Where the bytes of a final path can lie now, best first.
    pub fn on_disk(&self, path: &str) -> Vec<PathBuf> {
        if !path.starts_with('/') {
            let directory = self.current_directory.as_ref();
            return directory
                .into_iter()
                .map(|directory| directory.join(path))
                .collect();
        }
        let (mut candidates, mut beside) = (Vec::new(), Vec::new());
        for place in &self.places {
            // The kernel resolves `..` only after links, so the text is kept where it can be.
            let inside = Path::new(path)
                .strip_prefix(&place.used_at)
                .map(Path::to_path_buf);
            let normal = normalize(Path::new(path));
            if let Ok(inside_normal) = normal.strip_prefix(&place.used_at) {
                let file = place
                    .on_disk
                    .join(inside.as_deref().unwrap_or(inside_normal));
                // A directory that is there, and one that is to be beside it: the kernel finds the way
                // from one to the other only once both are.
                if inside
                    .as_deref()
                    .is_ok_and(|inside| inside != inside_normal)
                    && !leaves_link(&file)
                    && !leaves_link(Path::new(path))
                {
                    beside.extend([place.on_disk.join(inside_normal), normal.clone()]);
                }
                candidates.push(file);
            }
        }
        candidates.push(PathBuf::from(path));
        candidates.append(&mut beside);
        candidates
    }
}

/// Whether a `..` of a path follows a symbolic link.
fn leaves_link(path: &Path) -> bool {
    let mut before = PathBuf::new();
    path.components().any(|component| {
        let leaves = component == Component::ParentDir && before.is_symlink();
        before.push(component);
        leaves
    })
}
