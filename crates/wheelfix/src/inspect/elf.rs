//! The report on one ELF file.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use wheelfix_elf::{Class, Elf, FileSource, ObjectType, ReadError, RunPath, Violation};

use crate::error::Error;
use crate::inspect::InspectOptions;
use crate::message::BREAK;

/// The facts of an ELF file.
#[derive(Debug, Serialize)]
pub(crate) struct ElfReport {
    /// Where it is: as given, or relative to the wheel or directory.
    pub(crate) path: String,
    /// Length in bytes.
    pub(crate) len: u64,
    /// `library`, `program`, `static program`, `object`, `core` or `debug`.
    pub(crate) object: &'static str,
    /// The machine that it is for.
    pub(crate) machine: String,
    /// Word size: 32 or 64.
    pub(crate) bits: u8,
    /// The library's own name.
    pub(crate) soname: Option<String>,
    /// The libraries it needs, in order.
    pub(crate) needed: Vec<String>,
    /// The directories in which they are searched.
    pub(crate) run_path: RunPath,
    /// The program that loads it.
    pub(crate) interpreter: Option<String>,
    /// The versions it needs, by library.
    pub(crate) version_needs: Vec<VersionNeeds>,
    /// The largest alignment of a segment in bytes.
    pub(crate) alignment: u64,
    /// Its build id.
    pub(crate) build_id: Option<String>,
    /// Texts of its `dlopen` notes.
    pub(crate) dlopen_notes: Vec<String>,
    /// Broken rules; `None` if they were not looked for.
    pub(crate) violations: Option<Vec<Violation>>,
}

/// The versions that are needed of one library.
#[derive(Debug, Serialize)]
pub(crate) struct VersionNeeds {
    /// The library.
    pub(crate) library: String,
    /// The versions, in the order of the file.
    pub(crate) versions: Vec<String>,
}

/// Why an ELF file cannot be inspected.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read{}", list(.violations))]
struct ElfFileError {
    path: String,
    /// Broken rules, if they were looked for and enough of the file can be read for that.
    violations: Vec<Violation>,
    source: ReadError,
}

fn list(violations: &[Violation]) -> impl fmt::Display {
    fmt::from_fn(|f| {
        if violations.is_empty() {
            return Ok(());
        }
        write!(f, "; {} broken rules:", violations.len())?;
        let mut violations = violations.iter();
        violations.try_for_each(|violation| write!(f, "{BREAK}  {violation}"))
    })
}

pub(crate) fn read(path: &Path, options: InspectOptions) -> Result<ElfReport, Error> {
    let source = FileSource::open(path)?;
    let name = path.display().to_string();
    let report = read_source(&name, &source, options).map(|(_, report)| report);
    report.map_err(|error| {
        let fails = matches!(error, ReadError::Io { .. });
        let violations = if options.verify && !fails {
            wheelfix_elf::verify(&source).unwrap_or_default()
        } else {
            Vec::new()
        };
        let error = ElfFileError {
            path: name,
            violations,
            source: error,
        };
        if fails {
            Error::Environment(Box::new(error))
        } else {
            Error::refused(error)
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
    pub(crate) fn new(path: &str, elf: &Elf) -> Self {
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
    pub(crate) fn search_path(&self) -> Option<(&'static str, Vec<&str>)> {
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
