//! Remedies of a fault, and the list of its kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use wheelfix_format::is_python_source;

use crate::fault::choice::{Ambiguous, UndefinedVersion};
use crate::fault::evidence::Evidence;
use crate::fault::missing::Missing;
use crate::fault::remedy::{Candidate, Choice, Remedy, RuleClass};
use crate::fault::symbols::UndefinedSymbols;
use crate::fault::{Fault, Purpose};

/// How many undefined symbols may be excused by their names; more are no slip of a makefile.
const EXCUSABLE: usize = 5;

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// The kind of a fault.
        #[expect(missing_docs, reason = "each is documented where it is made, as a variant of `Fault`")]
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FaultKind {
            $($kind,)*
        }

        impl FaultKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];
        }

        impl Fault {
            /// Its kind.
            pub fn kind(&self) -> FaultKind {
                match self {
                    $(Self::$kind { .. } => FaultKind::$kind,)*
                }
            }
        }
    };
}

kinds! {
    Missing, Ambiguous, Unreadable, Data, Unusable, UnusedIgnore, UnusedBackend, LeftOut, Sibling, Sought, UnusedRule, Version,
    Symbols, LazySymbols, SonameCollision, Dependent, Stub, Blocked, ChangedSource, StaleSource, Element, Program, Foreign,
    Untried, Nothing, ExecutableStack, NoInterpreter, WrongInterpreter,
}

impl Fault {
    /// Remedies, each of which mends it by itself; empty if that is not known.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Missing(fault) => of_missing(fault),
            Self::Symbols(fault) | Self::LazySymbols(fault) => of_symbols(fault),
            Self::Ambiguous(fault) => of_ambiguous(fault),
            Self::Version(fault) => of_version(fault),
            Self::LeftOut(fault) => of_left_out(&fault.paths, &fault.missing),
            Self::Unreadable(fault) => of_damaged(&fault.path, fault.is_kept),
            Self::Stub(fault) => vec![Remedy::DriverPathFirst {
                paths: fault.needed_by.clone(),
            }],
            Self::Blocked(fault) => fault
                .remedy
                .iter()
                .cloned()
                .chain((!fault.is_kept).then(|| Remedy::Exclude {
                    paths: fault.needed_by.clone(),
                }))
                .collect(),
            Self::ChangedSource(fault) => {
                vec![Remedy::rule(
                    RuleClass::Replace,
                    fault.path.to_string_lossy(),
                )]
            }
            Self::StaleSource(fault) => vec![Remedy::patch(&fault.path)],
            Self::Element(fault) => vec![Remedy::patch(&fault.path)],
            Self::Foreign(fault) => of_untried(&fault.path, &fault.purpose, fault.is_kept),
            Self::Untried(fault) => of_untried(&fault.path, &fault.purpose, fault.is_kept),
            Self::ExecutableStack(fault) => vec![Remedy::ClearExecStack {
                path: fault.path.clone(),
            }],
            Self::NoInterpreter(fault) => vec![Remedy::SetInterpreter {
                paths: BTreeSet::from([fault.path.clone()]),
            }],
            Self::WrongInterpreter(fault) => {
                let interpreter = fault.interpreter.to_string_lossy();
                vec![Remedy::remove(Choice::Interpreter, interpreter)]
            }
            Self::UnusedIgnore(fault) => vec![Remedy::remove(fault.kind.choice(), &fault.glob)],
            Self::UnusedBackend(fault) => vec![Remedy::remove(Choice::Backend, &fault.glob)],
            Self::UnusedRule(fault) => vec![Remedy::RemoveRule {
                name: fault.name.clone(),
                file: fault.file.clone(),
            }],
            Self::SonameCollision(fault) if fault.failing.is_some() && !fault.is_standard => {
                vec![Remedy::IgnoreMissing {
                    names: vec![fault.soname.clone()],
                }]
            }
            Self::SonameCollision(_)
            | Self::Data(_)
            | Self::Unusable(_)
            | Self::Dependent(_)
            | Self::Sibling(_)
            | Self::Sought(_)
            | Self::Program(_)
            | Self::Nothing(_) => Vec::new(),
        }
    }

    /// The files that a remedy would leave out, and whether one of them cannot be; `None` if no remedy does.
    pub(crate) fn left_out(&mut self) -> Option<(BTreeSet<PathBuf>, &mut bool)> {
        let leaves_out = |remedy: &Remedy| matches!(remedy, Remedy::Exclude { .. });
        if !self.remedies().iter().any(leaves_out) {
            return None;
        }
        let one = |path: &PathBuf| BTreeSet::from([path.clone()]);
        Some(match self {
            Self::Missing(fault) => (fault.needed_by.clone(), &mut fault.is_kept),
            Self::Version(fault) => (fault.needed_by.clone(), &mut fault.is_kept),
            Self::Blocked(fault) => (fault.needed_by.clone(), &mut fault.is_kept),
            Self::Symbols(fault) | Self::LazySymbols(fault) => {
                (fault.roots_and_own(), &mut fault.is_kept)
            }
            Self::Unreadable(fault) => (one(&fault.path), &mut fault.is_kept),
            Self::Foreign(fault) => (one(&fault.path), &mut fault.is_kept),
            Self::Untried(fault) => (one(&fault.path), &mut fault.is_kept),
            _ => return None,
        })
    }
}

fn of_ambiguous(fault: &Ambiguous) -> Vec<Remedy> {
    let directories = fault.candidates.iter().filter_map(|path| path.parent());
    let mut directories: Vec<_> = directories.map(Path::to_path_buf).collect();
    directories.dedup();
    of_order(&fault.soname, directories, &fault.needed_by)
}

