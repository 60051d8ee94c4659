//! A zip archive whose central directory and local headers tell the same story.
//!
//! The format leaves much to its readers: some trust the central directory, some the local headers,
//! some search for the end record from the back and some believe its offset. Installers have been
//! made to unpack different files from the same wheel that way. So this reader is our own and
//! accepts less than the format allows, until only one reading is left:
//!
//! * the end record is the last thing in the file (but for NUL bytes), the central directory ends
//!   exactly where it begins, and the comment holds no other end record;
//! * the members with their headers and data descriptors fill the file from its first byte to the
//!   central directory, without gap or overlap, so that reading forward finds the same members;
//! * each local header repeats its entry's name, method, flags, checksum and sizes;
//! * names are UTF-8 and said to be, and each occurs once.
//!
//! A general reader such as the `zip` crate hides these facts behind what it understood. It is the
//! independent opinion in the tests instead, together with Python's `zipfile`: what we accept, both
//! read the same.
//!
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

mod central;
mod end;
mod extra;
pub(crate) mod fault;
pub(crate) mod fields;
mod layout;
pub(crate) mod limits;
mod local;
mod names;

use std::io;
use std::path::Path;

use crate::bytes::Bytes;
use crate::member_path::{self, MemberPath};
use crate::zip::fault::Faults;
use crate::zip::limits::Limits;

/// A zip archive that passed every check that needs no inflating.
#[derive(Debug)]
pub struct ZipArchive {
    bytes: Bytes,
    members: Vec<Member>,
    directories: Vec<MemberPath>,
    /// Indices into `members`, ordered by path.
    by_path: Vec<usize>,
}

/// A file in a [`ZipArchive`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Where it wants to be unpacked to.
    pub path: MemberPath,
    /// Its position in [`ZipArchive::members`], which is the order of the central directory.
    pub index: usize,
    /// Length of its content in bytes, as the archive says; checked when it is read.
    pub len: u64,
    /// Length of its data in the archive, in bytes.
    pub compressed_len: u64,
    /// Checksum of its content, as the archive says; checked when it is read.
    pub crc32: u32,
    /// How its data is compressed.
    pub method: Method,
    /// Whether it is a regular file that its Unix mode lets anyone execute. Other bits of the mode
    /// are dropped.
    pub executable: bool,
    /// Whether it is a symbolic link by its Unix mode. It becomes a file with the text of the link: no format of wheels or
    /// zip archives has links, and no installer makes one.
    pub is_link: bool,
    /// File offset of its data.
    pub(crate) data_offset: u64,
}

/// How the data of a member is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// Deflate, RFC 1951.
    Deflated,
}

/// Why an archive could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is refused.
    #[error(transparent)]
    Refused(#[from] Faults),
}

impl ZipArchive {
    /// Opens the archive at `path`, without reading more than its headers.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, OpenError> {
        let bytes = Bytes::open(path)?;
        let parsed = parse(&bytes, limits);
        bytes.check()?;
        Ok(Self::assemble(bytes, parsed?))
    }

    /// An error if some of the file could not be read so far: it was made shorter, or its disk fails.
    ///
    /// Until then it reads as zeros, so what was read since the archive was opened counts only after
    /// this has been asked.
    pub fn check_source(&self) -> io::Result<()> {
        self.bytes.check()
    }

    /// Opens the archive whose content is `bytes`.
    pub fn from_bytes(bytes: Vec<u8>, limits: &Limits) -> Result<Self, Faults> {
        let parsed = parse(&bytes, limits)?;
        Ok(Self::assemble(Bytes::Owned(bytes), parsed))
    }

    fn assemble(bytes: Bytes, (members, directories): (Vec<Member>, Vec<MemberPath>)) -> Self {
        let mut by_path: Vec<usize> = (0..members.len()).collect();
        by_path.sort_by_key(|index| members.get(*index).map(|member| &member.path));
        Self {
            bytes,
            members,
            directories,
            by_path,
        }
    }

    /// The files, in the order of the central directory.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The directories that have an entry of their own, in the order of the central directory.
    ///
    /// Directories that only occur in the paths of files are not listed.
    pub fn directories(&self) -> &[MemberPath] {
        &self.directories
    }

    /// The files, ordered by path.
    pub fn members_by_path(&self) -> impl Iterator<Item = &Member> {
        self.by_path
            .iter()
            .filter_map(|index| self.members.get(*index))
    }

    /// The file of this path, which is compared byte by byte.
    pub fn find(&self, path: &str) -> Option<&Member> {
        let name = |index: &usize| {
            self.members
                .get(*index)
                .map_or("", |member| member.path.as_str())
        };
        let at = self
            .by_path
            .binary_search_by(|index| member_path::compare(name(index), path))
            .ok()?;
        self.members.get(*self.by_path.get(at)?)
    }

    /// The files and directories whose paths some file systems hold to be the same, because they
    /// differ only in case or in Unicode normal form: groups of two or more, ordered by path. What is
    /// in a directory of a group is in none.
    pub fn collisions(&self) -> Vec<Vec<MemberPath>> {
        names::collisions(self.members_by_path())
    }

    /// Length of the archive in bytes.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether there is no file in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The data of `member` as it lies in the archive; empty for a member of another archive.
    pub fn compressed(&self, member: &Member) -> &[u8] {
        fields::slice(&self.bytes, member.data_offset, member.compressed_len).unwrap_or_default()
    }
}

/// Reads all structures of an archive and checks them: its files and its directories.
fn parse(bytes: &[u8], limits: &Limits) -> Result<(Vec<Member>, Vec<MemberPath>), Faults> {
    let end = end::find(bytes)?;
    let entries = central::parse(bytes, &end, limits)?;
    let mut faults = Faults::default();
    for entry in &entries {
        entry.check(&mut faults);
    }
    let extents = local::check(bytes, &entries, &mut faults);
    // Where a member is not known, what lies between the others cannot be judged.
    if extents.len() == entries.len() {
        layout::check(bytes, &extents, end.directory_offset, &mut faults);
    }
    limits.check(&entries, &mut faults);
    let paths = names::check(&entries, &mut faults);
    faults.into_result()?;
    Ok(assemble(&extents, paths))
}

/// Joins the results of the checks, which have one item for each entry in the same order.
fn assemble(
    extents: &[layout::Extent<'_>],
    paths: Vec<MemberPath>,
) -> (Vec<Member>, Vec<MemberPath>) {
    let mut members = Vec::with_capacity(extents.len());
    let mut directories = Vec::new();
    for (extent, path) in extents.iter().zip(paths) {
        let entry = extent.entry;
        if entry.is_dir() {
            directories.push(path);
            continue;
        }
        members.push(Member {
            path,
            index: members.len(),
            len: entry.len,
            compressed_len: entry.compressed_len,
            crc32: entry.crc32,
            method: entry.method().unwrap_or(Method::Stored),
            executable: entry.is_executable(),
            is_link: entry.is_link(),
            data_offset: extent.data_offset,
        });
    }
    (members, directories)
}
