//! The report on an installation.

use std::path::PathBuf;

use wheelfix_format::Change;
use wheelfix_link::{LinkPlan, Proof};
use wheelfix_unbundle::UnbundlePlan;
use wheelfix_wheel::{Wheel, WheelWarning};

use crate::bytecode::CompileFailure;
use crate::files::dependencies::UnmetDependencies;
use crate::files::{File, Files, Source};
use crate::install::InstallRequest;
use crate::warning::InstallWarning;

/// The report on an installation that was made, or would be.
#[derive(Debug)]
pub struct InstallReport {
    /// Where the files are, absolute.
    pub prefix: PathBuf,
    /// One entry per wheel, in the order of the request.
    pub wheels: Vec<InstalledWheel>,
    /// The plan for bundled libraries.
    pub unbundling: UnbundlePlan,
    /// The plan for the libraries.
    pub link_plan: LinkPlan,
    /// The proof that all of them load; `None` if nothing is known of the target.
    pub proof: Option<Proof>,
    /// How many ELF files were edited.
    pub elf_edited: usize,
    /// How many bytes were written to edit them.
    pub elf_bytes_written: u64,
    /// Sources that do not compile, sorted.
    pub compile_failures: Vec<CompileFailure>,
    /// Warnings about the request.
    pub warnings: Vec<InstallWarning>,
    /// Requirements that neither the wheels nor the prefix that they are merged into meet; empty where
    /// [`WheelOptions::dependencies`](crate::WheelOptions::dependencies) says where else they are looked for.
    pub unmet: Vec<UnmetDependencies>,
    /// How many entries were the same when all was made a second time; `None` if it was not.
    pub made_twice: Option<usize>,
}

/// One installed wheel.
#[derive(Debug)]
pub struct InstalledWheel {
    /// Its file name.
    pub filename: String,
    /// Its normalised name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many files were installed, bytecode and RECORD not counted.
    pub files: usize,
    /// Their length in bytes, before edits.
    pub bytes: u64,
    /// How many files the user excluded.
    pub excluded: usize,
    /// Edits of METADATA.
    pub metadata: Vec<Change>,
    /// Warnings about the wheel.
    pub warnings: Vec<WheelWarning>,
}

/// Counts what each wheel brought.
pub(crate) fn installed_wheels(wheels: &[Wheel], planned: &Files<'_>) -> Vec<InstalledWheel> {
    let mut installed: Vec<InstalledWheel> = wheels.iter().map(empty).collect();
    for file in &planned.list {
        let len = match &file.source {
            Source::Member { member, .. } => member.len,
            Source::Text(text) => text.len() as u64,
        };
        for wheel in &file.wheels {
            if let Some(wheel) = installed.get_mut(*wheel) {
                wheel.files += 1;
                wheel.bytes += len;
            }
        }
    }
    for (wheel, change) in &planned.metadata {
        if let Some(wheel) = installed.get_mut(*wheel) {
            wheel.metadata.push(change.clone());
        }
    }
    for (wheel, excluded) in installed.iter_mut().zip(&planned.excluded) {
        wheel.excluded = *excluded;
    }
    installed
}

fn empty(wheel: &Wheel) -> InstalledWheel {
    InstalledWheel {
        filename: wheel.filename().to_string(),
        name: wheel.filename().name().as_str().to_owned(),
        version: wheel.filename().version().to_string(),
        files: 0,
        bytes: 0,
        excluded: 0,
        metadata: Vec::new(),
        warnings: wheel.warnings().to_vec(),
    }
}

/// A warning if sources are to be compiled, and none is for want of a Python.
pub(crate) fn uncompiled(request: &InstallRequest, files: &[File<'_>]) -> Option<InstallWarning> {
    let is_wanted = request.bytecode.is_some() && files.iter().any(|file| file.compile);
    let reason = request.python.uncompiled().filter(|_| is_wanted);
    reason.map(|reason| InstallWarning::Uncompiled(reason.to_owned()))
}
