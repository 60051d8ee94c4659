//! A journal of edits in a tree: what is to be changed, as it was before.
//!
//! It lies in a temporary directory in the tree and is complete before the first edit. As long as it is
//! there the edits are not done: whoever finds it puts everything back, however far the edits or an
//! earlier attempt to put things back had come. Giving it another name is the one step that makes the edits
//! last. It is safe against the end of the process, not against that of the machine: nothing is
//! synchronised with the disk.
//!
//! A run that edits several trees has a journal in each. The edits of all last as soon as the first journal says
//! so; it stays until the others are gone.
//!
//! A tree may come from anywhere, its journal with it. One counts only in the very directory that it was written in,
//! which it names by what no archive can have: its number and the time that it was made. A path in it that leads out of
//! the tree is refused all the same.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use serde::{Deserialize, Serialize};
use wheelfix_elf::{Original, temporary_file};
use wheelfix_loader::existing_path;

use crate::atomic::detach::copy_file;
use crate::atomic::left_over::{clean_up, clean_up_in, open_itself};

/// The name of a journal in its directory.
const NAME: &str = "journal";

/// Its name once the edits of all trees of the run last.
const DONE: &str = "done";

const VERSION: u32 = 2;

/// The content of a journal.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Journal {
    version: u32,
    /// The directory that it is in.
    home: Home,
    /// Parents before their children.
    entries: Vec<Entry>,
    /// In the first journal of a run: the directories of the others, in bytes.
    others: Vec<Vec<u8>>,
    /// In the others: the first.
    first: Option<First>,
}

/// Where the first journal of a run is.
#[derive(Debug, Deserialize, Serialize)]
struct First {
    /// Its directory, in bytes.
    path: Vec<u8>,
    home: Home,
}

impl First {
    /// Whether the edits of the run last.
    fn is_done(&self) -> bool {
        let directory = Path::new(OsStr::from_bytes(&self.path));
        Home::of(directory).is_ok_and(|home| home == self.home) && directory.join(DONE).is_file()
    }
}

/// The place of a journal among those of its run; paths are of their directories.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rank<'a> {
    /// The first, with all others.
    First(&'a [&'a Path]),
    /// Another, with the first.
    Other(&'a Path),
}

/// A directory by what it does not share with a copy.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Home {
    inode: u64,
    /// Seconds and nanoseconds of its birth; `None` where the file system does not tell.
    born: Option<(i64, u32)>,
}

impl Home {
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let flags = StatxFlags::INO | StatxFlags::BTIME;
        let facts = statx(CWD, directory, AtFlags::SYMLINK_NOFOLLOW, flags)?;
        let has_birth = facts.stx_mask & StatxFlags::BTIME.bits() != 0;
        let birth = (facts.stx_btime.tv_sec, facts.stx_btime.tv_nsec);
        Ok(Self {
            inode: facts.stx_ino,
            born: has_birth.then_some(birth),
        })
    }
}

/// A path as it was.
#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    /// Relative to the tree, in bytes, as not every path is a text.
    path: Vec<u8>,
    was: State,
}

/// The state of a path before the edits.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum State {
    /// Nothing was there.
    Absent,
    /// A directory, which may go.
    Directory { mode: u32 },
    /// A file or link of which another takes the place; it has its number as its name in the journal's
    /// directory.
    Whole,
    /// A file that is edited in its place; the bytes have its number as their name. Another file that has taken its
    /// place since is not touched.
    Edited { inode: u64, original: Box<Original> },
}

