//! The report on an installation.

use std::collections::BTreeSet;
use std::path::PathBuf;

use wheelfix_format::{Change, MetadataEdit};
use wheelfix_link::{Candidate, LinkPlan, Proof, Remedy, Unusable};
use wheelfix_unbundle::UnbundlePlan;
use wheelfix_wheel::{Wheel, WheelWarning};

use crate::bytecode::CompileFailure;
use crate::files::{File, Files, Source};
use crate::install::InstallRequest;
use crate::shebang;

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
    /// How many entries were the same when all was made a second time; `None` if it was not.
    pub made_twice: Option<usize>,
}

/// A warning about something odd in the request or in a file that does not stop the installation.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InstallWarning {
    /// A requirement was edited of whose name only the beginning was asked for.
    #[error("`{wheel}`: only the begin of a name was asked for: {change}")]
    Prefix {
        /// The wheel's file name.
        wheel: String,
        /// The edit.
        change: Change,
    },
    /// An edit by the beginning of a name that matches no requirement of any wheel.
    #[error("no distribution has a requirement to edit: {0}")]
    MetadataEdit(MetadataEdit),
    /// A program that does not start here, and nothing says what it is to be started with.
    #[error("program `{}` asks for the interpreter `{interpreter}`, which {reason}", path.display())]
    Interpreter {
        /// The program.
        path: PathBuf,
        /// The interpreter that it asks for.
        interpreter: String,
        /// The reason why that one does not do, as the end of a sentence.
        reason: String,
    },
    /// A script that asks for a program that NixOS does not have there, and keeps its first line.
    #[error(
        "script `{}` asks for `{interpreter}`, {reason}: it starts only on systems that have it there",
        path.display()
    )]
    Script {
        /// The script.
        path: PathBuf,
        /// The program that it asks for.
        interpreter: String,
        /// The reason why its first line is kept.
        reason: KeptScript,
    },
    /// A requirement that cannot be read: nothing says whether it is met.
    #[error("nothing is known of a requirement of {distribution}: {reason} (`{}`)", path.display())]
    Requirement {
        /// The name and version of what has it.
        distribution: String,
        /// Its `.dist-info`.
        path: PathBuf,
        /// The reason why the requirement cannot be read.
        reason: String,
    },
    /// A directory that a virtual environment takes modules from, and that is not a part of it.
    #[error(
        "`{}` leads to `{}`, outside of the environment: what is there is neither edited nor proved",
        file.display(),
        path.display()
    )]
    Member {
        /// The `.pth` file that names it.
        file: PathBuf,
        /// The directory.
        path: PathBuf,
    },
    /// A virtual environment that sees the packages of the Python that it was made from.
    #[error(
        "`{}` sees the packages of its Python, too (`include-system-site-packages`): they are neither edited nor proved",
        .0.display()
    )]
    BasePackages(PathBuf),
    /// Something odd in a wheel that becomes another.
    #[error("{0}")]
    Wheel(WheelWarning),
    /// A namespace in which no wheel has a file.
    #[error("no wheel has a file in the namespace `{0}`")]
    Namespace(String),
    /// A file in a library path has the name of a library, cannot be read, and nothing needs it.
    #[error("{0}")]
    Unusable(Unusable),
    /// A program that its package makes executable when it is used, and that was made so now.
    #[error(
        "program `{}` may be executed now: its package does that when it is used, and cannot where nothing can be written",
        .0.display()
    )]
    MadeExecutable(PathBuf),
    /// Nothing is compiled for a target that is named.
    #[error("sources are not compiled: {0}")]
    Uncompiled(String),
    /// A package of which another prefix has files, too.
    #[error(
        "package `{package}` has files in `{}`, too, and those of one place do not find the other's: make one environment of both",
        prefix.display()
    )]
    SharedPackage {
        /// Its name.
        package: String,
        /// The other prefix.
        prefix: PathBuf,
    },
    /// Something is worse in an ELF file that was edited than it was before.
    #[error("`{}`: {warning}", .path.display())]
    Elf {
        /// Where the file is, or will be.
        path: PathBuf,
        /// The warning that says what is worse.
        warning: wheelfix_elf::Warning,
    },
}

/// Why a script keeps its first line; the middle of a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptScript {
    /// Nothing has the program.
    #[error("and no library path has it in the `bin` beside it")]
    NotFound,
    /// A module has bytecode that belongs to its text, which is the one that was proved.
    #[error("and is a Python source of a package, which is not edited")]
    Source,
    /// Its line ends with what the kernel takes for a part of the name.
    #[error("with a carriage return or another blank that is part of the name")]
    LineEnd,
    /// It is not text to its end, and may know by number where the rest begins.
    #[error("and is not text to its end, so that it is not edited")]
    Payload,
    /// The program has a path that cannot stand in a first line.
    #[error("and the path of the one for it is too long for a first line, or has a space")]
    Awkward,
}

impl InstallWarning {
    /// Remedies, each of which mends it; empty if that is not known.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Interpreter { path, .. } => vec![Remedy::SetInterpreter {
                paths: BTreeSet::from([path.clone()]),
            }],
            Self::Script {
                path,
                interpreter,
                reason: KeptScript::NotFound,
            } => {
                let (_, program) = interpreter.rsplit_once('/').unwrap_or(("", interpreter));
                vec![Remedy::AddLibPath {
                    library: program.to_owned(),
                    newer: false,
                    needed_by: BTreeSet::from([path.clone()]),
                    candidates: shebang::package_of(program)
                        .map(|name| Candidate::Nixpkgs(name.to_owned()))
                        .into_iter()
                        .collect(),
                }]
            }
            _ => Vec::new(),
        }
    }
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
