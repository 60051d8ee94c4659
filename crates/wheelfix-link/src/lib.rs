//! Which file satisfies which need: library index, rules, the loader's search order, RPATH plans, the closure proof, and why.
//!
//! A [`Tree`] holds the ELF objects of one output, a [`LibraryIndex`] the libraries that it may use,
//! [`Rules`] what neither of them says. [`plan()`] decides from these three, without any I/O, what is
//! to be changed in each object, or why the output cannot work.

mod abi;
mod absolute;
mod admission;
mod assumption;
mod backend;
mod dlopen_check;
mod dlopen_dependency;
mod environment;
mod excuse;
mod fault;
mod file_view;
mod foresight;
#[doc(hidden)]
pub mod fuzzing;
mod glibc;
mod graph;
mod imported;
mod index;
mod interpreter;
mod ld_cache;
mod lib_path;
mod library_table;
mod lint;
mod made_executable;
mod minimum_versions;
mod missing;
mod musl;
mod named;
mod near_miss;
mod object;
mod optional;
mod other_python;
mod place;
mod plan;
mod planner;
#[cfg(test)]
mod planner_tests;
mod plural;
mod process;
mod proof;
mod proof_builder;
mod python_module;
mod read;
mod remedy;
mod replace;
mod resolve;
mod role;
mod rules;
mod rules_file;
mod run_path;
mod run_path_plan;
mod simulation;
mod site;
mod soname_collision;
mod sought;
mod source_uses;
mod stop;
mod stray;
mod substitutions;
mod symbols;
mod system;
mod system_dirs;
mod target;
mod text_names;
mod trace;
mod tree;
mod unnamed;
mod unused;
mod walk;
mod why;

pub use abi::Abi;
pub use absolute::{absolute_path, existing_path, real_path};
pub use assumption::Assumed;
pub use dlopen_check::SourceLibraries;
pub use dlopen_dependency::Evidence;
pub use environment::{Variable, VariableFault, VariablePlaces};
pub use excuse::{EXCUSES_FILE, ExcuseError, ExcuseKind, Excused, Excuses, merged_excuses};
pub use fault::{Fault, FaultKind, Purpose, some_of, with_causes};
pub use file_view::{FileKey, FileView, ViewedFile};
pub use foresight::foresee;
pub use graph::Graph;
pub use index::{Found, Library, LibraryIndex, Unusable};
pub use interpreter::{Loader, LoaderError, interpreter_fault};
pub use ld_cache::LdCache;
pub use lib_path::{LibPathError, Tier};
pub use library_table::{LibraryTable, TablePlaces, is_of_table};
pub use made_executable::made_executable;
pub use minimum_versions::{MinimumVersion, MinimumVersions};
pub use missing::{Missing, NearMiss, Told, told_once};
pub use named::nothing_in;
pub use object::{ContentId, DF_1_NODEFLIB, DlopenNote, LoadConditions, Object, VersionNeed};
pub use place::Place;
pub use plan::{
    DroppedFile, Edit, LinkPlan, Need, ObjectPlan, PlanOptions, RunPathEdit, RunPathStyle,
    Satisfied,
};
pub use planner::plan;
pub use plural::count;
pub use process::{Loaded, Outcome, Process};
pub use proof::{LeftAside, Proof, ProofOptions, prove};
pub use python_module::may_be_module;
pub use read::{ReadOutcome, object_of, read_object};
pub use remedy::{Candidate, Choice, Remedy, RuleClass};
pub use replace::{NamedPaths, SourceEdit};
pub use rules::{
    Alias, Backend, Bundled, BundledAction, Dlopen, Driver, Libc, Pattern, Prefer, Probe, Provider,
    Replace, Rule, Rules, Stale, any_matches,
};
pub use rules_file::RulesError;
pub use run_path::{PathKind, RunPath, Tokens, has_token, normalize, origin_relative};
pub use soname_collision::{Binding, FailingPair};
pub use stop::Stop;
pub use substitutions::Substitutions;
pub use system::System;
pub use target::{LoaderKind, NamedTarget, STORE, Target};
pub use trace::{Event, Trace};
pub use tree::{
    PythonSource, Skipped, Tree, TreeError, Unreadable, is_python_source, may_be_like_source,
};
pub use unused::excuses_without_proof;
pub use walk::{Walk, walk};
pub use why::{Lookup, LookupResult, Search, explain};
