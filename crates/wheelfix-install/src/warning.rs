//! Warnings about what is odd and stops nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use wheelfix_format::{Change, MetadataEdit};
use wheelfix_link::{Candidate, Remedy, Unusable};
use wheelfix_wheel::WheelWarning;

use crate::shebang::{self, KeptScript};

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
    /// An input of an environment in which nothing is.
    #[error("`{}` is empty: it adds nothing to the environment", .0.display())]
    EmptyInput(PathBuf),
    /// Something odd in a wheel that becomes another.
    #[error("{0}")]
    Wheel(WheelWarning),
    /// A file of a wheel for several versions of Python that is linked for one.
    #[error(
        "`{}` finds its libraries in `{site}` alone, and the wheel is for other versions of Python, too: name the one that will load it",
        path.display()
    )]
    OneVersion {
        /// The file.
        path: PathBuf,
        /// The `site-packages` of the version, relative to the prefix.
        site: String,
    },
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
    /// A `.pth` file in a prefix that no Python has as its own.
    #[error(
        "`{}` takes effect in the `site-packages` of a Python, not on `PYTHONPATH`: there {}; make an environment of it",
        path.display(), without(directories, *has_code)
    )]
    PathFile {
        /// Its path in the prefix.
        path: PathBuf,
        /// The directories that it has searched for modules.
        directories: Vec<String>,
        /// Whether it has code that runs when Python starts.
        has_code: bool,
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

/// The loss where a `.pth` file is not read.
fn without(directories: &[String], has_code: bool) -> String {
    let names: Vec<String> = directories.iter().map(|name| format!("`{name}`")).collect();
    let lost =
        (!names.is_empty()).then(|| format!("modules in {} are not found", names.join(", ")));
    let code = has_code.then(|| "its code does not run when Python starts".to_owned());
    let all: Vec<String> = lost.into_iter().chain(code).collect();
    all.join(", and ")
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
