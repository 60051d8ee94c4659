//! A journal of edits in a tree: what is to be changed, as it was before.
//!
//! It lies in a temporary directory in the tree and is complete before the first edit. As long as it is
//! there the edits are not done: whoever finds it puts everything back, however far the edits or an
//! earlier attempt to put things back had come. Removing it is the one step that makes the edits
//! last. It is safe against the end of the process, not against that of the machine: nothing is
//! synchronised with the disk.
//!
//! A tree may come from anywhere, its journal with it. One counts only in the very directory that it was written in,
//! which it names by what no archive can have: its number and the time that it was made. A path in it that leads out of
//! the tree is refused all the same.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, open, statx};
use serde::{Deserialize, Serialize};
use wheelfix_elf::{Original, temporary_file};
use wheelfix_link::existing_path;

use crate::detach::copy_file;
use crate::left_over::clean_up_in;

/// The name of a journal in its directory.
const NAME: &str = "journal";

const VERSION: u32 = 1;

/// The content of a journal.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Journal {
    version: u32,
    /// The directory that it is in.
    home: Home,
    /// Parents before their children.
    entries: Vec<Entry>,
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
    pub(crate) fn write(directory: &Path, changes: Vec<(PathBuf, State)>) -> io::Result<()> {
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
        let journal = Self {
            version: VERSION,
            home: Home::of(directory)?,
            entries,
        };
        let (new, journal_path) = (directory.join("new"), directory.join(NAME));
        fs::write(&new, serde_json::to_vec(&journal)?)?;
        fs::rename(new, journal_path)
    }

    /// Whether there is one in a directory.
    pub(crate) fn is_in(directory: &Path) -> bool {
        directory.join(NAME).is_file()
    }

    /// Lets the edits last.
    pub(crate) fn close(directory: &Path) -> io::Result<()> {
        fs::remove_file(directory.join(NAME))
    }
}

/// Puts back everything that the journal in a directory names, if there is one.
///
/// # Errors
///
/// The journal is invalid, or something cannot be put back; all else was, and the journal stays.
pub(crate) fn take_back(directory: &Path) -> io::Result<()> {
    let path = directory.join(NAME);
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let invalid = |reason: &dyn std::fmt::Display| {
        let text = format!("invalid journal `{}`: {reason}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let journal: Journal = serde_json::from_slice(&text).map_err(|error| invalid(&error))?;
    if journal.version != VERSION {
        return Err(invalid(&format!("it is of version {}", journal.version)));
    }
    if journal.home != Home::of(directory)? {
        let reason = "it was not written in this directory; remove the directory if the tree is as it should be";
        return Err(invalid(&reason));
    }
    let tree = directory.parent().unwrap_or(directory);
    let mut paths = Vec::new();
    for entry in &journal.entries {
        let path = Path::new(OsStr::from_bytes(&entry.path));
        let is_name = |component| matches!(component, Component::Normal(_));
        if !path.components().all(is_name) {
            return Err(invalid(&"a path leads out of its tree"));
        }
        paths.push(tree.join(path));
    }
    let mut result = Ok(());
    for (path, entry) in paths.iter().zip(&journal.entries) {
        if let State::Directory { mode } = entry.was {
            result = result.and(make_again(tree, path, mode));
        }
    }
    let entries = paths.iter().zip(&journal.entries).enumerate();
    for (number, (path, entry)) in entries.rev() {
        let kept = directory.join(number.to_string());
        result = result.and(put_back(tree, path, &entry.was, &kept));
    }
    result?;
    let mut parents: Vec<_> = paths.iter().filter_map(|path| path.parent()).collect();
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
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        let text = format!("`{}` is not a regular file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
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
