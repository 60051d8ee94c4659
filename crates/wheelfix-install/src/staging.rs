//! Output that appears whole, under its final name, or not at all.
//!
//! Files are made in a hidden directory on the same file system as the prefix and published by
//! renaming: the directory itself where the prefix is new, each file where it is merged into a
//! prefix that has files already. A staging directory that is dropped takes its files with it.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{CWD, RenameFlags};
use walkdir::WalkDir;
use wheelfix_link::real_path;

use crate::scratch::Scratch;

/// A directory whose content becomes a prefix.
#[derive(Debug)]
pub struct Staging {
    dir: Scratch,
    prefix: PathBuf,
    publication: Publication,
    /// The highest directory that was made to hold the prefix; `None` if its parent was there.
    made_parent: Option<PathBuf>,
}

/// How files get from the staging directory to the prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Publication {
    /// The directory is renamed.
    Whole,
    /// Each file is renamed.
    Merge,
    /// Not at all.
    Never,
}

/// Why output cannot be made at a prefix.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// The prefix holds files already.
    #[error("prefix exists and is not empty: `{}`", .0.display())]
    NotEmpty(PathBuf),
    /// The prefix is something else than a directory.
    #[error("prefix is not a directory: `{}`", .0.display())]
    NotADirectory(PathBuf),
    /// Files to merge exist already; paths relative to the prefix, sorted.
    #[error("{}", collisions(.0))]
    Collisions(Vec<String>),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Staging {
    /// Makes a staging directory for a prefix that does not exist or is an empty directory.
    pub fn whole(prefix: &Path) -> Result<Self, StagingError> {
        let prefix = real_path(prefix)?;
        refuse_taken(&prefix)?;
        let made_parent = make_parent(&prefix)?;
        let parent = prefix.parent().unwrap_or(&prefix);
        let dir = Scratch::new_in(parent)
            .inspect_err(|_| remove_parents(made_parent.as_deref(), &prefix))?;
        Ok(Self {
            dir,
            prefix,
            publication: Publication::Whole,
            made_parent,
        })
    }

    /// Makes a staging directory for a prefix that may hold files already.
    pub fn merge(prefix: &Path) -> Result<Self, StagingError> {
        let prefix = real_path(prefix)?;
        match fs::symlink_metadata(&prefix) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::whole(&prefix),
            Err(error) => Err(error.into()),
            Ok(_) => {
                if !prefix.is_dir() {
                    return Err(StagingError::NotADirectory(prefix));
                }
                Ok(Self {
                    dir: Scratch::new_in(&prefix)?,
                    prefix,
                    publication: Publication::Merge,
                    made_parent: None,
                })
            }
        }
    }

    /// Makes a staging directory in `scratch` that is never published, for a prefix that could be
    /// made: by [`Staging::merge`] if `merge` is set, else by [`Staging::whole`].
    pub fn never(scratch: &Path, prefix: &Path, merge: bool) -> Result<Self, StagingError> {
        let prefix = real_path(prefix)?;
        if !merge {
            refuse_taken(&prefix)?;
        }
        Ok(Self {
            dir: Scratch::new_in(scratch)?,
            prefix,
            publication: Publication::Never,
            made_parent: None,
        })
    }

    /// Refuses files that the prefix has already; paths are relative to it.
    pub fn refuse_existing<'a>(
        &self,
        paths: impl Iterator<Item = &'a str>,
    ) -> Result<(), StagingError> {
        // Nearly always nothing is there, and to ask for each of many files takes as long as to make it.
        let is_empty = match fs::read_dir(&self.prefix) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_empty {
            return Ok(());
        }
        refuse_collisions(paths.map(|path| (Path::new(path), false)), &self.prefix)
    }

    /// The directory to write to.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Where the files will be, absolute.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Renames what was written into place; on an error nothing of it stays there.
    pub fn publish(mut self) -> Result<(), StagingError> {
        if self.publication == Publication::Never {
            return Ok(());
        }
        normalise_directories(self.root())?;
        if self.publication == Publication::Merge {
            return publish_each(self.root(), &self.prefix);
        }
        // Replaces an empty directory and nothing else: the kernel refuses a full one.
        fs::rename(self.root(), &self.prefix)?;
        self.dir.keep();
        self.made_parent = None;
        Ok(())
    }
}

