//! Faults that keep an output from working, with what is needed to fix them.

pub(crate) mod evidence;
pub(crate) mod excuse_kind;
pub(crate) mod missing;
mod purpose;
mod remedies;
pub(crate) mod remedy;
pub(crate) mod soname_collision;
pub(crate) mod symbols;
mod told;
pub(crate) mod unusable;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::excuse_kind::ExcuseKind;
use crate::fault::missing::Missing;
use crate::fault::remedy::{Candidate, Remedy};
use crate::fault::soname_collision::{Binding, FailingPair};
use crate::fault::symbols::{Lazy, UndefinedSymbols};
use crate::fault::unusable::Unusable;

pub use purpose::Purpose;
pub use remedies::FaultKind;

/// One reason why the output would not work.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case", remote = "Self")]
#[non_exhaustive]
pub enum Fault {
    /// A library is needed that is nowhere.
    Missing(Missing),
    /// Several different libraries answer to one name, and nothing says which is meant.
    Ambiguous {
        /// The name.
        soname: String,
        /// Final paths of the objects that need it.
        needed_by: BTreeSet<PathBuf>,
        /// The candidates.
        candidates: Vec<PathBuf>,
        /// The directories that a run path would have to order both ways, or the one entry that
        /// holds all candidates.
        reason: String,
    },
    /// A file begins as an ELF file does, and is not a valid one.
    Unreadable {
        /// Its final path.
        path: PathBuf,
        /// The reason why it is not valid.
        reason: String,
    },
    /// A file begins as an ELF file does, is not a valid one, and nothing loads it. A warning.
    Data {
        /// Its final path.
        path: PathBuf,
        /// The reason why it is not valid.
        reason: String,
    },
    /// A file in a library path has the name of a library and cannot be read as one. A warning: nothing needs it.
    Unusable(Unusable),
    /// An excuse of the user matches nothing that is missing.
    UnusedIgnore {
        /// The kind of the excuse.
        kind: ExcuseKind,
        /// The glob.
        glob: String,
    },
    /// The user's `--backend` names nothing that is there.
    UnusedBackend {
        /// The glob.
        glob: String,
        /// The names and accelerators of the backends that are there.
        known: BTreeSet<String>,
    },
    /// Files that do not load and need not are left out. A warning.
    LeftOut {
        /// The rule that lets them go, or the name of the decision.
        rule: String,
        /// Their final paths.
        paths: BTreeSet<PathBuf>,
        /// The libraries that they lack, with the known providers of each.
        missing: BTreeMap<String, Vec<Candidate>>,
    },
    /// The prefix of another wheel lacks what its own files need. A warning: its install allowed that.
    Sibling {
        /// The prefix.
        prefix: PathBuf,
        /// The library or symbol.
        lacking: String,
        /// Final paths of its files that need it.
        needed_by: BTreeSet<PathBuf>,
    },
    /// A file is not there that an object looks for where another distribution's are. A warning: it may do without.
    Sought {
        /// Final path of the object.
        path: PathBuf,
        /// The path of the file.
        file: PathBuf,
        /// The distribution that has it.
        distribution: String,
        /// The rule that says so.
        rule: String,
        /// Why it exists.
        reason: String,
    },
    /// A rule of the user applies to nothing.
    UnusedRule {
        /// The rule.
        name: String,
        /// Its file.
        file: PathBuf,
    },
    /// The library that is found does not define a version.
    Version {
        /// The library, as it is needed.
        soname: String,
        /// The version that is needed of it.
        version: String,
        /// The library that was found; `None` if the needer does not need any library by this name.
        found: Option<PathBuf>,
        /// Final paths of the objects that need the version.
        needed_by: BTreeSet<PathBuf>,
        /// Known providers of newer ones.
        candidates: Vec<Candidate>,
        /// Directories of the library paths that have a newer one, which comes after the one found.
        later: BTreeSet<PathBuf>,
    },
    /// Nothing that is loaded with an object defines what it refers to.
    Symbols(UndefinedSymbols),
    /// Functions that nothing that is loaded with an object defines, which are looked up when they are
    /// called, unless whoever opens the object has all bound at once.
    LazySymbols(UndefinedSymbols),
    /// Different files answer to one name in one process, which gets the first of them. A warning where
    /// each serves all.
    SonameCollision {
        /// The name.
        soname: String,
        /// The files, and who is led to each.
        bound: Vec<Binding>,
        /// A module that does not load after another one.
        failing: Option<FailingPair>,
    },
    /// An object does not load by itself, but with another one that brings it along. A warning: it
    /// is only ever loaded so.
    Dependent {
        /// Final path of the object.
        path: PathBuf,
        /// Final path of one with which it loads.
        with: PathBuf,
    },
    /// A library of the driver would be taken from elsewhere than the driver path.
    Stub {
        /// The library.
        soname: String,
        /// The file that would be loaded.
        path: PathBuf,
        /// Final paths of the objects that need it.
        needed_by: BTreeSet<PathBuf>,
    },
    /// The loader gives up over a file that it finds on its way.
    Blocked {
        /// The file, and what is wrong with it.
        reason: String,
        /// The remedy for this reason.
        #[serde(skip)]
        remedy: Option<Remedy>,
        /// Final paths of the objects whose need led there.
        needed_by: BTreeSet<PathBuf>,
    },
    /// A Python source that a rule is to change has another text than the rule knows.
    ChangedSource {
        /// Its final path.
        path: PathBuf,
        /// The rule.
        rule: String,
        /// The texts that the rule knows.
        expected: Vec<String>,
        /// Why the text must be replaced.
        reason: String,
    },
    /// A Python source has a text that a rule replaces.
    StaleSource {
        /// Its final path.
        path: PathBuf,
        /// The rules.
        rules: Vec<String>,
    },
    /// An element of a run path must not be there.
    Element {
        /// Final path of the object.
        path: PathBuf,
        /// The element, as it is in the file.
        element: String,
        /// The reason why it must not be there.
        reason: String,
    },
    /// The program that is to open the objects cannot be started.
    Program {
        /// The program.
        path: PathBuf,
        /// The reason why it cannot be started.
        reason: String,
    },
    /// An object is for another machine or system than the program that opens the others: nothing
    /// can be proved of it, and `purpose` says who wants it.
    Foreign {
        /// Its final path.
        path: PathBuf,
        /// The machine that it is for.
        machine: String,
        /// Who wants it.
        purpose: Purpose,
    },
    /// A file that the user named, or that Python imports, cannot be tried.
    Untried {
        /// Its final path.
        path: PathBuf,
        /// Why, as the end of a sentence that begins with the path.
        reason: String,
        /// Who wants it.
        purpose: Purpose,
    },
    /// There is no ELF file in what the user named.
    Nothing {
        /// The paths that were named.
        paths: BTreeSet<PathBuf>,
    },
    /// A library wants an executable stack, which glibc 2.41 and later give to no library that is
    /// opened at run time. A warning where the C library is not known or older.
    ExecutableStack {
        /// Its final path.
        path: PathBuf,
    },
    /// A program asks for an interpreter that does not start it on the target.
    NoInterpreter {
        /// Final path of the program.
        path: PathBuf,
        /// The interpreter that it asks for.
        interpreter: String,
        /// The reason why that one does not do, as the end of a sentence.
        reason: String,
    },
    /// The interpreter that the user names is not one of these programs.
    WrongInterpreter {
        /// The interpreter.
        interpreter: PathBuf,
        /// The machine that it is for.
        machine: String,
        /// Final paths of the programs.
        programs: BTreeSet<PathBuf>,
    },
}

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
pub(crate) const BREAK: char = '\n';

