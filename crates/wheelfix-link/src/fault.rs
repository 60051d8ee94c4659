//! Faults that keep an output from working, with what is needed to fix them.

pub(crate) mod choice;
pub(crate) mod evidence;
pub(crate) mod excuse_kind;
pub(crate) mod file;
pub(crate) mod interpreter;
pub(crate) mod left_out;
pub(crate) mod missing;
pub(crate) mod object;
mod purpose;
mod remedies;
pub(crate) mod remedy;
pub(crate) mod soname_collision;
pub(crate) mod source;
pub(crate) mod symbols;
pub(crate) mod untried;
pub(crate) mod unusable;
pub(crate) mod unused;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::choice::{Ambiguous, UndefinedVersion};
use crate::fault::file::{Blocked, DamagedFile, ForbiddenElement, KeptData, Stub};
use crate::fault::interpreter::{NoInterpreter, UnstartedProgram, WrongInterpreter};
use crate::fault::left_out::{IncompleteSibling, LeftOut, SoughtFile};
use crate::fault::missing::Missing;
use crate::fault::object::{DependentObject, ExecutableStack};
use crate::fault::soname_collision::SonameCollision;
use crate::fault::source::{ChangedSource, StaleSource};
use crate::fault::symbols::{Lazy, UndefinedSymbols};
use crate::fault::untried::{ForeignObject, NothingToProve, Untried};
use crate::fault::unusable::Unusable;
use crate::fault::unused::{UnusedBackend, UnusedIgnore, UnusedRule};
use crate::plural::first_of;

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
    Ambiguous(Ambiguous),
    /// A file begins as an ELF file does, and is not a valid one.
    Unreadable(DamagedFile),
    /// A file begins as an ELF file does, is not a valid one, and nothing loads it. A warning.
    Data(KeptData),
    /// A file in a library path has the name of a library and cannot be read as one. A warning: nothing needs it.
    Unusable(Unusable),
    /// An excuse of the user matches nothing that is missing.
    UnusedIgnore(UnusedIgnore),
    /// The user's `--backend` names nothing that is there.
    UnusedBackend(UnusedBackend),
    /// Files that do not load and need not are left out. A warning.
    LeftOut(LeftOut),
    /// The prefix of another wheel lacks what its own files need. A warning: its install allowed that.
    Sibling(IncompleteSibling),
    /// A file is not there that an object looks for where another distribution's are. A warning: it may do without.
    Sought(SoughtFile),
    /// A rule of the user applies to nothing.
    UnusedRule(UnusedRule),
    /// The library that is found does not define a version.
    Version(UndefinedVersion),
    /// Nothing that is loaded with an object defines what it refers to.
    Symbols(UndefinedSymbols),
    /// Functions that nothing that is loaded with an object defines, which are looked up when they are
    /// called, unless whoever opens the object has all bound at once.
    LazySymbols(UndefinedSymbols),
    /// Different files answer to one name in one process, which gets the first of them. A warning where
    /// each serves all.
    SonameCollision(SonameCollision),
    /// An object does not load by itself, but with another one that brings it along. A warning: it
    /// is only ever loaded so.
    Dependent(DependentObject),
    /// A library of the driver would be taken from elsewhere than the driver path.
    Stub(Stub),
    /// The loader gives up over a file that it finds on its way.
    Blocked(Blocked),
    /// A Python source that a rule is to change has another text than the rule knows.
    ChangedSource(ChangedSource),
    /// A Python source has a text that a rule replaces.
    StaleSource(StaleSource),
    /// An element of a run path must not be there.
    Element(ForbiddenElement),
    /// The program that is to open the objects cannot be started.
    Program(UnstartedProgram),
    /// An object is for another machine or system than the program that opens the others: nothing
    /// can be proved of it, and `purpose` says who wants it.
    Foreign(ForeignObject),
    /// A file that the user named, or that Python imports, cannot be tried.
    Untried(Untried),
    /// There is no ELF file in what the user named.
    Nothing(NothingToProve),
    /// A library wants an executable stack, which glibc 2.41 and later give to no library that is
    /// opened at run time. A warning where the C library is not known or older.
    ExecutableStack(ExecutableStack),
    /// A program asks for an interpreter that does not start it on the target.
    NoInterpreter(NoInterpreter),
    /// The interpreter that the user names is not one of these programs.
    WrongInterpreter(WrongInterpreter),
}

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
pub(crate) const BREAK: char = '\n';

/// How many names of objects are printed before `and N more`.
const NAMED: usize = 3;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(fault) => fault.fmt(f),
            Self::Unusable(fault) => fault.fmt(f),
            Self::Symbols(fault) => fault.fmt(f),
            Self::LazySymbols(fault) => Lazy(fault).fmt(f),
            Self::Ambiguous(fault) => fault.fmt(f),
            Self::Unreadable(fault) => fault.fmt(f),
            Self::Data(fault) => fault.fmt(f),
            Self::UnusedIgnore(fault) => fault.fmt(f),
            Self::UnusedBackend(fault) => fault.fmt(f),
            Self::LeftOut(fault) => fault.fmt(f),
            Self::Sibling(fault) => fault.fmt(f),
            Self::Sought(fault) => fault.fmt(f),
            Self::UnusedRule(fault) => fault.fmt(f),
            Self::Version(fault) => fault.fmt(f),
            Self::SonameCollision(fault) => fault.fmt(f),
            Self::Dependent(fault) => fault.fmt(f),
            Self::Stub(fault) => fault.fmt(f),
            Self::Blocked(fault) => fault.fmt(f),
            Self::ChangedSource(fault) => fault.fmt(f),
            Self::StaleSource(fault) => fault.fmt(f),
            Self::Element(fault) => fault.fmt(f),
            Self::Program(fault) => fault.fmt(f),
            Self::Foreign(fault) => fault.fmt(f),
            Self::Untried(fault) => fault.fmt(f),
            Self::Nothing(fault) => fault.fmt(f),
            Self::ExecutableStack(fault) => fault.fmt(f),
            Self::NoInterpreter(fault) => fault.fmt(f),
            Self::WrongInterpreter(fault) => fault.fmt(f),
        }
    }
}

/// The first few paths, and how many more there are.
pub fn some_of(paths: &BTreeSet<PathBuf>) -> String {
    let names = paths.iter().map(|path| path.display().to_string());
    first_of(&names.collect::<Vec<_>>(), NAMED)
}
