//! A source distribution, read without running any of its code.
//!
//! <https://packaging.python.org/en/latest/specifications/source-distribution-format/>

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use wheelfix_archive::{
    Compression, Limits, OpenError, TarArchive, TarError, TarKind, TarMember, ZipArchive,
};
use wheelfix_format::{
    BuildSystem, BuildSystemError, Metadata, MetadataError, PackageName, SdistFilename,
    SdistFilenameError, SdistFormat, Version,
};

/// A source distribution whose metadata agree with its file name.
#[derive(Debug)]
pub struct Sdist {
    path: PathBuf,
    filename: SdistFilename,
    /// The directory that everything lies in.
    dir: String,
    files: Vec<SdistFile>,
    metadata: Metadata,
    /// `None` without a `pyproject.toml`.
    build_system: Option<BuildSystem>,
}

/// A regular file of a source distribution.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SdistFile {
    /// Relative to the directory that everything lies in.
    pub path: String,
    /// In bytes.
    pub len: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// Why a source distribution could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SdistError {
    /// The path has no file name in UTF-8.
    #[error("path has no file name in UTF-8")]
    NoFilename,
    /// The file name is not that of a source distribution.
    #[error("invalid file name of a source distribution")]
    Filename(#[source] SdistFilenameError),
    /// The zip archive could not be read, or is refused.
    #[error(transparent)]
    Zip(OpenError),
    /// The tar archive could not be read, or is refused.
    #[error(transparent)]
    Tar(TarError),
    /// The archive has not one directory at its top.
    #[error("expected one directory at the top level, got {}: {}", .0.len(), .0.join(", "))]
    Tops(Vec<String>),
    /// A file that every source distribution has.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A text file that cannot be read, is too large, or is not UTF-8.
    #[error("`{path}` cannot be read as UTF-8 text of at most {MAX_TEXT_LEN} bytes")]
    Text {
        /// The file.
        path: String,
        /// The error.
        source: io::Error,
    },
    /// `PKG-INFO`.
    #[error("invalid `PKG-INFO`")]
    Metadata(#[source] MetadataError),
    /// `PKG-INFO` has another name than the file.
    #[error("the file name says {filename}, `PKG-INFO` says {metadata}")]
    Name {
        /// By the file name.
        filename: PackageName,
        /// By `PKG-INFO`.
        metadata: PackageName,
    },
    /// `PKG-INFO` has another version than the file.
    #[error("the file name says version {filename}, `PKG-INFO` says {metadata}")]
    Version {
        /// By the file name.
        filename: Version,
        /// By `PKG-INFO`.
        metadata: Version,
    },
    /// `pyproject.toml`.
    #[error("invalid `pyproject.toml`")]
    BuildSystem(#[source] BuildSystemError),
}

/// Longest text file that is read; the largest real description has some 1 MB.
const MAX_TEXT_LEN: u64 = 64 << 20;

/// The parts of the archive that are read: the paths, and the texts of two files.
#[derive(Debug, Default)]
struct Contents {
    tops: BTreeSet<String>,
    files: Vec<SdistFile>,
    pkg_info: Option<String>,
    pyproject: Option<String>,
}

impl Sdist {
    /// Opens a source distribution.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, SdistError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let filename: SdistFilename = name
            .ok_or(SdistError::NoFilename)?
            .parse()
            .map_err(SdistError::Filename)?;
        let mut contents = match filename.format() {
            SdistFormat::Zip => read_zip(path, limits)?,
            SdistFormat::TarGz => read_tar(path, Compression::Gzip, limits)?,
            SdistFormat::TarBz2 => read_tar(path, Compression::Bzip2, limits)?,
            SdistFormat::TarXz => read_tar(path, Compression::Xz, limits)?,
            SdistFormat::TarZst => read_tar(path, Compression::Zstd, limits)?,
        };
        let tops: Vec<String> = contents.tops.into_iter().collect();
        let [dir] = tops.as_slice() else {
            return Err(SdistError::Tops(tops));
        };
        let missing = || SdistError::Missing(format!("{dir}/PKG-INFO"));
        let metadata: Metadata = contents
            .pkg_info
            .ok_or_else(missing)?
            .parse()
            .map_err(SdistError::Metadata)?;
        check_identity(&filename, &metadata)?;
        let build_system = contents.pyproject.map(|text| text.parse()).transpose();
        contents.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            path: path.to_owned(),
            filename,
            dir: dir.clone(),
            files: contents.files,
            metadata,
            build_system: build_system.map_err(SdistError::BuildSystem)?,
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

    /// The directory that everything lies in.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// The regular files, by path.
    pub fn files(&self) -> &[SdistFile] {
        &self.files
    }

    /// `PKG-INFO`.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its build system; `None` without a `pyproject.toml`, which means [`BuildSystem::legacy`].
    pub fn build_system(&self) -> Option<&BuildSystem> {
        self.build_system.as_ref()
    }

    /// Whether a metadata field may still be changed by the build, so that it cannot be relied upon.
    ///
    /// Before version 2.2 of the metadata every field may be.
    pub fn is_dynamic(&self, field: &str) -> bool {
        self.metadata.metadata_version() < (2, 2)
            || self
                .metadata
                .dynamic()
                .any(|dynamic| dynamic.eq_ignore_ascii_case(field))
    }
}

fn check_identity(filename: &SdistFilename, metadata: &Metadata) -> Result<(), SdistError> {
    if metadata.name() != filename.name() {
        return Err(SdistError::Name {
            filename: filename.name().clone(),
            metadata: metadata.name().clone(),
        });
    }
    if metadata.version() != filename.version() {
        return Err(SdistError::Version {
            filename: filename.version().clone(),
            metadata: metadata.version().clone(),
        });
    }
    Ok(())
}

impl Contents {
    /// Takes a member in; its content is read only if it is one of the two texts.
    fn add(
        &mut self,
        path: &str,
        file: Option<(u64, bool)>,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let (top, below) = path.split_once('/').unwrap_or((path, ""));
        self.tops.insert(top.to_owned());
        let Some((len, executable)) = file else {
            return Ok(());
        };
        let text = match below {
            "PKG-INFO" => &mut self.pkg_info,
            "pyproject.toml" => &mut self.pyproject,
            _ => return self.list(below, len, executable),
        };
        let mut bytes = String::new();
        content.take(MAX_TEXT_LEN).read_to_string(&mut bytes)?;
        if bytes.len() as u64 != len {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        *text = Some(bytes);
        self.list(below, len, executable)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the last step of `add`")]
    fn list(&mut self, path: &str, len: u64, executable: bool) -> io::Result<()> {
        let path = path.to_owned();
        self.files.push(SdistFile {
            path,
            len,
            executable,
        });
        Ok(())
    }
}

fn read_tar(
    path: &Path,
    compression: Compression,
    limits: &Limits,
) -> Result<Contents, SdistError> {
    let archive = TarArchive::open(path, compression, limits).map_err(SdistError::Tar)?;
    let mut contents = Contents::default();
    let mut fault = None;
    let mut visit = |member: &TarMember, content: &mut dyn Read| {
        let file = match member.kind {
            TarKind::File { len, executable } => Some((len, executable)),
            _ => None,
        };
        let added = contents.add(member.path.as_str(), file, content);
        // The archive's own faults come first, and they are found by reading on.
        if let Err(source) = added {
            let path = member.path.to_string();
            fault.get_or_insert(SdistError::Text { path, source });
        }
        Ok(())
    };
    archive.visit(&mut visit).map_err(SdistError::Tar)?;
    fault.map_or(Ok(contents), Err)
}

fn read_zip(path: &Path, limits: &Limits) -> Result<Contents, SdistError> {
    let archive = ZipArchive::open(path, limits).map_err(SdistError::Zip)?;
    let mut contents = Contents::default();
    for dir in archive.directories() {
        contents.tops.extend(dir.parts().next().map(str::to_owned));
    }
    for member in archive.members() {
        let mut content = archive.reader(member);
        let file = Some((member.len, member.executable));
        let added = contents.add(member.path.as_str(), file, &mut content);
        added.map_err(|source| SdistError::Text {
            path: member.path.to_string(),
            source,
        })?;
    }
    Ok(contents)
}
