//! The machine that will load the output, as far as its loader is concerned.

pub(crate) mod interpreter;
pub(crate) mod system;

use std::io;
use std::path::{Path, PathBuf};

pub use wheelfix_elf::load::LoaderKind;

use crate::abi::Abi;
use crate::absolute::{absolute_path, existing_path};
use crate::ld_cache::LdCache;
use crate::read::{ReadOutcome, read_object};
use crate::run_path::Tokens;
use crate::system_dirs::system_directories;
use crate::target::interpreter::{Loader, LoaderError};
use crate::target::system::System;

/// How the loader of the target searches beyond the run paths.
#[derive(Clone, Debug)]
pub struct Target {
    /// The C library of its loader.
    pub loader: LoaderKind,
    /// The loader itself. `None` if it is not known: then the libraries of the C library are taken
    /// to be there.
    pub interpreter: Option<PathBuf>,
    /// The ABI of the files that the loader loads; `None` if the loader is not known.
    pub abi: Option<Abi>,
    /// The system that is named, where the target is another machine than this one; then of what is
    /// here only what is for it counts.
    pub system: Option<System>,
    /// Where the system lies on this machine; empty if its paths are this machine's.
    pub root: String,
    /// Directories that are searched last, each with a `/` at its end.
    pub system_directories: Vec<String>,
    /// The cache of `ldconfig`; `None` on Nix, and where there is none.
    pub cache: Option<LdCache>,
    /// `LD_LIBRARY_PATH`, its elements.
    pub library_path: Vec<String>,
    /// Subdirectories that are tried first in each directory, each with a `/` at its end, as
    /// `glibc-hwcaps/x86-64-v3/`. They depend on the processor; none for a proof that holds on all.
    pub subdirectories: Vec<String>,
    /// Whether the output lives in a store, so that only paths of a store are safe.
    pub nix: bool,
    /// Where the driver's libraries are.
    pub driver_path: PathBuf,
}

/// A target as it is described.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedTarget<'a> {
    /// Its machine and its C library, where it is another than this machine.
    pub system: Option<System>,
    /// Its loader.
    pub interpreter: Option<&'a Path>,
    /// Its Python.
    pub program: Option<&'a Path>,
}

impl NamedTarget<'_> {
    /// The target; `None` if nothing is said of it.
    ///
    /// # Errors
    ///
    /// A loader cannot be read, or is none, or is that of another system.
    pub fn resolve(&self, driver_path: &Path) -> Result<Option<Target>, LoaderError> {
        let driver_path = driver_path.to_path_buf();
        match (self.system, self.interpreter, self.program) {
            (Some(system), interpreter, program) => {
                let of_program = program.filter(|_| interpreter.is_none());
                let of_program = of_program.map(loader_beside).transpose()?.flatten();
                let interpreter = interpreter.or(of_program.as_deref());
                Target::of_system(system, interpreter, driver_path).map(Some)
            }
            (None, Some(interpreter), _) => {
                Target::of_interpreter(interpreter, driver_path).map(Some)
            }
            // Of a program without an interpreter the proof says that it opens nothing.
            (None, None, Some(program)) => {
                let found = Target::of_program(program, driver_path.clone())?;
                Ok(found.or_else(|| Some(Target::unknown(driver_path))))
            }
            (None, None, None) => Ok(None),
        }
    }
}

/// The loader of a program of another system: by the path that it asks for, in the tree that the
/// program is unpacked in or from the root. `None` if it is not here.
fn loader_beside(program: &Path) -> io::Result<Option<PathBuf>> {
    let real = existing_path(program)?;
    let ReadOutcome::Object(object) = read_object(real.clone(), &real)? else {
        return Ok(None);
    };
    let Some(asked) = &object.interpreter else {
        return Ok(None);
    };
    let asked = asked.trim_start_matches('/');
    let roots = real.ancestors().skip(1);
    let mut loaders = roots.map(|root| root.join(asked));
    Ok(loaders.find(|path| path.is_file()))
}

/// Where Nix keeps its outputs, unless it was built otherwise.
pub const STORE: &str = "/nix/store";

impl Target {
    /// A Nix target of which only the driver path is known.
    pub fn unknown(driver_path: PathBuf) -> Self {
        Self {
            loader: LoaderKind::Glibc,
            interpreter: None,
            abi: None,
            system: None,
            root: String::new(),
            system_directories: Vec::new(),
            cache: None,
            library_path: Vec::new(),
            subdirectories: Vec::new(),
            nix: true,
            driver_path,
        }
    }

    /// A target of which the name is known, and the loader if it is here.
    ///
    /// The default directories of the loader lie in the system that it is unpacked in.
    ///
    /// # Errors
    ///
    /// The loader cannot be read, or is that of another system.
    pub fn of_system(
        system: System,
        interpreter: Option<&Path>,
        driver_path: PathBuf,
    ) -> Result<Self, LoaderError> {
        let mut target = match interpreter {
            Some(interpreter) => {
                let loader = Loader::read(interpreter)?;
                if !system.has(&loader) {
                    return Err(LoaderError::OtherSystem {
                        found: format!("{} and {}", loader.abi, loader.kind),
                        path: loader.path,
                        wanted: system,
                    });
                }
                let mut target = Self::of_interpreter(interpreter, driver_path)?;
                if !target.nix {
                    target.move_to_root(interpreter)?;
                }
                target
            }
            None => Self::unknown(driver_path),
        };
        target.loader = system.loader;
        target.abi = Some(system.abi);
        target.system = Some(system);
        Ok(target)
    }