impl Journal {
    /// Keeps the states of paths below a tree, given relative to it and sorted, in a directory of the
    /// tree.
    pub(crate) fn write(
        directory: &Path,
        rank: Rank<'_>,
        changes: Vec<(PathBuf, State)>,
    ) -> io::Result<()> {
        let tree = directory.parent().unwrap_or(directory);
        let mut entries = Vec::new();
        for (number, (path, was)) in changes.into_iter().enumerate() {
            let kept = directory.join(number.to_string());
            match &was {
                State::Absent | State::Directory { .. } => {}
                State::Whole => keep(&tree.join(&path), &kept)?,
                State::Edited { original, .. } => fs::write(kept, &original.bytes)?,
            }
            let path = path.into_os_string().into_encoded_bytes();
            entries.push(Entry { path, was });
        }
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        let (others, first) = match rank {
            Rank::First(others) => (others.iter().map(|path| bytes(path)).collect(), None),
            Rank::Other(first) => {
                let (path, home) = (bytes(first), Home::of(first)?);
                (Vec::new(), Some(First { path, home }))
            }
        };
        let journal = Self {
            version: VERSION,
            home: Home::of(directory)?,
            entries,
            others,
            first,
        };
        let (new, journal_path) = (directory.join("new"), directory.join(NAME));
        fs::write(&new, serde_json::to_vec(&journal)?)?;
        fs::rename(new, journal_path)
    }

    /// Whether there is one in a directory.
    pub(crate) fn is_in(directory: &Path) -> bool {
        directory.join(NAME).is_file()
    }

    /// Lets the edits of a run last; the directory is that of its first journal.
    pub(crate) fn commit(directory: &Path) -> io::Result<()> {
        fs::rename(directory.join(NAME), directory.join(DONE))
    }

    /// Removes a journal of which nothing is left to do.
    pub(crate) fn close(directory: &Path) -> io::Result<()> {
        fs::remove_file(directory.join(NAME))
    }

    /// Reads and checks one in a directory.
    fn read(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name);
        let invalid = |reason: &dyn fmt::Display| {
            let path = path.display();
            let text = format!(
                "invalid journal `{path}`: {reason}; remove its directory if the tree is as it should be"
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let text = match read(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(invalid(&error)),
            text => text?,
        };
        let journal: Self = serde_json::from_slice(&text).map_err(|error| invalid(&error))?;
        if journal.version != VERSION {
            return Err(invalid(&format!("it is of version {}", journal.version)));
        }
        if journal.home != Home::of(directory)? {
            return Err(invalid(&"it was not written in this directory"));
        }
        let is_name = |component| matches!(component, Component::Normal(_));
        let mut paths = journal.entries.iter().map(Entry::path);
        if !paths.all(|path| path.components().all(is_name)) {
            return Err(invalid(&"a path leads out of its tree"));
        }
        Ok(journal)
    }

    /// The directories of the other journals of the run.
    fn others(&self) -> impl Iterator<Item = &Path> {
        let others = self.others.iter();
        others.map(|path| Path::new(OsStr::from_bytes(path)))
    }
}

impl Entry {
    fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }
}

/// Takes back the edits that the journal in a directory names, if there is one and they do not last. Returns whether the
/// directory may go.
///
/// # Errors
///
/// The journal is invalid, or something cannot be put back; all else was, and the journal stays.
pub(crate) fn settle(directory: &Path) -> io::Result<bool> {
    // One that is not valid was not written here: nothing waits for it.
    if let Ok(done) = Journal::read(directory, DONE) {
        for other in done.others() {
            clean_up(other)?;
            if fs::symlink_metadata(other).is_ok() {
                return Ok(false);
            }
        }
    }
    take_back(directory)?;
    Ok(true)
}

