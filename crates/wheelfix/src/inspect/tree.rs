//! The report on a directory: the ELF files below it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use wheelfix_elf::{Elf, FileSource, ReadError};
use wheelfix_format::Headers;
use wheelfix_wheel::ElfSet;

use crate::error::Error;
use crate::inspect::elf::{self, ElfReport};
use crate::inspect::wheel::{Library, Link, MinimumVersion, links};
use crate::inspect::{InspectOptions, is_elf};

/// The facts of the ELF files below a directory.
#[derive(Debug, Serialize)]
pub(crate) struct TreeReport {
    /// The directory as given.
    pub(crate) path: String,
    /// Number of files of any kind.
    pub(crate) file_count: usize,
    /// Their length in bytes.
    pub(crate) len: u64,
    /// The distributions that are installed below it, by path.
    pub(crate) distributions: Vec<Installed>,
    /// The ELF files, by path.
    pub(crate) elf_files: Vec<ElfReport>,
    /// The libraries that they need and none of them provides.
    pub(crate) external_libraries: Vec<Link>,
    /// The newest versions that are needed from outside.
    #[serde(rename = "version_floors")]
    pub(crate) minimum_versions: Vec<MinimumVersion>,
    /// Libraries of others among them.
    pub(crate) bundled_libraries: Vec<Library>,
    /// ELF files that cannot be read, each with the reason.
    pub(crate) unreadable: Vec<Unreadable>,
}

/// An installed distribution, as its METADATA has it.
#[derive(Debug, Serialize)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its `.dist-info`, relative to the directory.
    pub(crate) path: String,
}

/// A file that cannot be read.
#[derive(Debug, Serialize)]
pub(crate) struct Unreadable {
    /// Relative to the directory.
    pub(crate) path: String,
    /// Why.
    pub(crate) reason: String,
}

struct FoundFile {
    path: String,
    len: u64,
    elf: Option<Result<(Elf, ElfReport), ReadError>>,
}

pub(crate) fn read(dir: &Path, options: InspectOptions) -> Result<TreeReport, Error> {
    let paths = walk(dir)?;
    let found: Result<Vec<FoundFile>, Error> = paths
        .par_iter()
        .map(|path| read_file(dir, path, options))
        .collect();
    let found = found?;
    let (file_count, len) = (found.len(), found.iter().map(|file| file.len).sum());
    let (mut elf_files, mut elfs, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for file in found {
        match file.elf {
            None => {}
            Some(Ok((elf, report))) => {
                elfs.push((file.path, elf));
                elf_files.push(report);
            }
            Some(Err(error)) => unreadable.push(Unreadable {
                path: file.path,
                reason: error.to_string(),
            }),
        }
    }
    let set = ElfSet::new(elfs.iter().map(|(path, elf)| (path.as_str(), elf)));
    Ok(TreeReport {
        path: dir.display().to_string(),
        file_count,
        len,
        distributions: distributions(dir, &paths)?,
        external_libraries: links(&set),
        minimum_versions: set
            .minimum_versions()
            .into_iter()
            .map(MinimumVersion::from)
            .collect(),
        bundled_libraries: set.bundled().into_iter().map(Library::from).collect(),
        elf_files,
        unreadable,
    })
}

/// The distributions whose METADATA is among the files.
fn distributions(dir: &Path, paths: &[String]) -> Result<Vec<Installed>, Error> {
    let found = paths.iter().filter_map(|path| {
        let info = path.strip_suffix("/METADATA")?;
        info.strip_suffix(".dist-info").map(|_| (path, info))
    });
    let read = |(path, info): (&String, &str)| {
        let bytes = fs_err::read(dir.join(path))?;
        let headers = Headers::parse(String::from_utf8_lossy(&bytes).into_owned());
        let text = |name: &str| headers.get(name).unwrap_or_default().to_owned();
        Ok(Installed {
            name: text("Name"),
            version: text("Version"),
            path: info.to_owned(),
        })
    };
    found.map(read).collect()
}

/// The regular files below a directory, by path, links followed.
fn walk(dir: &Path) -> Result<Vec<String>, Error> {
    let found = wheelfix_link::walk(&[dir.to_owned()]).map_err(Error::environment)?;
    let files = found.files.iter().chain(&found.outside);
    // A name that is not UTF-8 is printed as well as it can be, and not found again.
    let relative = |path: &PathBuf| {
        let path = path.strip_prefix(dir).unwrap_or(path);
        path.to_string_lossy().into_owned()
    };
    let mut files: Vec<String> = files.map(relative).collect();
    files.sort();
    Ok(files)
}

fn read_file(dir: &Path, path: &str, options: InspectOptions) -> Result<FoundFile, Error> {
    let full = dir.join(path);
    let len = fs_err::metadata(&full)?.len();
    let elf = if is_elf(&full)? {
        let source = FileSource::open(&full)?;
        Some(elf::read_source(path, &source, options))
    } else {
        None
    };
    let path = path.to_owned();
    Ok(FoundFile { path, len, elf })
}