/// Output that is whole, but not yet under its final name. Dropping it leaves nothing.
#[derive(Debug)]
pub struct Unpublished<R> {
    /// The report on what was made.
    pub report: R,
    staging: Staging,
}

impl<R> Unpublished<R> {
    pub(crate) fn new(report: R, staging: Staging) -> Self {
        Self { report, staging }
    }

    /// Gives the output its final name; does nothing after a dry run.
    pub fn publish(self) -> Result<R, StagingError> {
        self.staging.publish()?;
        Ok(self.report)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.made_parent.is_some() {
            // The directory goes first: its parents must be empty.
            self.dir.remove();
            remove_parents(self.made_parent.as_deref(), &self.prefix);
        }
    }
}

/// Refuses a prefix that is there and is not an empty directory.
fn refuse_taken(prefix: &Path) -> Result<(), StagingError> {
    match fs::read_dir(prefix) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(StagingError::NotEmpty(prefix.to_owned())),
            None => Ok(()),
        },
        Err(error) => match error.kind() {
            io::ErrorKind::NotADirectory => Err(StagingError::NotADirectory(prefix.to_owned())),
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error.into()),
        },
    }
}

/// A directory that is made for an output if it is not there, and goes again if nothing keeps it.
#[derive(Debug)]
pub(crate) struct MadeDirectory {
    /// Something in the directory.
    inside: PathBuf,
    /// The highest directory that was made; `None` if all were there, or are kept.
    highest: Option<PathBuf>,
}

impl MadeDirectory {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let inside = directory.join("output");
        let highest = make_parent(&inside)?;
        Ok(Self { inside, highest })
    }

    /// Lets the directory stay.
    pub(crate) fn keep(mut self) {
        self.highest = None;
    }
}

impl Drop for MadeDirectory {
    fn drop(&mut self) {
        remove_parents(self.highest.as_deref(), &self.inside);
    }
}

/// Makes the directories above a prefix; returns the highest that was made.
fn make_parent(prefix: &Path) -> io::Result<Option<PathBuf>> {
    let Some(parent) = prefix.parent() else {
        return Ok(None);
    };
    let mut highest = None;
    for ancestor in parent.ancestors() {
        if ancestor.try_exists()? {
            break;
        }
        highest = Some(ancestor.to_owned());
    }
    fs::create_dir_all(parent).inspect_err(|_| remove_parents(highest.as_deref(), prefix))?;
    Ok(highest)
}

/// Removes the directories that were made above a prefix, as far as they are empty.
fn remove_parents(highest: Option<&Path>, prefix: &Path) {
    let Some(highest) = highest else { return };
    for ancestor in prefix.ancestors().skip(1) {
        fs::remove_dir(ancestor).ok();
        if ancestor == highest {
            break;
        }
    }
}

