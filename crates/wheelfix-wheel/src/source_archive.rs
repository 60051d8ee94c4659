//! A source distribution unpacked as it is, in one pass: an archive with one directory.
//!
//! <https://packaging.python.org/en/latest/specifications/source-distribution-format/>

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use wheelfix_archive::{
    Compression, Digest, ExtractError, ExtractItem, Faults, Limits, MemberPath, OpenError,
    TarArchive, TarError, TarFaults, TarKind, TarMember, ZipArchive, create_directories, extract,
};
use wheelfix_format::{SdistFilename, SdistFilenameError, SdistFormat};

use crate::unpack::{Meter, Unpacked, UnpackedKind};

/// A source distribution that is open. That it is right is known once it is unpacked.
#[derive(Debug)]
pub struct SourceArchive {
    path: PathBuf,
    filename: SdistFilename,
    archive: Packed,
}

/// How the files are packed.
#[derive(Debug)]
enum Packed {
    Zip(ZipArchive),
    Tar(TarArchive),
}

/// Why a source distribution could not be opened or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum SourceArchiveError {
    /// The path has no file name in UTF-8.
    #[error("path has no file name in UTF-8")]
    NoFilename,
    /// The file name is not that of a source distribution.
    #[error("invalid file name of a source distribution")]
    Filename(#[source] SdistFilenameError),
    /// The file could not be read, or an unpacked one not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The zip archive is refused.
    #[error(transparent)]
    Zip(Faults),
    /// The tar archive is refused.
    #[error(transparent)]
    Tar(TarFaults),
    /// Files of the zip archive could not be written, or hold something else than they should.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// There is not one directory that holds everything.
    #[error("expected one directory at the top level, got {}", top_level(.0))]
    TopLevel(Vec<String>),
}

impl SourceArchive {
    /// Opens a source distribution.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, SourceArchiveError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or(SourceArchiveError::NoFilename)?;
        let filename: SdistFilename = name.parse().map_err(SourceArchiveError::Filename)?;
        let tar = |compression| TarArchive::open(path, compression, limits).map(Packed::Tar);
        let archive = match filename.format() {
            SdistFormat::Zip => Packed::Zip(ZipArchive::open(path, limits)?),
            SdistFormat::TarGz => tar(Compression::Gzip)?,
            SdistFormat::TarBz2 => tar(Compression::Bzip2)?,
            SdistFormat::TarXz => tar(Compression::Xz)?,
            SdistFormat::TarZst => tar(Compression::Zstd)?,
        };
        Ok(Self {
            path: path.to_owned(),
            filename,
            archive,
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file name.
    pub fn filename(&self) -> &SdistFilename {
        &self.filename
    }

    /// Unpacks everything below the existing directory `root`, into the one directory that it has.
    ///
    /// Nothing is undone after an error: `root` is a staging directory of the caller, who drops it.
    pub fn unpack(
        &self,
        root: &Path,
        threads: NonZeroUsize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Unpacked>, SourceArchiveError> {
        match &self.archive {
            Packed::Zip(archive) => {
                check_top_level(
                    archive.directories(),
                    archive.members().iter().map(|m| &m.path),
                )?;
                unpack_zip(archive, root, threads, progress)
            }
            Packed::Tar(archive) => {
                let members = archive.unpack(root, progress)?;
                let is_dir = |member: &&TarMember| member.kind == TarKind::Directory;
                let dirs = members.iter().filter(is_dir).map(|member| &member.path);
                let others = members.iter().filter(|member| !is_dir(member));
                check_top_level(dirs, others.map(|member| &member.path))?;
                Ok(members.into_iter().map(Unpacked::from).collect())
            }
        }
    }
}

fn unpack_zip(
    archive: &ZipArchive,
    root: &Path,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Unpacked>, SourceArchiveError> {
    let items: Vec<_> = archive
        .members()
        .iter()
        .map(|member| ExtractItem {
            archive,
            member,
            dst: member.path.clone(),
            executable: member.executable,
            digest: Digest::Skip,
            prioritized: false,
        })
        .collect();
    create_directories(root, archive.directories())?;
    extract(&items, root, threads, &Meter { progress })?;
    let directories = archive.directories().iter().map(|path| Unpacked {
        path: path.clone(),
        kind: UnpackedKind::Directory,
    });
    let files = archive.members().iter().map(|member| Unpacked {
        path: member.path.clone(),
        kind: UnpackedKind::File {
            len: member.len,
            executable: member.executable,
            sha256: None,
        },
    });
    Ok(directories.chain(files).collect())
}

/// Checks that everything lies in one directory.
fn check_top_level<'a>(
    directories: impl IntoIterator<Item = &'a MemberPath>,
    others: impl IntoIterator<Item = &'a MemberPath>,
) -> Result<(), SourceArchiveError> {
    let first = |path: &'a MemberPath| path.parts().next().unwrap_or_default();
    let mut tops: BTreeSet<&str> = directories.into_iter().map(first).collect();
    let mut has_file = false;
    for path in others {
        tops.insert(first(path));
        has_file |= path.parent().is_none();
    }
    if tops.len() == 1 && !has_file {
        return Ok(());
    }
    Err(SourceArchiveError::TopLevel(
        tops.into_iter().map(str::to_owned).collect(),
    ))
}

/// The names at the top level, of many only some.
fn top_level(names: &[String]) -> String {
    const MOST: usize = 5;
    let listed: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len() {
        0 => "nothing".to_owned(),
        1 => format!("the file {}", listed.concat()),
        count if count <= MOST => listed.join(", "),
        count => format!("{} and {} more", listed.join(", "), count - MOST),
    }
}

impl From<OpenError> for SourceArchiveError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => Self::Io(error),
            OpenError::Refused(faults) => Self::Zip(faults),
        }
    }
}

impl From<TarError> for SourceArchiveError {
    fn from(error: TarError) -> Self {
        match error {
            TarError::Io(error) => Self::Io(error),
            TarError::Refused(faults) => Self::Tar(faults),
        }
    }
}
