//! The report on one ELF file.

use std::path::Path;

use serde::Serialize;
use wheelfix_elf::{Class, Elf, FileSource, ObjectType, ReadError, RunPath, Violation};

use crate::InspectError;
use crate::InspectOptions;

/// The facts of an ELF file.
#[derive(Debug, Serialize)]
pub struct ElfReport {
    /// Where it is: as given, or relative to the wheel or directory.
    pub path: String,
    /// Length in bytes.
    pub len: u64,
    /// `library`, `program`, `static program`, `object`, `core` or `debug`.
    pub object: &'static str,
    /// The machine that it is for.
    pub machine: String,
    /// Word size: 32 or 64.
    pub bits: u8,
    /// The library's own name.
    pub soname: Option<String>,
    /// The libraries it needs, in order.
    pub needed: Vec<String>,
    /// The directories in which they are searched.
    pub run_path: RunPath,
    /// The program that loads it.
    pub interpreter: Option<String>,
    /// The versions it needs, by library.
    pub version_needs: Vec<VersionNeeds>,
    /// The largest alignment of a segment in bytes.
    pub alignment: u64,
    /// Its build id.
    pub build_id: Option<String>,
    /// Texts of its `dlopen` notes.
    pub dlopen_notes: Vec<String>,
    /// Broken rules; `None` if they were not looked for.
    pub violations: Option<Vec<Violation>>,
}

/// The versions that are needed of one library.
#[derive(Debug, Serialize)]
pub struct VersionNeeds {
    /// The library.
    pub library: String,
    /// The versions, in the order of the file.
    pub versions: Vec<String>,
}

/// A file that cannot be read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// Relative to the directory.
    pub path: String,
    /// Why.
    pub reason: String,
}

pub(crate) fn read(path: &Path, options: InspectOptions) -> Result<ElfReport, InspectError> {
    let source = FileSource::open(path)?;
    let name = path.display().to_string();
    let report = read_source(&name, &source, options).map(|(_, report)| report);
    report.map_err(|source_error| {
        let fails = matches!(source_error, ReadError::Io { .. });
        let violations = if options.verify && !fails {
            wheelfix_elf::verify(&source).unwrap_or_default()
        } else {
            Vec::new()
        };
        InspectError::Elf {
            path: name,
            violations,
            source: source_error,
        }
    })
}

/// Reads an open file that is known under a name.
pub(crate) fn read_source(
    name: &str,
    source: &FileSource,
    options: InspectOptions,
) -> Result<(Elf, ElfReport), ReadError> {
    let elf = Elf::read(source)?;
    let mut report = ElfReport::new(name, &elf);
    if options.verify {
        report.violations = Some(wheelfix_elf::verify(source)?);
    }
    Ok((elf, report))
}

impl ElfReport {
    /// The report on a file that was read.
    pub fn new(path: &str, elf: &Elf) -> Self {
        let dynamic = elf.dynamic.as_ref();
        let needs = dynamic
            .iter()
            .flat_map(|dynamic| &dynamic.version_needs)
            .map(|needs| VersionNeeds {
                library: needs.file.clone(),
                versions: needs
                    .versions
                    .iter()
                    .map(|version| version.name.clone())
                    .collect(),
            });
        Self {
            path: path.to_owned(),
            len: elf.file_len,
            object: object(elf),
            machine: elf.header.machine.to_string(),
            bits: if elf.header.encoding.class == Class::Elf32 {
                32
            } else {
                64
            },
            soname: dynamic.and_then(|dynamic| dynamic.soname.clone()),
            needed: dynamic
                .map(|dynamic| dynamic.needed.clone())
                .unwrap_or_default(),
            run_path: dynamic
                .map(|dynamic| dynamic.run_path.clone())
                .unwrap_or_default(),
            interpreter: elf.interpreter.clone(),
            version_needs: needs.collect(),
            alignment: elf
                .program_headers
                .iter()
                .filter(|header| header.is_load())
                .map(|header| header.align)
                .max()
                .unwrap_or(0),
            build_id: elf.notes.build_id.clone(),
            dlopen_notes: elf.notes.dlopen.clone(),
            violations: None,
        }
    }

    /// The names of its tags, and the elements of the search path that counts; `None` without one.
    pub fn search_path(&self) -> Option<(&'static str, Vec<&str>)> {
        let (kind, path) = match &self.run_path {
            RunPath::None => return None,
            RunPath::Rpath { path } => ("RPATH", path),
            RunPath::Runpath { path } => ("RUNPATH", path),
            RunPath::Both { runpath, .. } => ("RUNPATH (and an ignored RPATH)", runpath),
        };
        Some((kind, path.split(':').collect()))
    }
}

fn object(elf: &Elf) -> &'static str {
    match elf.header.object_type {
        ObjectType::Relocatable => "object",
        ObjectType::Core => "core",
        _ if elf.is_debug_file() => "debug",
        _ if elf.dynamic.is_none() => "static program",
        _ if elf.is_program() => "program",
        _ => "library",
    }
}
