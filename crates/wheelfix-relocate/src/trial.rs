//! One object opened in a process of its own, and what it lacks there.

use std::path::{Path, PathBuf};

use crate::assumed::{Assumed, Assumer};
use crate::object::{Object, VersionNeed};
use crate::process::{Loaded, Outcome, Process};
use crate::rules::{Rules, any_matches};
use crate::run_path::normalize;
use crate::symbols::{Undefined, provider};
use crate::target::{LoaderKind, Target};

/// One object opened in a process of its own.
pub(crate) struct Trial<'a> {
    pub(crate) object: &'a Object,
    pub(crate) process: Process<'a>,
    /// Index of the object; `None` if it cannot be opened at all.
    pub(crate) root: Option<usize>,
}

/// A version that a library does not define: the library, the version, and the library that was
/// found; the last is `None` if the object that needs the version needs no such library.
pub(crate) type VersionKey = (String, String, Option<PathBuf>);

/// One thing that a process lacks.
#[derive(Clone, Debug)]
pub(crate) enum Lack {
    /// A library that is nowhere.
    Library { name: String, needer: PathBuf },
    /// A file over which the loader gives up.
    Blocked { reason: String, needer: PathBuf },
    /// The driver itself: a copy would be loaded from elsewhere.
    Driver {
        name: String,
        path: PathBuf,
        needer: PathBuf,
    },
    /// A version.
    Version { key: VersionKey, needer: PathBuf },
    /// Symbols that an object refers to.
    Symbols {
        path: PathBuf,
        symbols: Vec<Undefined>,
    },
}

impl<'a> Trial<'a> {
    /// Opens an object as the program of `base` would, or starts it if it is a program itself.
    pub(crate) fn new(object: &'a Object, base: &Process<'a>) -> Self {
        let path = object.path.to_string_lossy();
        let is_program = object.interpreter.is_some() && object.soname.is_none();
        let mut process = if is_program {
            base.emptied()
        } else {
            base.clone()
        };
        let outcome = process.start_or_open(&path);
        let root = match outcome {
            Outcome::Loaded(index) => Some(index),
            _ => None,
        };
        Self {
            object,
            process,
            root,
        }
    }

    /// What the process lacks, symbols left out.
    pub(crate) fn lacks(&self, rules: &Rules, target: &Target) -> Vec<Lack> {
        let mut lacks = Vec::new();
        for loaded in &self.process.loaded {
            let needer = normalize(Path::new(&loaded.path));
            for (name, outcome) in loaded.object.needed.iter().zip(&loaded.needed) {
                let (name, needer) = (name.clone(), needer.clone());
                match outcome {
                    Outcome::Loaded(index) => {
                        let found = self.process.loaded.get(*index);
                        let wrong = found
                            .and_then(|found| driver_from_elsewhere(&name, found, rules, target));
                        lacks.extend(wrong.map(|path| Lack::Driver { name, path, needer }));
                    }
                    Outcome::Missing => lacks.push(Lack::Library { name, needer }),
                    Outcome::Fatal(reason) => {
                        let reason = reason.clone();
                        lacks.push(Lack::Blocked { reason, needer });
                    }
                    Outcome::Libc(_) | Outcome::Driver(_) => {}
                }
            }
            if target.loader == LoaderKind::Glibc {
                let needs = loaded.object.version_needs.iter().filter(|need| !need.weak);
                let keys = needs.filter_map(|need| self.lacking_version(need, loaded, rules));
                lacks.extend(keys.map(|key| {
                    let needer = needer.clone();
                    Lack::Version { key, needer }
                }));
            }
        }
        lacks
    }

    /// A version that is not where it should be. `None` if all is well, or the library is missing,
    /// which is a fault of its own.
    ///
    /// As `_dl_check_map_versions` of glibc's `elf/dl-version.c`: a library without any version is
    /// good for all. musl looks at no versions.
    fn lacking_version(
        &self,
        need: &VersionNeed,
        loaded: &Loaded,
        rules: &Rules,
    ) -> Option<VersionKey> {
        let process = &self.process;
        let named = loaded.object.needed.contains(&need.file);
        let found = if named {
            provider(loaded, &need.file).and_then(|index| process.loaded.get(index))
        } else {
            process
                .loaded
                .iter()
                .find(|other| other.object.answers_to(&need.file))
        };
        let Some(found) = found else {
            let of_libc = rules
                .libc
                .iter()
                .any(|rule| any_matches(&rule.body.soname, &need.file));
            return (!named && !of_libc).then(|| (need.file.clone(), need.version.clone(), None));
        };
        let defined = &found.object.version_definitions;
        let lacks = !defined.is_empty() && !defined.contains(&need.version);
        let found = normalize(Path::new(&found.path));
        lacks.then(|| (need.file.clone(), need.version.clone(), Some(found)))
    }

    /// Notes what the process takes for granted.
    pub(crate) fn assume(&self, assumed: &mut Assumed) {
        for loaded in &self.process.loaded {
            for (name, outcome) in loaded.object.needed.iter().zip(&loaded.needed) {
                match outcome {
                    Outcome::Libc(_) => assumed.libc.insert(name.clone()),
                    Outcome::Driver(_) => assumed.driver.insert(name.clone()),
                    _ => false,
                };
            }
        }
    }

    /// The symbols of the list that are not taken for granted either.
    pub(crate) fn without_assumed(
        &self,
        mut symbols: Vec<Undefined>,
        assumer: &Assumer<'_>,
    ) -> Vec<Undefined> {
        symbols.retain(|symbol| !assumer.has(symbol, &self.process));
        symbols
    }
}

/// Where a library of the driver was found that must come from the driver path: a copy elsewhere is
/// a stub, or of another version than the kernel's part.
fn driver_from_elsewhere(
    name: &str,
    found: &Loaded,
    rules: &Rules,
    target: &Target,
) -> Option<PathBuf> {
    let is_driver = rules
        .driver
        .iter()
        .any(|rule| any_matches(&rule.body.soname, name));
    let path = normalize(Path::new(&found.path));
    let is_stub = path.components().any(|part| part.as_os_str() == "stubs");
    let is_elsewhere = is_stub || target.nix && !path.starts_with(&target.driver_path);
    (is_driver && is_elsewhere).then_some(path)
}
