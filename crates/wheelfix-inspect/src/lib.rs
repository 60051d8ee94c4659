//! Reports on a wheel, a source distribution, an ELF file or a directory.
//!
//! Each kind of subject has a report: plain data, which a program prints for people or, as a [`Document`], for machines, so
//! that both say the same.

mod document;
mod elf;
mod error;
mod links;
mod sdist;
mod tree;
mod wheel;

use std::io::{self, Read as _};
use std::path::Path;

pub use document::Document;
pub use elf::{ElfReport, Unreadable, VersionNeeds};
pub use error::InspectError;
pub use links::Link;
pub use sdist::{Build, SdistFile, SdistFiles, SdistReport};
use serde::Serialize;
pub use tree::{Installed, TreeReport};
pub use wheel::{
    Dependency, Distribution, EntryPoint, File, Files, GpuCode, RecordStatus, RuntimeLoad,
    WheelFacts, WheelReport,
};
use wheelfix_format::{has_sdist_name, is_wheel_name};

/// The report on a subject.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Report {
    /// On a wheel.
    Wheel(Box<WheelReport>),
    /// On a source distribution.
    Sdist(Box<SdistReport>),
    /// On an ELF file.
    Elf(Box<ElfReport>),
    /// On a directory.
    Directory(TreeReport),
}

/// The options of a report.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectOptions {
    /// Whether contents are checked as well: hashes in RECORD, rules that ELF files keep.
    pub verify: bool,
    /// Whether contents of a wheel are searched for what is loaded at run time, and for code for GPUs.
    pub deep: bool,
}

impl Report {
    /// Whether nothing was found that contradicts the subject's own claims.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Wheel(report) => report.record.mismatches.is_empty(),
            Self::Sdist(_) => true,
            Self::Elf(report) => report.violations.as_ref().is_none_or(Vec::is_empty),
            Self::Directory(report) => {
                let files = report.elf_files.iter();
                let mut violations = files.filter_map(|file| file.violations.as_ref());
                violations.all(Vec::is_empty)
            }
        }
    }
}

/// Reads what is at a path. The names of wheels and source distributions are looked at, not their contents.
pub fn inspect(path: &Path, options: InspectOptions) -> Result<Report, InspectError> {
    if fs_err::metadata(path)?.is_dir() {
        return tree::read(path, options).map(Report::Directory);
    }
    if is_wheel_name(path) {
        return wheel::read(path, options).map(|report| Report::Wheel(Box::new(report)));
    }
    if has_sdist_name(path) {
        return sdist::read(path).map(|report| Report::Sdist(Box::new(report)));
    }
    if is_elf(path)? {
        return elf::read(path, options).map(|report| Report::Elf(Box::new(report)));
    }
    Err(InspectError::Unknown(path.to_owned()))
}

/// Whether a file begins as ELF files do.
fn is_elf(path: &Path) -> io::Result<bool> {
    let mut magic = Vec::new();
    fs_err::File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == b"\x7fELF")
}
