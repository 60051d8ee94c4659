//! Which file satisfies which need: library index, rules, the loader's search order, RPATH plans, the closure proof, and why.
//!
//! A [`Tree`] holds the ELF objects of one output, a [`LibraryIndex`] the libraries that it may use,
//! [`Rules`] what neither of them says. [`plan()`] decides from these three, without any I/O, what is
//! to be changed in each object, or why the output cannot work.

mod excuse;
mod explain;
mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod plan;
mod plural;
mod proof;
mod role;
mod rules;
mod tree;

pub use excuse::{EXCUSES_FILE, ExcuseError, Excused, Excuses, merged_excuses};
pub use explain::graph::{Graph, Kind as GraphKind, Node as GraphNode};
pub use explain::why::{Lookup, LookupResult, Search, explain};
pub use fault::choice::{Ambiguous, UndefinedVersion};
pub use fault::evidence::Evidence;
pub use fault::excuse_kind::ExcuseKind;
pub use fault::file::{Blocked, DamagedFile, ForbiddenElement, KeptData, Stub};
pub use fault::interpreter::{NoInterpreter, UnstartedProgram, WrongInterpreter};
pub use fault::left_out::{IncompleteSibling, LeftOut, SoughtFile};
pub use fault::missing::{Missing, NearMiss, Told, told_once};
pub use fault::object::{DependentObject, ExecutableStack};
pub use fault::remedy::{Candidate, Choice, Remedy, RuleClass};
pub use fault::soname_collision::{Binding, FailingPair, SonameCollision};
pub use fault::source::{ChangedSource, StaleSource};
pub use fault::symbols::UndefinedSymbols;
pub use fault::untried::{ForeignObject, NothingToProve, Untried};
pub use fault::unusable::Unusable;
pub use fault::unused::{UnusedBackend, UnusedIgnore, UnusedRule};
pub use fault::{Fault, FaultKind, Purpose, some_of};
pub use index::lib_path::{LibPathError, Tier};
pub use index::{Found, Library, LibraryIndex};
pub use plan::environment::{Variable, VariableFault, VariablePlaces};
pub use plan::foresight::foresee;
pub use plan::planner::plan;
pub use plan::replace::{NamedPaths, SourceEdit};
pub use plan::substitutions::Substitutions;
pub use plan::unused::excuses_without_proof;
pub use plan::{
    DroppedFile, Edit, LinkPlan, Need, ObjectPlan, PlanOptions, RunPathEdit, RunPathStyle,
    Satisfied,
};
pub use plural::{count, first_of};
pub use proof::assumption::Assumed;
pub use proof::dlopen_check::SourceLibraries;
pub use proof::library_table::{LibraryTable, TablePlaces, is_of_table};
pub use proof::named::nothing_in;
pub use proof::{LeftAside, Proof, ProofOptions, prove};
pub use rules::file::RulesError;
pub use rules::{
    Alias, Backend, Bundled, BundledAction, Dlopen, Driver, Libc, Pattern, Prefer, Probe, Provider,
    Replace, Rule, Rules, Stale, any_matches,
};
pub use tree::imported::is_test;
pub use tree::made_executable::made_executable;
pub use tree::python_module::may_be_module;
pub use tree::walk::{Walk, walk};
pub use tree::{PythonSource, Skipped, Tree, TreeError, Unreadable, may_be_like_source};