/// Gives every directory mode 0755, whatever the umask.
fn normalise_directories(root: &Path) -> io::Result<()> {
    for entry in WalkDir::new(root) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// Moves every file below `root` to the same place below `prefix`, or none.
fn publish_each(root: &Path, prefix: &Path) -> Result<(), StagingError> {
    let entries = entries_below(root)?;
    let paths = entries
        .iter()
        .map(|(path, is_dir)| (path.as_path(), *is_dir));
    refuse_collisions(paths, prefix)?;
    let mut done = Vec::new();
    for (path, is_dir) in &entries {
        let (from, to) = (root.join(path), prefix.join(path));
        let result = if *is_dir {
            make_directory(&to)
        } else {
            rename_new(&from, &to).map(|()| true)
        };
        match result {
            Ok(true) => done.push((from, to, *is_dir)),
            Ok(false) => {}
            Err(error) => {
                rollback(&done);
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// The entries below a directory: paths relative to it, parents first, and whether each is a
/// directory.
fn entries_below(root: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut entries = Vec::new();
    for entry in WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        entries.push((path.to_owned(), entry.file_type().is_dir()));
    }
    Ok(entries)
}

/// Refuses entries whose path exists below a prefix, but for directories that are directories
/// there.
fn refuse_collisions<'a>(
    entries: impl Iterator<Item = (&'a Path, bool)>,
    prefix: &Path,
) -> Result<(), StagingError> {
    let mut taken = Vec::new();
    for (path, is_dir) in entries {
        match fs::symlink_metadata(prefix.join(path)) {
            Ok(there) if is_dir && there.is_dir() => {}
            Ok(_) => taken.push(path.to_string_lossy().into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(error.into()),
        }
    }
    if taken.is_empty() {
        Ok(())
    } else {
        Err(StagingError::Collisions(taken))
    }
}

/// Makes a directory, whatever the umask takes away; `false` if it was there.
pub(crate) fn make_directory(path: &Path) -> io::Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => {
            fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Renames a file to a name that nobody has.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(|error| {
        let text = format!(
            "failed to rename `{}` to `{}`: {error}",
            from.display(),
            to.display()
        );
        io::Error::new(io::Error::from(error).kind(), text)
    })
}

/// Takes back what was published, last first; what cannot be taken back stays.
fn rollback(done: &[(PathBuf, PathBuf, bool)]) {
    for (from, to, is_dir) in done.iter().rev() {
        if *is_dir {
            fs::remove_dir(to).ok();
        } else {
            fs::rename(to, from).ok();
        }
    }
}

fn collisions(paths: &[String]) -> String {
    let list = paths.join("`, `");
    match paths.len() {
        1 => format!("file exists in the prefix: `{list}`"),
        count => format!("{count} files exist in the prefix: `{list}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(dir: &Path) -> Vec<String> {
        let entries = entries_below(dir).unwrap();
        entries
            .into_iter()
            .map(|(path, _)| path.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_new_prefix_appears_whole() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("a/b");
        let staging = Staging::whole(&prefix).unwrap();
        fs::write(staging.root().join("file"), "x").unwrap();
        assert!(!prefix.try_exists().unwrap());
        staging.publish().unwrap();
        assert_eq!(listing(dir.path()), ["a", "a/b", "a/b/file"]);
    }

    #[test]
    fn a_dropped_staging_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for prefix in ["a/b/c", "d"] {
            let staging = Staging::whole(&dir.path().join(prefix)).unwrap();
            fs::write(staging.root().join("file"), "x").unwrap();
            drop(staging);
            assert_eq!(listing(dir.path()), [""; 0]);
        }
    }

    #[test]
    fn a_full_prefix_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "x").unwrap();
        let error = Staging::whole(dir.path()).unwrap_err();
        assert!(matches!(error, StagingError::NotEmpty(_)), "{error}");
        let error = Staging::whole(&dir.path().join("file")).unwrap_err();
        assert!(matches!(error, StagingError::NotADirectory(_)), "{error}");
    }

    #[test]
    fn merging_adds_files_and_names_every_collision() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("p");
        fs::create_dir_all(prefix.join("shared")).unwrap();
        fs::write(prefix.join("shared/old"), "old").unwrap();

        let staging = Staging::merge(&prefix).unwrap();
        fs::create_dir_all(staging.root().join("shared/new")).unwrap();
        fs::write(staging.root().join("shared/new/file"), "x").unwrap();
        staging.publish().unwrap();
        let want = ["shared", "shared/new", "shared/new/file", "shared/old"];
        assert_eq!(listing(&prefix), want);

        let staging = Staging::merge(&prefix).unwrap();
        for path in ["shared/old", "shared/new"] {
            let path = staging.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "y").unwrap();
        }
        let error = staging.publish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 files exist in the prefix: `shared/new`, `shared/old`"
        );
        assert_eq!(listing(&prefix), want);
        assert_eq!(
            fs::read_to_string(prefix.join("shared/old")).unwrap(),
            "old"
        );
    }
}
