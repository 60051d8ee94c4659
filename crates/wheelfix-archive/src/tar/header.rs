//! The header of a member: a block of 512 bytes.
//!
//! The fields are read by the `tar` crate; here is what it does not look at.

use tar::{EntryType, Header};

use crate::member_path::MemberPath;
use crate::tar::fault::TarProblem;
use crate::tar::{TarKind, TarMember};

/// Length of a block in bytes: headers are one, contents are padded to them.
pub(super) const BLOCK: usize = 512;

/// Where the field `prefix` of a POSIX header is.
const PREFIX: std::ops::Range<usize> = 345..500;

/// Where the field `size` is.
const SIZE: std::ops::Range<usize> = 124..136;

/// The fields of a header that unpacking needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TarHeader {
    /// Its purpose, or the reason why that is not supported.
    pub(super) kind: Result<HeaderKind, TarProblem>,
    /// As in the archive.
    pub(super) name: Vec<u8>,
    /// As in the archive; empty if there is none.
    pub(super) link: Vec<u8>,
    /// Length of the content in bytes.
    pub(super) len: u64,
    /// Whether the owner may execute it.
    pub(super) executable: bool,
}

/// The purpose of a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HeaderKind {
    File,
    /// A file of the oldest format, in which a directory is a file whose name ends in a slash.
    OldFile,
    Directory,
    Symlink,
    HardLink,
    /// Records for the next member.
    Pax,
    /// Records for all further members.
    PaxGlobal,
    /// The name of the next member.
    LongName,
    /// The target of the next member.
    LongLink,
}

impl TarHeader {
    /// Parses a block that is not all NUL.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, TarProblem> {
        let header = Header::from_byte_slice(block);
        check_sum(header, block)?;
        let len = len(header, block)?;
        let prefix = block.get(PREFIX).unwrap_or_default();
        if header.as_ustar().is_none() && prefix.iter().any(|byte| *byte != 0) {
            return Err(TarProblem::Prefix);
        }
        let mode = header.mode().map_err(|_| TarProblem::Number("mode"))?;
        Ok(Self {
            kind: kind(header.entry_type()),
            name: header.path_bytes().into_owned(),
            link: header.link_name_bytes().unwrap_or_default().into_owned(),
            len,
            executable: mode & 0o100 != 0,
        })
    }
}

impl TarHeader {
    /// The kind of extended header; `None` for the header of a member.
    pub(super) fn extension(&self) -> Option<HeaderKind> {
        match self.kind {
            Ok(
                kind @ (HeaderKind::Pax
                | HeaderKind::PaxGlobal
                | HeaderKind::LongName
                | HeaderKind::LongLink),
            ) => Some(kind),
            _ => None,
        }
    }

    /// The member it describes; `None` for the directory that everything is unpacked to.
    pub(super) fn member(&self) -> Result<Option<TarMember>, TarProblem> {
        let kind = self.kind.clone()?;
        let name = text(&self.name)?;
        let has_slash = name.ends_with('/');
        let kind = match kind {
            HeaderKind::OldFile if has_slash => TarKind::Directory,
            HeaderKind::File if has_slash => return Err(TarProblem::DirectoryName),
            HeaderKind::Directory => TarKind::Directory,
            HeaderKind::Symlink => TarKind::Symlink(self.target()?.to_owned()),
            HeaderKind::HardLink => TarKind::HardLink(MemberPath::new(relative(self.target()?))?),
            _ => TarKind::File {
                len: self.len,
                executable: self.executable,
            },
        };
        if !matches!(kind, TarKind::File { .. }) && self.len != 0 {
            return Err(TarProblem::Length(self.len));
        }
        let mut name = relative(name);
        if kind == TarKind::Directory {
            name = name.strip_suffix('/').unwrap_or(name);
            if name.is_empty() || name == "." {
                return Ok(None);
            }
        }
        let path = MemberPath::new(name)?;
        Ok(Some(TarMember { path, kind }))
    }

    fn target(&self) -> Result<&str, TarProblem> {
        match text(&self.link) {
            Ok(target) if !target.is_empty() && !target.contains('\0') => Ok(target),
            _ => Err(TarProblem::LinkTarget),
        }
    }
}

fn text(name: &[u8]) -> Result<&str, TarProblem> {
    str::from_utf8(name).map_err(|_| TarProblem::NameNotUtf8)
}

/// A name without the `./` that some tools begin each with.
fn relative(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    name
}

/// Compares the checksum, in which its own field counts as spaces.
fn check_sum(header: &Header, block: &[u8; BLOCK]) -> Result<(), TarProblem> {
    let field = 148..156;
    let sum = |(at, byte): (usize, &u8)| u32::from(if field.contains(&at) { b' ' } else { *byte });
    let got = block.iter().enumerate().map(sum).sum();
    let expected = header.cksum().map_err(|_| TarProblem::Number("checksum"))?;
    if got == expected {
        Ok(())
    } else {
        Err(TarProblem::Checksum { expected, got })
    }
}

fn len(header: &Header, block: &[u8; BLOCK]) -> Result<u64, TarProblem> {
    let invalid = TarProblem::Number("length");
    let field = block.get(SIZE).unwrap_or_default();
    // A binary number has its first bit set. The `tar` crate reads its last 8 of 12 bytes.
    if let [first, rest @ ..] = field
        && 0x80 <= *first
        && (*first != 0x80 || rest.iter().take(3).any(|byte| *byte != 0))
    {
        return Err(invalid);
    }
    let len = header.entry_size().map_err(|_| invalid.clone())?;
    if len < 1 << 62 { Ok(len) } else { Err(invalid) }
}

fn kind(entry_type: EntryType) -> Result<HeaderKind, TarProblem> {
    match entry_type.as_byte() {
        0 => Ok(HeaderKind::OldFile),
        b'0' | b'7' => Ok(HeaderKind::File),
        b'1' => Ok(HeaderKind::HardLink),
        b'2' => Ok(HeaderKind::Symlink),
        b'3' => Err(TarProblem::Type("a character device")),
        b'4' => Err(TarProblem::Type("a block device")),
        b'5' => Ok(HeaderKind::Directory),
        b'6' => Err(TarProblem::Type("a named pipe")),
        b'S' => Err(TarProblem::Type("a sparse file")),
        b'x' => Ok(HeaderKind::Pax),
        b'g' => Ok(HeaderKind::PaxGlobal),
        b'L' => Ok(HeaderKind::LongName),
        b'K' => Ok(HeaderKind::LongLink),
        other => Err(TarProblem::UnknownType(other)),
    }
}
