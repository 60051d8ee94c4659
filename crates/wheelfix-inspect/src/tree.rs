//! The report on a directory: the ELF files below it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use wheelfix_elf::{Elf, FileSource, ReadError};
use wheelfix_format::Headers;
use wheelfix_wheel::{BundledLibrary, ElfSet, MinimumVersion};

use crate::InspectError;
use crate::elf::{self, ElfReport, Unreadable};
use crate::links::{Link, links};
use crate::{InspectOptions, is_elf};

/// The facts of the ELF files below a directory.
#[derive(Debug, Serialize)]
pub struct TreeReport {
    /// The directory as given.
    pub path: String,
    /// Number of files of any kind.
    pub file_count: usize,
    /// Their length in bytes.
    pub len: u64,
    /// The distributions that are installed below it, by path.
    pub distributions: Vec<Installed>,
    /// The ELF files, by path.
    pub elf_files: Vec<ElfReport>,
    /// The libraries that they need and none of them provides.
    pub external_libraries: Vec<Link>,
    /// The newest versions that are needed from outside.
    #[serde(rename = "version_floors")]
    pub minimum_versions: Vec<MinimumVersion>,
    /// Libraries of others among them.
    pub bundled_libraries: Vec<BundledLibrary>,
    /// ELF files that cannot be read, each with the reason.
    pub unreadable: Vec<Unreadable>,
}

/// An installed distribution, as its METADATA has it.
#[derive(Debug, Serialize)]
pub struct Installed {
    /// `Name`.
    pub name: String,
    /// `Version`.
    pub version: String,
    /// Its `.dist-info`, relative to the directory.
    pub path: String,
}

struct FoundFile {
    path: String,
    len: u64,
    elf: Option<Result<(Elf, ElfReport), ReadError>>,
}

pub(crate) fn read(dir: &Path, options: InspectOptions) -> Result<TreeReport, InspectError> {
    let paths = walk(dir)?;
    let found: Result<Vec<FoundFile>, InspectError> = paths
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
        minimum_versions: set.minimum_versions(),
        bundled_libraries: set.bundled(),
        elf_files,
        unreadable,
    })
}

/// The distributions whose METADATA is among the files.
fn distributions(dir: &Path, paths: &[String]) -> Result<Vec<Installed>, InspectError> {
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
fn walk(dir: &Path) -> Result<Vec<String>, InspectError> {
    let found = wheelfix_link::walk(&[dir.to_owned()])?;
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

fn read_file(dir: &Path, path: &str, options: InspectOptions) -> Result<FoundFile, InspectError> {
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