/// How many names of objects are printed before `and N more`.
const NAMED: usize = 3;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::SonameCollision {
                soname,
                bound,
                failing,
            } => soname_collision::fmt(f, soname, bound, failing.as_ref()),
            Self::Ambiguous { .. } => self.fmt_ambiguous(f),
            Self::Version { .. } => self.fmt_version(f),
            Self::Symbols(undefined) => undefined.fmt(f),
            Self::LazySymbols(undefined) => Lazy(undefined).fmt(f),
            Self::UnusedIgnore { .. } | Self::UnusedBackend { .. } | Self::UnusedRule { .. } => {
                self.fmt_unused(f)
            }
            Self::ChangedSource { .. } | Self::StaleSource { .. } => self.fmt_source(f),
            Self::Unreadable { .. }
            | Self::Data { .. }
            | Self::Unusable { .. }
            | Self::Stub { .. }
            | Self::Blocked { .. }
            | Self::Element { .. } => self.fmt_file(f),
            Self::Foreign { .. } | Self::Untried { .. } | Self::Nothing { .. } => {
                self.fmt_untried(f)
            }
            Self::LeftOut { .. } | Self::Sibling { .. } | Self::Sought { .. } => self.fmt_told(f),
            _ => self.fmt_object(f),
        }
    }
}