fn of_version(fault: &UndefinedVersion) -> Vec<Remedy> {
    let UndefinedVersion {
        soname,
        needed_by,
        candidates,
        later,
        is_kept,
        ..
    } = fault;
    if later.is_empty() {
        of_library((soname, true), candidates, needed_by, *is_kept)
    } else {
        of_order(soname, later.iter().cloned().collect(), needed_by)
    }
}

fn of_symbols(undefined: &UndefinedSymbols) -> Vec<Remedy> {
    let UndefinedSymbols {
        path,
        symbols,
        providers,
        is_kept,
        ..
    } = undefined;
    let newer = providers
        .iter()
        .map(|(library, candidates)| Remedy::AddLibPath {
            library: library.clone(),
            newer: true,
            needed_by: BTreeSet::from([path.clone()]),
            candidates: candidates.clone(),
        });
    let mut remedies: Vec<Remedy> = newer.collect();
    if remedies.is_empty() {
        remedies.push(if *is_kept {
            Remedy::AddDefiner { path: path.clone() }
        } else {
            Remedy::Exclude {
                paths: undefined.roots_and_own(),
            }
        });
    }
    let names: BTreeSet<&str> = symbols
        .iter()
        .filter_map(|symbol| symbol.split('@').next())
        .collect();
    if names.len() <= EXCUSABLE {
        let names = names.into_iter().map(str::to_owned).collect();
        remedies.push(Remedy::IgnoreSymbol { names });
    }
    remedies
}

/// Providers of a library, or leaving out its dependents where no provider is known and none of them is needed.
fn of_library(
    (soname, newer): (&str, bool),
    candidates: &[Candidate],
    needed_by: &BTreeSet<PathBuf>,
    is_kept: bool,
) -> Vec<Remedy> {
    let mut remedies = vec![Remedy::AddLibPath {
        library: soname.to_owned(),
        newer,
        needed_by: needed_by.clone(),
        candidates: candidates.to_vec(),
    }];
    if candidates.is_empty() && !is_kept {
        remedies.push(Remedy::Exclude {
            paths: needed_by.clone(),
        });
    }
    remedies
}

/// One remedy for the libraries of one provider; those of which no provider is known have one together.
fn of_left_out(
    paths: &BTreeSet<PathBuf>,
    missing: &BTreeMap<String, Vec<Candidate>>,
) -> Vec<Remedy> {
    let mut by_provider: BTreeMap<&[Candidate], Vec<&str>> = BTreeMap::new();
    for (name, candidates) in missing {
        by_provider.entry(candidates).or_default().push(name);
    }
    let remedies = by_provider
        .into_iter()
        .map(|(candidates, names)| Remedy::AddLibPath {
            library: names.join("`, `"),
            newer: false,
            needed_by: paths.clone(),
            candidates: candidates.to_vec(),
        });
    remedies.collect()
}

fn of_missing(missing: &Missing) -> Vec<Remedy> {
    let Missing {
        soname, needed_by, ..
    } = missing;
    let is_source = matches!(missing.opened, Some(Evidence::Source(_)));
    // A source asks for a name, which no run path answers.
    let mut remedies = if is_source && !missing.is_answered {
        let rule = |path: &PathBuf| Remedy::rule(RuleClass::Replace, path.to_string_lossy());
        let table = Remedy::LibraryTable {
            library: soname.clone(),
            candidates: missing.candidates.clone(),
        };
        std::iter::once(table)
            .chain(needed_by.iter().map(rule))
            .collect()
    } else if missing.is_driver {
        // A source has no run path.
        let mut paths = needed_by.clone();
        paths.retain(|path| !is_python_source(path));
        let patch = (!paths.is_empty()).then_some(Remedy::Patch { paths });
        patch.into_iter().collect()
    } else {
        let mut remedies = of_library(
            (soname, false),
            &missing.candidates,
            needed_by,
            missing.is_kept,
        );
        // Without a library that it may open a file is worth more than nothing.
        if missing.opened.is_some() && !needed_by.iter().all(is_python_source) {
            remedies.retain(|remedy| !matches!(remedy, Remedy::Exclude { .. }));
        }
        remedies
    };
    let names = soname.split(" or ").map(str::to_owned).collect();
    remedies.push(Remedy::IgnoreMissing { names });
    if is_source || matches!(missing.opened, Some(Evidence::Data)) {
        remedies.push(Remedy::rule(RuleClass::Dlopen, soname));
    }
    remedies
}

/// The directories of which one is to come first.
fn of_order(soname: &str, directories: Vec<PathBuf>, needed_by: &BTreeSet<PathBuf>) -> Vec<Remedy> {
    vec![
        Remedy::Prefer {
            directories,
            needed_by: needed_by.clone(),
        },
        Remedy::rule(RuleClass::Prefer, soname),
    ]
}

fn of_damaged(path: &Path, is_kept: bool) -> Vec<Remedy> {
    vec![if is_kept {
        Remedy::Rebuild {
            path: path.to_path_buf(),
        }
    } else {
        Remedy::exclude(path)
    }]
}

fn of_untried(path: &Path, purpose: &Purpose, is_kept: bool) -> Vec<Remedy> {
    match purpose {
        Purpose::Imported(_) => {
            let rebuild = Remedy::Rebuild {
                path: path.to_path_buf(),
            };
            let exclude = (!is_kept).then(|| Remedy::exclude(path));
            std::iter::once(rebuild).chain(exclude).collect()
        }
        Purpose::Named | Purpose::Only => Vec::new(),
    }
}

/// The fields of the fault, and its remedies.
impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = Whole {
            fault: Fields(self),
            remedies: self.remedies(),
        };
        whole.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Whole<'f> {
    #[serde(flatten)]
    fault: Fields<'f>,
    remedies: Vec<Remedy>,
}

struct Fields<'f>(&'f Fault);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fault::serialize(self.0, serializer)
    }
}
