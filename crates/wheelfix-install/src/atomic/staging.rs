//! Output that appears whole, under its final name, or not at all.
//!
//! Files are made in a hidden directory on the same file system as the prefix and published by
//! renaming: the directory itself where the prefix is new, each file where it is merged into a
//! prefix that has files already. A staging directory that is dropped takes its files with it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;
use rayon::prelude::*;
use rustix::fs::{CWD, RenameFlags};
use walkdir::WalkDir;
use wheelfix_loader::real_path;

use crate::atomic::left_over::{clean_up_above, clean_up_in};
use crate::atomic::scratch::Scratch;
use crate::atomic::transaction::{Changes, Locked, Transaction};
use crate::digest::FileDigest;

/// A directory whose content becomes a prefix.
#[derive(Debug)]
pub struct Staging {
    scratch: Scratch,
    /// The directory in it that becomes the prefix.
    root: PathBuf,
    prefix: PathBuf,
    publication: Publication,
    /// Files of the prefix in whose place others come, or none.
    replaced: OnceLock<Replaced>,
}

/// How files get from the staging directory to the prefix.
#[derive(Debug)]
enum Publication {
    /// The directory is renamed.
    Whole(Destination),
    /// Each file is renamed.
    Merge,
    /// Not at all.
    Never,
}

/// A path that is to appear, with the directories above it that are not there yet.
#[derive(Debug)]
pub(crate) struct Destination {
    /// The directory above it that is there.
    base: PathBuf,
    /// The path, relative to that.
    inside: PathBuf,
}