    /// Takes the directories of the system for those of the tree that the loader lies in; none are
    /// known if it lies in none of them.
    fn move_to_root(&mut self, interpreter: &Path) -> io::Result<()> {
        let path = match self.loader {
            LoaderKind::Glibc => existing_path(interpreter)?,
            LoaderKind::Musl => absolute_path(interpreter)?,
        };
        let own = path.parent().unwrap_or(Path::new("/"));
        let own = format!("{}/", own.display());
        let mut directories = std::mem::take(&mut self.system_directories);
        let roots = directories
            .iter()
            .filter_map(|it| own.strip_suffix(it.as_str()));
        // Of `/usr/lib/` and `/lib/` the longer one.
        let Some(root) = roots.min_by_key(|root| root.len()).map(str::to_owned) else {
            self.cache = None;
            return Ok(());
        };
        if !root.is_empty() {
            for directory in &mut directories {
                directory.insert_str(0, &root);
            }
            // Its paths are those of the system.
            self.cache = None;
        }
        self.system_directories = directories;
        self.root = root;
        Ok(())
    }

    /// The target that a program runs on: that of the interpreter that it asks for.
    ///
    /// `None` if it is not a program that is linked dynamically.
    ///
    /// # Errors
    ///
    /// The program or its interpreter cannot be read, or that is not a loader.
    pub fn of_program(program: &Path, driver_path: PathBuf) -> Result<Option<Self>, LoaderError> {
        let ReadOutcome::Object(object) = read_object(program.to_path_buf(), program)? else {
            return Ok(None);
        };
        match &object.interpreter {
            Some(interpreter) => {
                Self::of_interpreter(Path::new(interpreter), driver_path).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The target that an interpreter belongs to.
    ///
    /// One in a store searches only its own directory. Another one is asked for its directories,
    /// which are compiled in, and the cache of this machine is read.
    ///
    /// # Errors
    ///
    /// The interpreter cannot be read, or is not a loader.
    pub fn of_interpreter(interpreter: &Path, driver_path: PathBuf) -> Result<Self, LoaderError> {
        let loader = Loader::read(interpreter)?;
        let real = existing_path(interpreter)?;
        let name = interpreter
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let nix = real.starts_with(STORE);
        let mut target = Self::unknown(driver_path);
        target.interpreter = Some(interpreter.to_path_buf());
        target.nix = nix;
        target.abi = Some(loader.abi);
        target.loader = loader.kind;
        if loader.kind == LoaderKind::Musl {
            target.system_directories = musl_directories(interpreter, &name)?;
            return Ok(target);
        }
        target.system_directories = system_directories(&real)?;
        if !nix {
            target.cache = LdCache::read(Path::new("/etc/ld.so.cache"))?;
        }
        Ok(target)
    }

    /// Where a path of the system is on this machine.
    pub(crate) fn here(&self, path: &str) -> String {
        let is_in = |root: &str| !root.is_empty() && !path.starts_with(&format!("{root}/"));
        match self.root.as_str() {
            root if path.starts_with('/') && is_in(root) => format!("{root}{path}"),
            _ => path.to_owned(),
        }
    }

    /// The loader itself, if it is known.
    pub fn loader_file(&self) -> Option<Loader> {
        Some(Loader {
            path: self.interpreter.clone()?,
            abi: self.abi?,
            kind: self.loader,
        })
    }

    /// The values of the dynamic string tokens for an object in `origin`.
    ///
    /// `$LIB` is what glibc was built with, which the first of its default directories shows:
    /// `lib/x86_64-linux-gnu` on Debian.
    pub fn tokens<'a>(&'a self, origin: &'a str, abi: Abi) -> Tokens<'a> {
        let tokens = Tokens::new(origin, abi, self.nix);
        let first = self.system_directories.first().filter(|_| !self.nix);
        let first = first.and_then(|directory| directory.strip_prefix(&self.root));
        let lib = first.map(|directory| directory.trim_matches('/'));
        let lib = lib.map(|lib| lib.strip_prefix("usr/").unwrap_or(lib));
        match lib.filter(|lib| lib.starts_with("lib")) {
            Some(lib) => Tokens { lib, ..tokens },
            None => tokens,
        }
    }
}

/// The directories that musl searches: those of `etc/ld-musl-ARCH.path` beside the directory of the
/// loader, or else those that are compiled in.
///
/// <https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c>, `load_library`.
fn musl_directories(interpreter: &Path, name: &str) -> io::Result<Vec<String>> {
    let stem = name.strip_suffix(".so.1").unwrap_or(name);
    let prefix = interpreter.parent().and_then(Path::parent);
    let prefix = prefix.unwrap_or(Path::new("/"));
    let file = prefix.join("etc").join(format!("{stem}.path"));
    let text = match fs_err::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "/lib:/usr/local/lib:/usr/lib".to_owned()
        }
        Err(error) => return Err(error),
    };
    let directories = text
        .split([':', '\n'])
        .filter(|directory| !directory.is_empty());
    Ok(directories
        .map(|directory| format!("{directory}/"))
        .collect())
}
