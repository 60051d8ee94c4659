//! The report on a source distribution.

use std::path::Path;

use serde::Serialize;
use wheelfix_archive::{Limits, OpenError, TarError};
use wheelfix_format::BuildSystem;
use wheelfix_wheel::{Sdist, SdistError};

use crate::InspectError;
use crate::wheel::Distribution;

/// The facts of a source distribution.
#[derive(Debug, Serialize)]
pub struct SdistReport {
    /// The archive as given.
    pub path: String,
    /// Its file name.
    pub file_name: String,
    /// Length of the archive in bytes.
    pub len: u64,
    /// `PKG-INFO`.
    pub distribution: Distribution,
    /// `Metadata-Version`.
    pub metadata_version: String,
    /// Fields that the build may change; `None` if it may change all, because the metadata are too old
    /// to say.
    pub dynamic: Option<Vec<String>>,
    /// The way in which it is built.
    pub build: Build,
    /// The files.
    pub files: SdistFiles,
}

/// The way in which a source distribution is built.
#[derive(Debug, Serialize)]
pub struct Build {
    /// Whether there is a `pyproject.toml`.
    pub has_pyproject: bool,
    /// Whether there is a `setup.py`.
    pub has_setup_py: bool,
    /// The requirements of the build.
    pub requires: Vec<String>,
    /// `None` is setuptools' legacy backend.
    pub backend: Option<String>,
    /// Directories in the tree that the backend is imported from.
    pub backend_path: Vec<String>,
    /// Fields of `[project]` that the backend computes.
    pub dynamic: Vec<String>,
}

/// The files of a source distribution.
#[derive(Debug, Serialize)]
pub struct SdistFiles {
    /// The directory that everything lies in.
    pub dir: String,
    /// How many there are.
    pub count: usize,
    /// Unpacked, in bytes.
    pub len: u64,
    /// The files, in the order of the archive.
    pub list: Vec<SdistFile>,
}

/// A file of a source distribution.
#[derive(Debug, Serialize)]
pub struct SdistFile {
    /// Relative to the directory.
    pub path: String,
    /// In bytes.
    pub len: u64,
    /// Whether it is executable.
    pub executable: bool,
}

pub(crate) fn read(path: &Path) -> Result<SdistReport, InspectError> {
    let sdist = Sdist::open(path, &Limits::default()).map_err(|source| match source {
        SdistError::Zip(OpenError::Io(error)) | SdistError::Tar(TarError::Io(error)) => {
            InspectError::Io(error)
        }
        source => InspectError::Sdist {
            path: path.to_owned(),
            source: Box::new(source),
        },
    })?;
    let metadata = sdist.metadata();
    let (major, minor) = metadata.metadata_version();
    let says_dynamic = (2, 2) <= (major, minor);
    Ok(SdistReport {
        path: path.display().to_string(),
        file_name: sdist.filename().to_string(),
        len: fs_err::metadata(path)?.len(),
        distribution: Distribution::new(metadata),
        metadata_version: format!("{major}.{minor}"),
        dynamic: says_dynamic.then(|| metadata.dynamic().map(str::to_owned).collect()),
        build: build(&sdist),
        files: files(&sdist),
    })
}

fn build(sdist: &Sdist) -> Build {
    let legacy = BuildSystem::legacy();
    let system = sdist.build_system().unwrap_or(&legacy);
    Build {
        has_pyproject: sdist.build_system().is_some(),
        has_setup_py: sdist.files().iter().any(|file| file.path == "setup.py"),
        requires: system.requires.iter().map(ToString::to_string).collect(),
        backend: system.backend.as_ref().map(ToString::to_string),
        backend_path: system.backend_path.clone(),
        dynamic: system.dynamic.clone(),
    }
}

fn files(sdist: &Sdist) -> SdistFiles {
    let list = sdist.files().iter().map(|file| SdistFile {
        path: file.path.clone(),
        len: file.len,
        executable: file.executable,
    });
    let list: Vec<SdistFile> = list.collect();
    SdistFiles {
        dir: sdist.dir().to_owned(),
        count: list.len(),
        len: list.iter().map(|file| file.len).sum(),
        list,
    }
}