impl Fault {
    fn fmt_ambiguous(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ambiguous {
            soname,
            needed_by,
            candidates,
            reason,
        } = self
        else {
            return Ok(());
        };
        write!(f, "`{soname}` is ambiguous: {reason}")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))?;
        for candidate in candidates {
            write!(f, "{BREAK}  candidate: {}", candidate.display())?;
        }
        Ok(())
    }

    fn fmt_version(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Version {
            soname,
            version,
            found,
            needed_by,
            candidates: _,
            later,
        } = self
        else {
            return Ok(());
        };
        write!(f, "`{soname}` does not define the version `{version}`")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))?;
        match found {
            Some(found) => write!(f, "{BREAK}  found: {}", found.display())?,
            // A C library that is not here lacks what is newer than its name says.
            None if version.starts_with("GLIBC_2.") => {
                write!(
                    f,
                    "{BREAK}  found: the glibc of the target is named, and is older"
                )?;
            }
            None => write!(
                f,
                "{BREAK}  found: nothing by that name is needed, only its version"
            )?,
        }
        for directory in later {
            let path = directory.join(soname);
            write!(f, "{BREAK}  near miss: {}: it comes later", path.display())?;
        }
        Ok(())
    }

    fn fmt_unused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedIgnore { kind, glob } => {
                write!(
                    f,
                    "`{glob}` excuses no {kind}: it matches nothing that is missing"
                )
            }
            Self::UnusedBackend { glob, known } => {
                write!(f, "`{glob}` names no backend of these files")?;
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                write!(f, "{BREAK}  there are: {}", known.join(", "))
            }
            Self::UnusedRule { name, file } => {
                write!(
                    f,
                    "rule `{name}` of `{}` applies to nothing",
                    file.display()
                )
            }
            _ => Ok(()),
        }
    }

    /// Faults of a Python source.
    fn fmt_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangedSource {
                path,
                rule,
                expected,
                reason,
            } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` has none of the texts that rule `{rule}` replaces"
                )?;
                for (index, text) in expected.iter().enumerate() {
                    let word = if index == 0 { "expected" } else { "or" };
                    write!(f, "{BREAK}  {word}: {}", text.trim())?;
                }
                write!(f, "{BREAK}  why: {reason}")
            }
            Self::StaleSource { path, rules } => {
                let rules = rules.join("`, `");
                write!(
                    f,
                    "`{}` has a text that rule `{rules}` replaces",
                    path.display()
                )
            }
            _ => Ok(()),
        }
    }

    /// Faults of one file.
    fn fmt_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, reason } => {
                write!(f, "`{}` is a damaged ELF file: {reason}", path.display())
            }
            Self::Data { path, reason } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` begins as an ELF file does and is kept as data: {reason}"
                )
            }
            Self::Unusable(file) => write!(f, "{file}"),
            Self::Stub {
                soname,
                path,
                needed_by,
            } => {
                write!(
                    f,
                    "`{soname}` would be loaded from `{}`, not from the driver",
                    path.display()
                )?;
                write!(f, "{BREAK}  needed or opened by: {}", some_of(needed_by))
            }
            Self::Blocked {
                reason, needed_by, ..
            } => {
                write!(f, "the loader stops at a file: {reason}")?;
                write!(f, "{BREAK}  needed by: {}", some_of(needed_by))
            }
            Self::Element {
                path,
                element,
                reason,
            } => {
                write!(
                    f,
                    "`{}` has `{element}` in its run path: {reason}",
                    path.display()
                )
            }
            _ => Ok(()),
        }
    }

    /// Faults of what cannot be tried.
    fn fmt_untried(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign {
                path,
                machine,
                purpose,
            } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` is for another machine or system, {machine}: nothing is proved of it{purpose}"
                )
            }
            Self::Untried {
                path,
                reason,
                purpose,
            } => {
                let path = path.display();
                write!(f, "`{path}` {reason}: there is nothing to prove{purpose}")
            }
            Self::Nothing { paths } => {
                write!(
                    f,
                    "there is nothing to prove: no ELF file in {}",
                    some_of(paths)
                )
            }
            _ => Ok(()),
        }
    }

    /// Faults of one object as a whole.
    fn fmt_object(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependent { path, with } => {
                write!(
                    f,
                    "`{}` does not load by itself, only with `{}`",
                    path.display(),
                    with.display()
                )
            }
            Self::Program { path, reason } => {
                write!(f, "`{}` cannot be started: {reason}", path.display())
            }
            Self::ExecutableStack { path } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` wants an executable stack, which glibc 2.41 and later give to no library that is opened"
                )
            }
            Self::NoInterpreter {
                path,
                interpreter,
                reason,
            } => {
                write!(
                    f,
                    "program `{}` asks for the interpreter `{interpreter}`, which {reason}",
                    path.display()
                )
            }
            Self::WrongInterpreter {
                interpreter,
                machine,
                programs,
            } => {
                let interpreter = interpreter.display();
                write!(f, "`{interpreter}` is a loader for {machine}")?;
                write!(f, "{BREAK}  asked for: {}", some_of(programs))
            }
            _ => Ok(()),
        }
    }
}

/// The first few paths, and how many more there are.
pub fn some_of(paths: &BTreeSet<PathBuf>) -> String {
    let names: Vec<String> = paths
        .iter()
        .take(NAMED)
        .map(|path| path.display().to_string())
        .collect();
    let mut text = names.join(", ");
    if NAMED < paths.len() {
        let more = paths.len() - NAMED;
        text = format!("{text} and {more} more");
    }
    text
}