impl Destination {
    /// `path` is absolute.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let mut base = path.parent().unwrap_or(path);
        while !base.try_exists()? {
            base = base.parent().unwrap_or(base);
        }
        Ok(Self {
            base: base.to_owned(),
            inside: path.strip_prefix(base).unwrap_or(path).to_owned(),
        })
    }

    /// Makes a directory for what is to appear, where nothing but a rename is needed in the end.
    pub(crate) fn scratch(&self) -> io::Result<Scratch> {
        Scratch::new_in(&self.base)
    }

    /// Where to make it, below a directory that stands for the one that is there.
    pub(crate) fn below(&self, directory: &Path) -> PathBuf {
        directory.join(&self.inside)
    }

    /// Lets it appear, by one rename that brings the missing directories above it along.
    pub(crate) fn publish(&self, directory: &Path) -> io::Result<()> {
        let (mut from, mut to) = (directory.to_owned(), self.base.clone());
        let mut names = self.inside.components().peekable();
        while let Some(name) = names.next() {
            (from, to) = (from.join(name), to.join(name));
            // Somebody else may have made the directory meanwhile.
            if names.peek().is_some() && to.is_dir() {
                continue;
            }
            match fs::rename(&from, &to) {
                Err(_) if names.peek().is_some() && to.is_dir() => {}
                result => return result,
            }
        }
        Ok(())
    }
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
    /// A file that is to be replaced was changed since it was read.
    #[error("`{}` was changed by another run meanwhile", .0.display())]
    Changed(PathBuf),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Staging {
    /// Where a file will be, and where it is.
    pub(crate) fn in_place(&self, path: &str) -> (PathBuf, PathBuf) {
        (self.prefix().join(path), self.root().join(path))
    }

    /// Makes a staging directory for a prefix that does not exist or is an empty directory.
    pub fn whole(prefix: &Path) -> Result<Self, StagingError> {
        let prefix = real_path(prefix)?;
        // Also where it is refused: a run may have been killed when all but the removal was done.
        clean_up_above([&prefix])?;
        refuse_taken(&prefix)?;
        let destination = Destination::new(&prefix)?;
        let scratch = destination.scratch()?;
        let root = destination.below(scratch.path());
        fs::create_dir_all(&root)?;
        Ok(Self {
            scratch,
            root,
            prefix,
            publication: Publication::Whole(destination),
            replaced: OnceLock::new(),
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
                clean_up_above([&prefix])?;
                let scratch = beside(&prefix)?;
                Ok(Self {
                    root: scratch.path().to_owned(),
                    scratch,
                    prefix,
                    publication: Publication::Merge,
                    replaced: OnceLock::new(),
                })
            }
        }
    }

    /// Makes a staging directory that is never published, for a prefix that could be made: by
    /// [`Staging::merge`] if `merge` is set, else by [`Staging::whole`].
    pub fn never(prefix: &Path, merge: bool) -> Result<Self, StagingError> {
        let prefix = real_path(prefix)?;
        if !merge {
            refuse_taken(&prefix)?;
        }
        let directory = tempfile::env::temp_dir();
        clean_up_in(&directory)?;
        let scratch = Scratch::new_in(&directory)?;
        Ok(Self {
            root: scratch.path().to_owned(),
            scratch,
            prefix,
            publication: Publication::Never,
            replaced: OnceLock::new(),
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
        &self.root
    }

    /// Where the files will be, absolute.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Names the files of the prefix in whose place others come, or none, with what they are now.
    pub(crate) fn replace(&self, files: Replaced) {
        self.replaced.get_or_init(|| files);
    }

    /// Refuses files that the prefix has already, once all is written: unless it has everything as it was written.
    pub(crate) fn refuse_others(&self) -> Result<(), StagingError> {
        let entries = entries_below(&self.root)?;
        if are_there(&entries, &self.root, &self.prefix)? {
            return Ok(());
        }
        let nothing = Replaced::new();
        let replaced = self.replaced.get().unwrap_or(&nothing);
        refuse_collisions(new_paths(&entries, replaced), &self.prefix)
    }

    /// Renames what was written into place; on an error nothing of it stays there. Nothing is done where files are added to
    /// a prefix that has all of them: a run may have been killed after it had done that.
    pub fn publish(self) -> Result<(), StagingError> {
        if matches!(self.publication, Publication::Never) {
            return Ok(());
        }
        normalise_directories(&self.root)?;
        if let Publication::Whole(destination) = &self.publication {
            // Replaces an empty directory and nothing else: the kernel refuses a full one.
            return Ok(destination.publish(self.scratch.path())?);
        }
        publish_each(
            &self.root,
            &self.prefix,
            &self.replaced.into_inner().unwrap_or_default(),
        )
    }
}

/// Files that a prefix has, relative to it, with their digests.
pub(crate) type Replaced = BTreeMap<PathBuf, FileDigest>;

/// A staging directory beside a prefix: what is added to the prefix appears in it when it is complete. Where files cannot be
/// renamed from there, it is in the prefix.
fn beside(prefix: &Path) -> io::Result<Scratch> {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev());
    let parent = prefix.parent().unwrap_or(prefix);
    if device(parent)? == device(prefix)?
        && let Ok(scratch) = Scratch::new_in(parent)
    {
        return Ok(scratch);
    }
    Scratch::new_in(prefix)
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

    /// The directory in which it is.
    pub(crate) fn root(&self) -> &Path {
        self.staging.root()
    }

    /// Refuses files that the prefix has already and that differ.
    pub(crate) fn refuse_others(&self) -> Result<(), StagingError> {
        self.staging.refuse_others()
    }

    /// Gives the output its final name; does nothing after a dry run.
    pub fn publish(self) -> Result<R, StagingError> {
        self.staging.publish()?;
        Ok(self.report)
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

/// Moves every file below `root` to the same place below `prefix`, or none; those that are replaced go.
fn publish_each(root: &Path, prefix: &Path, replaced: &Replaced) -> Result<(), StagingError> {
    let _locked = Locked::new(&[prefix.to_owned()].into())?;
    let entries = entries_below(root)?;
    if are_there(&entries, root, prefix)? {
        return Ok(());
    }
    refuse_collisions(new_paths(&entries, replaced), prefix)?;
    for (path, digest) in replaced {
        let path = prefix.join(path);
        if FileDigest::of_file(&path).ok() != Some(*digest) {
            return Err(StagingError::Changed(path));
        }
    }
    let mut changes = Changes::default();
    let new = entries.iter().map(|(path, _)| path);
    for path in new.chain(replaced.keys()) {
        changes.make(&prefix.join(path))?;
    }
    let transaction = Transaction::begin(&[prefix.to_owned()].into(), changes)?;
    if let Err(error) = move_each(&entries, root, prefix, replaced) {
        transaction.roll_back()?;
        return Err(error.into());
    }
    Ok(transaction.commit()?)
}

fn move_each(
    entries: &[(PathBuf, bool)],
    root: &Path,
    prefix: &Path,
    replaced: &Replaced,
) -> io::Result<()> {
    for path in replaced.keys() {
        fs::remove_file(prefix.join(path))?;
    }
    for (path, is_dir) in entries {
        let (from, to) = (root.join(path), prefix.join(path));
        if *is_dir {
            make_directory(&to)?;
        } else {
            rename_new(&from, &to)?;
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

/// The entries that take no file's place.
fn new_paths<'e>(
    entries: &'e [(PathBuf, bool)],
    replaced: &'e Replaced,
) -> impl Iterator<Item = (&'e Path, bool)> {
    let entries = entries.iter();
    let entries = entries.filter(|(path, _)| !replaced.contains_key(path));
    entries.map(|(path, is_dir)| (path.as_path(), *is_dir))
}

/// Whether a prefix has all entries of a directory: directories, and files with the same content and mode.
fn are_there(entries: &[(PathBuf, bool)], root: &Path, prefix: &Path) -> io::Result<bool> {
    let mut files = Vec::new();
    for (path, is_dir) in entries {
        let (new, old) = (root.join(path), prefix.join(path));
        let Ok(there) = fs::symlink_metadata(&old) else {
            return Ok(false);
        };
        let made = fs::symlink_metadata(&new)?;
        let is_same = match (*is_dir, made.is_symlink()) {
            (true, _) => there.is_dir(),
            (_, true) => there.is_symlink() && fs::read_link(&old)? == fs::read_link(&new)?,
            _ => there.len() == made.len() && there.mode() == made.mode(),
        };
        if !is_same {
            return Ok(false);
        }
        if made.is_file() {
            files.push((new, old));
        }
    }
    let digest = |file: &Path| FileDigest::of_file(file).ok();
    let files = files.par_iter();
    Ok(files.all(|(new, old)| digest(old).is_some_and(|it| digest(new) == Some(it))))
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
