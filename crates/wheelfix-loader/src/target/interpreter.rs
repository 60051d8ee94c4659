//! The interpreter of a program: the dynamic loader of a C library.
//!
//! The kernel starts what `PT_INTERP` names, whatever it is. A file of that name says nothing: NixOS
//! has one at `/lib64/ld-linux-x86-64.so.2` that prints why it does not start the program.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::abi::Abi;
use crate::absolute::existing_path;
use crate::file_view::FileView;
use crate::object::{Object, is_libc_of_musl};
use crate::read::{ReadOutcome, STATIC, read_object};
use crate::target::system::System;
use crate::target::{LoaderKind, STORE, Target};

/// A dynamic loader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loader {
    /// Its path as programs name it: links are kept.
    pub path: PathBuf,
    /// The ABI of the files that it loads.
    pub abi: Abi,
    /// The C library that it belongs to.
    pub kind: LoaderKind,
}

/// Why a file cannot be the interpreter of programs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoaderError {
    /// It is something else.
    #[error("`{}` is not a dynamic loader, as `ld-linux-x86-64.so.2` of glibc or `ld-musl-x86_64.so.1` of musl: it {reason}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The reason why it is not one, as the end of a sentence.
        reason: String,
    },
    /// It is that of another machine or C library than the target has.
    #[error("`{}` is the loader of {found}, the target has {wanted}", path.display())]
    OtherSystem {
        /// The file.
        path: PathBuf,
        /// Machine and C library of the loader.
        found: String,
        /// Those of the target.
        wanted: System,
    },
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

impl Loader {
    /// Reads a loader.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a loader.
    pub fn read(path: &Path) -> Result<Self, LoaderError> {
        let real = existing_path(path)?;
        let other = |reason: String| LoaderError::Other {
            path: path.to_owned(),
            reason,
        };
        match read_object(real.clone(), &real)? {
            ReadOutcome::Object(object) => {
                let kind = kind(&object, path.file_name());
                let kind = kind.ok_or_else(|| other(format!("is {}", describe(&object))))?;
                Ok(Self {
                    path: path.to_owned(),
                    abi: object.abi,
                    kind,
                })
            }
            ReadOutcome::NoElf => Err(other("is not an ELF file".to_owned())),
            ReadOutcome::Skipped(reason) => Err(other(reason.to_owned())),
            ReadOutcome::Static { .. } => Err(other(STATIC.to_owned())),
            ReadOutcome::Malformed(reason) => Err(other(format!("is damaged: {reason}"))),
        }
    }

    /// Whether it can start a program: one for its machine and its C library, which shows in what it
    /// needs, or else in the loader that it asks for.
    pub fn starts(&self, program: &Object) -> bool {
        let asked = program.interpreter.as_ref();
        let asks_musl = asked.is_some_and(|path| is_musl_name(Path::new(path).file_name()));
        let kind = program.c_library().unwrap_or(if asks_musl {
            LoaderKind::Musl
        } else {
            LoaderKind::Glibc
        });
        self.abi == program.abi && self.kind == kind
    }
}

impl fmt::Display for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, for {}", self.path.display(), self.abi)
    }
}

/// The C library whose loader an object is, by its soname; musl's may have none. `None` if it is
/// not a loader: a loader is a library that needs nothing, not even another loader.
fn kind(object: &Object, named: Option<&OsStr>) -> Option<LoaderKind> {
    if object.is_program() || object.interpreter.is_some() || !object.needed.is_empty() {
        return None;
    }
    let both = [named, object.path.file_name()];
    match object.soname.as_deref() {
        Some(soname) if soname.starts_with("libc.musl-") || soname.starts_with("ld-musl-") => {
            Some(LoaderKind::Musl)
        }
        Some(soname) if soname.starts_with("ld") && soname.contains(".so.") => {
            Some(LoaderKind::Glibc)
        }
        None | Some("libc.so") if both.into_iter().any(is_musl_name) => Some(LoaderKind::Musl),
        _ => None,
    }
}

/// `ld-musl-ARCH.so.1` is a link to musl's `libc.so`.
fn is_musl_name(name: Option<&OsStr>) -> bool {
    let name = name.and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with("ld-musl-") || is_libc_of_musl(name)
}

fn describe(object: &Object) -> &'static str {
    if object.is_program() {
        "a program"
    } else {
        "another library"
    }
}

/// Why the interpreter that a program asks for does not start it on the target; the end of a sentence
/// whose subject is the interpreter.
///
/// `None` if it does, and if nothing can be known: the target is not, and the program is for another
/// machine than this one. One in the Nix store starts what is linked for it wherever it is; elsewhere
/// it must be that of the target, or one of another machine or C library that is there beside it.
pub fn interpreter_fault(view: &FileView, target: &Target, program: &Object) -> Option<String> {
    let asked = program
        .interpreter
        .as_ref()
        .filter(|_| program.is_program())?;
    let known = target.loader_file();
    // Nothing of another system than this one is here.
    let is_here = target.system.is_none() && Abi::host() == Some(program.abi);
    if known.is_none() && !is_here {
        return None;
    }
    let of_system = view.file(&target.here(asked));
    let Some(file) = of_system.or_else(|| view.file(asked)) else {
        return Some("is not there".to_owned());
    };
    if let Some(known) = &known
        && let Some(path) = known.path.to_str()
        && view.file(path).is_some_and(|known| known.key == file.key)
    {
        return None;
    }
    let found = match Loader::read(&file.disk) {
        Ok(found) => found,
        Err(LoaderError::Other { reason, .. }) => {
            return Some(format!("is not a dynamic loader: it {reason}"));
        }
        Err(error @ LoaderError::OtherSystem { .. }) => return Some(error.to_string()),
        Err(LoaderError::Read(error)) => return Some(format!("cannot be read: {error}")),
    };
    if found.abi != program.abi {
        return Some(format!(
            "is for {}, the program for {}",
            found.abi, program.abi
        ));
    }
    let known = known?;
    if existing_path(&file.disk).is_ok_and(|real| real.starts_with(STORE)) {
        return None;
    }
    let is_rival = found.abi == known.abi && found.kind == known.kind;
    (target.nix || is_rival)
        .then(|| format!("is not the one of the target, `{}`", known.path.display()))
}
