//! The report on an environment that was made, or would be.

use std::path::PathBuf;

use wheelfix_link::{LinkPlan, Proof, Variable};
use wheelfix_unbundle::UnbundlePlan;

use crate::bytecode::CompileFailure;
use crate::env::collision::ResolvedCollision;
use crate::env::copies::RuntimeCopies;
use crate::env::input::Prefix;
use crate::env::materialize::Counts;
use crate::env::plan::PlannedEntry;
use crate::env::requirements_check::UnmetRequirement;
use crate::install::report::InstalledWheel;
use crate::warning::InstallWarning;

/// The report on an environment that was made, or would be.
#[derive(Debug)]
pub struct EnvReport {
    /// Where the environment is, absolute.
    pub prefix: PathBuf,
    /// The prefixes that went in, by path.
    pub prefixes: Vec<Prefix>,
    /// Inputs that hold no modules, and Pythons, by path: nothing is taken from them.
    pub passed_over: Vec<PathBuf>,
    /// The wheels, by file name.
    pub wheels: Vec<InstalledWheel>,
    /// All distributions, as name and version, by name.
    pub distributions: Vec<(String, String)>,
    /// The numbers of entries, by kind.
    pub counts: Counts,
    /// How many files lie in the directories that are taken whole.
    pub whole_files: usize,
    /// Every entry, by path; `None` if it was not asked for.
    pub plan: Option<Vec<PlannedEntry>>,
    /// Collisions that a rule decided, by path.
    pub resolved: Vec<ResolvedCollision>,
    /// Requirements that are not met, as the user allows.
    pub unmet: Vec<UnmetRequirement>,
    /// Run-time libraries with several copies.
    pub copies: Vec<RuntimeCopies>,
    /// The plan for the bundled libraries of wheels.
    pub unbundling: UnbundlePlan,
    /// The plan for the wheels' other libraries.
    pub link_plan: LinkPlan,
    /// The proof that everything loads by its path in the environment; `None` if it was not asked
    /// for, or nothing is known of the target.
    pub proof: Option<Proof>,
    /// The proof that everything loads by its path in the inputs; `None` as above, and if nothing
    /// leads there.
    pub input_proof: Option<Proof>,
    /// How many ELF files of wheels were edited.
    pub elf_edited: usize,
    /// Sources of wheels that do not compile, sorted.
    pub compile_failures: Vec<CompileFailure>,
    /// Warnings about the request.
    pub warnings: Vec<InstallWarning>,
    /// The variables that the Python of the environment sets unless they are set, by name.
    pub variables: Vec<Variable>,
    /// How many entries were the same when all was made a second time; `None` if it was not.
    pub made_twice: Option<usize>,
}