/// Puts back everything that the journal in a directory names, if there is one.
///
/// # Errors
///
/// As [`settle`].
pub(crate) fn take_back(directory: &Path) -> io::Result<()> {
    let journal = match Journal::read(directory, NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        journal => journal?,
    };
    if journal.first.as_ref().is_some_and(First::is_done) {
        return Ok(());
    }
    let tree = directory.parent().unwrap_or(directory);
    let entries = journal.entries.iter();
    let entries: Vec<_> = entries
        .map(|entry| (tree.join(entry.path()), &entry.was))
        .collect();
    let mut result = Ok(());
    for (path, was) in &entries {
        if let State::Directory { mode } = was {
            result = result.and(make_again(tree, path, *mode));
        }
    }
    for (number, (path, was)) in entries.iter().enumerate().rev() {
        let kept = directory.join(number.to_string());
        result = result.and(put_back(tree, path, was, &kept));
    }
    result?;
    // The others take themselves back where they are not reached from here.
    journal.others().try_for_each(|it| clean_up(it).map(drop))?;
    let mut parents: Vec<_> = entries
        .iter()
        .filter_map(|(path, _)| path.parent())
        .collect();
    parents.dedup();
    Journal::close(directory)?;
    // What was on its way when the edits were broken off.
    parents.into_iter().try_for_each(clean_up_in)
}

/// Keeps a file or link: by another name for it, which costs nothing, where the file system can do that.
fn keep(path: &Path, kept: &Path) -> io::Result<()> {
    if fs::hard_link(path, kept).is_ok() {
        return Ok(());
    }
    copy(path, kept)
}

fn copy(path: &Path, copy: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_symlink() {
        fs::os::unix::fs::symlink(fs::read_link(path)?, copy)
    } else {
        copy_file(path, copy)
    }
}

/// Reads a regular file, and waits for nothing.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_itself(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn make_again(tree: &Path, path: &Path, mode: u32) -> io::Result<()> {
    if !is_in(tree, path)? {
        return Ok(());
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::set_permissions(path, std::fs::Permissions::from_mode(mode)),
    }
}

/// Whether the directory of a path is in the tree and there; an error if it is elsewhere.
fn is_in(tree: &Path, path: &Path) -> io::Result<bool> {
    match existing_path(path.parent().unwrap_or(tree)) {
        Ok(real) if real.starts_with(existing_path(tree)?) => Ok(true),
        Ok(_) => {
            let text = format!("`{}` leads out of its tree", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
        // Its parent was to be made, too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn put_back(tree: &Path, path: &Path, was: &State, kept: &Path) -> io::Result<()> {
    if !is_in(tree, path)? {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(tree);
    match was {
        State::Absent => in_writable(parent, || remove(path)),
        State::Directory { .. } => Ok(()),
        State::Whole => in_writable(parent, || rename(kept, path)),
        State::Edited { inode, original } => {
            let is_same =
                fs::symlink_metadata(path).is_ok_and(|it| it.is_file() && it.ino() == *inode);
            if !is_same {
                return Ok(());
            }
            let mut original = original.clone();
            original.bytes = read(kept)?;
            original.restore(path)
        }
    }
}

/// Removes a file, or a directory in which there is nothing.
fn remove(path: &Path) -> io::Result<()> {
    let result = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Somebody else put something there.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}

/// Renames what was kept to where it was; if it is not there, that was done.
fn rename(kept: &Path, path: &Path) -> io::Result<()> {
    match fs::rename(kept, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !kept.is_symlink() => {
            if kept.try_exists()? {
                Err(error)
            } else {
                Ok(())
            }
        }
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            if kept.is_symlink() {
                fs::remove_file(path).ok();
                return copy(kept, path);
            }
            let file = temporary_file(path.parent().unwrap_or(path))?;
            copy_file(kept, file.path())?;
            file.persist(path)?;
            Ok(())
        }
        result => result,
    }
}

/// Does something in a directory; where the user may not write there and it is the user's, it is made writable for that time.
pub(crate) fn in_writable(directory: &Path, work: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match work() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let permissions = fs::metadata(directory)?.permissions();
            let writable = std::fs::Permissions::from_mode(permissions.mode() | 0o300);
            if fs::set_permissions(directory, writable).is_err() {
                return Err(error);
            }
            let result = work();
            result.and(fs::set_permissions(directory, permissions))
        }
        result => result,
    }
}
