//! Files and directories in an output directory, made so that no name is ever resolved through a link.
//!
//! All are made by descriptor: each in that of its directory, which is opened part by part.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::member_path::MemberPath;

/// Mode of every directory.
const DIR_MODE: u32 = 0o755;

/// Flags for a directory that is only a place to open others in.
const DIR_FLAGS: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens the output directory itself, which may be reached through links: it is the caller's choice.
pub(crate) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = DIR_FLAGS.difference(OFlags::NOFOLLOW);
    rustix::fs::openat(CWD, path, flags, Mode::empty())
}

/// Opens a directory in another.
pub(crate) fn open_dir(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, DIR_FLAGS, Mode::empty())
}

/// Makes a directory with our mode, whatever the umask, or finds it made already.
pub(crate) fn create_dir(parent: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let made = rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(DIR_MODE));
    if let Err(error) = made
        && error != Errno::EXIST
    {
        return Err(error);
    }
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(Errno::EXIST);
    }
    if made.is_ok() && stat.st_mode & 0o7777 != DIR_MODE {
        rustix::fs::chmodat(
            parent,
            name,
            Mode::from_raw_mode(DIR_MODE),
            AtFlags::empty(),
        )?;
    }
    Ok(())
}

/// Creates a file that must not exist, with mode 0755 or 0644 whatever the umask.
pub(crate) fn create_file(
    dir: BorrowedFd<'_>,
    name: &str,
    executable: bool,
) -> Result<File, Errno> {
    let mode = if executable { 0o755 } else { 0o644 };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(mode))?;
    // The umask, or an access control list of the directory, may have changed it.
    if rustix::fs::fstat(&file)?.st_mode & 0o7777 != mode {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    }
    Ok(file.into())
}

/// Opens a file of ours for reading.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?.into())
}

/// An output directory that is filled by one thread, mostly in the order of directories.
#[derive(Debug)]
pub(crate) struct Output {
    root: OwnedFd,
    /// The directory that was used last, with all above it from the outermost.
    open: Vec<(String, OwnedFd)>,
}

impl Output {
    /// The existing directory at `path`.
    pub(crate) fn new(path: &Path) -> Result<Self, Errno> {
        Ok(Self {
            root: open_root(path)?,
            open: Vec::new(),
        })
    }

    /// Makes a directory, with those above it.
    pub(crate) fn create_dir(&mut self, path: &MemberPath) -> Result<(), Errno> {
        self.enter(path.parts()).map(|_| ())
    }

    /// Creates a file, with the directories above it.
    pub(crate) fn create_file(
        &mut self,
        path: &MemberPath,
        executable: bool,
    ) -> Result<File, Errno> {
        let dir = self.parent(path)?;
        create_file(dir, path.file_name(), executable)
    }

    /// Creates a symbolic link, with the directories above it.
    pub(crate) fn create_symlink(&mut self, path: &MemberPath, target: &str) -> Result<(), Errno> {
        let dir = self.parent(path)?;
        rustix::fs::symlinkat(target, dir, path.file_name())
    }

    /// Gives a file of ours another name.
    pub(crate) fn create_hard_link(
        &mut self,
        path: &MemberPath,
        target: &MemberPath,
    ) -> Result<(), Errno> {
        let from = self
            .parent(target)?
            .try_clone_to_owned()
            .map_err(|_| Errno::MFILE)?;
        let to = self.parent(path)?;
        rustix::fs::linkat(
            from,
            target.file_name(),
            to,
            path.file_name(),
            AtFlags::empty(),
        )
    }

    fn parent(&mut self, path: &MemberPath) -> Result<BorrowedFd<'_>, Errno> {
        let mut parts = path.parts();
        parts.next_back();
        self.enter(parts)
    }

    /// Makes and opens the directory with these parts.
    fn enter<'p>(&mut self, parts: impl Iterator<Item = &'p str>) -> Result<BorrowedFd<'_>, Errno> {
        let mut depth = 0;
        for part in parts {
            if self.open.get(depth).is_none_or(|(name, _)| name != part) {
                self.open.truncate(depth);
                let parent = self.last();
                create_dir(parent, part)?;
                let fd = open_dir(parent, part)?;
                self.open.push((part.to_owned(), fd));
            }
            depth += 1;
        }
        self.open.truncate(depth);
        Ok(self.last())
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(&self.root, |(_, fd)| fd).as_fd()
    }
}
